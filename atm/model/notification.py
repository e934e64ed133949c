"""What is sent to the user outside of the window, and when. The addresses it goes to are secrets and not in here."""

from __future__ import annotations

from typing import Annotated

import msgspec

from atm.model.notice import Severity


class NotificationSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rules for messages.

    lowest: the mildest severity that is sent; fills: fills are sent as well, whatever their severity; quiet_from, quiet_to: hours UTC
    in which only what is critical is sent (equal: none); per_hour: messages at most, what comes faster is sent together;
    daily_report: hour UTC of the daily report, None = none.
    """

    enabled: bool = False
    lowest: Severity = Severity.WARNING
    fills: bool = True
    quiet_from: Annotated[int, msgspec.Meta(ge=0, le=23)] = 0
    quiet_to: Annotated[int, msgspec.Meta(ge=0, le=23)] = 0
    per_hour: Annotated[int, msgspec.Meta(ge=1, le=120)] = 20
    daily_report: Annotated[int, msgspec.Meta(ge=0, le=23)] | None = None


class ChannelState(msgspec.Struct, frozen=True):
    """One address as it may be shown. name: its scheme ("tgram"); waiting: messages not yet delivered; lost: given up."""

    name: str
    delivered: int = 0
    waiting: int = 0
    lost: int = 0
    error: str = ""
