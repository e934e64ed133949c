"""What the log says of the rate budget, and what the window is told of it."""

from __future__ import annotations

import asyncio
import logging

from atm.exchange.client.rate_budget import Cost, RateBudget, RequestClass
from atm.exchange.client.rate_gate import RateGate
from atm.exchange.client.rate_log import RateLog
from atm.ipc.messages import ConnectionState

START = 29_850_000 * 60_000.0


def state(**changed: object) -> ConnectionState:
    values: dict[str, object] = {
        "used_weight": 100, "weight_limit": 2_400, "used_orders": 0, "order_limit": 1_200, "used_orders_10s": 0,
        "order_limit_10s": 300,
    }  # fmt: skip
    return ConnectionState("live", "connected", 1.0, 0, streams=0, message_age_ms=0.0, reconnects=0, **values | changed)  # type: ignore[arg-type]


def test_a_quiet_budget_says_nothing() -> None:
    log = RateLog()
    assert all(log.lines(state(used_weight=1_200), second * 1_000.0) == [] for second in range(200))


def test_more_than_half_is_told_once_a_minute_with_all_figures() -> None:
    log, told = RateLog(), []
    for second in range(150):
        lines = log.lines(state(used_weight=1_201, waiting={"history": 12, "repair": 1}), second * 1_000.0)
        told += [(second, *line) for line in lines]
    assert [(second, level) for second, level, _ in told] == [
        (0, logging.INFO),
        (60, logging.INFO),
        (120, logging.INFO),
    ]
    assert told[0][2] == (
        "rate budget: weight 1201 of 2400 a minute, orders 0 of 300 in 10 s and 0 of 1200 a minute; "
        "waiting: 12 history, 1 repair"
    )


def test_orders_count_as_well() -> None:
    assert RateLog().lines(state(used_orders_10s=151), 0.0) and RateLog().lines(state(used_orders=601), 0.0)


def test_every_change_of_what_the_exchange_imposes_is_told_at_once() -> None:
    log = RateLog()
    changes = ("", "throttled", "throttled", "banned", "banned", "", "")
    lines = [log.lines(state(restraint=each, restraint_s=34.4), 0.0) for each in changes]
    assert [[level for level, _ in found] for found in lines] == [
        [], [logging.WARNING], [], [logging.WARNING], [], [logging.INFO], [],
    ]  # fmt: skip
    assert lines[1][0][1].startswith("the exchange has throttled this address for 34 s more: weight 100 of 2400")


def test_restraints_of_the_budget() -> None:
    budget = RateBudget()
    assert budget.restraint(START) == ("", 0.0)
    budget.throttle(START + 10_000, None)
    assert budget.restraint(START + 12_000) == ("throttled", 48.0)
    budget.ban(START + 12_000, 120_000.0, None)
    assert budget.restraint(START + 13_000) == ("banned", 119.0)
    assert budget.restraint(START + 200_000) == ("", 0.0)


async def test_what_waits_is_counted_by_class() -> None:
    now = [START + 59_990.0]
    budget = RateBudget(weight_limit=100)
    gate = RateGate(budget, lambda: now[0])
    budget.take(RequestClass.ORDERS, Cost(60), now[0])
    tasks = [asyncio.create_task(gate.enter(RequestClass.HISTORY, Cost(10))) for _ in range(3)]
    tasks.append(asyncio.create_task(gate.enter(RequestClass.REPAIR, Cost(20))))
    await asyncio.sleep(0)
    assert gate.waiting() == {"repair": 1, "history": 3}
    now[0] += 20.0
    await asyncio.gather(*tasks)
    assert gate.waiting() == {}
