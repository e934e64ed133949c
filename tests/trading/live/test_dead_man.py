"""The countdown after which the exchange cancels limit orders by itself."""

from decimal import Decimal
from pathlib import Path

import msgspec

from atm.exchange.client import live_calls
from atm.exchange.client.live_calls import Call
from atm.model.journal import Target
from atm.model.live_order import OrderState
from atm.model.live_request import CountDown, Failure, FailureKind, PlaceOrder
from atm.model.order_facts import Reported
from atm.simulators.orders.exchange import START_MS, SimulatedExchange
from tests.trading.live.test_live_account import SETUP, Bench, X

ASSETS = Path(__file__).parents[3] / "assets"
ARMED = msgspec.structs.replace(SETUP, dead_man_s=30.0)


def _resting(bench: Bench) -> str:
    """A limit order of 100 in the book."""
    bench.snapshot()
    bench.account.priced(X, Decimal(2), Decimal(2), bench.now_ms)
    bench.do(bench.account.aim(Target(X, Decimal(100), bench.now_ms, price=Decimal("1.99")), bench.now_ms))
    number, placed = next((n, each) for n, each in bench.asked if isinstance(each, PlaceOrder))
    bench.answer(
        number, Reported(placed.intent.client_id, OrderState.ACKNOWLEDGED, Decimal(0), bench.now_ms, order_id=8)
    )
    return placed.intent.client_id


def _counted(bench: Bench) -> list[int]:
    return [each.length_ms for _, each in bench.asked if isinstance(each, CountDown)]


def _answer_all(bench: Bench, failure: Failure | None = None) -> None:
    for number, flight in list(bench.account._desk.flights.items()):
        if isinstance(flight.request, CountDown):
            bench.answer(number, failure=failure)


def test_it_is_off_by_default() -> None:
    bench = Bench()
    _resting(bench)
    bench.wait(60_000)
    assert _counted(bench) == []


def test_it_is_renewed_while_a_limit_rests_and_stopped_after_it() -> None:
    bench = Bench(ARMED)
    client_id = _resting(bench)
    for _ in range(25):
        bench.wait(1_000)
        _answer_all(bench)
    assert _counted(bench) == [30_000] * 3
    bench.do(bench.account.learned([bench.filled(client_id, 100)], bench.now_ms))
    assert _counted(bench)[-1] == 0
    _answer_all(bench, Failure(FailureKind.NOT_DONE))
    for _ in range(3):
        bench.wait(1_000)
        _answer_all(bench)
    assert _counted(bench) == [30_000] * 3 + [0, 0], "what may not have been stopped is stopped again, once"


def test_a_countdown_that_cannot_be_stopped_is_asked_for_at_its_pace_not_at_each_answer() -> None:
    bench = Bench(ARMED)
    client_id = _resting(bench)
    _answer_all(bench)
    bench.do(bench.account.learned([bench.filled(client_id, 100)], bench.now_ms))
    for _ in range(240):
        _answer_all(bench, Failure(FailureKind.REFUSED, -1121, "Invalid symbol."))
        bench.wait(250)
    assert 2 <= _counted(bench).count(0) <= 3, "in a minute"


def test_a_limit_that_comes_while_the_countdown_is_being_stopped_has_one_as_soon_as_that_is_answered() -> None:
    bench = Bench(ARMED)
    client_id = _resting(bench)
    _answer_all(bench)
    bench.do(bench.account.learned([bench.filled(client_id, 100)], bench.now_ms))
    assert _counted(bench) == [30_000, 0]
    bench.wait(1_000)
    bench.do(bench.account.aim(Target(X, Decimal(150), bench.now_ms, price=Decimal("1.98")), bench.now_ms))
    _answer_all(bench)
    bench.wait(250)
    assert _counted(bench) == [30_000, 0, 30_000]


def test_the_exchange_cancels_the_limit_and_leaves_the_stop() -> None:
    exchange = SimulatedExchange(ASSETS, START_MS, lambda _: None)
    price = exchange.markets[X].price(START_MS)
    order = {
        "symbol": X,
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "50",
        "price": f"{price * 0.9:.3f}",
    }
    stop = {"symbol": X, "side": "SELL", "algoType": "CONDITIONAL", "type": "STOP_MARKET", "closePosition": "true"}
    exchange.trade_by_hand(X, "50", True, START_MS)
    exchange.call(Call("POST", 1, "order", order), START_MS)
    exchange.call(Call("POST", 1, "algoOrder", stop | {"triggerPrice": f"{price * 0.8:.3f}"}), START_MS)
    (call,) = live_calls.calls(CountDown(X, 30_000))
    exchange.call(call, START_MS)
    exchange.advance(START_MS + 29_000)
    assert len(exchange.account.open_orders) == 1
    exchange.advance(START_MS + 31_000)
    assert not exchange.account.open_orders
    assert [each.status for each in exchange.conditionals()] == ["NEW"]
