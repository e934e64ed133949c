"""A recorded day out of the relational store."""

from __future__ import annotations

from atm.model.errors import Refused
from atm.model.income import IncomeRecord
from atm.model.interval import DAY_MS, HOUR_MS, format_time
from atm.model.parity_record import HourRecord, Segment
from atm.simulators.parity.recorded_day import RecordedDay
from atm.storage.database import Database
from atm.storage.parity import KEPT_DAYS

MOST_TRADES = 1_000_000


def stored_day(database: Database, account: str, day_ms: int, now: Segment | None = None) -> RecordedDay:
    """What was kept of a day (day_ms: its 00:00 UTC). now: the account as it is, for a day that is not over: it is looked at up to
    there. Raises `Refused` where nothing was recorded of it."""
    segments = database.parity.segments(account, day_ms, day_ms + DAY_MS)
    after = next(iter(database.parity.segments(account, day_ms + DAY_MS, day_ms + DAY_MS + 1)), None)
    if after is None and now is not None and segments and segments[-1].begin_ms < now.begin_ms <= day_ms + DAY_MS:
        after = now
    if not segments or after is None or after.begin_ms <= segments[0].begin_ms:
        raise Refused(f"nothing that could be worked again was recorded of {account} on {format_time(day_ms)[:10]}")
    begin_ms, end_ms = segments[0].begin_ms, after.begin_ms
    hours = database.parity.hours(account, begin_ms // HOUR_MS * HOUR_MS, end_ms)
    before = database.parity.hours(account, (begin_ms - 1) // HOUR_MS * HOUR_MS, begin_ms)

    def earlier() -> list[HourRecord]:
        starts = [start for hour in hours for start in hour.starts.values()]
        oldest = max(min(starts, default=begin_ms), begin_ms - KEPT_DAYS * DAY_MS)
        return database.parity.hours(account, oldest // HOUR_MS * HOUR_MS, begin_ms)

    return RecordedDay(
        account,
        segments,
        hours,
        end_ms,
        after,
        before[0] if before else None,
        database.accounts.trades(account, MOST_TRADES)[::-1],
        [point for point in database.accounts.equity(account, begin_ms) if point[0] <= end_ms],
        earlier,
        _income(database, account, segments, begin_ms, end_ms),
    )


def _income(
    database: Database, account: str, segments: list[Segment], begin_ms: int, end_ms: int
) -> list[IncomeRecord] | None:
    if database.income.state(account).until_ms < end_ms:
        return None
    assets = {asset for segment in segments for asset in segment.setup.assets}
    found = database.income.records(account, begin_ms)
    return [each for each in found if each.time_ms < end_ms and each.asset in assets]
