"""What journal and demo exchange must agree on, whoever drives the two: the simulation of orders, or the program itself. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal

from atm.exchange.demo.account import Order
from atm.exchange.demo.conditional import Conditional
from atm.model.live_order import NOTHING, LiveOrder, OrderState
from atm.trading.live.client_id import read

_STATES = {
    "NEW": OrderState.ACKNOWLEDGED, "PARTIALLY_FILLED": OrderState.PARTIALLY_FILLED, "FILLED": OrderState.FILLED,
    "CANCELED": OrderState.CANCELED, "EXPIRED": OrderState.EXPIRED, "EXPIRED_IN_MATCH": OrderState.EXPIRED,
}  # fmt: skip


def repeated(orders: Iterable[Order], conditionals: Iterable[Conditional]) -> list[str]:
    """An id once, and of a slice one attempt only. orders, conditionals: all of the account that there have been."""
    ids = [order.client_order_id for order in orders if not order.algo_id]
    ids += [each.client_algo_id for each in conditionals]
    found = [f"{name} exists {count} times" for name, count in Counter(ids).items() if count > 1]
    attempts: defaultdict[tuple[object, ...], set[int]] = defaultdict(set)
    for name in ids:
        known = read(name)
        if known is not None:
            attempts[known.position, known.minute_ms, known.slice].add(known.attempt)
    return found + [
        f"slice {place} was placed in attempts {sorted(made)}" for place, made in attempts.items() if len(made) > 1
    ]


def unequal(
    journal: Mapping[str, LiveOrder], orders: Iterable[Order], conditionals: Iterable[Conditional]
) -> list[str]:
    """Each order in the state that the exchange has, and none that only one side knows."""
    found, present = [], _present(orders, conditionals)
    for name, (state, executed) in present.items():
        mine = journal.get(name)
        if mine is None:
            found.append(f"{name} is not in the journal")
        elif mine.executed != executed:
            found.append(f"{name}: {mine.executed} filled, on the exchange {executed}")
        elif not mine.intent.is_conditional and mine.state is not state:
            found.append(f"{name} is {mine.state.value}, on the exchange {state.value}")
        elif mine.intent.is_conditional and mine.is_final != (state is not OrderState.ACKNOWLEDGED):
            found.append(f"stop {name} is {mine.state.value}, on the exchange {state.value}")
    for name, known in journal.items():
        if name not in present and (known.exists or not known.is_final):
            found.append(f"{name} is {known.state.value}, the exchange does not know it")
    return found


def _present(orders: Iterable[Order], conditionals: Iterable[Conditional]) -> dict[str, tuple[OrderState, Decimal]]:
    """State and executed quantity by client id; what a conditional order became at its trigger stands for it."""
    present = {order.client_order_id: (_STATES[order.status], Decimal(str(order.executed))) for order in orders}
    for each in conditionals:
        if each.client_algo_id not in present:
            state = OrderState.ACKNOWLEDGED if each.status == "NEW" else OrderState.EXPIRED
            present[each.client_algo_id] = (OrderState.CANCELED if each.status == "CANCELED" else state, NOTHING)
    return present
