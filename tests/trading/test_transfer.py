"""Money that comes into an engine's wallet and leaves it between two minutes."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atm.managers.trade_accounts import make_engine
from atm.managers.trade_setups import Configurations
from atm.model.errors import Invalid
from atm.model.interval import MINUTE_MS
from atm.trading.engine import AccountEngine, Floats
from atm.trading.layout import Asset, Input, Position
from tests.managers.trade_harness import ACCOUNT, ANALYSIS, SYMBOLS, T0, TRADE, instrument, walk

BARS = {symbol: walk(seed, 200) for seed, symbol in enumerate(SYMBOLS, 31)}


def engine(isolated: bool = True) -> AccountEngine:
    trade = msgspec.structs.replace(TRADE, isolated=isolated)
    costs = msgspec.structs.replace(ACCOUNT.costs, funding_hours=1)
    setup = msgspec.structs.replace(ACCOUNT, costs=costs)
    instruments = {symbol: instrument(symbol) for symbol in SYMBOLS}
    return make_engine(setup, Configurations({ANALYSIS.code: ANALYSIS}, {trade.code: trade}), instruments)


def work(made: AccountEngine, minute: int, dice: np.random.Generator) -> None:
    """A minute; every fifth closes a decision bar, often with a new cycle."""
    bars = {symbol: each.bar(minute) for symbol, each in BARS.items()}
    rows = {}
    if minute % 5 == 4:
        rows = {key: row(made, bars[key.partition("/")[0]].close, minute, dice) for key in made.analyses}
    made.minute(T0 + minute * MINUTE_MS, bars, rows)


def row(made: AccountEngine, close: float, minute: int, dice: np.random.Generator) -> Floats:
    found = dice.uniform(-1.0, 1.0, made.row_width)
    found[[Input.OPEN, Input.CLOSE, Input.CYCLE_BEGIN]] = close
    found[Input.CYCLE], found[Input.CYCLE_UPDATED] = dice.choice([-1.0, 1.0]), 1.0
    found[Input.CYCLE_INDEX], found[Input.ELAPSED] = minute, 1.0
    return found


@settings(max_examples=15, deadline=None)
@given(
    amounts=st.lists(st.tuples(st.integers(1, 150), st.integers(-300_000_000_000, 900_000_000_000)), max_size=6),
    isolated=st.booleans(),
    seed=st.integers(0, 1_000),
)
def test_every_cent_of_the_wallet_is_accounted_for(amounts: list[tuple[int, int]], isolated: bool, seed: int) -> None:
    """Transfers of whole 1e-8, withdrawals as far as they are free."""
    made, dice, moved = engine(isolated), np.random.default_rng(seed), 0.0
    for minute in range(150):
        for _, units in (each for each in amounts if each[0] == minute):
            amount = units / 1e8
            (state,) = made.snapshot().assets
            if amount < 0 and -amount > state.withdrawable:
                continue
            made.transfer("USDT", amount)
            moved += amount
            (after,) = made.snapshot().assets
            assert after.wallet_balance == pytest.approx(state.wallet_balance + amount, abs=1e-9)
            assert after.cross_wallet_balance >= -1e-9 and after.available_balance >= 0.0
        work(made, minute, dice)
    (state,) = made.snapshot().assets
    booked = 10_000 + moved + state.realized_profit - state.fees_paid - state.funding_paid
    insured = float(made.tables()[1][0, Asset.INSURANCE])
    assert made.fills > 10
    assert state.wallet_balance == pytest.approx(booked + insured, abs=1e-8)


def test_a_transfer_is_part_of_the_state() -> None:
    one, two = engine(), engine()
    dice = np.random.default_rng(3), np.random.default_rng(3)
    for minute in range(40):
        work(one, minute, dice[0])
        work(two, minute, dice[1])
    one.transfer("USDT", 123.25)
    two.transfer("USDT", 123.25)
    one.trades(), two.trades()
    again = engine()
    again.load(one.dump())
    for minute in range(40, 80):
        work(again, minute, dice[0])
        work(two, minute, dice[1])
    assert again.trades() == two.trades()
    assert again.dump() == two.dump()


def test_more_money_is_traded_with_from_the_next_decision_on() -> None:
    poor, rich = engine(), engine()
    rich.transfer("USDT", 10_000.0)
    for made in (poor, rich):
        dice = np.random.default_rng(3)
        for minute in range(12):
            work(made, minute, dice)
    sizes = [[each.quantity for each in made.trades()] for made in (poor, rich)]
    assert sizes[0] and sizes[1][0] == pytest.approx(2 * sizes[0][0], rel=0.01)


def test_an_asset_that_is_not_there_is_refused() -> None:
    with pytest.raises(Invalid, match="asset"):
        engine().transfer("BTC", 1.0)


@pytest.mark.parametrize(
    ("isolated", "mark", "free"),
    [
        # long 100 at 5, leverage 3. Cross: 10,000 − 50 lost − 100 · 4.5 / 3 in use; a profit of 50 cannot leave.
        (False, 4.5, 10_000 - 50 - 150),
        (False, 5.5, 10_000 - 550 / 3),
        # Isolated margin has left the cross wallet already, and its loss is its own.
        (True, 4.5, 10_000),
    ],
)
def test_what_is_free_by_hand(isolated: bool, mark: float, free: float) -> None:
    made = engine(isolated)
    made.tables()[0][0, [Position.QUANTITY, Position.ENTRY]] = 100.0, 5.0
    made.refresh()
    assert made.snapshot(marks={SYMBOLS[0]: mark}).assets[0].withdrawable == pytest.approx(free, abs=1e-9)


def test_what_a_waiting_order_will_need_is_not_free() -> None:
    made = engine()
    made.tables()[0][0, [Position.PENDING_OPEN, Position.MARK]] = -30.0, 5.0
    (state,) = made.snapshot().assets
    # 30 · 5 / 3 of margin, and at least the fee of the entry
    assert 10_000 - 50.0 - 1.0 < state.withdrawable < 10_000 - 50.0
