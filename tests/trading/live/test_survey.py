"""What is shown of a live account, on the workbench of its own tests."""

from __future__ import annotations

from decimal import Decimal

from atm.model.account_facts import OpenOrder
from atm.model.live_order import OrderState
from atm.model.live_request import PlaceOrder
from atm.model.live_view import DifferenceView, Protection
from atm.model.order import Side
from atm.model.order_facts import Reported
from tests.trading.live.test_live_account import Bench, X


def opened() -> tuple[Bench, int, str]:
    """100 held at 2.0 with a wallet of 10,000; the request that places the stop, and the stop's id."""
    bench = Bench()
    bench.snapshot()
    bench.aim(100)
    number, placed = bench.asks(PlaceOrder)
    bench.answer(number, bench.filled(placed.intent.client_id, 100))
    number, stop = bench.asks(PlaceOrder)
    return bench, number, stop.intent.client_id


def test_nothing_is_known_before_the_first_comparison() -> None:
    view = Bench().account.view(1_000_000)
    assert (view.is_ready, view.compared_ms, view.orders, view.stops) == (False, 0, (), ())


def test_a_stop_is_missing_then_rests_then_moves() -> None:
    bench, number, stop_id = opened()
    (stop,) = bench.account.view(bench.now_ms).stops
    assert (stop.protection, stop.trigger, stop.wanted) == (Protection.MISSING, None, 1.9)
    assert stop.unprotected_ms > 0
    resting = Reported(stop_id, OrderState.ACKNOWLEDGED, Decimal(0), bench.now_ms, 0, 5)
    bench.answer(number, resting)
    (stop,) = bench.account.view(bench.now_ms).stops
    assert (stop.protection, stop.trigger, stop.wanted, stop.unprotected_ms) == (Protection.RESTS, 1.9, 1.9, 0)
    bench.wait(1_000)
    bench.aim(100, "1.95")
    (stop,) = bench.account.view(bench.now_ms).stops
    assert (stop.protection, stop.trigger, stop.wanted) == (Protection.MOVING, 1.9, 1.95)


def test_orders_under_way_come_first_with_what_is_known_of_them() -> None:
    bench, _, stop_id = opened()
    first, second = bench.account.view(bench.now_ms).orders
    assert (first.client_id, first.purpose, first.state, first.is_final) == (stop_id, "STOP", "SENT", False)
    assert (second.purpose, second.state, second.executed, second.is_final) == ("OPEN", "FILLED", 100.0, True)


def test_differences_name_what_either_side_says() -> None:
    bench = Bench()
    order = OpenOrder(
        "web_1", X, Side.BUY, OrderState.ACKNOWLEDGED, Decimal(7), Decimal(0), bench.now_ms, 3, 0, Decimal("1.5")
    )
    bench.snapshot(amount=40, orders=(order,), leverage=20)
    differences = {each.kind: each for each in bench.account.view(bench.now_ms).differences}
    assert differences["position"] == DifferenceView("position", X, "0", "40")
    assert differences["foreign_order"].theirs == "web_1: BUY 7 @ 1.5"
    assert differences["settings"] == DifferenceView("settings", X, "3x isolated", "20x isolated")


def test_risk_figures_are_those_that_the_limits_look_at() -> None:
    bench, _, _ = opened()
    bench.wait(1_000)
    risk = bench.account.view(bench.now_ms).risk
    assert (risk.equity, risk.day_equity, risk.worth, risk.largest) == (10_000.0, 10_000.0, 200.0, 200.0)
    assert risk.leverage == 0.02
    assert (risk.day_loss, risk.drawdown) == (0.0, 0.0)
    assert risk.orders == 2
