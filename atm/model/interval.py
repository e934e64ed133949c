"""The fifteen kline intervals and their alignment (spec: analysis §1.2).

All times in the program are Unix milliseconds UTC. A bar is identified by its open time; its close time
is the last millisecond before the next open. Up to one day, open times are multiples of the length since the
epoch; three-day bars are multiples of three days since the epoch; weeks open on Monday 00:00 UTC; months on
day one 00:00 UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum

from atm.model.errors import Invalid

SECOND_MS = 1_000
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000
_EPOCH_MONDAY_MS = 4 * DAY_MS  # 1970-01-05 was the first Monday


class Interval(Enum):
    """A kline interval. The value is the exchange's own identifier."""

    M1 = "1m"
    M3 = "3m"
    M5 = "5m"
    M15 = "15m"
    M30 = "30m"
    H1 = "1h"
    H2 = "2h"
    H4 = "4h"
    H6 = "6h"
    H8 = "8h"
    H12 = "12h"
    D1 = "1d"
    D3 = "3d"
    W1 = "1w"
    MONTH = "1M"

    @property
    def nominal_ms(self) -> int:
        """Length in milliseconds; a month counts 30 days here and only here."""
        return _NOMINAL_MS[self]

    def open_time(self, time_ms: int) -> int:
        """Open time of the bar that contains `time_ms`."""
        if self is Interval.MONTH:
            moment = datetime.fromtimestamp(time_ms / 1000, UTC)
            return int(datetime(moment.year, moment.month, 1, tzinfo=UTC).timestamp()) * 1000
        if self is Interval.W1:
            return (time_ms - _EPOCH_MONDAY_MS) // self.nominal_ms * self.nominal_ms + _EPOCH_MONDAY_MS
        return time_ms // self.nominal_ms * self.nominal_ms

    def next_open(self, open_time_ms: int) -> int:
        """Open time of the bar that follows the one opening at `open_time_ms`."""
        if self is Interval.MONTH:
            return self.open_time(open_time_ms + 32 * DAY_MS)
        return open_time_ms + self.nominal_ms

    def elapsed(self, close_ms: int) -> float:
        """Share of its bar that is over when the minute ends that ends at `close_ms`: more than 0, and 1 when it ends the bar."""
        begin = self.open_time(close_ms - MINUTE_MS)
        return (close_ms - begin) / (self.next_open(begin) - begin)


_NOMINAL_MS = {
    Interval.M1: MINUTE_MS,
    Interval.M3: 3 * MINUTE_MS,
    Interval.M5: 5 * MINUTE_MS,
    Interval.M15: 15 * MINUTE_MS,
    Interval.M30: 30 * MINUTE_MS,
    Interval.H1: HOUR_MS,
    Interval.H2: 2 * HOUR_MS,
    Interval.H4: 4 * HOUR_MS,
    Interval.H6: 6 * HOUR_MS,
    Interval.H8: 8 * HOUR_MS,
    Interval.H12: 12 * HOUR_MS,
    Interval.D1: DAY_MS,
    Interval.D3: 3 * DAY_MS,
    Interval.W1: 7 * DAY_MS,
    Interval.MONTH: 30 * DAY_MS,
}


def parse_time(text: str) -> int:
    """Unix ms UTC of "YYYY-MM-DD" or "YYYY-MM-DD HH:MM[:SS]" ("/" and "T" are accepted too).

    Raises ValueError when the text is no such time.
    """
    moment = datetime.fromisoformat(text.strip().replace("/", "-"))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)


def time_span(start: str, end: str, start_name: str = "start", end_name: str = "end") -> tuple[int, int]:
    """(start, end) in Unix ms, on whole minutes. Raises Invalid naming the one that is wrong."""
    moments = []
    for name, text in ((start_name, start), (end_name, end)):
        try:
            moments.append(parse_time(text) // MINUTE_MS * MINUTE_MS)
        except ValueError:
            raise Invalid(name, text, "a UTC time YYYY-MM-DD or YYYY-MM-DD HH:MM") from None
    if moments[0] >= moments[1]:
        raise Invalid(end_name, end, f"a time after {start_name} ({start})")
    return moments[0], moments[1]


def format_time(time_ms: int, *, seconds: bool = False) -> str:
    """ "YYYY-MM-DD HH:MM[:SS]" in UTC."""
    moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")
