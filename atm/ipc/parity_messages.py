"""Messages about live days that are worked again. See `atm.ipc.messages`, through which all are imported."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from atm.ipc.message_forms import Delivery, Event, Reply, Request
from atm.model.drift import DriftState
from atm.model.parity import ParityDay, Verdict


class ParityHead(msgspec.Struct, frozen=True):
    """A day in the list. verdict: None = it was not worked again yet; unexplained and difference: money, None = not known."""

    day_ms: int
    verdict: Verdict | None = None
    decisions: int = 0
    differing: int = 0
    difference: float | None = None
    unexplained: float | None = None


class LookAtParity(Request, frozen=True):
    """To simulation: the recorded days of an account, newest first, and its drift alarm. → ParityShown. Failed with Invalid for an account
    that is not stored."""

    account: str


class ParityShown(Reply, frozen=True):
    days: tuple[ParityHead, ...]
    drift: DriftState


class DayOfParity(Request, frozen=True):
    """To simulation: a day (00:00 UTC, Unix ms) of an account. again: work it again now, that of today as far as it has come.
    → ParityWorked. Failed with Refused where nothing was recorded, or it has not been worked."""

    account: str
    day_ms: int
    again: bool = False


class ParityWorked(Reply, frozen=True):
    day: ParityDay


class SetDrift(Request, frozen=True):
    """To simulation: measure an account by a simulation ("" = by the backtests of its own days), or reset its alarm: what was until now is
    not looked at any more. → ParityShown. Failed with Invalid for a simulation without round trips."""

    account: str
    simulation: str
    reset: bool = False


class ParityUpdated(Event, frozen=True):
    """A day was worked again. Key: account name."""

    delivery: ClassVar[Delivery] = "latest"
    account: str
    head: ParityHead
    drift: DriftState
