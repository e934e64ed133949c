"""Export incident on the Accounts page."""

from __future__ import annotations

import pytest

from atm.gui.ui import PageName
from atm.ipc.messages import MAIN, Done, ExportIncident, Failed
from tests.gui.pilot import Pilot


@pytest.fixture
def accounts(pilot: Pilot) -> Pilot:
    pilot.show(PageName.ACCOUNTS)
    pilot.click("accounts.tab.incident")
    return pilot


def test_the_last_hour_of_the_shown_account_is_exported_once(accounts: Pilot) -> None:
    accounts.click("incident.export")
    accounts.click("incident.export")
    (command,) = accounts.sent
    assert command.to == MAIN
    assert isinstance(command.request, ExportIncident)
    assert (command.request.account, command.request.last_s) == ("paper-1", 3_600.0)
    assert command.request.file.startswith("paper-1-")
    accounts.ui.commands.answered(command, Done())
    accounts.frames(2)
    accounts.click("incident.range.24h")
    accounts.click("incident.export")
    assert accounts.sent[-1].request.last_s == 86_400.0


def test_a_refusal_is_shown_and_it_can_be_tried_again(accounts: Pilot) -> None:
    accounts.click("incident.export")
    accounts.ui.commands.answered(accounts.sent[0], Failed("Unavailable", "the disk is full"))
    accounts.frames(2)
    assert accounts.ui.commands.failure("incident.export.paper-1") is not None
    accounts.click("incident.export")
    assert len(accounts.sent) == 2
