"""REST client against a loopback exchange: signing, clock, headers, errors, paging, secrets."""

from __future__ import annotations

import asyncio
import json
import logging
import time
import traceback
from collections.abc import AsyncIterator
from typing import Any

import pytest

from atm.exchange.client.rest import FuturesClient, with_brackets
from atm.exchange.client.transport import Credentials
from atm.model.endpoint import Addresses
from atm.model.errors import ATMError, Banned, Invalid, Refused, Throttled, Unavailable, Unknown
from atm.model.instrument import LeverageBracket
from atm.model.order import MarginType, OrderStatus, OrderTicket, OrderType, Side, TimeInForce

ORDER = "/fapi/v1/order"
TICKET = OrderTicket("BTCUSDT", Side.BUY, OrderType.MARKET, "0.001", "atm-000001")
# spec exchange §1.7, form since 2026-07-15
ORDER_ANSWER = {
    "orderId": 22542179, "symbol": "BTCUSDT", "status": "FILLED", "clientOrderId": "atm-000001", "price": "0.00",
    "origQty": "0.001", "executedQty": "0.001", "cumQty": "0.001", "timeInForce": "GTC", "type": "MARKET",
    "reduceOnly": False, "closePosition": False, "side": "BUY", "positionSide": "BOTH", "updateTime": 1790771299988,
}  # fmt: skip


@pytest.fixture
async def client(exchange: Any, tools: Any) -> AsyncIterator[FuturesClient]:
    async with FuturesClient(exchange.addresses, Credentials(tools.KEY, tools.SECRET)) as client:
        yield client


def error(status: int, code: int, text: str, **headers: str) -> dict[str, Any]:
    return {"body": {"code": code, "msg": text}, "status": status, "headers": headers}


async def test_a_market_order_is_signed_over_what_is_sent(client: FuturesClient, exchange: Any, tools: Any) -> None:
    exchange.answer("POST", ORDER, tools.Answer(ORDER_ANSWER))
    report = await client.place(TICKET)
    (asked,) = exchange.asked_for(ORDER)
    assert asked.key == tools.KEY
    assert tools.signature_is_right(asked)
    assert asked.parameters["recvWindow"] == "5000"
    assert {k: asked.parameters[k] for k in ("symbol", "side", "type", "quantity", "newClientOrderId")} == {
        "symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.001", "newClientOrderId": "atm-000001",
    }  # fmt: skip
    assert "price" not in asked.parameters and "reduceOnly" not in asked.parameters
    assert (report.order_id, report.status, report.executed_quantity) == (22542179, OrderStatus.FILLED, "0.001")
    assert report.average_price == ""


async def test_a_limit_order_carries_price_and_reduce_only_as_the_exchange_writes_them(
    client: FuturesClient, exchange: Any, tools: Any
) -> None:
    exchange.answer("POST", ORDER, tools.Answer({**ORDER_ANSWER, "type": "LIMIT", "status": "NEW"}))
    ticket = OrderTicket(
        "BTCUSDT", Side.SELL, OrderType.LIMIT, "0.001", "atm-2", "60000.10", TimeInForce.GTX, reduce_only=True
    )
    await client.place(ticket)
    (asked,) = exchange.asked_for(ORDER)
    assert tools.signature_is_right(asked)
    assert (asked.parameters["price"], asked.parameters["timeInForce"], asked.parameters["reduceOnly"]) == (
        "60000.10", "GTX", "true",
    )  # fmt: skip


@pytest.mark.parametrize("identifier", ["", "a b", "atm/1", "atm:1", "x" * 37])
async def test_client_ids_that_would_break_the_signature_are_refused_before_sending(
    client: FuturesClient, exchange: Any, identifier: str
) -> None:
    with pytest.raises(Invalid, match="client_order_id"):
        await client.get_order("BTCUSDT", identifier)
    assert not exchange.asked


@pytest.mark.parametrize(
    ("status", "code", "text", "expected"),
    [
        (400, -2019, "Margin is insufficient.", Refused),
        (400, -5028, "Timestamp for this request is outside of the ME recvWindow.", Refused),
        (401, -2015, "Invalid API-key, IP, or permissions for action.", Refused),
        (503, -1000, "Unknown error, please check your request or try again later.", Unknown),
        (503, 0, "Unknown error, please check your request or try again later.", Unknown),
        (503, -1008, "Request throttled by system-level protection.", Unknown),
        (408, -1007, "Timeout waiting for response from backend server.", Unknown),
        (400, -1006, "An unexpected response was received from the message bus.", Unknown),
        (400, -4116, "clientOrderId is duplicated", Unknown),
        (502, 0, "Bad gateway", Unknown),
        (503, 0, "Service Unavailable.", Unavailable),
        (500, -1001, "Internal error; unable to process your request. Please try again.", Unavailable),
        (429, -1003, "Too many requests; current limit of IP(203.0.113.7) is 2400 requests per minute.", Throttled),
        (403, 0, "forbidden", Throttled),
        (418, -1003, "Way too many requests; IP(203.0.113.7) banned until 1.", Banned),
    ],
)
async def test_what_a_bad_answer_to_an_order_means(
    client: FuturesClient, exchange: Any, tools: Any, monkeypatch: pytest.MonkeyPatch,
    status: int, code: int, text: str, expected: type[ATMError],
) -> None:  # fmt: skip
    monkeypatch.setattr("atm.exchange.client.transport._RETRY_WAITS_S", (0.0, 0.0, 0.0))
    exchange.answer("POST", ORDER, tools.Answer(**error(status, code, text)))
    with pytest.raises(ATMError) as raised:
        await client.place(TICKET)
    assert type(raised.value) is expected
    if isinstance(raised.value, Refused):
        assert raised.value.code == code
    # only what has failed for certain is sent again
    assert len(exchange.asked_for(ORDER)) == (4 if expected is Unavailable else 1)


@pytest.mark.parametrize(
    ("body", "status"), [(b"<html>502</html>", 502), (b'["list"]', 500), (b"", 504), (b'{"orderId":', 200)]
)
async def test_bodies_that_are_no_error_object(
    client: FuturesClient, exchange: Any, tools: Any, body: bytes, status: int
) -> None:
    exchange.answer("POST", ORDER, tools.Answer(body, status, content_type="text/html"))
    exchange.answer("GET", "/fapi/v3/balance", tools.Answer(body, status, content_type="text/html"))
    with pytest.raises(Unknown):
        await client.place(TICKET)
    with pytest.raises(Unavailable):
        await client.balance()


async def test_a_connection_cut_after_sending_is_unknown_for_an_order_and_unavailable_for_a_query(
    client: FuturesClient, exchange: Any, tools: Any
) -> None:
    exchange.answer("POST", ORDER, tools.Answer(hang=True))
    exchange.answer("GET", ORDER, tools.Answer(hang=True))
    with pytest.raises(Unknown):
        await client.place(TICKET)
    with pytest.raises(Unavailable):
        await client.get_order("BTCUSDT", "atm-000001")


async def test_an_exchange_that_is_not_there_has_certainly_got_no_order() -> None:
    async with FuturesClient(Addresses("http://127.0.0.1:9", "ws://127.0.0.1:9"), Credentials("k", "s")) as client:
        with pytest.raises(Unavailable):
            await client.place(TICKET)


async def test_minus_1021_measures_the_clock_and_sends_once_more(
    client: FuturesClient, exchange: Any, tools: Any
) -> None:
    ahead = 7_000_000
    exchange.answers[("GET", "/fapi/v1/time")] = lambda _: tools.Answer({"serverTime": int(time.time() * 1000) + ahead})
    exchange.answer(
        "POST", ORDER,
        tools.Answer(**error(400, -1021, "Timestamp for this request is outside of the recvWindow.")),
        tools.Answer(ORDER_ANSWER),
    )  # fmt: skip
    await client.place(TICKET)
    first, second = exchange.asked_for(ORDER)
    assert abs(int(second.parameters["timestamp"]) - int(first.parameters["timestamp"]) - ahead) < 1_000
    assert tools.signature_is_right(second)


async def test_response_headers_raise_the_budget(client: FuturesClient, exchange: Any, tools: Any) -> None:
    exchange.answer(
        "POST", ORDER,
        tools.Answer(ORDER_ANSWER, headers={"x-mbx-used-weight-1m": "1234", "X-MBX-ORDER-COUNT-1M": "17"}),
    )  # fmt: skip
    await client.place(TICKET)
    now = client.gate.now_ms()
    assert (client.budget.used_weight(now), client.budget.used_orders(now)) == (1234, 17)


async def test_429_holds_queries_back_but_not_orders(client: FuturesClient, exchange: Any, tools: Any) -> None:
    exchange.answer("GET", "/fapi/v3/balance", tools.Answer(**error(429, -1003, "Too many", **{"Retry-After": "900"})))
    exchange.answer("POST", ORDER, tools.Answer(ORDER_ANSWER))
    with pytest.raises(Throttled) as throttled:
        await client.balance()
    assert throttled.value.retry_after == 900
    with pytest.raises(Throttled):
        await client.balance()
    assert len(exchange.asked_for("/fapi/v3/balance")) == 1
    await client.place(TICKET)


async def test_a_ban_stops_every_request_before_it_is_sent(client: FuturesClient, exchange: Any, tools: Any) -> None:
    until = int(time.time() * 1000) + 500_000
    exchange.answer(
        "GET", "/fapi/v3/balance",
        tools.Answer(**error(418, -1003, f"Way too many requests; IP(203.0.113.7) banned until {until}.")),
    )  # fmt: skip
    with pytest.raises(Banned) as banned:
        await client.balance()
    assert abs(banned.value.until_ms - until) < 2_000
    with pytest.raises(Banned):
        await client.place(TICKET)
    assert not exchange.asked_for(ORDER)


async def test_no_error_text_log_or_trace_contains_secret_or_signature(
    client: FuturesClient, exchange: Any, tools: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    traces = []
    answers = [
        tools.Answer(**error(400, -2019, "Margin is insufficient. signature=0123456789abcdef0123456789abcdef")),
        tools.Answer(b"<html>signature</html>", 502, content_type="text/html"),
        tools.Answer(b"{", 200),
        tools.Answer(hang=True),
    ]
    exchange.answer("GET", ORDER, *answers)
    for _ in answers:
        try:
            await client.get_order("BTCUSDT", "atm-000001")
        except ATMError as failure:
            traces.append(traceback.format_exc())
            traces.append(repr(failure.__context__))
            traces.append(repr(failure.__cause__))
    # aiohttp itself repeats a query whose kept-alive connection was cut, so there may be one more than four
    signatures = [asked.parameters["signature"] for asked in exchange.asked_for(ORDER)]
    assert len(signatures) >= len(answers)
    everything = "\n".join(
        [*traces, caplog.text, repr(client), repr(vars(client)), repr(Credentials("k", tools.SECRET))]
    )
    for secret in (tools.SECRET, tools.KEY, "0123456789abcdef0123456789abcdef", *signatures):
        assert secret not in everything
    assert "no answer of the exchange" in everything or "cannot be reached" in everything


# --- market -----------------------------------------------------------------------------------------------------

NOW_MINUTE = int(time.time() * 1000) // 60_000 * 60_000


def serve_klines(exchange: Any, tools: Any, first: int, last: int, absent: range = range(0)) -> None:
    """Bars of the minutes first…last (open times), as the exchange pages them."""

    def answer(asked: Any) -> Any:
        p = asked.parameters
        start = max(int(p["startTime"]) + (-int(p["startTime"])) % 60_000, first)
        times = [t for t in range(start, min(int(p["endTime"]), last) + 1, 60_000) if t not in absent]
        return tools.Answer([tools.kline_row(t, close=t / 1e12) for t in times[: int(p["limit"])]])

    exchange.answers[("GET", "/fapi/v1/klines")] = answer


async def test_klines_are_paged_without_hole_or_double(client: FuturesClient, exchange: Any, tools: Any) -> None:
    start, end = NOW_MINUTE - 5_000 * 60_000, NOW_MINUTE - 1_000 * 60_000
    serve_klines(exchange, tools, 0, NOW_MINUTE)
    bars = await client.klines("BTCUSDT", start, end)
    assert [bar.open_time for bar in bars] == list(range(start, end, 60_000))
    asked = exchange.asked_for("/fapi/v1/klines")
    assert [a.parameters["limit"] for a in asked] == ["1500", "1500", "1001"]
    assert client.budget.used_weight(client.gate.now_ms()) == 30
    bar = bars[0]
    assert bar.row() == (1.0, 2.0, 0.5, start / 1e12, 114.602, 9615538.6678, 2239.0, 48.488, 4068722.1036)


async def test_the_open_bar_at_the_end_is_dropped(client: FuturesClient, exchange: Any, tools: Any) -> None:
    await client.synchronise()
    running = int(client.clock.now_ms(time.time() * 1000)) // 60_000 * 60_000
    serve_klines(exchange, tools, 0, running)
    bars = await client.klines("BTCUSDT", running - 10 * 60_000, running + 60_000)
    assert [bar.open_time for bar in bars][-2:] == [running - 120_000, running - 60_000]


async def test_a_clock_that_has_jumped_makes_no_bar_final(client: FuturesClient, exchange: Any, tools: Any) -> None:
    now_ms = time.time() * 1000
    running = int(now_ms) // 60_000 * 60_000
    client.clock.tell(now_ms, now_ms + 30 * 60_000, 1.0)
    serve_klines(exchange, tools, 0, running)
    bars = await client.klines("BTCUSDT", running - 10 * 60_000, running + 30 * 60_000)
    assert [bar.open_time for bar in bars][-2:] == [running - 120_000, running - 60_000]


async def test_a_halt_of_the_market_is_an_absence_not_an_end(client: FuturesClient, exchange: Any, tools: Any) -> None:
    start = NOW_MINUTE - 3_000 * 60_000
    halted = range(start + 10 * 60_000, start + 20 * 60_000, 60_000)
    serve_klines(exchange, tools, 0, NOW_MINUTE, absent=halted)
    bars = await client.klines("BTCUSDT", start, start + 2_500 * 60_000)
    assert [b.open_time for b in bars] == [
        t for t in range(start, start + 2_500 * 60_000, 60_000) if t not in halted
    ]  # fmt: skip


EXCHANGE_INFO = json.loads("""{"timezone":"UTC","serverTime":1761796815209,
 "rateLimits":[{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":6000},
  {"rateLimitType":"ORDERS","interval":"MINUTE","intervalNum":1,"limit":1100},
  {"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":290}],
 "symbols":[{"symbol":"BTCUSDT","pair":"BTCUSDT","contractType":"PERPETUAL","onboardDate":1569398400000,"status":"TRADING",
  "baseAsset":"BTC","quoteAsset":"USDT","pricePrecision":2,"quantityPrecision":3,"liquidationFee":"0.012500","newField":[1],
  "filters":[{"filterType":"PRICE_FILTER","minPrice":"556.80","maxPrice":"4529764","tickSize":"0.10"},
   {"filterType":"LOT_SIZE","minQty":"0.001","maxQty":"1000","stepSize":"0.001"},
   {"filterType":"MARKET_LOT_SIZE","minQty":"0.001","maxQty":"120","stepSize":"0.001"},
   {"filterType":"MAX_NUM_ORDERS","limit":200},{"filterType":"MIN_NOTIONAL","notional":"50"}]},
  {"symbol":"BTCUSDT_251226","contractType":"CURRENT_QUARTER","filters":[]},{"symbol":7}]}""")


async def test_instruments_with_filters_limits_and_brackets(client: FuturesClient, exchange: Any, tools: Any) -> None:
    exchange.answer("GET", "/fapi/v1/exchangeInfo", tools.Answer(EXCHANGE_INFO))
    brackets = {"symbol": "BTCUSDT", "brackets": [
        {"bracket": 2, "initialLeverage": 100, "notionalCap": 800000, "notionalFloor": 300000, "maintMarginRatio": 0.005,
         "cum": 300.0},
        {"bracket": 1, "initialLeverage": 150, "notionalCap": 300000, "notionalFloor": 0, "maintMarginRatio": 0.004,
         "cum": 0.0}]}  # fmt: skip
    exchange.answer("GET", "/fapi/v1/leverageBracket", tools.Answer([brackets]), tools.Answer(brackets))
    (instrument,) = with_brackets(await client.exchange_info(), await client.leverage_brackets())
    assert (instrument.tick_size, instrument.market_step_size, instrument.max_market_quantity) == (
        "0.10", "0.001", "120",
    )  # fmt: skip
    assert (instrument.min_notional, instrument.liquidation_fee) == ("50", "0.012500")
    assert instrument.brackets == (
        LeverageBracket(0, 300000, 0.004, 0.0, 150),
        LeverageBracket(300000, 800000, 0.005, 300.0, 100),
    )
    assert (client.budget.weight_limit, client.budget.order_limit) == (6000, 1100)
    assert await client.leverage_brackets() == {"BTCUSDT": instrument.brackets}  # the bare form
    assert tools.signature_is_right(exchange.asked_for("/fapi/v1/leverageBracket")[0])


async def test_account_answers(client: FuturesClient, exchange: Any, tools: Any) -> None:
    exchange.answer("GET", "/fapi/v3/balance", tools.Answer(
        [{"asset": "USDT", "balance": "9985.00000000", "crossUnPnl": "125.0", "availableBalance": "8603.75"},
         {"asset": "BNB", "balance": "", "crossUnPnl": "", "availableBalance": ""}]))  # fmt: skip
    exchange.answer("GET", "/fapi/v3/positionRisk", tools.Answer(
        [{"symbol": "BTCUSDT", "positionSide": "BOTH", "positionAmt": "-0.500", "entryPrice": "60000.0",
          "unRealizedProfit": "125.0", "liquidationPrice": "0", "adl": 2}]))  # fmt: skip
    exchange.answer(
        "GET",
        "/fapi/v3/account",
        tools.Answer(
            {
                "totalWalletBalance": "9985.0",
                "assets": [{"asset": "USDT", "walletBalance": "9985.0", "maintMargin": "120.5"}],
            }
        ),
    )
    usdt, bnb = await client.balance()
    assert (usdt.balance, usdt.cross_un_pnl, bnb.balance) == (9985.0, 125.0, 0.0)
    (risk,) = await client.position_risk()
    assert (risk.position_amt, risk.un_realized_profit) == (-0.5, 125.0)
    assert (await client.account()).assets[0].maint_margin == 120.5
    assert all(tools.signature_is_right(asked) for asked in exchange.asked)


async def test_leverage_margin_type_and_listen_key(client: FuturesClient, exchange: Any, tools: Any) -> None:
    exchange.answer(
        "POST", "/fapi/v1/leverage", tools.Answer({"leverage": 20, "maxNotionalValue": "1000", "symbol": "BTCUSDT"})
    )
    exchange.answer(
        "POST", "/fapi/v1/marginType",
        tools.Answer(**error(400, -4046, "No need to change margin type.")),
        tools.Answer(**error(400, -4048, "Margin type cannot be changed if there exists position.")),
    )  # fmt: skip
    exchange.answer("POST", "/fapi/v1/listenKey", tools.Answer({"listenKey": "pqia91ma"}))
    exchange.answer("PUT", "/fapi/v1/listenKey", tools.Answer(**error(400, -1125, "This listenKey does not exist.")))
    exchange.answer("DELETE", "/fapi/v1/listenKey", tools.Answer({}))
    assert (await client.set_leverage("BTCUSDT", 20)).max_notional_value == 1000.0
    await client.set_margin_type("BTCUSDT", MarginType.ISOLATED)  # -4046 is a success in effect
    with pytest.raises(Refused, match="-4048"):
        await client.set_margin_type("BTCUSDT", MarginType.ISOLATED)
    key = await client.create_listen_key()
    assert key == "pqia91ma"
    with pytest.raises(Refused, match="-1125"):
        await client.keep_listen_key(key)
    await client.close_listen_key(key)


async def test_orders_are_queried_and_cancelled_by_client_id(client: FuturesClient, exchange: Any, tools: Any) -> None:
    exchange.answer("GET", ORDER, tools.Answer({**ORDER_ANSWER, "avgPrice": "60000.5", "status": "EXPIRED_IN_MATCH"}))
    exchange.answer("DELETE", ORDER, tools.Answer(**error(400, -2011, "Unknown order sent.")))
    exchange.answer("GET", "/fapi/v1/openOrders", tools.Answer([{**ORDER_ANSWER, "type": "STOP", "price": "5"}]))
    report = await client.get_order("BTCUSDT", "atm-000001")
    assert (report.status, report.average_price) == (OrderStatus.EXPIRED, "60000.5")
    with pytest.raises(Refused) as refused:
        await client.cancel_order("BTCUSDT", "atm-000001")
    assert refused.value.code == -2011
    (cancel,) = [asked for asked in exchange.asked if asked.method == "DELETE"]
    assert cancel.parameters["origClientOrderId"] == "atm-000001" and tools.signature_is_right(cancel)
    assert (await client.open_orders("BTCUSDT"))[0].type is OrderType.LIMIT


async def test_a_symbol_outside_ascii_is_signed_as_it_is_sent(client: FuturesClient, exchange: Any, tools: Any) -> None:
    exchange.answer("GET", ORDER, tools.Answer(ORDER_ANSWER))
    exchange.answer("POST", ORDER, tools.Answer(ORDER_ANSWER))
    await client.get_order("币安人生USDT", "atm-1")
    await client.place(OrderTicket("币安人生USDT", Side.BUY, OrderType.MARKET, "1", "atm-1"))
    assert [asked.parameters["symbol"] for asked in exchange.asked] == ["币安人生USDT"] * 2
    assert all(tools.signature_is_right(asked) for asked in exchange.asked)


async def test_an_unreadable_status_of_an_accepted_order_is_unknown(
    client: FuturesClient, exchange: Any, tools: Any
) -> None:
    exchange.answer(
        "POST",
        ORDER,
        tools.Answer({**ORDER_ANSWER, "status": "INVENTED"}),
        tools.Answer({"code": 200}),
        tools.Answer(b'{"status": "\xff\xfe"}'),
        tools.Answer(b'{"code": -1007, "msg": "\xff"}', 503),
    )
    for _ in range(4):
        with pytest.raises(Unknown):
            await client.place(TICKET)


async def test_closing_lets_nobody_wait(exchange: Any) -> None:
    client = FuturesClient(exchange.addresses)
    client.budget.throttle(client.gate.now_ms(), 30_000.0)
    waiting = asyncio.create_task(client.server_time())
    await asyncio.sleep(0)
    await client.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_request_that_was_held_back_until_the_client_was_closed_was_not_sent(exchange: Any, tools: Any) -> None:
    """Keys of an account have changed while a request of its old client waited behind a shared gate."""
    async with FuturesClient(exchange.addresses) as market:
        client = FuturesClient(exchange.addresses, Credentials(tools.KEY, tools.SECRET), shared=market)
        market.budget.set_limits(weight=1)
        waiting = asyncio.create_task(client.server_time())
        await asyncio.sleep(0)
        await client.close()
        market.budget.set_limits(weight=2_400)
        market.gate.reconsider()
        with pytest.raises(Unavailable, match="given up before the request was sent"):
            await waiting
        with pytest.raises(Unavailable, match="given up"):
            await client.place(TICKET)
    assert not exchange.asked


@pytest.mark.parametrize("body", [b"", {}, [], {"serverTime": "soon"}, {"symbols": []}])
async def test_an_answer_without_what_was_asked_for_is_unavailable(
    client: FuturesClient, exchange: Any, tools: Any, body: Any
) -> None:
    """Not an error of the program, after which nobody would ask again; and no symbol is taken for gone."""
    for path in ("time", "exchangeInfo"):
        exchange.answer("GET", f"/fapi/v1/{path}", tools.Answer(body))
    with pytest.raises(Unavailable):
        await client.synchronise()
    with pytest.raises(Unavailable):
        await client.exchange_info()
