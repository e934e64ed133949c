"""Rate budget and gate: windows, floors, headers, 429 and 418 (spec: runtime §8.4, exchange §1.5)."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atm.exchange.client.costs import cost
from atm.exchange.client.rate_budget import Cost, RateBudget, RequestClass
from atm.exchange.client.rate_gate import RateGate
from atm.model.errors import Banned, Throttled

MINUTE = 60_000.0
START = 29_850_000 * MINUTE


def spend(budget: RateBudget, weight: int, now: float) -> None:
    budget.feed(now, now, weight, None, None)


@pytest.mark.parametrize(
    ("kind", "ceiling"),
    [
        (RequestClass.ORDERS, 2400),
        (RequestClass.ACCOUNT, 2040),
        (RequestClass.REPAIR, 1680),
        (RequestClass.HISTORY, 1200),
        (RequestClass.HOUSEKEEPING, 1320),
    ],
)
def test_each_class_stops_at_its_floor(kind: RequestClass, ceiling: int) -> None:
    budget = RateBudget()
    spend(budget, ceiling - 10, START)
    assert budget.take(kind, Cost(10), START) == 0
    assert budget.take(kind, Cost(1), START + 12_000) == 48_000  # until the window ends
    assert budget.used_weight(START + 12_000) == ceiling


def test_windows_are_aligned_to_the_clock_and_start_at_zero() -> None:
    budget = RateBudget()
    spend(budget, 2400, START + 59_000)
    assert budget.take(RequestClass.ORDERS, Cost(1), START + 59_999) == 1.0
    assert budget.take(RequestClass.ORDERS, Cost(1), START + 60_000) == 0
    assert budget.used_weight(START + 60_000) == 1


def test_orders_are_counted_in_both_windows() -> None:
    budget = RateBudget(orders_10s=3, orders_1m=5)
    order = Cost(0, 1)
    assert [budget.take(RequestClass.ORDERS, order, START + 1_000) for _ in range(4)] == [0, 0, 0, 9_000]
    assert [budget.take(RequestClass.ORDERS, order, START + 10_000) for _ in range(3)] == [0, 0, 50_000]
    assert budget.used_orders(START + 10_000) == 5


def test_headers_only_raise_the_count_and_only_in_their_window() -> None:
    budget = RateBudget()
    budget.take(RequestClass.HISTORY, Cost(100), START)
    budget.feed(START, START + 50, 37, None, None)
    assert budget.used_weight(START + 50) == 100
    budget.feed(START, START + 60, 900, 7, 9)
    assert (budget.used_weight(START + 60), budget.used_orders(START + 60)) == (900, 9)
    budget.feed(START + 59_990, START + 60_010, 2_399, None, None)  # counted in the minute before
    assert budget.used_weight(START + 60_010) == 0


def test_429_stops_all_but_orders_until_retry_after() -> None:
    budget = RateBudget()
    assert budget.throttle(START + 10_000, 70_000.0) == 70_000
    for kind in RequestClass:
        expected = 0 if kind is RequestClass.ORDERS else 69_000
        assert budget.take(kind, Cost(1), START + 11_000) == expected
    assert budget.take(RequestClass.HISTORY, Cost(1), START + 80_000) == 0


def test_429_without_retry_after_waits_for_the_next_minute() -> None:
    assert RateBudget().throttle(START + 10_000, None) == 50_000


def test_418_stops_everything_until_the_ban_ends() -> None:
    budget = RateBudget()
    assert budget.ban(START, None, START + 300_000) == START + 300_000
    assert budget.take(RequestClass.ORDERS, Cost(0, 1), START + 1_000) == 299_000
    assert budget.take(RequestClass.ORDERS, Cost(0, 1), START + 300_000) == 0


@pytest.mark.parametrize("until", [None, START - 1, START + 30 * 86_400_000])
def test_an_absurd_end_of_a_ban_becomes_two_minutes(until: float | None) -> None:
    assert RateBudget().ban(START, None, until) == START + 120_000


@given(
    st.lists(
        st.tuples(st.sampled_from(list(RequestClass)), st.integers(0, 40), st.integers(0, 1), st.floats(0, 5_000)),
        max_size=300,
    )
)
def test_no_window_is_ever_overdrawn(requests: list[tuple[RequestClass, int, int, float]]) -> None:
    budget = RateBudget(weight_limit=200, orders_10s=5, orders_1m=12)
    now, weights, orders = START, {}, {}
    for kind, weight, order, pause in requests:
        now += pause
        if budget.take(kind, Cost(weight, order), now) == 0:
            weights[now // 60_000] = weights.get(now // 60_000, 0) + weight
            orders[now // 10_000] = orders.get(now // 10_000, 0) + order
    assert all(used <= 200 for used in weights.values())
    assert all(used <= 5 for used in orders.values())


@pytest.mark.parametrize(
    ("method", "path", "parameters", "expected"),
    [
        ("get", "/fapi/v1/klines", {"limit": "99"}, Cost(1)),
        ("get", "/fapi/v1/klines", {"limit": "100"}, Cost(2)),
        ("get", "/fapi/v1/klines", {"limit": "500"}, Cost(5)),
        ("get", "/fapi/v1/klines", {"limit": "1000"}, Cost(5)),
        ("get", "/fapi/v1/klines", {"limit": "1500"}, Cost(10)),
        ("get", "/fapi/v1/openOrders", {}, Cost(40)),
        ("get", "/fapi/v1/openOrders", {"symbol": "BTCUSDT"}, Cost(1)),
        ("post", "/fapi/v1/order", {}, Cost(0, 1)),
        ("delete", "/fapi/v1/order", {}, Cost(1)),
        ("get", "/fapi/v1/order", {}, Cost(1)),
        ("get", "/fapi/v3/account", {}, Cost(10)),
    ],
)
def test_costs_of_the_endpoint_table(method: str, path: str, parameters: dict[str, str], expected: Cost) -> None:
    assert cost(method, path, parameters) == expected


class _Clock:
    def __init__(self) -> None:
        self.now = START + 59_970.0

    def __call__(self) -> float:
        return self.now


async def test_the_gate_lets_orders_overtake_waiting_history() -> None:
    clock = _Clock()
    gate = RateGate(RateBudget(), clock)
    spend(gate.budget, 1_300, clock.now)
    order: list[str] = []

    async def enter(name: str, kind: RequestClass, price: Cost) -> None:
        await gate.enter(kind, price)
        order.append(name)

    history = asyncio.create_task(enter("history", RequestClass.HISTORY, Cost(10)))
    await asyncio.sleep(0)
    await enter("order", RequestClass.ORDERS, Cost(0, 1))
    await enter("account", RequestClass.ACCOUNT, Cost(10))
    assert order == ["order", "account"] and not history.done()
    clock.now += 30  # the next minute; the timer was set for it
    await history
    assert order == ["order", "account", "history"]


async def test_the_gate_keeps_the_order_of_arrival_inside_a_class_and_forgets_the_cancelled() -> None:
    clock = _Clock()
    gate = RateGate(RateBudget(), clock)
    spend(gate.budget, 1_195, clock.now)
    order: list[int] = []

    async def enter(number: int, weight: int) -> None:
        await gate.enter(RequestClass.HISTORY, Cost(weight))
        order.append(number)

    tasks = [asyncio.create_task(enter(number, weight)) for number, weight in enumerate((10, 1, 1, 1))]
    await asyncio.sleep(0)
    tasks[2].cancel()
    clock.now += 30
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order == [0, 1, 3]
    assert gate.budget.used_weight(clock.now) == 12


async def test_a_ban_fails_at_once_and_a_hopeless_wait_too() -> None:
    clock = _Clock()
    gate = RateGate(RateBudget(), clock, max_wait_ms=30_000)
    gate.budget.throttle(clock.now, 90_000)
    with pytest.raises(Throttled) as throttled:
        await gate.enter(RequestClass.HISTORY, Cost(1))
    assert throttled.value.retry_after == 90.0
    gate.budget.ban(clock.now, 600_000.0, None)
    with pytest.raises(Banned):
        await gate.enter(RequestClass.ORDERS, Cost(0, 1))
