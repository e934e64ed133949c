"""A virtual account that is recorded over a day's end, with whatever a test does to it meanwhile."""

from __future__ import annotations

from pathlib import Path

import msgspec

from atm.model.account import AccountSetup
from atm.model.interval import DAY_MS
from atm.simulators.parity import DayMarket, RecordedDay, stored_day
from atm.storage.database import Database
from tests.managers.trade_harness import ACCOUNT, SYMBOLS, T0, Program, walk

HISTORY = 300
FIRST, SECOND = T0, T0 + DAY_MS
LIVELY: AccountSetup = msgspec.structs.replace(ACCOUNT, costs=msgspec.structs.replace(ACCOUNT.costs, funding_hours=1))
"""Charged funding every hour."""


def program(folder: Path, minutes: int, setup: AccountSetup = LIVELY) -> Program:
    """Started, with one account that waits for its first minute; the market has `minutes` to play."""
    made = Program(folder, {symbol: walk(seed, HISTORY + minutes) for seed, symbol in enumerate(SYMBOLS, 3)}, HISTORY)
    made.seed(setup)
    made.start()
    return made


def finish(ran: Program) -> None:
    ran.wait(10.0)
    assert ran.manager is not None
    ran.manager.finish()


def recorded(ran: Program, day_ms: int, account: str = "paper") -> RecordedDay:
    database = Database(ran.url)
    day = stored_day(database, account, day_ms)
    earlier = list(day.earlier())
    database.close()
    return RecordedDay(
        day.account, day.segments, day.hours, day.end_ms, day.after, day.before, day.fills, day.equity, lambda: earlier
    )


def market(ran: Program, day: RecordedDay) -> DayMarket:
    return DayMarket(ran.reader, day.begin_ms, day.end_ms, day.starts())
