"""A day of a live account worked again: the verdict, with everything that differs and its causes (docs/parity.md)."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from atm.model.account import TradeRecord
from atm.model.interval import DAY_MS
from atm.model.parity import TOLERANCE, DecisionCause, MoneyReport, Observations, ParityDay, Verdict
from atm.simulators.parity.books import backtest_books, live_books, scene_of
from atm.simulators.parity.day_market import DayMarket, engine_of
from atm.simulators.parity.decisions import ComparedDecisions, compared
from atm.simulators.parity.money import attributed
from atm.simulators.parity.orders import pairs
from atm.simulators.parity.recorded_day import RecordedDay
from atm.simulators.parity.work import Worked, backtest_of
from atm.simulators.statistics.trips import split
from atm.storage.market_store import MarketStore
from atm.trading.core_version import core_version

CURVE_STEP_MS = 15 * 60_000


def worked_again(day: RecordedDay, store: MarketStore) -> ParityDay:
    """Everything that is said of a day. Raises `Invalid` and `Refused` where the engine cannot be made or fails."""
    market = DayMarket(store, day.begin_ms, day.end_ms, day.starts())
    decisions = compared(day, market)
    backtest = backtest_of(day, market)
    live = day.inside()
    money = attributed(
        scene_of(day, market, decisions, [*live, *backtest.fills]),
        live_books(day, market),
        backtest_books(day, backtest),
    )
    return ParityDay(
        account=day.account,
        kind=day.segments[0].setup.kind,
        day_ms=day.begin_ms // DAY_MS * DAY_MS,
        begin_ms=day.begin_ms,
        end_ms=day.end_ms,
        verdict=verdict(decisions, money, is_virtual=not day.is_actual) if day.is_whole else Verdict.INCOMPLETE,
        version_live=day.segments[-1].version,
        version=core_version(),
        decisions=decisions.count,
        differing=decisions.different,
        differences=decisions.differences,
        causes={cause.value: count for cause, count in decisions.causes.items()},
        missing=decisions.missing,
        late=day.late(),
        money=money,
        curve=_curves(day, backtest),
        observations=observed(live, backtest.fills, day.fills, _held_at_begin(day)),
    )


def verdict(decisions: ComparedDecisions, money: MoneyReport, is_virtual: bool) -> Verdict:
    """Of a day. The fills of a virtual account are those of a backtest: where its decisions and minutes are the same, its money is."""
    if DecisionCause.UNKNOWN in decisions.causes or max(abs(money.unexplained), money.gross) > TOLERANCE:
        return Verdict.UNEXPLAINED
    same = not money.fills and abs(money.difference) <= TOLERANCE
    if decisions.different or decisions.missing:
        return Verdict.EXPLAINED
    if is_virtual and not same:
        return Verdict.UNEXPLAINED
    return Verdict.EQUAL if same else Verdict.EXPLAINED


def observed(
    live: Sequence[TradeRecord],
    backtest: Sequence[TradeRecord],
    ever: Sequence[TradeRecord],
    held: Collection[str] = (),
) -> Observations:
    """What the drift alarm looks at. ever: all fills of the account until the end, by time; held: symbols in which something was held
    at the beginning."""
    both = pairs(live, backtest)
    decided = [(ours, theirs) for ours, theirs in both if theirs is not None and theirs.decision_ms]
    slippages = [
        math.copysign(1.0, theirs.quantity) * (ours.price - theirs.price) / theirs.price
        for ours, theirs in decided
        if ours is not None
    ]
    filled = sum(ours is not None for ours, _ in decided)
    return Observations(
        tuple(slippages),
        len(decided),
        filled,
        trip_returns(ever, live),
        trip_returns(_from_flat(backtest, held), backtest),
    )


def _from_flat(fills: Sequence[TradeRecord], held: Collection[str]) -> list[TradeRecord]:
    """Without those that end what was held before."""
    open_before, found = set(held), []
    for fill in fills:
        if fill.symbol not in open_before:
            found.append(fill)
        elif fill.quantity_after == 0.0:
            open_before.discard(fill.symbol)
    return found


def _held_at_begin(day: RecordedDay) -> set[str]:
    known = day.facts_before()
    if known is not None:
        return {symbol for symbol, each in known.held.items() if each.quantity}
    return {position.symbol for position in engine_of(day.segments[0]).snapshot().positions if position.quantity}


def trip_returns(ever: Sequence[TradeRecord], live: Sequence[TradeRecord]) -> tuple[float, ...]:
    """Profit after fees over the notional at entry, of each round trip that ended with one of the fills `live`."""
    if not live:
        return ()
    first, last = live[0].time_ms, live[-1].time_ms
    found = []
    for fills in split(ever):
        if fills[-1].quantity_after == 0.0 and first <= fills[-1].time_ms <= last:
            notional = math.fsum(fill.quantity * fill.price for fill in fills if fill.side is fills[0].side)
            found.append(math.fsum(fill.profit - fill.fee for fill in fills) / notional)
    return tuple(found)


def _curves(day: RecordedDay, backtest: Worked) -> tuple[tuple[int, ...], tuple[float, ...], tuple[float, ...]]:
    """Both equities where the live one is stored."""
    known = [(time, value) for time, value in day.equity if time % CURVE_STEP_MS == 0 and time in backtest.equity]
    times = tuple(time for time, _ in known)
    return times, tuple(value for _, value in known), tuple(backtest.equity[time] for time in times)
