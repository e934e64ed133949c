"""Messages of the notifier."""

from __future__ import annotations

from typing import ClassVar

from atm.ipc.message_forms import Delivery, Event, Reply, Request
from atm.model.notification import ChannelState, NotificationSettings

NOTIFIER = "notifier"
"""Kind of worker; there is one, `notifier-0`."""
CHANNELS_PURPOSE = "notification channels"
"""What the addresses are sealed for (`atm.ipc.sealed`)."""


class NotificationsUpdated(Event, frozen=True):
    """From the notifier. Key: "". seal_key: public key to seal addresses with; kept: they outlast the program."""

    delivery: ClassVar[Delivery] = "latest"
    settings: NotificationSettings
    channels: tuple[ChannelState, ...]
    seal_key: bytes
    kept: bool = False


class SetNotifications(Request, frozen=True):
    """Change the rules. → Done."""

    settings: NotificationSettings


class SetChannels(Request, frozen=True):
    """Replace the addresses, one a line, sealed for the notifier. → ChannelsSet; Invalid names the line that is no address."""

    sealed: bytes


class ChannelsSet(Reply, frozen=True):
    """kept: in the system's keyring, so that they outlast the program."""

    kept: bool


class TestNotification(Request, frozen=True):
    """Send a test message to every address now. → Done; Unavailable says which did not take it."""
