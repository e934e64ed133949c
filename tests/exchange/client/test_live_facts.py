"""Documents as the exchange's documentation and recordings show them (exchange §1.7, §2.5)."""

import json
from decimal import Decimal

import pytest

from atm.exchange.client import live_calls, live_facts
from atm.model.account_facts import PositionSeen, SettingsSeen, WalletSeen
from atm.model.errors import Banned, Refused, Throttled, Unavailable, Unknown
from atm.model.live_order import OrderFill, OrderIntent, OrderState, Purpose
from atm.model.live_request import CancelOrder, FailureKind, PlaceOrder, QueryOrder, SetMarginMode, TakeSnapshot
from atm.model.order import Side
from atm.model.order_facts import Filled, Reported

TRADE = json.loads(
    '{"e":"ORDER_TRADE_UPDATE","E":1790771300127,"T":1790771300123,"o":{"s":"BTCUSDT","c":"atm-000001","S":"BUY","o":"LIMIT",'
    '"f":"GTC","q":"0.500","p":"60000.00","ap":"60000.00","sp":"0","x":"TRADE","X":"FILLED","i":22542179,"l":"0.500",'
    '"z":"0.500","L":"60000.00","N":"USDT","n":"15.00000000","T":1790771300123,"t":698759,"b":"0","a":"0","m":false,"R":false,'
    '"wt":"CONTRACT_PRICE","ot":"LIMIT","ps":"BOTH","cp":false,"pP":false,"si":0,"ss":0,"rp":"0","V":"EXPIRE_MAKER",'
    '"pm":"NONE","gtd":0,"er":"0"}}'
)
LITE = json.loads(
    '{"e":"TRADE_LITE","E":1790771300124,"T":1790771300123,"s":"BTCUSDT","q":"0.500","p":"60000.00","m":false,'
    '"c":"atm-000001","S":"BUY","L":"60000.00","l":"0.500","t":698759,"i":22542179}'
)
ACCOUNT = json.loads(
    '{"e":"ACCOUNT_UPDATE","E":1790771300126,"T":1790771300123,"a":{"m":"ORDER","B":[{"a":"USDT","wb":"9985.00000000",'
    '"cw":"9985.00000000","bc":"0"}],"P":[{"s":"BTCUSDT","pa":"0.500","ep":"60000.00000","bep":"60030.0","cr":"0",'
    '"up":"125.00000000","mt":"cross","iw":"0","ps":"BOTH"}]}}'
)
ALGO = json.loads(
    '{"e":"ALGO_UPDATE","T":1765431097031,"E":1765431097037,"o":{"caid":"O-1","aid":1000000033225453,"at":"CONDITIONAL",'
    '"o":"STOP_MARKET","s":"DOGEUSDT","S":"BUY","ps":"BOTH","f":"GTC","q":"38","X":"FINISHED","tp":"0.13855","p":"0",'
    '"V":"EXPIRE_MAKER","wt":"CONTRACT_PRICE","pm":"NONE","cp":false,"pP":false,"R":false,"tt":1765431097019,"gtd":0,'
    '"ai":"88937381063","ap":"0.13856","aq":"38","act":"MARKET"}}'
)


def test_a_fill_comes_as_a_report_and_a_trade() -> None:
    fill = OrderFill(
        698759, Decimal("0.5"), Decimal(60_000), 1_790_771_300_123, commission=Decimal(15), asset="USDT"
    )  # fmt: skip
    reported = Reported("atm-000001", OrderState.FILLED, Decimal("0.5"), 1_790_771_300_123, 22_542_179)
    assert live_facts.user_event(TRADE) == (reported, Filled("atm-000001", fill, 22_542_179))
    (early,) = live_facts.user_event(LITE)
    assert isinstance(early, Filled)
    assert (early.fill.trade_id, early.fill.commission) == (698759, None)


def test_account_and_settings() -> None:
    wallet, position = live_facts.user_event(ACCOUNT)
    assert wallet == WalletSeen("USDT", Decimal(9_985), 1_790_771_300_123, "ORDER")
    assert position == PositionSeen("BTCUSDT", Decimal("0.5"), Decimal(60_000), 1_790_771_300_123, False)
    leverage = {"e": "ACCOUNT_CONFIG_UPDATE", "E": 1, "T": 1, "ac": {"s": "BTCUSDT", "l": 25}}
    assert live_facts.user_event(leverage) == (SettingsSeen("BTCUSDT", leverage=25),)


@pytest.mark.parametrize(
    ("status", "executed", "state"),
    [
        ("FINISHED", "38", OrderState.FILLED),
        ("FINISHED", "0", OrderState.EXPIRED),
        ("TRIGGERED", "0", OrderState.ACKNOWLEDGED),
        ("REJECTED", "0", OrderState.EXPIRED),
        ("CANCELED", "0", OrderState.CANCELED),
    ],
)
def test_a_conditional_order(status: str, executed: str, state: OrderState) -> None:
    event = {**ALGO, "o": {**ALGO["o"], "X": status, "aq": executed}}
    (fact,) = live_facts.user_event(event)
    assert isinstance(fact, Reported)
    assert (fact.client_id, fact.state, fact.executed) == ("O-1", state, Decimal(executed))
    assert (fact.order_id, fact.algo_id) == (88937381063, 1000000033225453)


def test_what_is_not_known_is_left_out() -> None:
    strange = {**TRADE, "o": {**TRADE["o"], "x": "CALCULATED", "X": "NEW_ADL"}}
    assert live_facts.user_event(strange) == ()
    assert live_facts.user_event({"e": "GRID_UPDATE"}) == ()


def intent(purpose: Purpose, **changes: object) -> OrderIntent:
    known = {"quantity": Decimal("1.50"), "decision_ms": 0, "slice": 0, **changes}
    return OrderIntent("id-1", "X", Side.SELL, purpose, **known)  # type: ignore[arg-type]


def test_requests_are_spelt_as_the_exchange_wants_them() -> None:
    (call,) = live_calls.calls(PlaceOrder(intent(Purpose.CLOSE, reduce_only=True), 0))
    assert (call.method, call.path, call.places) == ("POST", "order", True)
    assert call.parameters == {
        "symbol": "X", "side": "SELL", "type": "MARKET", "quantity": "1.5", "newClientOrderId": "id-1",
        "newOrderRespType": "RESULT", "reduceOnly": "true",
    }  # fmt: skip
    (call,) = live_calls.calls(PlaceOrder(intent(Purpose.STOP, quantity=Decimal(0), trigger=Decimal("1E+2")), 0))
    assert call.path == "algoOrder"
    assert call.parameters["triggerPrice"] == "100"
    assert call.parameters["closePosition"] == "true"
    assert "quantity" not in call.parameters, "refused with closePosition (-4137)"
    snapshot = live_calls.calls(TakeSnapshot(("X",), 5))
    assert [call.path for call in snapshot] == [
        "openOrders", "openAlgoOrders", "userTrades", "positionRisk", "balance", "symbolConfig",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Refused("no", -2019), FailureKind.REFUSED),
        (Unknown("?"), FailureKind.UNKNOWN),
        (Throttled("slow", 2.5), FailureKind.NOT_DONE),
        (Banned("away", 1), FailureKind.NOT_DONE),
        (Unavailable("gone"), FailureKind.NOT_DONE),
    ],
)
def test_errors_of_placing(error, kind: FailureKind) -> None:
    failure = live_calls.failed(PlaceOrder(intent(Purpose.OPEN), 0), 1, 0, error).failure
    assert failure is not None
    assert failure.kind is kind
    assert failure.retry_after_ms == (2_500 if isinstance(error, Throttled) else failure.retry_after_ms)


def test_what_is_not_there_and_what_is_right_already() -> None:
    for request in (QueryOrder("X", "id-1", False), CancelOrder("X", "id-1", False)):
        failure = live_calls.failed(request, 1, 0, Refused("none", -2013)).failure
        assert failure is not None
        assert failure.kind is FailureKind.NOT_FOUND
    assert live_calls.failed(SetMarginMode("X", True), 1, 0, Refused("same", -4046)).failure is None
