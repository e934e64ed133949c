"""Orders of the demo exchange as a state machine: by table, by hand-calculated cases and by property."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from atm.exchange.demo import algo, amending, passage
from atm.exchange.demo.account import Account, ExchangeState, Order
from atm.exchange.demo.book import book_at
from atm.exchange.demo.engine import Engine
from atm.exchange.demo.order_answers import OrderAnswers
from atm.exchange.demo.refusal import ExchangeRefusal
from atm.exchange.demo.request import Asked
from atm.exchange.demo.rules import Rules
from atm.exchange.demo.states import CONDITIONAL_STATES, ORDER_STATES, moved
from atm.model.bars import Bar
from atm.model.interval import DAY_MS, MINUTE_MS

T0 = 1_694_131_200_000
NOW_MS = T0 + 1_000
SYMBOL = "NEARUSDT"
MakeTable = Callable[..., Any]


def order(side: str, quantity: str = "1000", **more: str) -> dict[str, str]:
    return {"symbol": SYMBOL, "side": side, "type": "MARKET", "quantity": quantity} | more


def limit(side: str, price: str, quantity: str = "1000", in_force: str = "GTC", **more: str) -> dict[str, str]:
    return order(side, quantity, type="LIMIT", price=price, timeInForce=in_force, **more)


def conditional(side: str, kind: str, trigger: str = "", quantity: str = "1000", **more: str) -> dict[str, str]:
    made = {"algoType": "CONDITIONAL", "symbol": SYMBOL, "side": side, "type": kind} | more
    return made | ({"triggerPrice": trigger} if trigger else {}) | ({"quantity": quantity} if quantity else {})


def algo_states(events: list[dict[str, Any]]) -> list[str]:
    return [event["o"]["X"] for event in events if event["e"] == "ALGO_UPDATE"]


def refused(carry_out: Callable[[], Any]) -> int:
    with pytest.raises(ExchangeRefusal) as refusal:
        carry_out()
    return refusal.value.code


# --- states ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("states", "allowed"),
    [
        (ORDER_STATES, {
            ("NEW", "PARTIALLY_FILLED"), ("NEW", "FILLED"), ("NEW", "CANCELED"), ("NEW", "EXPIRED"),
            ("NEW", "EXPIRED_IN_MATCH"), ("PARTIALLY_FILLED", "PARTIALLY_FILLED"), ("PARTIALLY_FILLED", "FILLED"),
            ("PARTIALLY_FILLED", "CANCELED"), ("PARTIALLY_FILLED", "EXPIRED"), ("PARTIALLY_FILLED", "EXPIRED_IN_MATCH"),
        }),
        (CONDITIONAL_STATES, {
            ("NEW", "CANCELED"), ("NEW", "EXPIRED"), ("NEW", "TRIGGERING"), ("TRIGGERING", "TRIGGERED"),
            ("TRIGGERING", "REJECTED"), ("TRIGGERING", "EXPIRED"), ("TRIGGERED", "FINISHED"),
        }),
    ],
)  # fmt: skip
def test_only_these_states_follow_each_other(states: Any, allowed: set[tuple[str, str]]) -> None:
    for before, after in itertools.product(states, states):
        if (before, after) in allowed:
            assert moved(states, before, after) == after
        else:
            with pytest.raises(RuntimeError):
                moved(states, before, after)


# --- conditional orders: when they fire -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "kind", "trigger", "path", "fires"),
    [
        ("BUY", "STOP_MARKET", "4.1", [4.0, 4.2], True),
        ("BUY", "STOP_MARKET", "4.1", [4.0, 4.09], False),
        ("SELL", "STOP_MARKET", "3.9", [4.0, 3.9], True),
        ("SELL", "STOP_MARKET", "3.9", [4.0, 3.91], False),
        ("BUY", "TAKE_PROFIT_MARKET", "3.9", [4.0, 3.9], True),
        ("BUY", "TAKE_PROFIT_MARKET", "3.9", [4.0, 4.2], False),
        ("SELL", "TAKE_PROFIT_MARKET", "4.1", [4.0, 4.1], True),
        ("SELL", "TAKE_PROFIT_MARKET", "4.1", [4.0, 3.8], False),
    ],
)
def test_which_way_the_price_has_to_go(
    table: MakeTable, side: str, kind: str, trigger: str, path: list[float], fires: bool
) -> None:
    made = table([4.0, *path, path[-1], path[-1]])
    placed = algo.place(made.engine, made.account, conditional(side, kind, trigger), NOW_MS)
    passage.advance(made.engine, T0 + 3 * MINUTE_MS)
    assert (placed.status == "FINISHED") is fires
    assert made.account.position(SYMBOL).amount == (placed.sign * 1000 if fires else 0)


def test_a_trailing_stop_follows_the_best_price_once_it_is_activated(table: MakeTable) -> None:
    # Activated at 4.2; highest 4.4; sells when the price is 2 % below: 4.312.
    made = table([4.0, 4.1, 4.0, 4.3, 4.4, 4.35, 4.3, 4.3])
    made.engine.place(made.account, order("BUY"), NOW_MS)
    wanted = conditional(
        "SELL", "TRAILING_STOP_MARKET", callbackRate="2", activatePrice="4.2", reduceOnly="true", clientAlgoId="trail"
    )
    made.events.clear()
    placed = algo.place(made.engine, made.account, wanted, NOW_MS)
    assert [event["o"]["ia"] for event in made.events] == [False]
    passage.advance(made.engine, T0 + 5 * MINUTE_MS)
    assert (placed.status, placed.activated, placed.extreme) == ("NEW", True, 4.4)
    passage.advance(made.engine, T0 + 7 * MINUTE_MS)
    assert placed.status == "FINISHED" and made.account.position(SYMBOL).amount == 0
    assert 4.29 < placed.average <= 4.312
    assert algo_states(made.events) == ["NEW", "NEW", "TRIGGERING", "TRIGGERED", "FINISHED"]
    real = [event["o"] for event in made.events if event["e"] == "ORDER_TRADE_UPDATE"]
    assert {body["c"] for body in real} == {"trail"} and real[-1]["X"] == "FILLED"
    finished = next(event["o"] for event in made.events if event.get("o", {}).get("X") == "FINISHED")
    assert (finished["ai"], finished["aq"], finished["act"]) == (str(real[-1]["i"]), "1000.0", "MARKET")


def test_a_mark_price_stop_fires_later_than_one_on_the_last_price(table: MakeTable) -> None:
    # The index is the mean of the prices now, 20 and 40 seconds ago: it passes 3.95 only after the last price has.
    made = table([4.0, 4.0, 3.9, 3.9, 3.9])
    both = [
        algo.place(
            made.engine, made.account, conditional("SELL", "STOP_MARKET", "3.95", "10", workingType=kind), NOW_MS
        )
        for kind in ("MARK_PRICE", "CONTRACT_PRICE")
    ]
    passage.advance(made.engine, T0 + 5 * MINUTE_MS - 1)
    by_mark, by_last = both
    assert 0 < by_last.trigger_ms < by_mark.trigger_ms
    assert made.market.price(by_last.trigger_ms) <= 3.95 < made.market.price(by_last.trigger_ms - 1)
    assert made.market.mark(by_mark.trigger_ms) <= 3.95 < made.market.mark(by_mark.trigger_ms - 1)


def test_a_protected_stop_waits_while_last_and_mark_price_are_apart(table: MakeTable) -> None:
    # The last price falls by half within a minute, the mark price follows: a market order may take up to 10 % from the mark
    # price (marketTakeBound), and a protected stop waits until both are within 10 % (triggerProtect).
    made = table([4.0, 4.0, 2.0, 2.0, 2.0, 2.0])
    free, protected = (
        algo.place(
            made.engine, made.account, conditional("SELL", "STOP_MARKET", "2.9", "10", priceProtect=flag), NOW_MS
        )
        for flag in ("false", "true")
    )
    passage.advance(made.engine, T0 + 5 * MINUTE_MS)
    assert (free.status, protected.status) == ("REJECTED", "FINISHED")
    assert "PERCENT_PRICE" in free.reason and free.trigger_ms < protected.trigger_ms
    mark = made.market.mark(protected.trigger_ms)
    assert abs(mark - made.market.price(protected.trigger_ms)) <= 0.1 * mark


def test_a_stop_limit_becomes_a_resting_order_and_is_finished_with_it(table: MakeTable) -> None:
    made = table([4.0, 4.0, 4.2, 4.2, 4.05, 4.05])
    wanted = conditional("BUY", "STOP", "4.15", price="4.1", clientAlgoId="dip", timeInForce="GTX")
    placed = algo.place(made.engine, made.account, wanted, NOW_MS)
    passage.advance(made.engine, T0 + 3 * MINUTE_MS)
    (resting,) = made.account.open_orders.values()
    assert (placed.status, resting.client_order_id, resting.type, resting.price) == ("TRIGGERED", "dip", "LIMIT", "4.1")
    assert resting.time_in_force == "GTX"
    assert algo.find(made.account, {"clientAlgoId": "dip"}) is placed
    assert refused(lambda: algo.cancel(made.engine, made.account, {"clientAlgoId": "dip"}, NOW_MS)) == -2011
    passage.advance(made.engine, T0 + 5 * MINUTE_MS)
    assert (placed.status, placed.average, placed.executed) == ("FINISHED", pytest.approx(4.1), 1000)


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (conditional("SELL", "STOP_MARKET", "4.1"), -2021),
        (conditional("BUY", "TAKE_PROFIT_MARKET", "4.1"), -2021),
        (conditional("SELL", "LIMIT", "3.9"), -1116),
        (conditional("SELL", "STOP_MARKET"), -1102),
        (conditional("SELL", "STOP_MARKET", "3.9", ""), -1102),
        (conditional("SELL", "STOP", "3.9"), -1102),
        (conditional("SELL", "STOP_MARKET", "3.9", price="3.8"), -1106),
        (conditional("SELL", "STOP_MARKET", "3.9005"), -4014),
        (conditional("SELL", "STOP_MARKET", "0"), -4006),
        (conditional("SELL", "STOP_MARKET", "1000.001"), -4007),
        (conditional("SELL", "STOP_MARKET", "3.9", "10.5"), -1111),
        (conditional("SELL", "STOP_MARKET", "3.9", "110001"), -4005),
        (conditional("SELL", "STOP_MARKET", "3.9", workingType="LAST"), -4031),
        (conditional("SELL", "STOP_MARKET", "3.9", positionSide="LONG"), -4061),
        (conditional("SELL", "STOP_MARKET", "3.9", closePosition="true"), -4137),
        (conditional("SELL", "STOP_MARKET", "3.9", "", closePosition="true", reduceOnly="true"), -1106),
        (conditional("SELL", "STOP", "3.9", "", price="3.8", closePosition="true"), -4136),
        (conditional("SELL", "TRAILING_STOP_MARKET"), -1102),
        (conditional("SELL", "TRAILING_STOP_MARKET", callbackRate="20.1"), -1130),
        (conditional("SELL", "TRAILING_STOP_MARKET", callbackRate="1", activatePrice="3.9"), -4135),
        (conditional("SELL", "STOP_MARKET", "3.9", algoType="VP"), -1130),
        (conditional("SELL", "STOP", "3.9", priceMatch="OPPONENT_20"), -5037),
        (conditional("SELL", "STOP_MARKET", "3.9", priceMatch="QUEUE"), -5038),
    ],
)
def test_what_a_conditional_order_is_refused_for(table: MakeTable, wanted: dict[str, str], code: int) -> None:
    made = table([4.0] * 10)
    assert refused(lambda: algo.place(made.engine, made.account, wanted, NOW_MS)) == code
    assert (made.account.conditionals, made.events) == ({}, [])


def test_conditional_orders_are_limited_named_once_and_close_a_position_in_each_way_once(table: MakeTable) -> None:
    made = table([4.0] * 10)

    def place(**more: str) -> Any:
        return algo.place(made.engine, made.account, conditional("SELL", "STOP_MARKET", "3.9", **more), NOW_MS)

    place(clientAlgoId="one")
    assert refused(lambda: place(clientAlgoId="one")) == -4116
    place(quantity="", closePosition="true")
    assert refused(lambda: place(quantity="", closePosition="true")) == -4130
    taking = conditional("SELL", "TAKE_PROFIT_MARKET", "4.5", "", closePosition="true")
    algo.place(made.engine, made.account, taking, NOW_MS)
    for _ in range(197):
        place()
    assert refused(place) == -4045
    assert made.engine.margins(made.account, NOW_MS).available == 10_000  # no margin before the trigger
    algo.cancel_all(made.engine, made.account, SYMBOL, NOW_MS)
    assert made.account.waiting() == [] and place(clientAlgoId="one").status == "NEW"


def test_a_stop_is_checked_only_when_it_fires(table: MakeTable) -> None:
    # 60,000 at 4 cost 12,000 USDT of margin, and there is nothing to reduce.
    made = table([4.0, 4.0, 3.8, 3.8])
    for more in ({"quantity": "60000"}, {"reduceOnly": "true"}):
        algo.place(made.engine, made.account, conditional("SELL", "STOP_MARKET", "3.9") | more, NOW_MS)
    passage.advance(made.engine, T0 + 3 * MINUTE_MS)
    ends = [event["o"] for event in made.events if event["o"]["X"] == "REJECTED"]
    assert [end["rm"] for end in ends] == ["Margin is insufficient.", "Reduce Only reject"]
    assert made.account.open_orders == {} and made.account.position(SYMBOL).amount == 0


def test_a_closing_stop_closes_what_is_there_and_ends_with_the_position(table: MakeTable) -> None:
    made = table([4.0, 4.0, 3.8, 3.8, 3.8])
    closing = conditional("SELL", "STOP_MARKET", "3.9", "", closePosition="true")
    made.engine.place(made.account, order("BUY", "700"), NOW_MS)
    first = algo.place(made.engine, made.account, closing, NOW_MS)
    made.engine.place(made.account, order("SELL", "700"), NOW_MS)
    assert first.status == "EXPIRED"  # the position was closed otherwise
    made.engine.place(made.account, order("BUY", "300"), NOW_MS)
    second = algo.place(made.engine, made.account, closing, NOW_MS)
    made.engine.place(made.account, order("BUY", "200"), NOW_MS)
    covering = made.engine.place(made.account, limit("SELL", "4.3", "500", reduceOnly="true"), NOW_MS)
    passage.advance(made.engine, T0 + 3 * MINUTE_MS)
    assert (second.status, second.executed) == ("FINISHED", 500)
    assert made.account.position(SYMBOL).amount == 0
    assert (covering.status, covering.expiry) == ("EXPIRED", 4)


# --- time in force, price match, self-trade prevention --------------------------------------------------------------------


def test_good_till_date_expires_on_the_clock_of_the_market(table: MakeTable) -> None:
    made = table([4.0] * 30)
    too_soon = str(NOW_MS + 600_000)
    for date in (too_soon, "253402300799000", "soon"):
        assert refused(
            lambda date=date: made.engine.place(made.account, limit("BUY", "3.9", in_force="GTD", goodTillDate=date), NOW_MS)
        ) == -5040  # fmt: skip
    assert refused(lambda: made.engine.place(made.account, limit("BUY", "3.9", in_force="GTD"), NOW_MS)) == -1102
    until_ms = T0 + 11 * MINUTE_MS + 30_500
    wanted = limit("BUY", "3.9", in_force="GTD", goodTillDate=str(until_ms))
    placed = made.engine.place(made.account, wanted, NOW_MS)
    passage.advance(made.engine, until_ms - 501)
    assert placed.status == "NEW"
    passage.advance(made.engine, until_ms + MINUTE_MS)
    assert (placed.status, placed.update_ms) == ("EXPIRED", until_ms - 500)  # whole seconds


@pytest.mark.parametrize(
    ("side", "match", "price"),
    [
        ("BUY", "OPPONENT", "4.000"), ("BUY", "OPPONENT_5", "4.004"), ("BUY", "QUEUE", "3.999"), ("BUY", "QUEUE_20", "3.980"),
        ("SELL", "OPPONENT", "3.999"), ("SELL", "QUEUE", "4.000"), ("SELL", "QUEUE_5", "4.004"),
    ],
)  # fmt: skip
def test_a_price_is_matched_to_the_book(table: MakeTable, side: str, match: str, price: str) -> None:
    made = table([4.0] * 10)  # best bid 3.999, best ask 4.000
    wanted = order(side, "10", type="LIMIT", timeInForce="GTC", priceMatch=match)
    assert made.engine.place(made.account, wanted, NOW_MS).price == price
    assert refused(lambda: made.engine.place(made.account, wanted | {"price": "4"}, NOW_MS)) == -1106


@pytest.mark.parametrize(
    ("mode", "taker", "maker"),
    [
        ("EXPIRE_MAKER", "FILLED", "EXPIRED_IN_MATCH"),
        ("EXPIRE_TAKER", "EXPIRED_IN_MATCH", "NEW"),
        ("EXPIRE_BOTH", "EXPIRED_IN_MATCH", "EXPIRED_IN_MATCH"),
        ("NONE", "FILLED", "NEW"),
    ],
)
def test_own_orders_do_not_trade_with_each_other(table: MakeTable, mode: str, taker: str, maker: str) -> None:
    made = table([4.0] * 10)
    resting = made.engine.place(made.account, limit("BUY", "3.999", "100"), NOW_MS)
    coming = made.engine.place(made.account, order("SELL", "100", selfTradePreventionMode=mode), NOW_MS)
    assert (coming.status, resting.status) == (taker, maker)
    ends = [event["o"] for event in made.events if event.get("o", {}).get("X") == "EXPIRED_IN_MATCH"]
    assert all((end["x"], end["er"]) == ("EXPIRED", "1") for end in ends)


def test_resting_orders_share_what_is_traded_the_best_price_first(table: MakeTable) -> None:
    # 100 trades of 1,000 in all while the price falls from 4.0 to 3.8: two bids of 1,500 cannot both be filled at once.
    made = table([4.0, 4.0, 3.8, 3.8, 3.8, 3.8, 3.8], volume=2_000.0)
    low = made.engine.place(made.account, limit("BUY", "3.85", "1500"), NOW_MS)
    high = made.engine.place(made.account, limit("BUY", "3.9", "1500"), NOW_MS)
    passage.advance(made.engine, T0 + 2 * MINUTE_MS)
    assert high.status == "PARTIALLY_FILLED" and high.executed > low.executed
    below = [each for each in made.market.aggregates(NOW_MS, T0 + 2 * MINUTE_MS) if each.price < 3.9]
    assert high.executed + low.executed == pytest.approx(sum(each.quantity for each in below))
    passage.advance(made.engine, T0 + 6 * MINUTE_MS)
    assert high.status == low.status == "FILLED"
    assert all(trade.maker for trade in made.account.trades) and len(made.account.trades) > 2
    fees = sum(trade.commission for trade in made.account.trades)
    assert fees == pytest.approx(1500 * (3.85 + 3.9) * 0.0002, abs=1e-9)


def test_reduce_only_orders_shrink_with_the_position(table: MakeTable) -> None:
    made = table([4.0] * 10)
    made.engine.place(made.account, order("BUY", "100"), NOW_MS)
    first = made.engine.place(made.account, limit("SELL", "4.1", "60", reduceOnly="true"), NOW_MS)
    second = made.engine.place(made.account, limit("SELL", "4.2", "40", reduceOnly="true"), NOW_MS)
    made.engine.place(made.account, order("SELL", "30"), NOW_MS)
    assert (first.quantity, second.quantity) == ("60", "10")
    made.engine.place(made.account, order("SELL", "30"), NOW_MS)
    assert (first.quantity, second.status, second.expiry) == ("40", "EXPIRED", 4)


# --- amendments and countdown ---------------------------------------------------------------------------------------------


def test_an_amended_order_goes_on_under_its_number(table: MakeTable) -> None:
    made = table([4.0] * 10, volume=2_000.0)
    engine, account = made.engine, made.account
    placed = engine.place(account, limit("BUY", "3.9", "100", newClientOrderId="a"), NOW_MS)
    wanted = {"symbol": SYMBOL, "origClientOrderId": "a", "side": "BUY", "quantity": "100", "price": "3.9"}

    def amend(**more: str) -> Order:
        return amending.amend(engine, account, wanted | more, NOW_MS + 1)

    for more, code in (
        ({}, -5027), ({"quantity": ""}, -1102), ({"price": ""}, -1102), ({"side": "SELL"}, -1117), ({"price": "3.9001"}, -4014),
        ({"price": "4.9"}, -4016), ({"quantity": "1"}, -5029), ({"quantity": "60000"}, -2019),
        ({"origClientOrderId": "b"}, -2013), ({"priceMatch": "QUEUE"}, -1106),
    ):  # fmt: skip
        assert refused(lambda more=more: amend(**more)) == code, more
        assert (placed.price, placed.quantity, list(account.open_orders.values())) == ("3.9", "100", [placed])
    assert amend(price="3.8", quantity="200", modifyId="7") is placed
    event = made.events[-1]["o"]
    assert (event["x"], event["X"], event["p"], event["q"], event["M"]) == ("AMENDMENT", "NEW", "3.8", "200", 7)
    entry = account.amendments[-1]
    assert (entry.price, entry.quantity, entry.count) == (("3.9", "3.8"), ("100", "200"), 1)
    best = book_at(made.market, NOW_MS + 1).asks[0][1]
    amend(price="4", quantity=str(best + 50))
    assert (placed.status, placed.executed) == ("PARTIALLY_FILLED", best)
    assert amend(price="3.9", quantity=str(best)).status == "CANCELED"  # nothing is left of it


def test_an_amended_post_only_order_that_would_take_is_cancelled(table: MakeTable) -> None:
    made = table([4.0] * 10)
    placed = made.engine.place(made.account, limit("BUY", "3.9", in_force="GTX"), NOW_MS)
    wanted = {"symbol": SYMBOL, "orderId": str(placed.order_id), "side": "BUY", "quantity": "1000", "price": "4"}
    assert amending.amend(made.engine, made.account, wanted, NOW_MS).status == "CANCELED"
    assert made.account.position(SYMBOL).amount == 0


def test_a_countdown_cancels_the_orders_of_its_symbol_but_no_conditional_ones(table: MakeTable) -> None:
    made = table([4.0] * 10)
    resting = made.engine.place(made.account, limit("BUY", "3.9"), NOW_MS)
    waiting = algo.place(made.engine, made.account, conditional("SELL", "STOP_MARKET", "3.5"), NOW_MS)
    made.account.countdowns[SYMBOL] = NOW_MS + 90_000
    passage.advance(made.engine, NOW_MS + 89_999)
    assert resting.status == "NEW"
    passage.advance(made.engine, NOW_MS + 200_000)
    assert (resting.status, resting.update_ms, waiting.status) == ("CANCELED", NOW_MS + 90_000, "NEW")
    assert made.account.countdowns == {}


# --- margin calls, old orders ---------------------------------------------------------------------------------------------


def test_the_owner_is_called_once_before_the_liquidation(table: MakeTable) -> None:
    # 40,000 at 4.000: fee 80. 600 p − 100 is 80 % of 9,920 + 40,000 (p − 4) at p = 119,964 / 31,400 = 3.8205.
    made = table([4.0, 4.0, 3.83, 3.83, 3.815, 3.815, 3.815, 3.7, 3.7, 3.7])
    made.engine.place(made.account, order("BUY", "40000"), NOW_MS)

    def calls() -> list[dict[str, Any]]:
        return [event for event in made.events if event["e"] == "MARGIN_CALL"]

    passage.advance(made.engine, T0 + 3 * MINUTE_MS)
    assert calls() == []
    passage.advance(made.engine, T0 + 6 * MINUTE_MS)
    (call,) = calls()
    assert (call["cw"], call["p"][0]["s"], call["p"][0]["mt"]) == ("9920.00000000", SYMBOL, "CROSSED")
    assert 3.815 < float(call["p"][0]["mp"]) <= 3.8207
    passage.advance(made.engine, T0 + 9 * MINUTE_MS)
    assert made.account.position(SYMBOL).amount < 40_000


@pytest.mark.parametrize(("filled", "days"), [(False, 3), (True, 90)])
def test_orders_are_forgotten_by_queries_after_a_time(table: MakeTable, filled: bool, days: int) -> None:
    made = table([4.0] * 10)
    named = {"symbol": SYMBOL, "origClientOrderId": "old"}
    made.engine.place(
        made.account, (order("BUY") if filled else limit("BUY", "3.9")) | {"newClientOrderId": "old"}, NOW_MS
    )
    if not filled:
        made.engine.cancel(made.account, named, NOW_MS)
    assert made.engine.find(made.account, named, NOW_MS + days * DAY_MS).client_order_id == "old"
    assert refused(lambda: made.engine.find(made.account, named, NOW_MS + days * DAY_MS + 1)) == -2013


def test_a_symbol_under_risk_control_lets_positions_only_be_reduced(written: Any, rules: Rules) -> None:
    market = written([Bar(T0 + at * MINUTE_MS, 4.0, 4.0, 4.0, 4.0, 1e6, 4e6, 100.0, 1e6, 4e6) for at in range(5)])
    for side, sent, code in (("BOTH", "BUY", -4105), ("BUY", "BUY", -4106), ("SELL", "SELL", -4107)):
        account = Account(name="demo")
        strict = {SYMBOL: msgspec.structs.replace(rules, risk_side=side)}
        engine = Engine({SYMBOL: market}, strict, ExchangeState(NOW_MS, {"demo": account}, {}), lambda *_: None)
        assert (
            refused(lambda engine=engine, account=account, sent=sent: engine.place(account, order(sent), NOW_MS))
            == code
        )


@pytest.mark.parametrize(("change", "wanted", "code"), [
    ({"max_orders": 1}, limit("BUY", "3.8"), -2025),
    ({"bound": 0.0001}, order("SELL"), -4131),
    ({"min_notional": "4000.5"}, order("SELL", "1000"), -4164),
    ({"max_amendments": 0}, None, -5026),
])  # fmt: skip
def test_limits_of_the_symbol(
    written: Any, rules: Rules, change: dict[str, Any], wanted: dict[str, str] | None, code: int
) -> None:
    market = written([Bar(T0 + at * MINUTE_MS, 4.0, 4.0, 4.0, 4.0, 1e6, 4e6, 100.0, 1e6, 4e6) for at in range(5)])
    account = Account(name="demo")
    strict = {SYMBOL: msgspec.structs.replace(rules, **change)}
    engine = Engine({SYMBOL: market}, strict, ExchangeState(NOW_MS, {"demo": account}, {}), lambda *_: None)
    placed = engine.place(account, limit("BUY", "3.9", "2000"), NOW_MS)
    if wanted is not None:
        assert refused(lambda: engine.place(account, wanted, NOW_MS)) == code
        return
    change = {"symbol": SYMBOL, "orderId": str(placed.order_id), "side": "BUY", "quantity": "2000", "price": "3.8"}
    assert refused(lambda: amending.amend(engine, account, change, NOW_MS)) == code


def test_liquidations_are_listed_as_forced_orders(table: MakeTable) -> None:
    made = table([4.0, 4.0, 3.7, 3.7, 3.7, 3.7])
    made.engine.place(made.account, order("BUY", "40000"), NOW_MS)
    passage.advance(made.engine, T0 + 4 * MINUTE_MS)
    forced = OrderAnswers(made.engine).handlers["GET", "v1/forceOrders"]
    rows = forced(Asked("v1", {"symbol": SYMBOL}, T0 + 4 * MINUTE_MS, made.account))
    assert rows and all(row["clientOrderId"].startswith("autoclose-") for row in rows)
    assert {(row["type"], row["timeInForce"], row["side"], row["status"]) for row in rows} == {
        ("LIMIT", "IOC", "SELL", "FILLED")
    }
