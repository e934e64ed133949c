import base64
import math
import zlib
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atm.model.account import AssetSetup, CostModel, PositionSetup, TradeReason, TradeRecord
from atm.model.analysis_configuration import AnalysisConfiguration, ClassicalSignal, MultiMACD
from atm.model.bars import Bar
from atm.model.errors import Invalid
from atm.model.instrument import Instrument, LeverageBracket
from atm.model.interval import MINUTE_MS
from atm.model.trade_configuration import (
    Direction,
    LimitOrder,
    MmacdDefault,
    ReachAndFall,
    RemainingQuantity,
    RotationalGaussian1,
    RotationalGaussian2,
    ScenarioRow,
    Sense,
    Span,
    StopOrder,
    SwingDefault,
    TargetExposure,
    TradeConfiguration,
    TradeScenario,
    WeightReduce,
)
from atm.trading.engine import AccountEngine
from atm.trading.layout import Input, Position
from atm.trading.minute_grid import MinuteGrid

WIDE = RotationalGaussian1(theta=0.5, alpha=100, beta0=100, beta1=100)
FOLLOW = RemainingQuantity(long=WIDE, short=WIDE)
FREE = CostModel(taker_fee=0.0, slippage=0.0, funding_rate=0.0)
BRACKETS = (LeverageBracket(0, 100_000, 0.01, 0, 50), LeverageBracket(100_000, 10_000_000, 0.02, 1_000, 20))


def instrument(symbol: str = "XUSDT") -> Instrument:
    return Instrument(
        symbol, "X", "USDT", "TRADING", 2, 1, "0.01", "0.1", "0.1", "0.1", "100000", "5", "0.015", 0, BRACKETS
    )


def engine(
    trade: TradeConfiguration, costs: CostModel = FREE, symbols: tuple[str, ...] = ("XUSDT",), ratio: float = 1.0
) -> AccountEngine:
    return AccountEngine(
        {"USDT": AssetSetup(10_000, 0.5)},
        [PositionSetup(symbol, "a", trade.code, ratio, n + 1) for n, symbol in enumerate(symbols)],
        [AnalysisConfiguration.of_one("a", pip=ClassicalSignal(), mmacd_short=MultiMACD())],
        [trade],
        [instrument(symbol) for symbol in symbols],
        costs,
    )


def row(cycle: float, close: float, index: float = 0, begin: float | None = None, updated: float = 0) -> np.ndarray:
    values = np.zeros(len(Input))
    values[[Input.OPEN, Input.CLOSE, Input.CYCLE]] = close, close, cycle
    values[[Input.CYCLE_UPDATED, Input.CYCLE_INDEX, Input.CYCLE_BEGIN]] = updated, index, begin or close
    return values


def bar(minute: int, o: float, h: float | None = None, lo: float | None = None, c: float | None = None) -> Bar:
    close = o if c is None else c
    return Bar(minute * MINUTE_MS, o, h or max(o, close), lo or min(o, close), close, 1, 1, 1, 1, 1)


def play(e: AccountEngine, minutes: list[tuple[Bar, np.ndarray | None]]) -> list[TradeRecord]:
    fills = []
    for b, r in minutes:
        e.minute(b.open_time, {"XUSDT": b}, {} if r is None else {"XUSDT/a": r})
        fills += e.trades()
    return fills


TREND = TradeConfiguration("t", leverage=5, method=FOLLOW)


def test_a_decision_is_filled_at_the_next_open_with_the_balance_that_account_control_grants() -> None:
    e = engine(TREND, CostModel(taker_fee=0.0005, slippage=0.001, funding_rate=0.0))
    fills = play(e, [(bar(14, 100), row(1, 100, updated=1)), (bar(15, 101), None)])
    # 10,000 · 0.95 · 0.5 = 4,750 allocated; · 5 / 100 = 237.5 at the decision's close
    assert [(f.reason, f.quantity, f.side.value) for f in fills] == [(TradeReason.ENTRY, 237.5, "BUY")]
    assert fills[0].price == pytest.approx(101 * 1.001)
    assert fills[0].time_ms == 15 * MINUTE_MS
    assert fills[0].fee == pytest.approx(237.5 * 101 * 1.001 * 0.0005)
    asset = e.snapshot().assets[0]
    assert asset.wallet_balance == pytest.approx(10_000 - fills[0].fee)
    assert e.snapshot().positions[0].isolated_wallet == pytest.approx(237.5 * 101.101 / 5)


def test_commission_paid_in_bnb_is_a_tenth_less() -> None:
    fills = [
        play(
            engine(TREND, CostModel(fee_discount=discount)),
            [(bar(14, 100), row(1, 100, updated=1)), (bar(15, 101), None)],
        )
        for discount in (0.0, 0.1)
    ]
    assert fills[1][0].fee == pytest.approx(0.9 * fills[0][0].fee)


def test_a_flip_closes_and_opens_the_other_side_at_the_same_open() -> None:
    e = engine(TREND)
    fills = play(
        e,
        [
            (bar(14, 100), row(1, 100, updated=1)),
            (bar(15, 100, c=110), row(-1, 110, updated=1)),
            (bar(16, 110), None),
        ],
    )
    assert [(f.reason, f.quantity_after > 0) for f in fills] == [
        (TradeReason.ENTRY, True),
        (TradeReason.CLEAR, False),
        (TradeReason.ENTRY, False),
    ]
    assert fills[1].profit == pytest.approx(237.5 * 10)
    # both fills of the flip come from one signal; the first leaves the position flat
    assert [(f.target_before, f.target_after, f.decision_ms) for f in fills] == [
        (0, 1, 15 * MINUTE_MS),
        (1, -1, 16 * MINUTE_MS),
        (0, -1, 16 * MINUTE_MS),
    ]
    # the wallet has grown to 12,375: · 0.475 · 5 / 110 = 267.18…, cut to the step
    assert fills[2].quantity == pytest.approx(267.1)


def test_the_contrarian_reading_and_the_allowed_direction() -> None:
    contrarian = TradeConfiguration("t", method=RemainingQuantity(sense=Sense.CONTRARIAN, long=WIDE, short=WIDE))
    assert play(engine(contrarian), [(bar(0, 100), row(1, 100)), (bar(1, 100), None)])[0].side.value == "SELL"
    longs = TradeConfiguration("t", direction=Direction.LONG, method=FOLLOW)
    assert play(engine(longs), [(bar(0, 100), row(-1, 100)), (bar(1, 100), None)]) == []


def test_the_remaining_quantity_only_shrinks_within_a_cycle() -> None:
    narrow = RotationalGaussian1(theta=0.5, alpha=100, beta0=0.02, beta1=0.02)
    e = engine(TradeConfiguration("t", method=RemainingQuantity(long=narrow, short=narrow)))
    away = math.exp(-(0.02**2) / (2 * 0.02**2))
    fills = play(
        e,
        [
            (bar(0, 100), row(1, 100, begin=100, updated=1)),
            (bar(1, 100, c=102), row(1, 102, begin=100)),
            (bar(2, 102, c=100), row(1, 100, begin=100)),  # back at the pivot: nothing is bought again
            (bar(3, 100), None),
        ],
    )
    assert [f.reason for f in fills] == [TradeReason.ENTRY, TradeReason.EXIT]
    assert fills[1].quantity_after == pytest.approx(47.5 * away, abs=0.11)
    assert (fills[1].target_before, fills[1].target_after) == (1, pytest.approx(away))


@pytest.mark.parametrize(
    ("opening", "low", "price"),
    [(99, 94, 95.0), (94.5, 94, 94.5)],  # through the stop inside the minute; opened beyond it
)
def test_the_immediate_stop_fills_at_its_level_or_at_the_gap(opening: float, low: float, price: float) -> None:
    e = engine(TradeConfiguration("t", full_stop_loss_immediate=0.05, method=FOLLOW))
    start = [(bar(0, 100), row(1, 100, updated=1)), (bar(1, 100), None)]
    fills = play(e, [*start, (bar(2, opening, lo=low, c=low), None)])
    assert (fills[-1].reason, fills[-1].price) == (TradeReason.STOP_IMMEDIATE, price)


def test_after_a_stop_the_same_cycle_is_not_entered_again_unless_allowed() -> None:
    for reentry, entries in ((False, 1), (True, 2)):
        e = engine(TradeConfiguration("t", full_stop_loss_immediate=0.05, post_stop_reentry=reentry, method=FOLLOW))
        minutes = [(bar(0, 100), row(1, 100, updated=1)), (bar(1, 100), None), (bar(2, 99, lo=90, c=96), row(1, 96))]
        fills = play(e, [*minutes, (bar(3, 96), None)])
        assert sum(f.reason is TradeReason.ENTRY for f in fills) == entries


def test_the_stop_on_close_asks_the_close_and_not_the_wick() -> None:
    e = engine(TradeConfiguration("t", full_stop_loss_close=0.05, method=FOLLOW))
    fills = play(
        e,
        [
            (bar(0, 100), row(1, 100, updated=1)),
            (bar(1, 100, lo=90), row(1, 100)),
            (bar(2, 100, c=94), row(1, 94)),
            (bar(3, 93), None),
        ],
    )
    assert [(f.reason, f.price) for f in fills] == [(TradeReason.ENTRY, 100), (TradeReason.STOP_CLOSE, 93)]


def test_a_liquidation_takes_the_isolated_wallet_and_leaves_the_rest() -> None:
    e = engine(TradeConfiguration("t", leverage=10, method=FOLLOW))
    fills = play(e, [(bar(0, 100), row(1, 100, updated=1)), (bar(1, 100), None), (bar(2, 99, lo=80, c=80), None)])
    assert fills[-1].reason is TradeReason.LIQUIDATION
    # 475 at 100, margin 4,750: LP = (475·100 − 4,750)/(475·0.99)
    assert fills[-1].price == pytest.approx(42_750 / (475 * 0.99))
    assert e.snapshot().assets[0].wallet_balance == pytest.approx(5_250)
    assert e.liquidations == 1


def test_funding_is_paid_at_the_stamp() -> None:
    e = engine(TREND, CostModel(taker_fee=0, slippage=0, funding_rate=0.001))
    play(e, [(bar(478, 100), row(1, 100, updated=1)), (bar(479, 100), None), (bar(480, 100), None)])
    assert e.funding_paid() == pytest.approx(237.5 * 100 * 0.001)


def test_a_recorded_funding_rate_goes_before_the_constant_one() -> None:
    prices, n = np.full((4, 962, 2), 100.0), 962
    row_at = np.full((n, 2), -1, np.int64)
    row_at[0] = 0, 1
    rates = np.array([(480 * MINUTE_MS, 0, 0.003), (480 * MINUTE_MS, 1, -0.001), (960 * MINUTE_MS, 1, 0.002)])
    grid = MinuteGrid(0, *prices, np.array([row(1, 100), row(-1, 100)]), row_at, rates=rates)
    costs = CostModel(taker_fee=0, slippage=0, funding_rate=0.0001)
    e = engine(TREND, costs, SYMBOLS, 0.5)
    e.run(grid)
    # 118.75 of each at 100, A long, B short: A pays 0.3 % and the constant 0.01 %, B pays 0.1 % and receives 0.2 %
    quantity = e.snapshot().positions[0].quantity
    assert quantity == -e.snapshot().positions[1].quantity == 118.7
    assert e.funding_paid() == pytest.approx(118.7 * 100 * (0.003 + 0.0001 + 0.001 - 0.002))
    live = engine(TREND, costs, SYMBOLS, 0.5)
    for t in range(n):
        bars = dict.fromkeys(SYMBOLS, bar(t, 100))
        known = {SYMBOLS[int(i)]: rate for stamp, i, rate in rates if stamp == t * MINUTE_MS}
        live.minute(t * MINUTE_MS, bars, {"AUSDT/a": row(1, 100), "BUSDT/a": row(-1, 100)} if t == 0 else {}, known)
    live.trades()
    e.trades()
    assert live.dump() == e.dump()


def test_trading_off_keeps_protection_and_opens_nothing() -> None:
    e = engine(TradeConfiguration("t", full_stop_loss_immediate=0.05, method=FOLLOW))
    play(e, [(bar(0, 100), row(1, 100, updated=1)), (bar(1, 100), None)])
    e.set_trading(False)
    fills = play(e, [(bar(2, 100, lo=90, c=90), row(-1, 90, updated=1)), (bar(3, 90), None)])
    assert [f.reason for f in fills] == [TradeReason.STOP_IMMEDIATE]


def test_a_missing_minute_neither_fills_nor_decides_and_the_order_waits() -> None:
    e = engine(TREND)
    e.minute(0, {"XUSDT": bar(0, 100)}, {"XUSDT/a": row(1, 100, updated=1)})
    e.minute(MINUTE_MS, {}, {})
    assert e.trades() == []
    e.minute(2 * MINUTE_MS, {"XUSDT": bar(2, 103)}, {})
    assert [f.price for f in e.trades()] == [103]


def test_force_clear_closes_at_the_next_open_and_names_what_is_not_open() -> None:
    e = engine(TREND)
    with pytest.raises(Invalid, match="XUSDT"):
        e.force_clear("XUSDT")
    play(e, [(bar(0, 100), row(1, 100, updated=1)), (bar(1, 100), None)])
    e.force_clear("XUSDT")
    fills = play(e, [(bar(2, 101), row(1, 101)), (bar(3, 101), None)])
    assert [f.reason for f in fills] == [TradeReason.FORCE_CLEAR]


def random_market(seed: int, minutes: int, n: int) -> MinuteGrid:
    g = np.random.default_rng(seed)
    closes = 100 * np.exp(np.cumsum(g.normal(0, 0.004, (minutes, n)), axis=0))
    opens = np.vstack([closes[:1], closes[:-1]]) * (1 + g.normal(0, 0.0005, (minutes, n)))
    highs = np.maximum(opens, closes) * (1 + abs(g.normal(0, 0.002, (minutes, n))))
    lows = np.minimum(opens, closes) * (1 - abs(g.normal(0, 0.002, (minutes, n))))
    missing = g.random((minutes, n)) < 0.02
    for a in (opens, highs, lows, closes):
        a[missing] = np.nan
    rows, row_at = [], np.full((minutes, n), -1, np.int64)
    for i in range(n):
        cycle, begin, index = 1.0, 100.0, 0
        for t in range(4, minutes, 5):
            if math.isnan(closes[t, i]):
                continue
            flip = g.random() < 0.1
            cycle, begin, index = (-cycle, closes[t, i], 0) if flip else (cycle, begin, index + 1)
            row_at[t, i] = len(rows)
            rows.append(row(cycle, closes[t, i], index, begin, float(flip)))
    table = np.array(rows)
    table[:, Input.FILTERED] = g.uniform(-0.5, 0.5, len(table))
    table[:, Input.SWING_TYPE] = np.sign(g.normal(0, 1, len(table)))
    table[:, Input.SWING_PRICE] = table[:, Input.CLOSE] * (1 + 0.02 * table[:, Input.SWING_TYPE])
    table[:, Input.MMACD_SHORT] = np.cumsum(g.normal(0, 0.3, len(table)))
    return MinuteGrid(0, opens, highs, lows, closes, table, row_at)


SYMBOLS = ("AUSDT", "BUSDT")
BUSY = TradeConfiguration(
    "t", leverage=15, full_stop_loss_immediate=0.06, full_stop_loss_close=0.03,
    method=RemainingQuantity(
        long=RotationalGaussian1(0.5, 0.01, 0.03, 0.05), short=RotationalGaussian1(0.5, 0.01, 0.05, 0.03)
    ),
)  # fmt: skip


def scenario(**more: object) -> TradeScenario:
    return TradeScenario(
        entry=rows_of((0, 0.3), (0.01, 0.6), (0.03, 1)), exit=rows_of((0.01, 0.5), (0.04, 0.1), (0.06, 0)),
        partial_stop_loss=rows_of((0.04, 0.4), (0.05, 0)), weight_reduce=WeightReduce(0.03, 0.4),
        reach_and_fall=ReachAndFall(0.02, 0.01), **more,
    )  # fmt: skip


def rows_of(*pairs: tuple[float, float]) -> tuple[ScenarioRow, ...]:
    return tuple(ScenarioRow(*pair) for pair in pairs)


STOPS = {"leverage": 15, "full_stop_loss_immediate": 0.025, "full_stop_loss_close": 0.02}
METHODS = {
    "RQPM": BUSY,
    "RQPM, four inputs": TradeConfiguration(
        "t", 5, method=RemainingQuantity(
            exit_on_aligned=0.001,
            long=RotationalGaussian2((0.1, 0.2, 0.3), sigma=(0.05, 0.05, 0.1, 1)),
            short=RotationalGaussian2((0.3, 0.2, 0.1), sigma=(0.05, 0.05, 0.1, 1)),
        ),
    ),
    "RQPM, rounds": TradeConfiguration(
        "t", direction=Direction.SHORT, **STOPS, method=RemainingQuantity(span=Span.ROUND, short=BUSY.method.short)
    ),
    "RQPM, limit orders": TradeConfiguration(
        "t", entry_order=LimitOrder(0.002, 7), exit_order=LimitOrder(0.001, 4), **STOPS, method=BUSY.method
    ),
    "RQPM, limit orders to the end": TradeConfiguration(
        "t", entry_order=LimitOrder(0.004, 3, then_market=True), exit_order=LimitOrder(0.004, 2), method=BUSY.method
    ),
    "TEF, stop entries": TradeConfiguration(
        "t", entry_order=StopOrder(0.001, 12), **STOPS, method=TargetExposure(MmacdDefault())
    ),
    "TS": TradeConfiguration("t", **STOPS, method=scenario()),
    "TS, all options": TradeConfiguration(
        "t", post_stop_reentry=True, **STOPS, method=scenario(reenter=True, join=True, sense=Sense.CONTRARIAN)
    ),
    "RQPM, cross": msgspec.structs.replace(BUSY, isolated=False),
    "TS, cross": TradeConfiguration("t", isolated=False, **STOPS, method=scenario()),
    "TEF, MMACD": TradeConfiguration("t", **STOPS, method=TargetExposure(MmacdDefault())),
    "TEF, swing": TradeConfiguration("t", **STOPS, method=TargetExposure(SwingDefault(), 0.05)),
}  # fmt: skip
every_method = pytest.mark.parametrize("trade", METHODS.values(), ids=METHODS.keys())


@every_method
@pytest.mark.parametrize("symbols", [SYMBOLS[:1], SYMBOLS])
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10_000), cuts=st.sets(st.integers(1, 599), max_size=6))
def test_minute_by_minute_with_restarts_is_the_backtest_bit_for_bit(
    trade: TradeConfiguration, symbols: tuple[str, ...], seed: int, cuts: set[int]
) -> None:
    market = random_market(seed, 600, len(symbols))
    whole = engine(trade, CostModel(), symbols, 0.6)
    expected, equity = whole.run(market)
    live = engine(trade, CostModel(), symbols, 0.6)
    fills = []
    for t in range(600):
        if t in cuts:  # the process has died and another one takes over
            state = live.dump()
            live = engine(trade, CostModel(), symbols, 0.6)
            live.load(state)
        bars = {
            symbol: Bar(t * MINUTE_MS, *(float(a[t, i]) for a in market[1:5]), 0, 0, 0, 0, 0)
            for i, symbol in enumerate(symbols)
            if not math.isnan(market.opens[t, i])
        }
        rows = {f"{s}/a": market.rows[market.row_at[t, i]] for i, s in enumerate(symbols) if market.row_at[t, i] >= 0}
        assert live.minute(t * MINUTE_MS, bars, rows) == equity[t]
        fills += live.trades()
    assert fills == expected
    assert live.dump() == whole.dump()


@every_method
def test_every_method_trades_on_the_random_markets(trade: TradeConfiguration) -> None:
    """Without which the properties here would hold for nothing."""
    fills = [
        f for seed in range(5) for f in engine(trade, CostModel(), SYMBOLS, 0.6).run(random_market(seed, 600, 2))[0]
    ]
    assert len(fills) > 40
    if isinstance(trade.method, TradeScenario):
        assert {f.reason for f in fills} >= {
            TradeReason.ENTRY, TradeReason.EXIT, TradeReason.CLEAR, TradeReason.PARTIAL_STOP, TradeReason.STOP_IMMEDIATE,
            TradeReason.WEIGHT_REDUCE, TradeReason.REACH_AND_FALL, TradeReason.STOP_CLOSE,
        }  # fmt: skip


@every_method
def test_a_fill_goes_on_from_the_target_that_the_one_before_was_for(trade: TradeConfiguration) -> None:
    fills, _ = engine(trade, CostModel(), SYMBOLS, 0.6).run(random_market(1, 600, 2))
    for symbol in SYMBOLS:
        target = 0.0
        for f in (f for f in fills if f.symbol == symbol):
            assert f.target_before == target
            if f.quantity_after != 0.0:
                assert f.target_after * f.quantity_after > 0.0
            target = f.target_after if f.quantity_after != 0.0 else 0.0


@every_method
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10_000), cut=st.integers(1, 599))
def test_another_future_leaves_the_past_as_it_was(trade: TradeConfiguration, seed: int, cut: int) -> None:
    market, other = random_market(seed, 600, 2), random_market(seed + 1, 600, 2)
    prices = [np.vstack([mine[:cut], theirs[cut:]]) for mine, theirs in zip(market[1:5], other[1:5], strict=True)]
    row_at = np.vstack(
        [market.row_at[:cut], np.where(other.row_at[cut:] < 0, -1, other.row_at[cut:] + len(market.rows))]
    )
    mixed = MinuteGrid(0, *prices, np.vstack([market.rows, other.rows]), row_at)
    fills, equity = engine(trade, CostModel(), SYMBOLS, 0.6).run(market)
    changed, changed_equity = engine(trade, CostModel(), SYMBOLS, 0.6).run(mixed)
    now = cut * MINUTE_MS
    assert [f for f in changed if f.time_ms < now] == [f for f in fills if f.time_ms < now]
    assert (changed_equity[:cut] == equity[:cut]).all()


@every_method
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_every_cent_is_accounted_for(trade: TradeConfiguration, seed: int) -> None:
    e = engine(trade, CostModel(), SYMBOLS, 0.6)
    fills, _ = e.run(random_market(seed, 600, 2))
    asset = e.snapshot().assets[0]
    profit = sum(f.profit for f in fills)
    fees = sum(f.fee for f in fills)
    assert asset.wallet_balance == pytest.approx(10_000 + profit - fees - asset.funding_paid, abs=1e-8)
    assert asset.fees_paid == pytest.approx(fees, abs=1e-8)
    for p in e.snapshot().positions:
        assert p.isolated_wallet >= 0
        assert p.quantity == pytest.approx(round(p.quantity * 10) / 10, abs=0)


@pytest.mark.parametrize(
    ("trade", "field"),
    [
        (TradeConfiguration("t", leverage=60), "trade.leverage"),
        (
            TradeConfiguration("t", full_stop_loss_immediate=0.01, full_stop_loss_close=0.02),
            "trade.full_stop_loss_close",
        ),
    ],
)
def test_a_configuration_that_cannot_be_traded_is_refused_by_field(trade: TradeConfiguration, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        engine(trade)
    assert refused.value.field == field


def test_a_stop_is_for_no_target_and_follows_none_of_a_later_entry() -> None:
    e = engine(TradeConfiguration("t", leverage=5, full_stop_loss_immediate=0.05, method=FOLLOW))
    fills = play(
        e,
        [
            (bar(14, 100), row(1, 100, updated=1)),
            (bar(15, 100), None),
            (bar(16, 100, lo=90, c=92), row(-1, 92, updated=1)),
            (bar(17, 92), None),
        ],
    )
    assert [(f.reason, f.target_before, f.target_after) for f in fills] == [
        (TradeReason.ENTRY, 0, 1),
        (TradeReason.STOP_IMMEDIATE, 1, 0),
        (TradeReason.ENTRY, 0, -1),
    ]


STORED = {
    1: (
        "c-nIe@pWZn06|uU&0B?-%+GxdzhkX0y!!s5e(!+qX`Vq1-5!f%Sv+P&)iZ#=hFk|Q%@7Hp`!=D{3?J;V(=Y(lhXXj2YdgZ&_s&h2vE4WXRXxm}"
        "rY(5Q0jXm|6N2-X@u7$V09;NZaR"
    ),
    2: (
        "c-nIe@pWZlU<5)|hRs`rn9R?84ZmZpFTDExqkivz?`fVv4c#7#WLZ3BM%6Qbz=m80FwGDNq5C$W(hMK$vC}XB)rSK(lxsV}*!Rv&n6ceB1XVq{"
        "JxyEing>$Ph$aN*FXKZI2LQZWB%u"
    ),
    3: (
        "c-nIe@pWZpU<5)|hRs`rn9R?84ZmZpFTDExqkivz?`fVv4c#7#WLZ3BM%6Qbz=m80FwGDNq5C$W(hMK$vC}XB)rSK(lxsV}*!Rv&n6ceB1XVqT"
        "JyZfsTkyIIWG^F{5S+h^4@DdR11cn<"
    ),
}
"""States that the program of that version has stored after `OPENED`."""
OPENED = [(bar(14, 100), row(1, 100, updated=1)), (bar(15, 100), None)]
FLIPPED = [(bar(16, 101, c=102), row(-1, 102, updated=1)), (bar(17, 102), None)]


@pytest.mark.parametrize(("version", "columns", "known"), [(1, 17, 0), (2, 18, 1), (3, 27, 1)])
def test_a_state_of_every_version_goes_on_with_what_it_has(version: int, columns: int, known: float) -> None:
    same = engine(TREND)
    play(same, OPENED)
    same._positions[:, [Position.HELD, Position.UNMARKED]] = 0.0  # which those versions did not count
    state = zlib.decompress(base64.b85decode(STORED[version]))
    assert int.from_bytes(state[4:6], "little") == version
    assert len(state) == 44 + 8 * (columns + 5 + 5)
    later = engine(TREND)
    later._positions[:] = 7.0  # nothing of what was there before may stay
    later.load(state)
    assert later.snapshot() == same.snapshot()
    assert (later.dump() == same.dump()) == (version > 1)
    fills, expected = play(later, FLIPPED), play(same, FLIPPED)
    assert fills[0].target_before == known  # version 1 did not know what the position was for
    assert [msgspec.structs.replace(fills[0], target_before=1.0), *fills[1:]] == expected
    assert later.dump() == same.dump()


@pytest.mark.parametrize("broken", [lambda s: s[:-8], lambda s: s + bytes(8), lambda s: s[:4] + bytes([99, 0]) + s[6:]])
def test_a_state_cut_short_or_of_a_later_version_is_refused_and_changes_nothing(
    broken: Callable[[bytes], bytes],
) -> None:
    e = engine(TREND)
    play(e, OPENED)
    state = e.dump()
    with pytest.raises(Invalid, match="engine state"):
        e.load(broken(state))
    assert e.dump() == state


def test_state_of_other_positions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="engine state"):
        engine(TREND, symbols=SYMBOLS, ratio=0.5).load(engine(TREND).dump())
