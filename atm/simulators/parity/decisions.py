"""What was decided live against what the same core decides again, with the cause of each difference. Pure but for the market."""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from atm.model.interval import HOUR_MS, MINUTE_MS
from atm.model.parity import MOST_DIFFERENCES, DecisionCause, DecisionDifference
from atm.model.parity_record import MISSING, HourRecord, Segment
from atm.simulators.parity.day_market import DayMarket, engine_of
from atm.simulators.parity.recorded_day import RecordedDay, digests
from atm.simulators.parity.work import Decision, Worked, rerun
from atm.trading.core_version import core_version
from atm.trading.decision_trace import TRACED, bar_digest, row_digest, wanted

_NOTHING = np.zeros(len(TRACED)).tobytes()
_LATE = (DecisionCause.LATE_BAR, DecisionCause.LATE_ROW)


@dataclass(frozen=True)
class ComparedDecisions:
    """count: decisions that were compared; different: how many are not the same bit for bit; differences: the first of them; causes:
    of all; missing: minutes of a symbol that the account went on without; again: the day as it was worked again."""

    count: int
    different: int
    differences: tuple[DecisionDifference, ...]
    causes: Mapping[DecisionCause, int]
    missing: int
    again: Worked
    where: frozenset[tuple[int, str]] = frozenset()


@dataclass(frozen=True)
class _Sign:
    """Something that was other for the account than it is in the market store, at this minute."""

    open_ms: int
    symbol: str
    cause: DecisionCause


def compared(day: RecordedDay, market: DayMarket, version: str = "", configuration: str = "") -> ComparedDecisions:
    """Work the day again and compare. A decision is what a position holds and wants after a minute in which a row of its analysis closed,
    or in which that changed.

    version: of the core that works it ("" = this one); configuration: fingerprint of what it works by ("" = what was recorded).
    Raises `Invalid` and `Refused` as the engine does.
    """
    again = rerun(day, market)
    live, other = _InForce(day.decisions()), _InForce(again.decisions)
    points = sorted(live.points() | other.points() | _rows(day))
    differing = [(time, symbol) for time, symbol in points if live.at(symbol, time) != other.at(symbol, time)]
    signs = _signs(day, market)
    missing = sum(sign.cause is DecisionCause.LATE_BAR for sign in signs)
    if not differing:
        return ComparedDecisions(len(points), 0, (), {}, missing, again)
    judge = _Judge(day, market, signs, version or core_version(), configuration)
    causes: Counter[DecisionCause] = Counter()
    kept: list[DecisionDifference] = []
    for time, symbol in differing:
        cause, since = judge.cause(time, symbol, live.at(symbol, time))
        causes[cause] += 1
        if len(kept) < MOST_DIFFERENCES:
            ours, theirs = _words(live.at(symbol, time)), _words(other.at(symbol, time))
            kept.append(DecisionDifference(time + MINUTE_MS, symbol, cause, since, ours, theirs))
    return ComparedDecisions(len(points), len(differing), tuple(kept), causes, missing, again, frozenset(differing))


class _InForce:
    """What was wanted of each symbol at any minute."""

    def __init__(self, decisions: Sequence[Decision]) -> None:
        self._times: dict[str, list[int]] = {}
        self._rows: dict[str, list[bytes]] = {}
        for time, symbol, row in decisions:
            self._times.setdefault(symbol, []).append(time)
            self._rows.setdefault(symbol, []).append(row)

    def points(self) -> set[tuple[int, str]]:
        return {(time, symbol) for symbol, times in self._times.items() for time in times}

    def at(self, symbol: str, time: int) -> bytes:
        place = bisect.bisect_right(self._times.get(symbol, []), time)
        return self._rows[symbol][place - 1] if place else _NOTHING


def _rows(day: RecordedDay) -> set[tuple[int, str]]:
    """Minutes in which a row of a symbol closed."""
    analyses = {key for hour in day.hours for key in hour.rows}
    return {(time, key.partition("/")[0]) for key in analyses for time in day.row_digests(key)}


def _words(row: bytes) -> tuple[float, float, float]:
    found = wanted(row)
    return found.exposure, found.wanted, found.stop


# --- causes


def _signs(day: RecordedDay, market: DayMarket) -> list[_Sign]:
    """What the bars and rows of the day show, by time."""
    found: list[_Sign] = []
    for segment, end_ms in day.spans():
        for symbol, bars in market.of(segment).items():
            stored = {time: bar_digest(bar) for time, bar in bars.items()}
            found += _bar_signs(symbol, day.bar_digests(symbol), stored, segment.begin_ms, end_ms)
        engine = engine_of(segment)
        rows = market.rows(segment, engine)
        for symbol, analysis in zip(engine.symbols, engine.analyses, strict=True):
            for time, digest in day.row_digests(analysis).items():
                inside = segment.begin_ms <= time < end_ms
                if inside and digest == MISSING and analysis in rows.get(time + MINUTE_MS, {}):
                    found.append(_Sign(time, symbol, DecisionCause.LATE_ROW))
    return sorted(found, key=lambda sign: sign.open_ms)


def _bar_signs(
    symbol: str, recorded: Mapping[int, int], stored: Mapping[int, int], begin_ms: int, end_ms: int
) -> Iterable[_Sign]:
    for time, digest in recorded.items():
        if not begin_ms <= time < end_ms or digest == stored.get(time, MISSING):
            continue
        if digest == MISSING:
            yield _Sign(time, symbol, DecisionCause.LATE_BAR)
        else:
            yield _Sign(time, symbol, DecisionCause.CORRECTED if time in stored else DecisionCause.LOST_BAR)


@dataclass
class _Judge:
    """Finds causes. What the account went on without is tried: the day is worked once more without it too."""

    day: RecordedDay
    market: DayMarket
    signs: list[_Sign]
    version: str
    configuration: str
    _masked: _InForce | None = None
    _before: dict[str, _Sign] | None = None
    _rows: dict[str, list[int]] | None = None

    def cause(self, time: int, symbol: str, live: bytes) -> tuple[DecisionCause, int]:
        """The cause of one difference, and the minute that explains it (0 = none)."""
        known = [sign for sign in self.signs if sign.open_ms <= time]
        late = [sign for sign in known if sign.cause in _LATE]
        if late and self._without().at(symbol, time) == live:
            return _nearest(late, symbol)
        if self._segment(time).version != self.version or self._methods_differ(time):
            return DecisionCause.VERSION, 0
        if self.configuration and self._segment(time).configuration != self.configuration:
            return DecisionCause.CONFIGURATION, 0
        others = [sign for sign in known if sign.cause not in _LATE or self._was_analysed_without(sign, time)]
        if others:
            return _nearest(others, symbol)
        before = self._corrected_before().get(symbol)
        if before is not None:
            return before.cause, before.open_ms
        return DecisionCause.UNKNOWN, 0

    def _was_analysed_without(self, sign: _Sign, time: int) -> bool:
        """Whether the analysis of this symbol has said something else since than it says now: it went on without as well, which leaving
        out the bar for the account alone does not show."""
        return any(sign.open_ms <= at <= time for at in self._other_rows().get(sign.symbol, ()))

    def _other_rows(self) -> Mapping[str, Sequence[int]]:
        if self._rows is None:
            self._rows = _rows_that_differ(self.day, self.market)
        return self._rows

    def _without(self) -> _InForce:
        if self._masked is None:
            self._masked = _InForce(rerun(self.day, self.market, as_recorded=True).decisions)
        return self._masked

    def _segment(self, time: int) -> Segment:
        return [segment for segment in self.day.segments if segment.begin_ms <= time][-1]

    def _methods_differ(self, time: int) -> bool:
        segment = self._segment(time)
        now = engine_of(segment).method_versions
        return any(now.get(name, version) != version for name, version in segment.methods.items())

    def _corrected_before(self) -> Mapping[str, _Sign]:
        """Of the hours before the day, back to where the analyses began: the newest minute of each symbol that is another now."""
        if self._before is None:
            hours = self.day.earlier()
            self._before = _corrected(hours, self.market) if hours else {}
        return self._before


def _rows_that_differ(day: RecordedDay, market: DayMarket) -> dict[str, list[int]]:
    """By symbol, the minutes whose row of analysis is not the one that was decided on."""
    found: dict[str, list[int]] = {}
    for segment, end_ms in day.spans():
        engine = engine_of(segment)
        rows = market.rows(segment, engine)
        for symbol, analysis in zip(engine.symbols, engine.analyses, strict=True):
            code = analysis.partition("/")[2]
            decision = next(each.decision for each in segment.analysis if each.code == code)
            read = engine.decided_on(symbol, decision)
            for time, digest in day.row_digests(analysis).items():
                row = rows.get(time + MINUTE_MS, {}).get(analysis)
                if row is None or digest == MISSING or not segment.begin_ms <= time < end_ms:
                    continue
                if row_digest(row[read]) != digest:
                    found.setdefault(symbol, []).append(time)
    return found


def _nearest(signs: Sequence[_Sign], symbol: str) -> tuple[DecisionCause, int]:
    """The newest one, of the symbol itself where there is one."""
    found = ([sign for sign in signs if sign.symbol == symbol] or signs)[-1]
    return found.cause, found.open_ms


def _corrected(hours: Sequence[HourRecord], market: DayMarket) -> dict[str, _Sign]:
    found: dict[str, _Sign] = {}
    begin_ms, end_ms = hours[0].hour_ms, hours[-1].hour_ms + HOUR_MS
    for symbol in {symbol for hour in hours for symbol in hour.bars}:
        recorded = digests(hours, "bars", symbol, begin_ms, end_ms)
        stored = {time: bar_digest(bar) for time, bar in market.past(symbol, begin_ms, end_ms).items()}
        signs = list(_bar_signs(symbol, recorded, stored, begin_ms, end_ms))
        if signs:
            found[symbol] = signs[-1]
    return found
