"""Margin and liquidation on the mark price, funding at recorded rates: by hand, and one minute after the other as in one go."""

import math
from collections.abc import Mapping

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atm.model.account import CostModel, TradeReason, TradeRecord
from atm.model.bars import Bar
from atm.model.interval import MINUTE_MS
from atm.model.mark import Assumptions, Mark
from atm.model.trade_configuration import TradeConfiguration
from atm.trading.engine import AccountEngine
from atm.trading.minute_grid import MinuteGrid
from tests.trading.scene import flip
from tests.trading.test_cross_margin import (
    BREAKOUT,
    CROSS,
    ISOLATED,
    LADDER,
    PATIENT,
    STOPPED,
    TIGHT,
    any_open,
    bars_of,
    engine,
    room,
)
from tests.trading.test_engine import random_market

Prices = tuple[float, float, float, float]
LIQUIDATION, STOP = TradeReason.LIQUIDATION, TradeReason.STOP_IMMEDIATE
STILL: Prices = (100.0, 100.0, 100.0, 100.0)
NAN = math.nan


def dip(low: float, close: float = 100.0) -> Prices:
    return (100.0, 100.0, low, close)


class Play:
    """Minutes of several symbols, each with its trade prices and its mark prices."""

    def __init__(self, engine: AccountEngine, now: int = 0) -> None:
        self.engine, self.now = engine, now

    def minute(
        self,
        prices: Mapping[str, Prices],
        marks: Mapping[str, Prices] | None = None,
        sides: Mapping[str, float] | None = None,
        rates: Mapping[str, float] | None = None,
    ) -> list[TradeRecord]:
        """marks: recorded ones; sides: cycles that flip with the close; rates: settled when the minute opens."""
        marks, rates = marks or {}, rates or {}
        bars = {}
        for symbol, each in prices.items():
            recorded = Mark(*marks.get(symbol, (NAN,) * 4), rates.get(symbol, NAN))
            mark = recorded if symbol in marks or symbol in rates else None
            bars[symbol] = Bar(self.now * MINUTE_MS, *each, 1, 1, 1, 1, 1, None, mark)
        rows = {f"{s}/a": flip(side, prices[s][3]) for s, side in (sides or {}).items()}
        self.engine.minute(self.now * MINUTE_MS, bars, rows)
        self.now += 1
        return self.engine.trades()

    def opened(self, **sides: float) -> "Play":
        """All symbols at 100; those named enter on their side at once."""
        still = dict.fromkeys(self.engine.symbols, STILL)
        self.minute(still, sides=sides)
        self.minute(still)
        return self

    def wallet(self) -> float:
        return self.engine.snapshot().assets[0].wallet_balance


def opened(trade: TradeConfiguration, side: float = 1.0) -> Play:
    """200 at 100 of XUSDT, leverage 20, 1,000 of margin."""
    return Play(engine([("XUSDT", trade, 1_000)])).opened(XUSDT=side)


LEVEL = 19_000 / 198
"""Isolated, long: 1,000 + 200 (p − 100) = 0.01 · 200 p at p = 95.9596."""


def test_an_isolated_position_is_liquidated_on_a_mark_price_that_no_trade_was_made_at() -> None:
    play = opened(ISOLATED)
    assert play.engine.snapshot().positions[0].liquidation_price == pytest.approx(LEVEL)
    assert play.minute({"XUSDT": STILL}, {"XUSDT": dip(95.97)}) == []
    [fill] = play.minute({"XUSDT": STILL}, {"XUSDT": dip(95.95)})
    # 808.08 are lost by the price; the clearance fee of 1.5 % would be 287.88, 191.92 are left
    assert (fill.reason, fill.price) == (LIQUIDATION, pytest.approx(LEVEL))
    assert (fill.profit, fill.fee) == (pytest.approx(-808.0808, abs=1e-4), pytest.approx(191.9192, abs=1e-4))
    assert play.wallet() == pytest.approx(9_000)


def test_a_wick_of_the_trades_alone_liquidates_nobody() -> None:
    play = opened(ISOLATED)
    assert play.minute({"XUSDT": dip(60)}, {"XUSDT": dip(96)}) == []
    [fill] = play.minute({"XUSDT": dip(95.9)})  # where no mark price is recorded, that of the trades stands for it
    assert (fill.reason, fill.price) == (LIQUIDATION, pytest.approx(LEVEL))


def test_a_short_position_likewise() -> None:
    # 1,000 − 200 (p − 100) = 0.01 · 200 p at p = 21,000 / 202 = 103.9604
    play = opened(ISOLATED, -1)
    assert play.minute({"XUSDT": (100, 140, 100, 100)}, {"XUSDT": (100, 103.9, 100, 100)}) == []
    [fill] = play.minute({"XUSDT": STILL}, {"XUSDT": (100, 104, 100, 100)})
    assert (fill.reason, fill.price) == (LIQUIDATION, pytest.approx(21_000 / 202))


def test_a_mark_price_that_opens_beyond_the_level_takes_over_there() -> None:
    [fill] = opened(ISOLATED).minute({"XUSDT": STILL}, {"XUSDT": (95.5, 100, 95, 100)})
    assert (fill.reason, fill.price) == (LIQUIDATION, 95.5)


@pytest.mark.parametrize(("mark", "reason"), [(95.0, STOP), (90.0, LIQUIDATION)])
def test_of_stop_and_liquidation_that_comes_first_whose_price_has_less_of_its_way_to_go(
    mark: float, reason: TradeReason
) -> None:
    # the stop at 97 is reached half-way down to 94; the level after 81 % of the way to 95, or 40 % of that to 90
    stopped = msgspec.structs.replace(ISOLATED, full_stop_loss_immediate=0.03)
    [fill] = opened(stopped).minute({"XUSDT": dip(94)}, {"XUSDT": dip(mark)})
    assert (fill.reason, fill.price) == (reason, 97 if reason is STOP else pytest.approx(LEVEL))


def test_a_stop_looks_at_the_trades_and_not_at_the_mark_price() -> None:
    stopped = msgspec.structs.replace(ISOLATED, full_stop_loss_immediate=0.03)
    play = opened(stopped)
    assert play.minute({"XUSDT": dip(97.5)}, {"XUSDT": dip(96.5)}) == []
    [fill] = play.minute({"XUSDT": dip(96.9)}, {"XUSDT": STILL})
    assert (fill.reason, fill.price) == (STOP, 97)


def test_a_big_isolated_position_is_reduced_to_the_bracket_in_which_the_requirement_holds() -> None:
    # 1,710 at 100 on 8,550: 8,550 + 1,710 (p − 100) = 0.02 · 1,710 p − 1,000 at p = 161,450 / 1,675.8 = 96.3420, where they are
    # worth 164,745. 100,000 / p = 1,037.968 may stay; the 672.032 taken lose 2,458.26 and cost 1.5 %, 971.17.
    play = Play(engine([("XUSDT", ISOLATED, 9_000)])).opened(XUSDT=1)
    level = 161_450 / 1_675.8
    [part] = play.minute({"XUSDT": STILL}, {"XUSDT": dip(96.2)})
    assert (part.reason, part.price, part.quantity) == (LIQUIDATION, pytest.approx(level), pytest.approx(672.032))
    assert (part.profit, part.fee) == (pytest.approx(-2_458.2624, abs=1e-3), pytest.approx(971.1741, abs=1e-3))
    assert part.quantity_after == 1_037.968
    # 5,120.56 are left: 5,120.56 + 1,037.968 (p − 100) = 0.01 · 1,037.968 p at p = 96.0270
    left = 8_550 - 672.032 * (100 - level) - 0.015 * 672.032 * level
    assert play.engine.snapshot().positions[0].isolated_wallet == pytest.approx(left)
    rest = (103_796.8 - left) / (0.99 * 1_037.968)
    assert play.minute({"XUSDT": STILL}, {"XUSDT": dip(96.03)}) == []
    [fill] = play.minute({"XUSDT": STILL}, {"XUSDT": dip(96)})
    assert (fill.price, fill.quantity_after) == (pytest.approx(rest), 0.0)
    assert play.wallet() == pytest.approx(1_450)
    assert play.engine.liquidations == 2


def test_a_fall_through_both_levels_of_an_isolated_position_takes_it_over_in_two_parts() -> None:
    play = Play(engine([("XUSDT", ISOLATED, 9_000)])).opened(XUSDT=1)
    first, second = play.minute({"XUSDT": dip(90)})
    assert (first.quantity_after, second.quantity_after) == (1_037.968, 0.0)
    assert second.price < first.price == pytest.approx(161_450 / 1_675.8)
    assert play.wallet() == pytest.approx(1_450)


def test_a_pool_is_liquidated_on_the_mark_prices_of_all_its_positions() -> None:
    # Y at 76 takes 200 · 24 + 0.01 · 200 · 76 = 4,952 of 10,000; 5,048 + 200 (p − 100) = 2 p at p = 14,952 / 198.
    both = [("XUSDT", CROSS, 1_000), ("YUSDT", CROSS, 1_000)]
    play = Play(engine(both)).opened(XUSDT=1, YUSDT=1)
    still = {"XUSDT": STILL, "YUSDT": STILL}
    assert play.minute(dict.fromkeys(still, dip(60)), dict.fromkeys(still, dip(90))) == []
    assert play.minute(still, {"XUSDT": dip(75.6), "YUSDT": dip(76)}) == []
    x, y = play.minute(still, {"XUSDT": dip(75.4), "YUSDT": dip(76)})
    assert (x.symbol, x.reason, x.price) == ("XUSDT", LIQUIDATION, pytest.approx(14_952 / 198))
    assert (y.symbol, y.reason, y.price) == ("YUSDT", LIQUIDATION, 76)
    assert play.wallet() == pytest.approx(0, abs=1e-9)


def test_what_a_position_is_worth_follows_its_mark_price() -> None:
    # 200 long at 100, mark 98: profit −400, initial margin 200 · 98 / 20 = 980, maintenance margin 196
    play = opened(CROSS)
    play.minute({"XUSDT": dip(99, 99)}, {"XUSDT": dip(97, 98)})
    state = play.engine.snapshot()
    position, asset = state.positions[0], state.assets[0]
    assert (position.mark_price, position.unrealized_profit) == (98, -400)
    assert (position.initial_margin, position.maintenance_margin) == (980, pytest.approx(196))
    assert (asset.margin_balance, asset.available_balance) == (9_600, pytest.approx(8_620))
    play.minute({"XUSDT": (99, 99, 99, 99)})
    assert play.engine.snapshot().positions[0].mark_price == 99


def test_how_far_an_account_is_committed_and_at_risk() -> None:
    # 20,000 / 20 of the 1,000 granted are committed; mark 98: 200 / 404.04 of the way to the liquidation price;
    # maintenance margin 196, of 1,000 − 400 that back it
    play = opened(ISOLATED)
    flat = Play(engine([("XUSDT", ISOLATED, 1_000)])).engine.snapshot().positions[0]
    assert (flat.commitment_rate, flat.risk_level, flat.margin_ratio) == (None, None, None)
    play.minute({"XUSDT": STILL}, {"XUSDT": dip(97, 98)})
    state = play.engine.snapshot()
    position, asset = state.positions[0], state.assets[0]
    assert position.commitment_rate == asset.commitment_rate == 1.0
    assert position.risk_level == asset.risk_level == pytest.approx(2 / (100 - LEVEL))
    assert (position.margin_ratio, asset.margin_ratio) == (pytest.approx(196 / 600), 0.0)
    # in cross margin all 10,000 back it, and the ratio is that of the asset: 196 / 9,600
    pooled = opened(CROSS)
    pooled.minute({"XUSDT": STILL}, {"XUSDT": dip(97, 98)})
    state = pooled.engine.snapshot()
    assert (state.positions[0].margin_ratio, state.assets[0].margin_ratio) == (None, pytest.approx(196 / 9_600))


def test_funding_is_charged_on_the_mark_price_at_recorded_stamps_and_at_the_constant_where_none_is() -> None:
    play = Play(engine([("XUSDT", ISOLATED, 1_000)], CostModel(taker_fee=0, slippage=0)), 470).opened(XUSDT=1)
    paid = 0.0
    due = {
        480: (0.0003, (101.0, 101, 100, 100), 200 * 101 * 0.0003),  # 08:00, both recorded
        720: (-0.001, None, 200 * 100 * -0.001),  # 12:00, which the cost model does not know
        960: (None, (99.0, 100, 99, 100), 200 * 99 * 0.0001),  # 16:00, no rate recorded
    }
    while play.now < 970:
        rate, mark, cost = due.get(play.now, (None, None, 0.0))
        paid += cost
        marks = {} if mark is None else {"XUSDT": mark}
        play.minute({"XUSDT": STILL}, marks, rates={} if rate is None else {"XUSDT": rate})
        assert play.engine.funding_paid() == pytest.approx(paid)
    assert paid == pytest.approx(6.06 - 20 + 1.98)
    assert play.engine.assumed == Assumptions(970 - 471, 970 - 471 - 2, 3, 1)
    assert play.engine.assumed.constant_share == pytest.approx(1 / 3)


EACH_ASSETS = [("AUSDT", LADDER, 2_000), ("BUSDT", CROSS, 2_500), ("CUSDT", ISOLATED, 2_000), ("DUSDT", STOPPED, 2_500)]
MIXES = {
    "one isolated": [("AUSDT", ISOLATED, 5_000)],
    "one in cross margin": [("AUSDT", STOPPED, 9_000)],
    "a scenario": [("AUSDT", msgspec.structs.replace(LADDER, isolated=True), 9_000)],
    "orders that rest": [("AUSDT", PATIENT, 4_000), ("BUSDT", BREAKOUT, 4_000)],
    "pool": EACH_ASSETS,
}
every_mix = pytest.mark.parametrize("positions", MIXES.values(), ids=MIXES)


def with_marks(market: MinuteGrid, seed: int) -> MinuteGrid:
    """Mark prices that stray from those of the trades, with holes; rates at stamps of their own, some at those of the costs."""
    g = np.random.default_rng(seed)
    minutes, n = market.opens.shape
    basis = 1 + 0.01 * np.cumsum(g.normal(0, 0.05, (minutes, n)), axis=0)
    prices = np.stack([market.opens * basis, market.highs * basis, market.lows * basis, market.closes * basis], axis=-1)
    prices[..., 1] *= 1 + abs(g.normal(0, 0.003, (minutes, n)))
    prices[..., 2] *= 1 - abs(g.normal(0, 0.003, (minutes, n)))
    prices[g.random((minutes, n)) < 0.1] = np.nan
    stamps = [
        (t * MINUTE_MS, i, g.normal(0, 0.001)) for t in range(0, minutes, 40) for i in range(n) if g.random() < 0.5
    ]
    present = [each for each in stamps if not np.isnan(market.opens[each[0] // MINUTE_MS, each[1]])]
    return market._replace(marks=prices, rates=np.array(present, np.float64).reshape(-1, 3))


def marked(market: MinuteGrid, bars: Mapping[str, Bar], symbols: tuple[str, ...], t: int) -> dict[str, Bar]:
    """The bars of minute t with the marks of the market."""
    found = {}
    for i, symbol in enumerate(symbols):
        if symbol in bars:
            rate = market.rates[(market.rates[:, 0] == t * MINUTE_MS) & (market.rates[:, 1] == i), 2]
            mark = Mark(*market.marks[t, i].tolist(), float(rate[0]) if len(rate) else NAN)
            known = not np.isnan([mark.open, mark.funding_rate]).all()
            found[symbol] = msgspec.structs.replace(bars[symbol], mark=mark if known else None)
    return found


@every_mix
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000), cuts=st.sets(st.integers(1, 599), max_size=4))
def test_minute_by_minute_with_restarts_is_the_backtest_bit_for_bit(
    positions: list[tuple[str, TradeConfiguration, float]], seed: int, cuts: set[int]
) -> None:
    costs = CostModel(funding_hours=1)
    market = with_marks(random_market(seed, 600, len(positions)), seed)
    whole, live = (engine(positions, costs, TIGHT) for _ in range(2))
    expected, equity = whole.run(market)
    fills = []
    for t in range(600):
        if t in cuts:
            state = live.dump()
            live = engine(positions, costs, TIGHT)
            live.load(state)
        bars, rows = bars_of(market, live.symbols, t)
        assert live.minute(t * MINUTE_MS, marked(market, bars, live.symbols, t), rows) == equity[t]
        fills += live.trades()
    assert fills == expected
    assert live.dump() == whole.dump()
    assert 0 < whole.assumed.unmarked_minutes < whole.assumed.held_minutes or not fills


@every_mix
def test_the_random_markets_liquidate_on_the_mark_price(positions: list[tuple[str, TradeConfiguration, float]]) -> None:
    by_mark = by_trades = funded = 0
    for seed in range(12):
        market = with_marks(random_market(seed, 600, len(positions)), seed)
        run, other = (engine(positions, CostModel(funding_hours=1), TIGHT) for _ in range(2))
        run.run(market)
        other.run(market._replace(marks=market.marks[:0], rates=market.rates[:0]))
        by_mark, by_trades = by_mark + run.liquidations, by_trades + other.liquidations
        funded += run.assumed.stamps - run.assumed.constant_stamps
    assert by_mark > 0 and by_mark != by_trades and funded > 0


@every_mix
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_marks_of_which_none_is_recorded_are_no_marks(
    positions: list[tuple[str, TradeConfiguration, float]], seed: int
) -> None:
    market = random_market(seed, 600, len(positions))
    plain, empty = (engine(positions, CostModel(), TIGHT) for _ in range(2))
    expected, equity = plain.run(market)
    found, same = empty.run(market._replace(marks=np.full((600, len(positions), 4), np.nan)))
    assert found == expected
    np.testing.assert_array_equal(same, equity)
    assert empty.dump() == plain.dump()


@every_mix
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000), cut=st.integers(1, 599))
def test_later_marks_and_rates_leave_the_past_as_it_was(
    positions: list[tuple[str, TradeConfiguration, float]], seed: int, cut: int
) -> None:
    market = with_marks(random_market(seed, 600, len(positions)), seed)
    marks, rates = market.marks.copy(), market.rates.copy()
    marks[cut:] *= 0.9
    rates[rates[:, 0] >= cut * MINUTE_MS, 2] += 0.01
    one, other = (engine(positions, CostModel(funding_hours=1), TIGHT) for _ in range(2))
    fills, equity = one.run(market)
    changed, curve = other.run(market._replace(marks=marks, rates=rates))
    before = [fill for fill in fills if fill.time_ms < cut * MINUTE_MS]
    assert [fill for fill in changed if fill.time_ms < cut * MINUTE_MS] == before
    np.testing.assert_array_equal(curve[:cut], equity[:cut])


@settings(max_examples=16, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_no_liquidation_of_a_pool_is_missed_and_none_is_invented(seed: int) -> None:
    """Every minute is judged by brute force: the pool, as it was before, at the worst mark prices of the minute."""
    market = with_marks(random_market(seed, 500, 3), seed)
    e = engine([(s, CROSS, 4_000) for s in ("AUSDT", "BUSDT", "CUSDT")], CostModel(funding_rate=0.0), TIGHT)
    e_market = market._replace(rates=market.rates[:0])
    for t in range(500):
        bars, rows = bars_of(market, e.symbols, t)
        bars = marked(e_market, bars, e.symbols, t)
        held = {p.symbol: p.quantity for p in e.snapshot().positions}
        worst = {}
        for symbol, bar in bars.items():
            prices = bar if bar.mark is None else bar.mark
            worst[symbol] = prices.low if held[symbol] > 0 else prices.high
        left = room(e, worst)["USDT"] if any_open(e, "USDT") else None
        e.minute(t * MINUTE_MS, bars, rows)
        fills = e.trades()
        if left is not None and not fills:
            assert left > 0
        elif left is not None and all(fill.reason is LIQUIDATION for fill in fills):
            assert left <= 1e-9
            assert room(e, worst)["USDT"] > 0 or not any_open(e, "USDT")
