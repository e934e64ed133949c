"""A recorded day through the core again: as it was driven, or as a backtest of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from atm.model.account import TradeRecord
from atm.model.bars import Bar
from atm.model.interval import MINUTE_MS
from atm.model.parity_record import MISSING, MinuteFacts, Segment
from atm.simulators.parity.day_market import DayMarket, engine_of
from atm.simulators.parity.recorded_day import RecordedDay
from atm.trading.actual import ActualEngine, Held
from atm.trading.decision_trace import traced
from atm.trading.engine import AccountEngine, Floats

Decision = tuple[int, str, bytes]


@dataclass
class Worked:
    """decisions: where they differ from those before, as `RecordedDay.decisions`; equity: by close time; engine: as it is at the end."""

    decisions: list[Decision] = field(default_factory=list)
    fills: list[TradeRecord] = field(default_factory=list)
    equity: dict[int, float] = field(default_factory=dict)
    engine: AccountEngine | None = None
    _last: dict[str, bytes] = field(default_factory=dict)

    def trace(self, engine: AccountEngine, open_ms: int) -> None:
        for symbol, row in zip(engine.symbols, traced(engine), strict=True):
            now = row.tobytes()
            if self._last.get(symbol) != now:
                self._last[symbol] = now
                self.decisions.append((open_ms, symbol, now))


@dataclass(frozen=True)
class _Minute:
    open_ms: int
    bars: dict[str, Bar]
    rows: dict[str, Floats]


def rerun(day: RecordedDay, market: DayMarket, as_recorded: bool = False) -> Worked:
    """Every segment from its recorded state, with the recorded facts of the exchange, over the stored minutes and rows.

    as_recorded: without the bars and rows that the account went on without. Raises `Invalid` and `Refused` as the engine does.
    """
    worked = Worked()
    facts = _Facts(day)
    for segment, end_ms in day.spans():
        engine = engine_of(segment)
        worked.engine, actual = engine, ActualEngine(engine)
        for minute in _minutes(day, market, segment, engine, end_ms, as_recorded):
            if day.is_actual:
                known = facts.at(minute.open_ms)
                held = {} if known is None else _held(known)
                actual.minute(minute.open_ms, minute.bars, minute.rows, held, {} if known is None else known.wallets)
            else:
                worked.equity[minute.open_ms + MINUTE_MS] = engine.minute(minute.open_ms, minute.bars, minute.rows)
                worked.fills += engine.trades()
            worked.trace(engine, minute.open_ms)
    return worked


def backtest_of(day: RecordedDay, market: DayMarket) -> Worked:
    """The day from what the account held and had at its beginning, filled by the execution model of a backtest; what the user has
    changed is changed at its time. Raises as `rerun`."""
    worked, engine = Worked(), None
    for segment, end_ms in day.spans():
        engine = _begun(day, segment) if engine is None else _changed(segment, engine)
        worked.engine = engine
        for minute in _minutes(day, market, segment, engine, end_ms, as_recorded=False):
            worked.equity[minute.open_ms + MINUTE_MS] = engine.minute(minute.open_ms, minute.bars, minute.rows)
            worked.fills += engine.trades()
            worked.trace(engine, minute.open_ms)
    return worked


def _begun(day: RecordedDay, segment: Segment) -> AccountEngine:
    engine = engine_of(segment)
    facts = day.facts()
    known = day.facts_before() or (facts[0] if facts else None)
    if day.is_actual and known is not None:
        ActualEngine(engine).go_on_from(_held(known), known.wallets)
    return engine


def _changed(segment: Segment, before: AccountEngine) -> AccountEngine:
    engine = engine_of(segment)
    engine.adopt(before)
    for asset, amount in segment.transferred.items():
        engine.transfer(asset, amount)
    engine.set_trading(segment.setup.trading)
    for symbol in segment.cleared:
        if any(each.symbol == symbol and each.quantity for each in engine.snapshot().positions):
            engine.force_clear(symbol)
    return engine


def _minutes(
    day: RecordedDay, market: DayMarket, segment: Segment, engine: AccountEngine, end_ms: int, as_recorded: bool
) -> Iterator[_Minute]:
    bars, rows = market.of(segment), market.rows(segment, engine)
    no_bars = {symbol: _missing(day.bar_digests(symbol)) for symbol in bars} if as_recorded else {}
    no_rows = {key: _missing(day.row_digests(key)) for key in engine.analyses} if as_recorded else {}
    for open_ms in range(segment.begin_ms, end_ms, MINUTE_MS):
        there = {
            symbol: known[open_ms]
            for symbol, known in bars.items()
            if open_ms in known and open_ms not in no_bars.get(symbol, ())
        }
        closing = {
            key: row for key, row in rows.get(open_ms + MINUTE_MS, {}).items() if open_ms not in no_rows.get(key, ())
        }
        yield _Minute(open_ms, there, closing)


def _missing(digests: Mapping[int, int]) -> set[int]:
    return {time_ms for time_ms, digest in digests.items() if digest == MISSING}


class _Facts:
    """Those in force, asked for in ascending order."""

    def __init__(self, day: RecordedDay) -> None:
        self._coming = day.facts()[::-1]
        self._now = day.facts_before()

    def at(self, open_ms: int) -> MinuteFacts | None:
        while self._coming and self._coming[-1].open_ms <= open_ms:
            self._now = self._coming.pop()
        return self._now


def _held(facts: MinuteFacts) -> dict[str, Held]:
    return {symbol: Held(each.quantity, each.entry, each.stopped) for symbol, each in facts.held.items()}
