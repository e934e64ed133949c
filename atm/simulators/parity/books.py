"""Both sides of a worked day as `atm.simulators.parity.money` takes them, from the states and facts that were recorded."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from atm.model.account import TradeRecord
from atm.model.bars import Bar
from atm.model.income import COMMISSION, FUNDING_KINDS, REALIZED_PNL
from atm.model.interval import MINUTE_MS
from atm.model.parity_record import MinuteFacts, Segment
from atm.simulators.parity.day_market import DayMarket, engine_of
from atm.simulators.parity.decisions import ComparedDecisions
from atm.simulators.parity.money import Books, Rules, Scene, Wish
from atm.simulators.parity.recorded_day import RecordedDay
from atm.simulators.parity.work import Decision, Worked
from atm.trading.decision_trace import wanted
from atm.trading.engine import AccountEngine
from atm.trading.layout import Asset, Position

_OF_TRADING = FUNDING_KINDS | {REALIZED_PNL, COMMISSION}
Held = dict[str, tuple[float, float]]


def scene_of(day: RecordedDay, market: DayMarket, compared: ComparedDecisions, fills: Iterable[TradeRecord]) -> Scene:
    """What both sides begin with. fills: of both."""
    first = engine_of(day.segments[0])
    wallet, held = _state(first)
    known = day.facts_before() or next(iter(day.facts()), None)
    if day.is_actual and known is not None:
        wallet, held = _told(day, known)
    bars = _all_bars(day, market)
    marks = _marks(first)
    equity = math.fsum((wallet, *(quantity * (marks.get(s, entry) - entry) for s, (quantity, entry) in held.items())))
    wanted_opens = {(fill.symbol, fill.time_ms // MINUTE_MS * MINUTE_MS) for fill in fills}
    opens = {key: bars[key[0]][key[1]].open for key in wanted_opens if key[1] in bars.get(key[0], {})}
    differing = frozenset((time + MINUTE_MS, symbol) for time, symbol in compared.where)
    return Scene(
        day.begin_ms, equity, wallet, held, _rules(day, bars, marks), opens, differing, _moved(day), _paid_in(day.segments[1:]),
        not day.is_actual,
    )  # fmt: skip


def live_books(day: RecordedDay, market: DayMarket) -> Books:
    """What live had at the end."""
    assert day.after is not None
    fills = day.inside()
    wishes = _wishes(day.decisions(), fills)
    begin, end = engine_of(day.segments[0]), engine_of(day.after)
    if not day.is_actual:
        wallet, held = _state(end)
        wallet -= _paid_in([day.after])  # after the day's last minute
        return Books(fills, wallet, held, _paid(end) - _paid(begin), _borne(end) - _borne(begin), wishes)
    facts = day.facts()
    before = day.facts_before()
    told = [*([before] if before is not None else []), *facts]
    wallet, held = _told(day, told[-1]) if told else _state(end)
    return Books(fills, wallet, held, _funding(day, market, told, fills), 0.0, wishes)


def backtest_books(day: RecordedDay, worked: Worked) -> Books:
    """What the backtest of the day had at its end, positions that are not traded any more as they were."""
    assert worked.engine is not None
    begin, end = engine_of(day.segments[0]), worked.engine
    wallet, held = _state(end)
    known = day.facts_before() or next(iter(day.facts()), None)
    if day.is_actual and known is not None:
        held |= {symbol: kept for symbol, kept in _told(day, known)[1].items() if symbol not in end.symbols}
    wishes = _wishes(worked.decisions, worked.fills)
    return Books(worked.fills, wallet, held, _paid(end) - _paid(begin), _borne(end) - _borne(begin), wishes)


# --- states


def _state(engine: AccountEngine) -> tuple[float, Held]:
    positions, assets, _ = engine.tables()
    wallet = math.fsum((*assets[:, Asset.CROSS].tolist(), *positions[:, Position.ISOLATED].tolist()))
    rows = zip(engine.symbols, positions[:, [Position.QUANTITY, Position.ENTRY]].tolist(), strict=True)
    return wallet, {symbol: (quantity, entry) for symbol, (quantity, entry) in rows if quantity}


def _told(day: RecordedDay, facts: MinuteFacts) -> tuple[float, Held]:
    held = {symbol: (each.quantity, each.entry) for symbol, each in facts.held.items() if each.quantity}
    return _wallet(day, facts), held


def _wallet(day: RecordedDay, facts: MinuteFacts) -> float:
    """In the assets that the account trades in."""
    traded = {asset for segment in day.segments for asset in segment.setup.assets}
    return math.fsum(amount for asset, amount in facts.wallets.items() if asset in traded)


def _moved(day: RecordedDay) -> float:
    """What came into the account, by the exchange's own records, that is no trade and no funding."""
    return math.fsum(float(each.amount) for each in day.income or () if each.kind not in _OF_TRADING)


def _paid_in(segments: Iterable[Segment]) -> float:
    """What the user paid into a virtual account at their beginning; both sides have it."""
    return math.fsum(amount for segment in segments for amount in segment.transferred.values())


def _paid(engine: AccountEngine) -> float:
    return engine.funding_paid()


def _borne(engine: AccountEngine) -> float:
    """Losses that the insurance fund has paid so far."""
    return float(engine.tables()[1][:, Asset.INSURANCE].sum())


def _marks(engine: AccountEngine) -> dict[str, float]:
    return dict(zip(engine.symbols, engine.tables()[0][:, Position.MARK].tolist(), strict=True))


def _wishes(decisions: Sequence[Decision], fills: Iterable[TradeRecord]) -> Mapping[tuple[int, str], Wish]:
    """What was wanted after the minutes that both sides' fills were decided in, and in every other that changed something."""
    times: dict[str, list[int]] = {}
    rows: dict[str, list[bytes]] = {}
    for time, symbol, row in decisions:
        times.setdefault(symbol, []).append(time)
        rows.setdefault(symbol, []).append(row)
    found = _Wishes(times, rows)
    return {(fill.decision_ms, fill.symbol): found.at(fill.decision_ms, fill.symbol) for fill in fills} | {
        (time + MINUTE_MS, symbol): found.at(time + MINUTE_MS, symbol) for time, symbol, _ in decisions
    }


class _Wishes:
    def __init__(self, times: Mapping[str, list[int]], rows: Mapping[str, list[bytes]]) -> None:
        self._times, self._rows = times, rows

    def at(self, decision_ms: int, symbol: str) -> Wish:
        place = bisect.bisect_right(self._times.get(symbol, []), decision_ms - MINUTE_MS)
        if not place:
            return Wish()
        said = wanted(self._rows[symbol][place - 1])
        return Wish(said.quantity, said.wanted)


# --- market


def _all_bars(day: RecordedDay, market: DayMarket) -> dict[str, Mapping[int, Bar]]:
    symbols = {position.symbol for segment in day.segments for position in segment.setup.positions}
    symbols |= {fill.symbol for fill in day.inside()} | _told_entries(day).keys()
    return {symbol: market.bars(symbol) for symbol in symbols}


def _told_entries(day: RecordedDay) -> dict[str, float]:
    """Entry prices by symbol, of everything that the exchange has told: positions that are not traded any more too."""
    before = day.facts_before()
    told = [*([before] if before is not None else []), *day.facts()]
    return {symbol: each.entry for facts in told for symbol, each in facts.held.items() if each.quantity}


def _rules(day: RecordedDay, bars: Mapping[str, Mapping[int, Bar]], marks: Mapping[str, float]) -> dict[str, Rules]:
    instruments = {each.symbol: each for segment in day.segments for each in segment.instruments}
    marks = {**_told_entries(day), **marks}
    found = {}
    for symbol, known in bars.items():
        last = known[max(known)] if known else None
        end = marks.get(symbol, 0.0) if last is None else _mark(last)
        instrument = instruments.get(symbol)
        if instrument is None:
            found[symbol] = Rules(0.0, 0.0, 0.0, end)
        else:
            tick, step = float(instrument.tick_size), float(instrument.market_step_size)
            found[symbol] = Rules(tick, step, float(instrument.min_notional), end)
    return found


def _mark(bar: Bar) -> float:
    return bar.close if bar.mark is None or math.isnan(bar.mark.close) else bar.mark.close


def _funding(day: RecordedDay, market: DayMarket, told: Sequence[MinuteFacts], fills: Sequence[TradeRecord]) -> float:
    """What an actual account has paid, by the exchange's records where they are known. The stamps at which the day begins and ends are
    booked about when its wallets were told, before or after: there the wallets themselves say."""
    ends = (day.begin_ms, day.end_ms)
    if day.income is None:
        return _told_funding(day, told, fills, sorted({*_stamps(day, market), *ends}))
    inside = [each for each in day.income if all(abs(each.time_ms - end) >= MINUTE_MS for end in ends)]
    booked = [-float(each.amount) for each in inside if each.kind in FUNDING_KINDS]
    return math.fsum((*booked, _told_funding(day, told, fills, ends)))


def _told_funding(
    day: RecordedDay, told: Sequence[MinuteFacts], fills: Sequence[TradeRecord], stamps: Sequence[int]
) -> float:
    """What changed the wallets over a stamp at which something was held, and was no fill."""
    paid = []
    for one, other in pairwise(told):
        from_ms, to_ms = one.open_ms + MINUTE_MS, other.open_ms + MINUTE_MS
        if not any(each.quantity for each in one.held.values()) or not any(from_ms <= s <= to_ms for s in stamps):
            continue
        booked = [fill.profit - fill.fee for fill in fills if from_ms <= fill.time_ms < to_ms]
        paid.append(math.fsum((*booked, _wallet(day, one), -_wallet(day, other))))
    return math.fsum(paid)


def _stamps(day: RecordedDay, market: DayMarket) -> set[int]:
    """Funding stamps of the day: recorded ones, else those of the cost model."""
    return {
        time
        for segment, end_ms in day.spans()
        for bars in market.of(segment).values()
        for time, bar in bars.items()
        if segment.begin_ms <= time < end_ms and _is_stamp(segment, bar)
    }


def _is_stamp(segment: Segment, bar: Bar) -> bool:
    settled = bar.mark is not None and not math.isnan(bar.mark.funding_rate)
    return settled or bar.open_time % (segment.setup.costs.funding_hours * 60 * MINUTE_MS) == 0
