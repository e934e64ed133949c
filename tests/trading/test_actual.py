"""The engine of an actual account decides what the engine of a virtual one does, given the same positions."""

import math
import random
from decimal import Decimal

import numpy as np
import pytest

from atm.model.bars import Bar
from atm.model.interval import MINUTE_MS
from atm.model.trade_configuration import (
    Direction,
    LimitOrder,
    RemainingQuantity,
    RotationalGaussian1,
    TradeConfiguration,
)
from atm.trading.actual import ActualEngine, Held
from atm.trading.layout import Asset, Position
from tests.trading.scene import engine, flip, row

X = "XUSDT"
WIDE = RotationalGaussian1(theta=0.5, alpha=0.02, beta0=0.01, beta1=0.01)


def trade(**changes: object) -> TradeConfiguration:
    method = RemainingQuantity(long=WIDE, short=WIDE)
    return TradeConfiguration("t", leverage=3, full_stop_loss_immediate=0.05, method=method, **changes)  # type: ignore[arg-type]


def bar(minute: int, price: float) -> Bar:
    return Bar(minute * MINUTE_MS, price, price * 1.001, price * 0.999, price, 1, 1, 1, 1, 1)


def test_decisions_are_those_of_the_virtual_account() -> None:
    virtual, actual = engine(trade(post_stop_reentry=True)), ActualEngine(engine(trade(post_stop_reentry=True)))
    draw, price, cycle, entered = random.Random(5), 100.0, 1.0, 100.0
    decided = 0
    for minute in range(3_000):
        price = round(price * (1 + draw.gauss(0, 0.002)), 2)
        rows: dict[str, np.ndarray] = {}
        if minute % 15 == 14:
            if draw.random() < 0.1:
                cycle, entered = -cycle, price
                rows = {f"{X}/a": flip(cycle, price)}
            else:
                rows = {f"{X}/a": row(price, cycle=cycle, cycle_begin=entered, cycle_index=1)}
        virtual.minute(minute * MINUTE_MS, {X: bar(minute, price)}, rows)
        positions, assets, _ = virtual.tables()
        stopped = int(positions[0, Position.STOP_MARK])
        held = Held(positions[0, Position.QUANTITY], positions[0, Position.ENTRY], stopped)
        wallet = {"USDT": assets[0, Asset.CROSS] + positions[0, Position.ISOLATED]}
        targets = actual.minute(minute * MINUTE_MS, {X: bar(minute, price)}, rows, {X: held}, wallet)
        if not rows:
            continue
        (target,) = targets
        side = math.copysign(1.0, positions[0, Position.QUANTITY])
        wanted = positions[0, Position.QUANTITY] - side * positions[0, Position.PENDING_CLOSE]
        wanted += positions[0, Position.PENDING_OPEN]
        assert float(target.quantity) == pytest.approx(wanted, abs=1e-9)
        assert target.decision_ms == (minute + 1) * MINUTE_MS
        decided += wanted != positions[0, Position.QUANTITY]
    assert decided > 20


def entering(**changes: object) -> tuple[ActualEngine, Decimal]:
    """An engine that has just decided to go long at 100, and how much."""
    actual = ActualEngine(engine(trade(**changes)))
    (target,) = actual.minute(0, {X: bar(0, 100.0)}, {f"{X}/a": flip(1.0, 100.0)}, {}, {"USDT": 10_000.0})
    return actual, target.quantity


def test_the_stop_of_an_entry_is_near_its_price_then_by_its_fill() -> None:
    actual, quantity = entering()
    assert quantity > 0
    held = {X: Held(float(quantity), 101.0)}
    (target,) = actual.minute(MINUTE_MS, {X: bar(1, 101.0)}, {}, held, {"USDT": 10_000.0})
    assert (target.quantity, target.stop) == (quantity, Decimal("95.95")), "5 % from the entry at 101"
    assert actual.minute(2 * MINUTE_MS, {X: bar(2, 101.0)}, {}, held, {"USDT": 10_000.0}) == []


def test_a_stop_that_the_minute_meets_is_wanted_of_the_exchange() -> None:
    actual, quantity = entering()
    held = {X: Held(float(quantity), 100.0)}
    actual.minute(MINUTE_MS, {X: bar(1, 100.0)}, {}, held, {"USDT": 10_000.0})
    (target,) = actual.minute(2 * MINUTE_MS, {X: bar(2, 94.0)}, {}, held, {"USDT": 10_000.0})
    assert target.quantity == 0


def test_after_a_stop_of_the_exchange_the_same_cycle_is_not_entered_again() -> None:
    actual, _ = entering()
    same = {f"{X}/a": row(100.0, cycle=1.0, cycle_begin=100.0, cycle_index=1)}
    stopped = {X: Held(stopped=1)}
    (target,) = actual.minute(MINUTE_MS, {X: bar(1, 100.0)}, same, stopped, {"USDT": 10_000.0})
    assert target.quantity == 0
    again, _ = entering()
    (target,) = again.minute(MINUTE_MS, {X: bar(1, 100.0)}, same, {}, {"USDT": 10_000.0})
    assert target.quantity > 0


def test_a_limit_order_of_the_configuration_is_one_on_the_exchange() -> None:
    actual = ActualEngine(engine(trade(entry_order=LimitOrder(offset=0.01, minutes=5))))
    (target,) = actual.minute(0, {X: bar(0, 100.0)}, {f"{X}/a": flip(1.0, 100.0)}, {}, {"USDT": 10_000.0})
    assert target.price == Decimal(99)
    assert target.cancel_ms == 6 * MINUTE_MS


def test_sizes_follow_the_exchanges_wallet() -> None:
    rich, poor = (
        ActualEngine(engine(trade(direction=Direction.BOTH), allocated=None)).minute(
            0, {X: bar(0, 100.0)}, {f"{X}/a": flip(1.0, 100.0)}, {}, {"USDT": wallet}
        )[0]
        for wallet in (10_000.0, 5_000.0)
    )
    assert float(rich.quantity) == pytest.approx(2 * float(poor.quantity), rel=1e-3)
