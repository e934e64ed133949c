"""Orders that rest, arrive late or are too large for the minute; expected prices and quantities are worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atm.model.account import CostModel, SlippageModel, TradeReason, TradeRecord
from atm.model.bars import Bar
from atm.model.errors import Invalid
from atm.model.flow import Flow
from atm.model.interval import MINUTE_MS
from atm.model.trade_configuration import (
    LimitOrder,
    MarketOrder,
    RemainingQuantity,
    RotationalGaussian1,
    ScenarioRow,
    StopOrder,
    TradeConfiguration,
    TradeScenario,
    mismatches,
)
from atm.trading.engine import AccountEngine
from atm.trading.layout import Setup
from atm.trading.minute_grid import MinuteGrid
from tests.trading.scene import FREE, Scene, engine, flip, row

WIDE = RotationalGaussian1(theta=0.5, alpha=100, beta0=100, beta1=100)
FOLLOW = RemainingQuantity(long=WIDE, short=WIDE)
FEES = CostModel(maker_fee=0.0002, taker_fee=0.0005, slippage=0.001, funding_rate=0.0)


def scene(costs: CostModel = FREE, **configuration: object) -> Scene:
    """1,000 are allocated, so full exposure at 100 is 10 without leverage."""
    return Scene(engine(TradeConfiguration("t", method=FOLLOW, **configuration), costs))


def short(fills: list[TradeRecord]) -> list[tuple[str, float, float, bool]]:
    return [(f.reason.value, f.quantity if f.side.value == "BUY" else -f.quantity, f.price, f.maker) for f in fills]


def test_a_limit_entry_is_filled_as_maker_where_the_minute_goes_through_it() -> None:
    s = scene(FEES, entry_order=LimitOrder(offset=0.01, minutes=5))
    s.decide(flip(1, 100))
    assert s.play(100, 100.5, 99, 99.5) == []  # touched, not passed
    fills = s.play(99.5, 99.6, 98.99, 99.2)
    assert short(fills) == [("ENTRY", 10, 99, True)]
    assert fills[0].fee == pytest.approx(10 * 99 * 0.0002)
    assert fills[0].decision_ms == MINUTE_MS


def test_a_limit_that_the_market_has_passed_when_it_arrives_is_a_taker_up_to_its_price() -> None:
    s = scene(FEES, entry_order=LimitOrder(offset=0.01))
    s.decide(flip(1, 100))
    assert short(s.play(98, 98.5, 97.5, 98)) == [("ENTRY", 10, pytest.approx(98 * 1.001), False)]
    s = scene(FEES, entry_order=LimitOrder(offset=0.01))
    s.decide(flip(1, 100))
    assert short(s.play(98.95, 98.95, 98.95, 98.95)) == [("ENTRY", 10, 99, False)]  # 98.95 · 1.001 is beyond the limit


def test_a_resting_limit_is_not_improved_by_a_gap() -> None:
    s = scene(entry_order=LimitOrder(offset=0.01))
    s.decide(flip(-1, 100))
    assert s.play(100, 100.9, 99, 100) == []
    assert short(s.play(104, 105, 103, 104)) == [("ENTRY", -10, 101, True)]


@pytest.mark.parametrize(
    ("then_market", "expected"), [(False, []), (True, [("ENTRY", 10, pytest.approx(100.7 * 1.001), False)])]
)
def test_after_its_minutes_a_limit_entry_lapses_or_goes_to_the_market(
    then_market: bool, expected: list[tuple[object, ...]]
) -> None:
    s = scene(FEES, entry_order=LimitOrder(offset=0.01, minutes=2, then_market=then_market))
    s.decide(flip(1, 100))
    assert s.play(100, 101, 99.5, 100) == s.play(100, 101, 99.5, 100.7) == []
    assert short(s.play(100.7, 101, 90, 95)) == expected


def test_an_unchanged_target_leaves_the_order_where_it_is_and_another_one_replaces_it() -> None:
    s = scene(entry_order=LimitOrder(offset=0.01, minutes=60))
    s.decide(flip(1, 100))
    s.decide(row(105, cycle=1, cycle_index=1, cycle_begin=100))
    assert short(s.play(105, 105, 98.9, 99)) == [("ENTRY", 10, 99, True)]
    s = scene(entry_order=LimitOrder(offset=0.01, minutes=60))
    s.decide(flip(1, 100))
    s.decide(flip(-1, 105))
    assert short(s.play(105, 107, 98.9, 99)) == [("ENTRY", -9.523, 106.05, True)]  # 1,000 / 105, cut to the step


def test_a_stop_entry_waits_for_its_trigger_and_pays_what_a_gap_costs() -> None:
    s = scene(FEES, entry_order=StopOrder(offset=0.01, minutes=5))
    s.decide(flip(1, 100))
    assert s.play(100, 100.99, 99, 100) == []
    assert short(s.play(100, 101.2, 99, 100)) == [("ENTRY", 10, pytest.approx(101 * 1.001), False)]
    s = scene(FEES, entry_order=StopOrder(offset=0.01, minutes=5))
    s.decide(flip(-1, 100))
    assert s.play(100, 101, 99.01, 100) == []
    assert short(s.play(98, 98.5, 97, 98)) == [("ENTRY", -10, pytest.approx(98 * 0.999), False)]


def test_a_limit_exit_rests_on_the_good_side_and_is_sold_to_the_market_in_the_end() -> None:
    s = scene(FEES, exit_order=LimitOrder(offset=0.01, minutes=2))
    s.decide(flip(1, 100))
    s.walk(100, 100)
    s.decide(row(100, cycle=math.nan))
    assert s.play(100, 101, 99, 100) == []
    assert short(s.play(100, 101.01, 99, 100)) == [("CLEAR", -10, 101, True)]
    s = scene(FEES, exit_order=LimitOrder(offset=0.01, minutes=2))
    s.decide(flip(1, 100))
    s.walk(100, 100)
    s.decide(row(100, cycle=math.nan))
    assert s.walk(100, 99, 98) == []
    assert short(s.walk(97, 96)) == [("CLEAR", -10, pytest.approx(97 * 0.999), False)]


def test_a_flip_opens_only_when_the_resting_exit_is_done() -> None:
    s = scene(exit_order=LimitOrder(offset=0.01, minutes=3))
    s.decide(flip(1, 100))
    s.walk(100, 100)
    s.decide(flip(-1, 100))
    assert s.play(100, 100.5, 99, 100) == []
    assert short(s.play(100, 101.5, 99, 100)) == [("CLEAR", -10, 101, True)]
    (entry,) = short(s.play(100, 100, 100, 100))
    assert (entry[0], entry[1] < 0, entry[2]) == ("ENTRY", True, 100)


def test_inside_a_minute_the_entry_that_adds_comes_before_the_stop_that_closes() -> None:
    s = scene(entry_order=LimitOrder(offset=0.01), full_stop_loss_immediate=0.02)
    s.decide(flip(1, 100))
    fills = s.play(100, 100, 97, 97.1)
    assert short(fills) == [("ENTRY", 10, 99, True), ("STOP_IMMEDIATE", -10, 97.02, False)]  # 99 · 0.98


def test_a_stop_withdraws_what_still_rests() -> None:
    half = RotationalGaussian1(theta=0.5, alpha=100, beta0=0.02, beta1=0.02)
    method = RemainingQuantity(regrow=True, long=half, short=half)
    trade = TradeConfiguration(
        "t", method=method, entry_order=LimitOrder(offset=0.05, minutes=600), full_stop_loss_immediate=0.02
    )
    s = Scene(engine(trade))
    s.decide(flip(1, 100))
    assert short(s.play(95, 95, 94, 95)) == [
        ("ENTRY", 10, 95, False),
    ]  # arrived beyond its limit
    # less wanted, then more again: the addition rests at 0.95 · 96, below the stop at 93.1
    s.decide(row(98, cycle=1, cycle_index=1, cycle_begin=100))
    s.walk(98, 98)
    s.decide(row(96, cycle=1, cycle_index=2, cycle_begin=96))
    assert [f.reason for f in s.play(96, 96, 90, 90)] == [TradeReason.STOP_IMMEDIATE]
    assert s.walk(90, 80, 95) == []


def test_an_order_that_arrives_late_meets_the_adverse_side_of_the_minute() -> None:
    s = scene(CostModel(taker_fee=0, slippage=0, funding_rate=0, latency_ms=15_000))
    s.decide(flip(1, 100))
    # a quarter of the way from the open to the high
    assert short(s.play(100, 102, 99, 101)) == [("ENTRY", 10, 100.5, False)]
    s.decide(row(101, cycle=math.nan))
    assert short(s.play(101, 101, 97, 98)) == [("CLEAR", -10, 100, False)]


def test_a_resting_order_that_arrives_late_misses_the_minute_that_had_begun() -> None:
    s = scene(CostModel(taker_fee=0, slippage=0, funding_rate=0, latency_ms=1), entry_order=LimitOrder(0.01))
    s.decide(flip(1, 100))
    assert s.play(100, 100, 98, 100) == []
    assert short(s.play(100, 100, 98, 100)) == [("ENTRY", 10, 99, True)]


def test_an_order_takes_no_more_than_its_share_of_the_volume_and_the_rest_waits() -> None:
    s = scene(CostModel(taker_fee=0, slippage=0, funding_rate=0, participation=0.4), full_stop_loss_immediate=0.1)
    s.decide(flip(1, 10))  # 100 are wanted; every minute of the scene trades 1
    assert short(s.walk(10, 10)) == [("ENTRY", 0.4, 10, False)]
    assert short(s.walk(11, 11, 11)) == [("ENTRY", 0.4, 11, False)] * 2
    stop = round((0.4 * 10 + 0.8 * 11) / 1.2 * 0.9, 2)
    # the stop comes after the entry of the same minute, with the same share; the rest follows at the next opens
    assert short(s.play(11, 11, 9, 9))[1] == ("STOP_IMMEDIATE", -0.4, pytest.approx(stop, abs=0.2), False)
    rest = [fill for _ in range(4) for fill in short(s.walk(9, 9))]
    assert rest == [("STOP_IMMEDIATE", -0.4, 9, False)] * 3
    assert s.engine.snapshot().positions[0].quantity == 0


def test_the_volatility_model_adds_a_share_of_the_range_of_the_minute() -> None:
    costs = CostModel(
        taker_fee=0, half_spread=0.0002, slippage=0.0003, funding_rate=0,
        slippage_model=SlippageModel.VOLATILITY, range_share=0.25,
    )  # fmt: skip
    s = scene(costs)
    s.decide(flip(1, 100))
    assert s.play(100, 101, 99, 100)[0].price == pytest.approx(100 * (1 + 0.0005 + 0.25 * 0.02), abs=1e-12)


def test_the_book_model_walks_the_recorded_book_and_counts_what_it_had_to_do_without() -> None:
    costs = CostModel(
        taker_fee=0, half_spread=0.0002, slippage=0.0003, funding_rate=0, slippage_model=SlippageModel.BOOK
    )
    e = engine(TradeConfiguration("t", method=FOLLOW), costs)
    flow = Flow(0.0, 1.0, spread=0.0004, bid_depth=5_000, ask_depth=2_000, reach=1.0)
    still = (100, 100, 100, 100, 1, 1, 1, 1, 1)
    e.minute(0, {"XUSDT": Bar(0, *still)}, {"XUSDT/a": flip(1, 100)})
    e.minute(MINUTE_MS, {"XUSDT": Bar(MINUTE_MS, *still, flow=flow)}, {"XUSDT/a": row(100, cycle=math.nan)})
    e.minute(2 * MINUTE_MS, {"XUSDT": Bar(2 * MINUTE_MS, *still)}, {})
    bought, sold = e.trades()
    # half the spread, and half of the 1,000 / 2,000 of the 0.1 % that the asks reach
    assert bought.price == pytest.approx(100 * (1 + 0.0002 + 0.00025), rel=1e-7)  # stored with 24 bits
    assert sold.price == pytest.approx(100 * (1 - 0.0005))
    assert e.unrecorded_fills == 1


def test_the_discount_is_one_of_both_fees() -> None:
    discounted = scene(CostModel(taker_fee=0.0005, slippage=0, funding_rate=0, fee_discount=0.1))
    discounted.decide(flip(1, 100))
    assert discounted.walk(100, 100)[0].fee == pytest.approx(10 * 100 * 0.00045)


def test_an_order_that_has_become_too_dear_is_cut_to_what_the_wallet_pays() -> None:
    trade = TradeConfiguration("t", method=FOLLOW)
    s = Scene(engine(trade, allocated=None))
    s.engine.setup.setups[:, Setup.ASSUMED] = 1.0
    s.decide(flip(1, 100))  # 9,500 of 10,000 are allocated: 95
    (fill,) = s.play(125, 125, 125, 125)
    assert fill.quantity == 80  # 10,000 / 125
    assert s.engine.snapshot().assets[0].cross_wallet_balance == pytest.approx(0, abs=1e-9)


def test_a_trade_scenario_has_no_orders_of_its_own() -> None:
    method = TradeScenario(entry=(ScenarioRow(0, 0.5),))
    wrong = TradeConfiguration("t", entry_order=StopOrder(), exit_order=LimitOrder(), method=method)
    assert [(each.field, each.value) for each in mismatches(wrong)] == [
        ("entry_order.type", "STOP"),
        ("exit_order.type", "LIMIT"),
    ]
    with pytest.raises(Invalid, match=r"trade\.entry_order\.type"):
        engine(wrong)
    assert mismatches(TradeConfiguration("t", method=method)) == []


def random_grid(seed: int, minutes: int) -> MinuteGrid:
    g = np.random.default_rng(seed)
    closes = 100 * np.exp(np.cumsum(g.normal(0, 0.004, (minutes, 1)), axis=0))
    opens = np.vstack([closes[:1], closes[:-1]]) * (1 + g.normal(0, 0.0005, (minutes, 1)))
    highs = np.maximum(opens, closes) * (1 + abs(g.normal(0, 0.002, (minutes, 1))))
    lows = np.minimum(opens, closes) * (1 - abs(g.normal(0, 0.002, (minutes, 1))))
    missing = g.random((minutes, 1)) < 0.02
    for prices in (opens, highs, lows, closes):
        prices[missing] = np.nan
    rows, row_at = [], np.full((minutes, 1), -1, np.int64)
    cycle, begin, index = 1.0, 100.0, 0
    for t in range(4, minutes, 5):
        if not missing[t, 0]:
            turns = g.random() < 0.2
            cycle, begin, index = (-cycle, closes[t, 0], 0) if turns else (cycle, begin, index + 1)
            row_at[t, 0] = len(rows)
            rows.append(row(closes[t, 0], cycle=cycle, cycle_index=index, cycle_begin=begin, cycle_updated=turns))
    volumes = g.exponential(30, (minutes, 1)).astype(np.float32)
    books = g.uniform(0.0001, 0.001, (3, minutes, 1)).astype(np.float32)
    books[1:] *= 1e7
    books[:, g.random(minutes) < 0.3] = np.nan
    return MinuteGrid(0, opens, highs, lows, closes, np.array(rows), row_at, volumes, books)


MAP = RotationalGaussian1(0.5, 0.01, 0.03, 0.05)
CASES = st.builds(
    TradeConfiguration,
    code=st.just("t"),
    leverage=st.sampled_from([1, 10]),
    full_stop_loss_immediate=st.sampled_from([None, 0.02]),
    full_stop_loss_close=st.sampled_from([None, 0.01]),
    post_stop_reentry=st.booleans(),
    entry_order=st.one_of(
        st.just(MarketOrder()),
        st.builds(LimitOrder, st.sampled_from([0, 0.001, 0.005]), st.integers(1, 12), st.booleans()),
        st.builds(StopOrder, st.sampled_from([0, 0.001, 0.005]), st.integers(1, 12)),
    ),
    exit_order=st.one_of(
        st.just(MarketOrder()), st.builds(LimitOrder, st.sampled_from([0, 0.001, 0.005]), st.integers(1, 12))
    ),
    method=st.just(RemainingQuantity(long=MAP, short=MAP)),
)
COSTS = st.builds(
    CostModel,
    slippage_model=st.sampled_from(SlippageModel),
    latency_ms=st.sampled_from([0, 1, 30_000, 59_999]),
    participation=st.sampled_from([None, 0.3, 0.01]),
    fee_discount=st.sampled_from([0, 0.1]),
)


def live(e: AccountEngine, market: MinuteGrid, minutes: int) -> tuple[list[TradeRecord], list[float]]:
    fills, equity = [], []
    for t in range(minutes):
        bars, decisions = {}, {}
        if not math.isnan(market.opens[t, 0]):
            values = [float(prices[t, 0]) for prices in market[1:5]]
            spread, bid, ask = (float(x) for x in market.books[:, t, 0])
            flow = None if math.isnan(spread) else Flow(0.0, 1.0, spread, bid, ask, 1.0)
            bars["XUSDT"] = Bar(t * MINUTE_MS, *values, float(market.volumes[t, 0]), 0, 0, 0, 0, flow=flow)
        if market.row_at[t, 0] >= 0:
            decisions["XUSDT/a"] = market.rows[market.row_at[t, 0]]
        equity.append(e.minute(t * MINUTE_MS, bars, decisions))
        fills += e.trades()
    return fills, equity


@settings(max_examples=60, deadline=None)
@given(trade=CASES, costs=COSTS, seed=st.integers(0, 10_000))
def test_whatever_the_orders_and_costs_the_live_account_is_the_backtest_and_every_cent_is_accounted_for(
    trade: TradeConfiguration, costs: CostModel, seed: int
) -> None:
    market = random_grid(seed, 300)
    whole, followed = engine(trade, costs, allocated=None), engine(trade, costs, allocated=None)
    expected, equity = whole.run(market)
    fills, curve = live(followed, market, 300)
    assert fills == expected
    assert curve == equity.tolist()
    assert followed.dump() == whole.dump()
    asset = whole.snapshot().assets[0]
    booked = sum(f.profit - f.fee for f in fills) - asset.funding_paid
    assert asset.wallet_balance == pytest.approx(10_000 + booked, abs=1e-8)
    assert asset.cross_wallet_balance >= -1e-9
    for fill in fills:
        bar = fill.time_ms // MINUTE_MS
        if costs.participation is not None and fill.reason is not TradeReason.LIQUIDATION:
            assert fill.quantity <= costs.participation * market.volumes[bar, 0] + 1e-6


@settings(max_examples=30, deadline=None)
@given(trade=CASES, costs=COSTS, seed=st.integers(0, 10_000), cut=st.integers(1, 299))
def test_no_order_knows_the_future(trade: TradeConfiguration, costs: CostModel, seed: int, cut: int) -> None:
    market = random_grid(seed, 300)
    changed = market._replace(
        **{name: np.vstack([getattr(market, name)[:cut], 1.3 * getattr(market, name)[cut:]])
           for name in ("opens", "highs", "lows", "closes", "volumes")}
    )  # fmt: skip
    fills, equity = engine(trade, costs, allocated=None).run(market)
    other, other_equity = engine(trade, costs, allocated=None).run(changed)
    now = cut * MINUTE_MS
    assert [f for f in other if f.time_ms < now] == [f for f in fills if f.time_ms < now]
    assert (other_equity[:cut] == equity[:cut]).all()


def test_volumes_and_books_do_not_matter_to_who_does_not_ask_for_them() -> None:
    market = random_grid(3, 300)
    bare = market._replace(volumes=np.zeros((0, 0), np.float32), books=np.zeros((3, 0, 0), np.float32))
    trade = TradeConfiguration("t", method=RemainingQuantity(long=MAP, short=MAP))
    assert engine(trade, CostModel()).run(bare)[0] == engine(trade, CostModel()).run(market)[0]
