"""Cross margin in the account engine: pools of one and of several positions, against hand calculation and brute force."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atm.model.account import AssetSetup, CostModel, PositionSetup, TradeReason, TradeRecord
from atm.model.bars import Bar
from atm.model.errors import Invalid
from atm.model.instrument import Instrument, LeverageBracket
from atm.model.interval import MINUTE_MS
from atm.model.trade_configuration import (
    LimitOrder,
    ReachAndFall,
    RemainingQuantity,
    RotationalGaussian1,
    ScenarioRow,
    StopOrder,
    TradeConfiguration,
    TradeScenario,
)
from atm.trading.engine import AccountEngine
from atm.trading.minute_grid import MinuteGrid
from tests.trading.scene import ANALYSIS, BRACKETS, FREE, flip
from tests.trading.test_engine import random_market

LIQUIDATION, STOP = TradeReason.LIQUIDATION, TradeReason.STOP_IMMEDIATE
WIDE = RotationalGaussian1(theta=0.5, alpha=100, beta0=100, beta1=100)
FOLLOW = RemainingQuantity(long=WIDE, short=WIDE)
CROSS = TradeConfiguration("cross", 20, isolated=False, method=FOLLOW)
ISOLATED = TradeConfiguration("isolated", 20, method=FOLLOW)
STOPPED = TradeConfiguration("stopped", 20, isolated=False, full_stop_loss_immediate=0.05, method=FOLLOW)
LADDER = TradeConfiguration(
    "ladder",
    20,
    isolated=False,
    method=TradeScenario(
        entry=(ScenarioRow(0, 0.3), ScenarioRow(0.01, 0.6), ScenarioRow(0.03, 1)),
        exit=(ScenarioRow(0.02, 0.5), ScenarioRow(0.05, 0)),
        partial_stop_loss=(),
        reach_and_fall=ReachAndFall(0.02, 0.01),
    ),
)
PATIENT = TradeConfiguration(
    "patient", 20, isolated=False, entry_order=LimitOrder(0.002, 7), exit_order=LimitOrder(0.001, 4), method=FOLLOW
)
BREAKOUT = TradeConfiguration(
    "breakout", 20, isolated=False, full_stop_loss_immediate=0.03, entry_order=StopOrder(0.001, 12), method=FOLLOW
)


def instrument(symbol: str, brackets: tuple[LeverageBracket, ...] = BRACKETS) -> Instrument:
    return Instrument(
        symbol, symbol[0], symbol[1:], "TRADING", 2, 3, "0.01", "0.001", "0.001", "0.001", "100000", "5", "0.015", 0, brackets
    )  # fmt: skip


def engine(
    positions: Sequence[tuple[str, TradeConfiguration, float]],
    costs: CostModel = FREE,
    brackets: tuple[LeverageBracket, ...] = BRACKETS,
    balance: float = 10_000,
) -> AccountEngine:
    """(symbol, configuration, balance allocated at most), in the order of priority; every asset begins with `balance`."""
    assets = {symbol[1:] for symbol, _, _ in positions}
    return AccountEngine(
        {asset: AssetSetup(balance, 1.0) for asset in assets},
        [PositionSetup(s, "a", trade.code, 0.9, n + 1, most) for n, (s, trade, most) in enumerate(positions)],
        [ANALYSIS],
        list({trade.code: trade for _, trade, _ in positions}.values()),
        [instrument(symbol, brackets) for symbol, _, _ in positions],
        costs,
    )


Prices = tuple[float, float, float, float]


class Play:
    """Minutes of several symbols, one after the other."""

    def __init__(self, engine: AccountEngine) -> None:
        self.engine, self.now = engine, 0

    def minute(self, prices: dict[str, Prices], sides: dict[str, float] | None = None) -> list[TradeRecord]:
        """`prices`: open, high, low, close by symbol; `sides`: cycles that flip with its close."""
        bars = {s: Bar(self.now * MINUTE_MS, *p, 1, 1, 1, 1, 1) for s, p in prices.items()}
        rows = {f"{s}/a": flip(side, prices[s][3]) for s, side in (sides or {}).items()}
        self.engine.minute(self.now * MINUTE_MS, bars, rows)
        self.now += 1
        return self.engine.trades()

    def opened(self, **sides: float) -> "Play":
        """All symbols at 100; those named enter on their side at once."""
        still = dict.fromkeys(self.engine.symbols, (100.0, 100.0, 100.0, 100.0))
        self.minute(still, sides)
        self.minute(still)
        return self

    def wallet(self, asset: str = "USDT") -> float:
        return next(a.wallet_balance for a in self.engine.snapshot().assets if a.asset == asset)


def dip(low: float) -> Prices:
    return (100.0, 100.0, low, 100.0)


def test_a_cross_position_is_backed_by_the_whole_wallet() -> None:
    # 1,000 · 20 / 100 = 200 long at 100; 10,000 + 200 (p − 100) = 0.01 · 200 p at p = 10,000 / 198 = 50.5051.
    play = Play(engine([("XUSDT", CROSS, 1_000)])).opened(XUSDT=1)
    state = play.engine.snapshot()
    assert (state.positions[0].isolated, state.positions[0].isolated_wallet) == (False, 0.0)
    assert state.positions[0].liquidation_price == pytest.approx(10_000 / 198, abs=1e-9)
    assert (state.positions[0].initial_margin, state.positions[0].maintenance_margin) == (1_000, 200)
    assert (state.assets[0].cross_wallet_balance, state.assets[0].available_balance) == (10_000, 9_000)
    assert play.minute({"XUSDT": dip(50.51)}) == []
    [fill] = play.minute({"XUSDT": dip(50.5)})
    assert (fill.reason, fill.price) == (LIQUIDATION, pytest.approx(10_000 / 198))
    # the loss is 9,898.99, what is left 101.01; the clearance fee of 1.5 % would be 151.52
    assert (fill.profit, fill.fee) == (pytest.approx(-9_898.9899, abs=1e-4), pytest.approx(101.0101, abs=1e-4))
    assert play.wallet() == pytest.approx(0, abs=1e-9)
    assert play.engine.liquidations == 1


def test_a_short_cross_position_likewise() -> None:
    # 10,000 − 200 (p − 100) = 0.01 · 200 p (p < 500: first bracket) at p = 30,000 / 202 = 148.5149.
    play = Play(engine([("XUSDT", CROSS, 1_000)])).opened(XUSDT=-1)
    assert play.engine.snapshot().positions[0].liquidation_price == pytest.approx(30_000 / 202, abs=1e-9)
    [fill] = play.minute({"XUSDT": (100.0, 160.0, 100.0, 100.0)})
    assert (fill.reason, fill.price, fill.side.value) == (LIQUIDATION, pytest.approx(30_000 / 202), "BUY")


def test_a_gap_beyond_the_wallet_is_paid_by_the_insurance_fund_and_the_ruined_account_ends() -> None:
    # It opens at 40: the loss of 12,000 is 2,000 more than there is.
    play = Play(engine([("XUSDT", CROSS, 1_000)])).opened(XUSDT=1)
    [fill] = play.minute({"XUSDT": (40.0, 41.0, 39.0, 40.0)}, {"XUSDT": -1})
    assert (fill.price, fill.profit, fill.fee) == (40.0, -10_000.0, 0.0)
    assert play.wallet() == 0.0
    still = {"XUSDT": (40.0, 40.0, 40.0, 40.0)}
    later = [play.minute(still, {"XUSDT": side}) for side in (1, -1, 1, -1)]
    assert later == [[], [], [], []]
    assert play.engine.snapshot().assets[0].margin_balance == 0.0


def test_the_losses_of_two_positions_add_up_and_each_minute_counts_at_its_worst() -> None:
    # Twice 200 long at 100: 10,000 − 40,000 + 198 (a + b) = 0 at a + b = 151.5152.
    play = Play(engine([("AUSDT", CROSS, 1_000), ("BUSDT", CROSS, 1_000)])).opened(AUSDT=1, BUSDT=1)
    assert play.minute({"AUSDT": dip(80), "BUSDT": dip(71.6)}) == []
    a, b = play.minute({"AUSDT": dip(80), "BUSDT": dip(71.5)})
    # A is liquidated where the sum is reached with B at its low, B at its low
    level = 30_000 / 198 - 71.5
    assert (a.symbol, a.reason, a.price) == ("AUSDT", LIQUIDATION, pytest.approx(level))
    assert (b.symbol, b.reason, b.price) == ("BUSDT", LIQUIDATION, 71.5)
    # A: 200 (80.0152 − 100) = −3,996.97, clearance fee 240.05; B: −5,700, the rest of 62.98 goes as its fee
    assert (a.profit, a.fee) == (pytest.approx(-3_996.9697, abs=1e-4), pytest.approx(240.0455, abs=1e-4))
    assert (b.profit, b.fee) == (-5_700, pytest.approx(10_000 - 3_996.9697 - 240.0455 - 5_700, abs=1e-3))
    assert play.wallet() == pytest.approx(0, abs=1e-9)


def test_the_gain_of_a_hedge_keeps_the_pool_alive() -> None:
    # Long A and short B fall together to 20: −16,000 + 16,000. Alone, A would have been liquidated at 50.5.
    play = Play(engine([("AUSDT", CROSS, 1_000), ("BUSDT", CROSS, 1_000)])).opened(AUSDT=1, BUSDT=-1)
    for price in (95, 85, 75, 60, 50, 40, 30, 20):
        flat = (float(price),) * 4
        assert play.minute({"AUSDT": flat, "BUSDT": flat}) == []
    assert play.engine.snapshot().positions[0].unrealized_profit == -16_000
    # cross wallet 10,000 + 16,000 of the other − 40 of its maintenance margin: 200·100 − 25,960 < 0, no price ends A
    assert play.engine.snapshot().positions[0].liquidation_price is None


def test_a_stop_that_is_reached_limits_what_its_position_can_cost_the_pool() -> None:
    # Both are stopped at 95 before a crash to 40 that would have ended the account.
    play = Play(engine([("AUSDT", STOPPED, 1_000), ("BUSDT", STOPPED, 1_000)])).opened(AUSDT=1, BUSDT=1)
    fills = play.minute({"AUSDT": dip(40), "BUSDT": dip(40)})
    assert [(f.reason, f.price) for f in fills] == [(STOP, 95), (STOP, 95)]
    assert play.wallet() == 8_000


def test_a_big_position_is_reduced_to_the_bracket_in_which_the_requirement_holds() -> None:
    # 5,000 · 20 / 100 = 1,000 long at 100: a notional of 100,000, which is the second bracket
    brackets = (LeverageBracket(0, 60_000, 0.01, 0, 50), LeverageBracket(60_000, 10_000_000, 0.05, 2_400, 20))
    play = Play(engine([("XUSDT", CROSS, 5_000)], brackets=brackets)).opened(XUSDT=1)
    # 10,000 + 1,000 (p − 100) = 0.05 · 1,000 p − 2,400 at p = 87,600 / 950 = 92.2105
    level = 87_600 / 950
    assert play.engine.snapshot().positions[0].liquidation_price == pytest.approx(level)
    [fill] = play.minute({"XUSDT": (100.0, 100.0, 92.2, 100.0)})
    # down to 60,000 notional at the low of 92.2: 650.759 stay; the loss of 349.241 · 7.7895, fee 1.5 % of 349.241 · 92.2105
    assert (fill.reason, fill.quantity) == (LIQUIDATION, pytest.approx(349.241))
    assert fill.quantity_after == pytest.approx(650.759)
    assert (fill.target_before, fill.target_after) == (1, 1)
    lost, fee = 349.241 * (100 - level), 349.241 * level * 0.015
    assert (fill.profit, fill.fee) == (pytest.approx(-lost), pytest.approx(fee))
    assert play.wallet() == pytest.approx(10_000 - lost - fee)
    # what is left stands by itself: margin 10,000 − 3,203.5 and 650.759 (p − 100) against 1 %
    assert play.engine.snapshot().positions[0].liquidation_price == pytest.approx(
        (650.759 * 100 - (10_000 - lost - fee)) / (650.759 * 0.99)
    )


def test_a_small_position_stays_when_the_large_one_is_the_trouble() -> None:
    # A 20 long, B 1,000 long at 100, both fall to 92: A reaches its level first, but B is what is taken over. At the lows the
    # balance is 10,000 − 1,020 · 8 = 1,840, needed are 92,000 · 5 % − 2,400 + 18.4 = 2,218.4; 652.173 of B may stay.
    brackets = (LeverageBracket(0, 60_000, 0.01, 0, 50), LeverageBracket(60_000, 10_000_000, 0.05, 2_400, 20))
    play = Play(engine([("AUSDT", CROSS, 100), ("BUSDT", CROSS, 5_000)], brackets=brackets)).opened(AUSDT=1, BUSDT=1)
    [fill] = play.minute({"AUSDT": dip(92), "BUSDT": dip(92)})
    assert (fill.symbol, fill.reason, fill.price) == ("BUSDT", LIQUIDATION, 92.0)
    assert fill.quantity_after == pytest.approx(652.173)
    assert [p.quantity for p in play.engine.snapshot().positions] == [20, pytest.approx(652.173)]


def test_funding_of_a_cross_position_leaves_the_cross_wallet() -> None:
    play = Play(engine([("XUSDT", CROSS, 1_000)], CostModel(taker_fee=0, slippage=0, funding_rate=0.001)))
    play.now = 478
    play.opened(XUSDT=1).minute({"XUSDT": (100.0, 100.0, 100.0, 100.0)})
    assert play.engine.snapshot().assets[0].cross_wallet_balance == pytest.approx(10_000 - 200 * 100 * 0.001)


def test_a_loss_of_one_position_is_not_available_to_the_entry_of_another() -> None:
    # A: 200 long, at 60: −8,000, initial margin 600. Of 10,000 there are 1,400 left; B asks for 2,000 · 20 / 100 = 400.
    for trade in (CROSS, ISOLATED):
        play = Play(engine([("AUSDT", CROSS, 1_000), ("BUSDT", trade, 2_000)])).opened(AUSDT=1)
        still = {"AUSDT": (60.0,) * 4, "BUSDT": (100.0,) * 4}
        play.minute(still, {"BUSDT": 1})
        [fill] = play.minute(still)
        assert (fill.symbol, fill.quantity) == ("BUSDT", pytest.approx(1_400 * 20 / 100))


def test_a_gain_that_is_not_realised_backs_a_cross_entry_but_cannot_leave_for_an_isolated_one() -> None:
    # A: 900 · 20 / 100 = 180 long, at 300: +36,000, initial margin 2,700 of a wallet of 2,000.
    for trade, wanted in ((CROSS, 1_000 * 20 / 100), (ISOLATED, None)):
        play = Play(engine([("AUSDT", CROSS, 900), ("BUSDT", trade, 1_000)], balance=2_000)).opened(AUSDT=1)
        still = {"AUSDT": (300.0,) * 4, "BUSDT": (100.0,) * 4}
        play.minute(still, {"BUSDT": 1})
        fills = play.minute(still)
        assert [f.quantity for f in fills] == ([] if wanted is None else [pytest.approx(wanted)])


def test_assets_are_pools_of_their_own_and_an_isolated_position_is_in_none() -> None:
    play = Play(engine([("AUSDT", CROSS, 1_000), ("BUSDC", CROSS, 1_000), ("CUSDT", ISOLATED, 1_000)]))
    play.opened(AUSDT=1, BUSDC=1, CUSDT=1)
    # AUSDT is backed by the USDT that did not go into the isolated wallet of CUSDT: (20,000 − 9,000) / 198
    prices = [p.liquidation_price for p in play.engine.snapshot().positions]
    assert prices == [pytest.approx(11_000 / 198), pytest.approx(10_000 / 198), pytest.approx(19_000 / 198)]
    fills = play.minute({"AUSDT": dip(56), "BUSDC": dip(40), "CUSDT": dip(90)})
    assert [(f.symbol, f.reason) for f in fills] == [("BUSDC", LIQUIDATION), ("CUSDT", LIQUIDATION)]
    assert (play.wallet("USDC"), play.wallet("USDT")) == (pytest.approx(0, abs=1e-9), pytest.approx(9_000))


def test_the_margin_mode_does_not_change_under_an_open_position() -> None:
    play = Play(engine([("XUSDT", CROSS, 1_000)])).opened(XUSDT=1)
    with pytest.raises(Invalid, match="isolated"):
        engine([("XUSDT", ISOLATED, 1_000)]).adopt(play.engine)
    fresh = engine([("XUSDT", ISOLATED, 1_000)])
    fresh.adopt(engine([("XUSDT", CROSS, 1_000)]))
    assert fresh.snapshot().positions[0].isolated


POOLS = {
    "one": [("AUSDT", CROSS, 9_000)],
    "two": [("AUSDT", CROSS, 4_000), ("BUSDT", CROSS, 4_000)],
    "stops": [("AUSDT", STOPPED, 4_000), ("BUSDT", CROSS, 4_000), ("CUSDT", STOPPED, 2_000)],
    "mixed": [("AUSDT", CROSS, 3_000), ("BUSDT", ISOLATED, 3_000), ("CUSDC", CROSS, 6_000), ("DUSDT", LADDER, 3_000)],
    "orders": [("AUSDT", PATIENT, 4_000), ("BUSDT", BREAKOUT, 3_000), ("CUSDT", PATIENT, 3_000)],
    "ladders": [("AUSDT", LADDER, 5_000), ("BUSDT", LADDER, 5_000), ("CUSDT", CROSS, 1_000)],
}
TIGHT = (LeverageBracket(0, 50_000, 0.01, 0, 50), LeverageBracket(50_000, 10_000_000, 0.03, 1_000, 20))
every_pool = pytest.mark.parametrize("positions", POOLS.values(), ids=POOLS.keys())


def bars_of(market: MinuteGrid, symbols: Sequence[str], t: int) -> tuple[dict[str, Bar], dict[str, np.ndarray]]:
    bars = {
        s: Bar(t * MINUTE_MS, *(float(a[t, i]) for a in market[1:5]), 0, 0, 0, 0, 0)
        for i, s in enumerate(symbols)
        if not math.isnan(market.opens[t, i])
    }
    rows = {f"{s}/a": market.rows[market.row_at[t, i]] for i, s in enumerate(symbols) if market.row_at[t, i] >= 0}
    return bars, rows


@every_pool
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000), cuts=st.sets(st.integers(1, 599), max_size=4))
def test_minute_by_minute_with_restarts_is_the_backtest_bit_for_bit(
    positions: list[tuple[str, TradeConfiguration, float]], seed: int, cuts: set[int]
) -> None:
    market = random_market(seed, 600, len(positions))
    whole, live = (engine(positions, CostModel(), TIGHT) for _ in range(2))
    expected, equity = whole.run(market)
    fills = []
    for t in range(600):
        if t in cuts:
            state = live.dump()
            live = engine(positions, CostModel(), TIGHT)
            live.load(state)
        assert live.minute(t * MINUTE_MS, *bars_of(market, live.symbols, t)) == equity[t]
        fills += live.trades()
    assert fills == expected
    assert live.dump() == whole.dump()


def room(e: AccountEngine, worst: dict[str, float]) -> dict[str, float]:
    """Σ over the pool of each asset, as the exchange defines it: cross wallet + unrealised profit − maintenance margin."""
    state = e.snapshot(marks=worst)
    rooms = {a.asset: a.cross_wallet_balance for a in state.assets}
    for p in state.positions:
        if not p.isolated and p.quantity:
            rooms[p.symbol[1:]] += p.unrealized_profit - p.maintenance_margin
    return rooms


@every_pool
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_no_liquidation_is_missed_and_none_is_invented(
    positions: list[tuple[str, TradeConfiguration, float]], seed: int
) -> None:
    """Every minute is judged by brute force: the pool, as it was before, at the worst prices of the minute."""
    market = random_market(seed, 500, len(positions))
    e = engine(positions, CostModel(funding_rate=0.0), TIGHT)
    for t in range(500):
        bars, rows = bars_of(market, e.symbols, t)
        held = {p.symbol: p.quantity for p in e.snapshot().positions}
        worst = {s: b.low if held[s] > 0 else b.high for s, b in bars.items()}
        rooms = {asset: left for asset, left in room(e, worst).items() if any_open(e, asset)}
        e.minute(t * MINUTE_MS, bars, rows)
        fills = e.trades()
        for asset in rooms:
            mine = [f for f in fills if f.symbol[1:] == asset]
            pooled = [f for f in mine if not e.setup.trade[e.symbols.index(f.symbol)].isolated]
            if not mine:
                assert rooms[asset] > 0
            elif all(f.reason is LIQUIDATION for f in mine) and pooled == mine:
                assert rooms[asset] <= 1e-9
                assert room(e, worst)[asset] > 0 or not any_open(e, asset)


def any_open(e: AccountEngine, asset: str) -> bool:
    return any(p.quantity and not p.isolated and p.symbol[1:] == asset for p in e.snapshot().positions)


@every_pool
def test_pools_are_liquidated_on_the_random_markets(
    positions: list[tuple[str, TradeConfiguration, float]],
) -> None:
    """Without which the properties here would hold for nothing."""
    found: list[TradeRecord] = []
    for seed in range(8):
        found += engine(positions, CostModel(), TIGHT).run(random_market(seed, 600, len(positions)))[0]
    cross = {s for s, trade, _ in positions if not trade.isolated}
    assert any(f.reason is LIQUIDATION and f.symbol in cross for f in found)


@every_pool
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_every_cent_is_accounted_for(positions: list[tuple[str, TradeConfiguration, float]], seed: int) -> None:
    e = engine(positions, CostModel(), TIGHT)
    fills, equity = e.run(random_market(seed, 600, len(positions)))
    state = e.snapshot()
    for asset in state.assets:
        mine = [f for f in fills if f.symbol[1:] == asset.asset]
        booked = sum(f.profit for f in mine) - sum(f.fee for f in mine) - asset.funding_paid
        assert asset.wallet_balance == pytest.approx(10_000 + booked, abs=1e-8)
        assert asset.realized_profit == pytest.approx(sum(f.profit for f in mine), abs=1e-8)
        isolated = sum(p.isolated_wallet for p in state.positions if p.symbol[1:] == asset.asset)
        assert asset.wallet_balance == pytest.approx(asset.cross_wallet_balance + isolated, abs=1e-9)
        assert asset.margin_balance == pytest.approx(asset.wallet_balance + asset.unrealized_profit, abs=1e-9)
        assert asset.available_balance <= max(0.0, asset.margin_balance) + 1e-9
        if not any_open(e, asset.asset):
            assert asset.cross_wallet_balance >= 0.0
    assert equity[-1] == pytest.approx(sum(a.margin_balance for a in state.assets), abs=1e-8)
    for p in state.positions:
        assert (p.quantity == 0.0) == (p.entry_price is None)
        if p.quantity == 0.0 or not p.isolated:
            assert p.isolated_wallet == 0.0


@every_pool
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10_000), cut=st.integers(1, 599))
def test_another_future_leaves_the_past_as_it_was(
    positions: list[tuple[str, TradeConfiguration, float]], seed: int, cut: int
) -> None:
    n = len(positions)
    market, other = random_market(seed, 600, n), random_market(seed + 1, 600, n)
    prices = [np.vstack([mine[:cut], theirs[cut:]]) for mine, theirs in zip(market[1:5], other[1:5], strict=True)]
    later = np.where(other.row_at[cut:] < 0, -1, other.row_at[cut:] + len(market.rows))
    mixed = MinuteGrid(0, *prices, np.vstack([market.rows, other.rows]), np.vstack([market.row_at[:cut], later]))
    fills, equity = engine(positions, CostModel(), TIGHT).run(market)
    changed, changed_equity = engine(positions, CostModel(), TIGHT).run(mixed)
    now = cut * MINUTE_MS
    assert [f for f in changed if f.time_ms < now] == [f for f in fills if f.time_ms < now]
    assert (changed_equity[:cut] == equity[:cut]).all()
