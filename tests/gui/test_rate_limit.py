"""The rate budget in the status bar."""

from __future__ import annotations

import msgspec
import pytest

from tests.gui.pilot import Pilot


def tell(pilot: Pilot, **changed: object) -> None:
    connection = pilot.ui.model.connection
    assert connection is not None
    pilot.ui.model.apply(msgspec.structs.replace(connection, **changed))
    pilot.frames(2)


def test_what_waits_and_what_the_exchange_imposes_is_shown_while_it_does(pilot: Pilot) -> None:
    pilot.frames(2)
    assert pilot.sees("rate_limit") and not pilot.sees("rate_limit.waiting")
    tell(pilot, waiting={"history": 12, "repair": 1})
    assert pilot.sees("rate_limit.waiting") and not pilot.sees("rate_limit.throttled")
    tell(pilot, waiting={}, restraint="throttled", restraint_s=34.0)
    assert pilot.sees("rate_limit.throttled") and not pilot.sees("rate_limit.waiting")
    tell(pilot, restraint="banned")
    assert pilot.sees("rate_limit.banned") and not pilot.sees("rate_limit.throttled")


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_pointer_finds_every_limit_and_every_class(
    pilot: Pilot, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []
    monkeypatch.setattr("atm.gui.rate_limit.widgets.tooltip", shown.append)
    pilot.ui.texts.choose(language)
    tell(pilot, used_weight=1_234, used_orders_10s=7, used_orders=56, waiting={"history": 12})
    pilot.move("rate_limit")
    lines = next(text for text in shown if "1,234" in text).splitlines()
    assert "2,400" in lines[0]
    assert all(number in lines[1] for number in ("7", "300", "56", "1,200"))
    assert [line.rpartition(": ")[2] for line in lines[2:]] == ["0", "0", "0", "12", "0"]
