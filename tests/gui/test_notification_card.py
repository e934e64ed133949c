"""Settings of notifications, by mouse and keys."""

from __future__ import annotations

import msgspec
from imgui_bundle import ImVec2, imgui

from atm.gui.ui import PageName
from atm.ipc.messages import MAIN, NotificationsUpdated, SetChannels, SetNotifications, StartWorker, TestNotification
from atm.ipc.notification_messages import CHANNELS_PURPOSE
from atm.ipc.sealed import SealReader
from atm.model.notification import ChannelState, NotificationSettings
from tests.gui.pilot import Pilot


def settings_page(pilot: Pilot, state: NotificationsUpdated | None) -> None:
    """A window tall enough for the whole page."""
    if state is not None:
        pilot.ui.model.apply(state)
    imgui.get_io().display_size = ImVec2(1600, 2400)
    pilot.show(PageName.SETTINGS)


def test_the_notifier_is_started_when_it_is_wanted(pilot: Pilot) -> None:
    settings_page(pilot, None)
    pilot.click("notify.start")
    assert [(each.to, each.request) for each in pilot.sent] == [(MAIN, StartWorker("notifier"))]


def test_rules_are_changed_and_a_wrong_one_is_told_at_its_field(pilot: Pilot) -> None:
    settings_page(pilot, NotificationsUpdated(NotificationSettings(), (), b""))
    pilot.click("notify.enabled")
    assert pilot.sent[-1].request == SetNotifications(NotificationSettings(enabled=True))
    pilot.sent.clear()
    pilot.click("notify.rule.per_hour.up")
    pilot.click("notify.rules")
    assert pilot.sent[-1].request == SetNotifications(msgspec.structs.replace(NotificationSettings(), per_hour=21))
    pilot.sent.clear()
    pilot.type("notify.rule.per_hour", "500")
    pilot.click("notify.rules")
    assert not pilot.sent


def test_addresses_leave_the_window_sealed_and_do_not_stay_in_it(pilot: Pilot) -> None:
    reader = SealReader()
    state = NotificationsUpdated(NotificationSettings(enabled=True), (ChannelState("json", 2),), reader.public)
    settings_page(pilot, state)
    pilot.type("notify.addresses", "tgram://t0ken/1")
    pilot.click("notify.channels")
    sent = pilot.sent[-1].request
    assert isinstance(sent, SetChannels) and b"t0ken" not in sent.sealed
    assert reader.open(sent.sealed, CHANNELS_PURPOSE) == "tgram://t0ken/1"
    pilot.sent.clear()
    pilot.click("notify.channels")
    assert not pilot.sent, "nothing is left to be sent twice"
    pilot.click("notify.test")
    assert pilot.sent[-1].request == TestNotification()
