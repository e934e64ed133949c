"""A day of an account as it was recorded, ready to be worked again. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from atm.model.account import AccountKind, TradeRecord
from atm.model.income import IncomeRecord
from atm.model.interval import MINUTE_MS
from atm.model.parity_record import NOT_WORKED, HourRecord, MinuteFacts, Segment


@dataclass(frozen=True)
class RecordedDay:
    """segments: ascending, the first begins with the day's first minute; hours: of the day; after: the account at the end, None = not
    known; before: the hour before the first minute; fills: of the account, by time, those before and after the day may be among
    them; equity: stored points (Unix ms, value); earlier(): hours back to where the analyses began; income: the exchange's records
    of the day in the assets of the account, None = not known whole.
    """

    account: str
    segments: Sequence[Segment]
    hours: Sequence[HourRecord]
    end_ms: int
    after: Segment | None = None
    before: HourRecord | None = None
    fills: Sequence[TradeRecord] = ()
    equity: Sequence[tuple[int, float]] = ()
    earlier: Callable[[], Sequence[HourRecord]] = field(default=lambda: ())
    income: Sequence[IncomeRecord] | None = None

    @property
    def begin_ms(self) -> int:
        return self.segments[0].begin_ms

    @property
    def is_actual(self) -> bool:
        return self.segments[0].setup.kind is AccountKind.ACTUAL

    def spans(self) -> Iterator[tuple[Segment, int]]:
        """Each segment with its end."""
        ends = [segment.begin_ms for segment in self.segments[1:]] + [self.end_ms]
        yield from zip(self.segments, ends, strict=True)

    def inside(self) -> list[TradeRecord]:
        """Fills of the day."""
        return [fill for fill in self.fills if self.begin_ms <= fill.time_ms < self.end_ms]

    def facts(self) -> list[MinuteFacts]:
        """What the exchange said, ascending; each in force until the next."""
        return [each for hour in self.hours for each in hour.facts]

    def facts_before(self) -> MinuteFacts | None:
        """What it said of the moment at which the day began."""
        if self.before is None:
            return None
        return next((each for each in reversed(self.before.facts) if each.open_ms < self.begin_ms), None)

    def starts(self) -> Mapping[str, int]:
        """First minutes of the analyses, as they were at the end."""
        return {key: start for hour in self.hours for key, start in hour.starts.items()}

    def decisions(self) -> list[tuple[int, str, bytes]]:
        """(open time, symbol, what was wanted after that minute) of the day, ascending."""
        return [each for hour in self.hours for each in hour.decisions if self.begin_ms <= each[0] < self.end_ms]

    def bar_digests(self, symbol: str) -> dict[int, int]:
        """Open time → digest of the bar that the account had, as far as it has worked."""
        return digests(self.hours, "bars", symbol, self.begin_ms, self.end_ms)

    def row_digests(self, analysis: str) -> dict[int, int]:
        """Open time of the last minute → digest of the row that it decided on."""
        return digests(self.hours, "rows", analysis, self.begin_ms, self.end_ms)

    @property
    def is_whole(self) -> bool:
        """Whether every minute is recorded of every symbol."""
        return all(
            len(digests(self.hours, "bars", position.symbol, segment.begin_ms, end_ms)) * MINUTE_MS
            == end_ms - segment.begin_ms
            for segment, end_ms in self.spans()
            for position in segment.setup.positions
        )

    def late(self) -> int:
        """Minutes that were worked when the market was further already."""
        return sum(len(hour.late) for hour in self.hours)


def digests(hours: Sequence[HourRecord], what: str, key: str, begin_ms: int, end_ms: int) -> dict[int, int]:
    """Open time → digest of the "bars" of a symbol, or of the "rows" of an analysis, as far as they were worked."""
    found = {}
    for hour in hours:
        data = (hour.bars if what == "bars" else hour.rows).get(key)
        if data is None:
            continue
        values: NDArray[np.uint32] = np.frombuffer(bytes(data), "<u4")
        for place in np.flatnonzero(values != NOT_WORKED).tolist():
            time_ms = hour.hour_ms + place * MINUTE_MS
            if begin_ms <= time_ms < end_ms:
                found[time_ms] = int(values[place])
    return found
