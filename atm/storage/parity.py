"""What live accounts began with and decided on, day by day, and what was found of those days."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from atm.model.interval import DAY_MS
from atm.model.parity import ParityDay
from atm.model.parity_record import HourRecord, RecordProgress, Segment
from atm.storage.repository import Repository
from atm.storage.schema import ParityDayRow, ParityHourRow, ParitySegmentRow

log = logging.getLogger(__name__)

KEPT_DAYS = 400
"""How long the record of a day is kept: with ten symbols some 70 KB a day. What was found of it stays as long."""
MOST_DAYS = 1_000

T = TypeVar("T")


class ParityRepository(Repository):
    def segments(self, account: str, start_ms: int, end_ms: int) -> list[Segment]:
        """Those with start_ms <= begin_ms < end_ms, ascending."""
        query = select(ParitySegmentRow).where(
            ParitySegmentRow.account == account,
            ParitySegmentRow.begin_ms >= start_ms,
            ParitySegmentRow.begin_ms < end_ms,
        )
        with self._reading() as session:
            rows = list(session.scalars(query.order_by(ParitySegmentRow.begin_ms)))
        return _readable(((row.begin_ms, row.payload) for row in rows), Segment.unpack)

    def begins(self, account: str) -> list[int]:
        """When the segments begin, ascending."""
        query = select(ParitySegmentRow.begin_ms).where(ParitySegmentRow.account == account)
        with self._reading() as session:
            return [int(begin_ms) for begin_ms in session.scalars(query.order_by(ParitySegmentRow.begin_ms))]

    def last_segment(self, account: str) -> Segment | None:
        """The newest."""
        query = select(ParitySegmentRow).where(ParitySegmentRow.account == account)
        with self._reading() as session:
            rows = list(session.scalars(query.order_by(ParitySegmentRow.begin_ms.desc()).limit(1)))
        found = _readable(((row.begin_ms, row.payload) for row in rows), Segment.unpack)
        return found[0] if found else None

    def hours(self, account: str, start_ms: int, end_ms: int) -> list[HourRecord]:
        """Those with start_ms <= hour_ms < end_ms, ascending."""
        query = select(ParityHourRow).where(
            ParityHourRow.account == account, ParityHourRow.hour_ms >= start_ms, ParityHourRow.hour_ms < end_ms
        )
        with self._reading() as session:
            rows = list(session.scalars(query.order_by(ParityHourRow.hour_ms)))
        return _readable(((row.hour_ms, row.payload) for row in rows), HourRecord.unpack)

    def put_day(self, day: ParityDay) -> None:
        """In place of what was found before. Raises `Unavailable` when the account is gone."""
        row = ParityDayRow(
            account=day.account, day_ms=day.day_ms, verdict=day.verdict.value, payload=zlib.compress(day.pack(), 1)
        )
        with self._writing() as session:
            session.merge(row)

    def days(self, account: str, most: int = MOST_DAYS) -> list[ParityDay]:
        """The newest `most`, oldest first; those that this version cannot read are left out."""
        query = select(ParityDayRow).where(ParityDayRow.account == account)
        with self._reading() as session:
            rows = list(session.scalars(query.order_by(ParityDayRow.day_ms.desc()).limit(most)))
        return _readable(((row.day_ms, row.payload) for row in reversed(rows)), ParityDay.unpack)

    def day(self, account: str, day_ms: int) -> ParityDay | None:
        with self._reading() as session:
            row = session.get(ParityDayRow, (account, day_ms))
            found = [] if row is None else _readable([(row.day_ms, row.payload)], ParityDay.unpack)
        return found[0] if found else None


def put_record(session: Session, account: str, record: RecordProgress) -> None:
    """Within a transaction; a segment or hour replaces the one of its time. A new segment lets what is too old go."""
    for segment in record.segments:
        payload = zlib.compress(segment.pack(), 1)
        session.merge(ParitySegmentRow(account=account, begin_ms=segment.begin_ms, payload=payload))
    for hour in record.hours:
        session.merge(ParityHourRow(account=account, hour_ms=hour.hour_ms, payload=zlib.compress(hour.pack(), 1)))
    if record.segments:
        oldest = record.segments[-1].begin_ms - KEPT_DAYS * DAY_MS
        for kind, time in _TIMES:
            session.execute(delete(kind).where(kind.account == account, time < oldest))


def remove_record(session: Session, account: str) -> None:
    """Within a transaction, all of an account."""
    for kind, _ in _TIMES:
        session.execute(delete(kind).where(kind.account == account))


_TIMES: tuple[tuple[Any, Any], ...] = (
    (ParitySegmentRow, ParitySegmentRow.begin_ms),
    (ParityHourRow, ParityHourRow.hour_ms),
    (ParityDayRow, ParityDayRow.day_ms),
)


def _readable(rows: Any, unpack: Callable[[bytes], T]) -> list[T]:
    found = []
    for time_ms, payload in rows:
        try:
            found.append(unpack(zlib.decompress(payload)))
        except (msgspec.MsgspecError, zlib.error, TypeError) as error:
            log.error("what was recorded of %s cannot be read and is left out: %s", time_ms, error)
    return found
