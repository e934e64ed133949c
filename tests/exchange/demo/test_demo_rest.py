"""REST of the demo exchange as a stranger to the program would use it: raw requests over the loopback."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from yarl import URL

from atm.exchange.demo.access import RateLimits, weight, weight_limit
from atm.exchange.demo.refusal import ExchangeRefusal
from atm.exchange.demo.server import DemoExchangeOptions, running_demo_exchange
from atm.model.interval import HOUR_MS, MINUTE_MS
from atm.storage.market_store import MarketStore
from atm.storage.sample import load_exchange_info, load_instruments

ASSETS = Path(__file__).parents[3] / "assets"
SYMBOL = "NEARUSDT"
T0 = 1_694_131_200_000 + 90_500
WALL_MS = 1_790_000_000_000.0


class Asker:
    """Sends requests with a key pair; the exchange's wall clock stands still at `WALL_MS`, so the market does at `T0`."""

    def __init__(self, session: aiohttp.ClientSession, rest: str) -> None:
        self._session, self.rest = session, rest

    async def raw(self, method: str, address: str, key: str = "", **more: Any) -> tuple[int, Any, Any]:
        headers = {"X-MBX-APIKEY": key} if key else {}
        async with self._session.request(
            method, URL(self.rest + address, encoded=True), headers=headers, **more
        ) as answer:
            is_json = answer.content_type == "application/json"
            return answer.status, (await answer.json() if is_json else await answer.text()), answer.headers

    async def get(self, path: str, **given: Any) -> Any:
        status, content, _ = await self.raw("GET", f"/fapi/{path}?{urlencode(given)}")
        assert status == 200, content
        return content

    async def signed(
        self, method: str, path: str, pair: tuple[str, str] = ("demo", "demo"), timestamp: int = T0, **given: Any
    ) -> tuple[int, Any]:
        payload = urlencode({**given, "timestamp": timestamp})
        signature = hmac.new(pair[1].encode(), payload.encode(), hashlib.sha256).hexdigest()
        status, content, _ = await self.raw(method, f"/fapi/{path}?{payload}&signature={signature}", pair[0])
        return status, content


@pytest.fixture
async def ask() -> AsyncIterator[Asker]:
    options = DemoExchangeOptions(speed=1.0, start_ms=T0)
    arguments = (options, MarketStore(ASSETS / "sample"), load_instruments(ASSETS), load_exchange_info(ASSETS))
    async with running_demo_exchange(*arguments, lambda: WALL_MS) as addresses, aiohttp.ClientSession() as session:
        yield Asker(session, addresses.rest)


async def test_public_answers_agree_with_each_other(ask: Asker) -> None:
    assert await ask.get("v1/ping") == {}
    assert await ask.get("v1/time") == {"serverTime": T0}
    newest = (await ask.get("v1/klines", symbol=SYMBOL, interval="1m", limit=2))[-1]
    assert newest[0] == T0 - T0 % MINUTE_MS and newest[6] == newest[0] + MINUTE_MS - 1
    assert newest == (await ask.get("v1/continuousKlines", pair=SYMBOL, contractType="PERPETUAL", interval="1m"))[-1]
    price = (await ask.get("v2/ticker/price", symbol=SYMBOL))["price"]
    assert float(price) == float(newest[4])
    trades = await ask.get("v1/aggTrades", symbol=SYMBOL, startTime=newest[0])
    assert sum(float(each["q"]) for each in trades) == float(newest[5])
    assert sum(each["l"] - each["f"] + 1 for each in trades) == newest[8]
    assert trades[-1]["p"] == price == (await ask.get("v1/trades", symbol=SYMBOL, limit=1))[0]["price"]
    assert trades[2:] == await ask.get("v1/aggTrades", symbol=SYMBOL, fromId=trades[2]["a"])
    book, best = await ask.get("v1/depth", symbol=SYMBOL, limit=5), await ask.get("v1/ticker/bookTicker", symbol=SYMBOL)
    assert [best["bidPrice"], best["bidQty"]] == book["bids"][0] and [best["askPrice"], best["askQty"]] == book["asks"][
        0
    ]
    day = await ask.get("v1/ticker/24hr", symbol=SYMBOL)
    assert day["lastPrice"] == price and day["count"] == day["lastId"] - day["firstId"] + 1
    premium = await ask.get("v1/premiumIndex", symbol=SYMBOL)
    assert premium["nextFundingTime"] == (T0 // (8 * HOUR_MS) + 1) * 8 * HOUR_MS
    assert float(premium["markPrice"]) == pytest.approx(float(price), rel=0.01)
    assert [row["fundingTime"] for row in await ask.get("v1/fundingRate", symbol=SYMBOL, limit=2)] == [
        premium["nextFundingTime"] - 16 * HOUR_MS, premium["nextFundingTime"] - 8 * HOUR_MS,
    ]  # fmt: skip
    assert await ask.get("v1/fundingInfo") == []
    assert {row["symbol"] for row in await ask.get("v1/ticker/price")} == {"AVAXUSDT", "FILUSDT", SYMBOL}


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("v1/klines?symbol=NEARUSDT", -1102),
        ("v1/klines?symbol=NEARUSDT&interval=1s", -1120),
        ("v1/klines?symbol=NEARUSDT&interval=1m&limit=1501", -1130),
        ("v1/klines?symbol=NEARUSDT&interval=1m&startTime=2&endTime=1", -1023),
        ("v1/klines?symbol=NOUSDT&interval=1m", -1121),
        ("v1/klines?symbol=NEARUSDT&symbol=FILUSDT&interval=1m", -1101),
        ("v1/continuousKlines?pair=NEARUSDT&contractType=QUARTER&interval=1m", -4104),
        ("v1/depth?symbol=NEARUSDT&limit=7", -4021),
        ("v1/aggTrades?symbol=NEARUSDT&startTime=0&endTime=3600001", -1127),
        ("v1/trades", -1102),
        ("v1/trades?symbol=NEARUSDT&limit=x", -1130),
    ],
)
async def test_what_public_requests_are_refused_for(ask: Asker, address: str, code: int) -> None:
    status, content, _ = await ask.raw("GET", f"/fapi/{address}")
    assert (status, content["code"]) == (400, code)


async def test_an_unknown_path_is_a_page_and_not_json(ask: Asker) -> None:
    status, content, _ = await ask.raw("GET", "/fapi/v1/nothing")
    assert status == 404 and content.startswith("<html>")


async def test_who_may_ask_and_when(ask: Asker) -> None:
    status, content, _ = await ask.raw("GET", "/fapi/v3/balance")
    assert (status, content["code"]) == (401, -2014)
    status, content, _ = await ask.raw("GET", f"/fapi/v3/balance?signature=1&timestamp={T0}", "demo")
    assert (status, content["code"]) == (400, -1022)
    status, content, _ = await ask.raw("GET", "/fapi/v3/balance?signature=1", "demo")
    assert (status, content["code"]) == (400, -1102)
    assert (await ask.signed("GET", "v3/balance", ("stranger", "demo")))[1]["code"] == -2015
    assert (await ask.signed("GET", "v3/balance", timestamp=T0 - 5_000))[0] == 200
    status, content = await ask.signed("GET", "v3/balance", timestamp=T0 - 5_001)
    assert (content["code"], "outside of the recvWindow" in content["msg"]) == (-1021, True)
    assert (await ask.signed("GET", "v3/balance", timestamp=T0 - 5_001, recvWindow=6_000))[0] == 200
    status, content = await ask.signed("GET", "v3/balance", timestamp=T0 + 1_000)
    assert (content["code"], "ahead of" in content["msg"]) == (-1021, True)
    assert (await ask.signed("GET", "v3/balance", recvWindow=60_001))[1]["code"] == -1130


async def test_signed_answers_of_a_fresh_account(ask: Asker) -> None:
    for path, expected in (
        ("v1/positionSide/dual", {"dualSidePosition": False}), ("v1/multiAssetsMargin", {"multiAssetsMargin": False}),
        ("v1/openOrders", []), ("v1/allOrders", []), ("v1/userTrades", []), ("v1/income", []), ("v3/positionRisk", []),
    ):  # fmt: skip
        assert await ask.signed("GET", path) == (200, expected), path
    assert [row["limit"] for row in (await ask.signed("GET", "v1/rateLimit/order"))[1]] == [300, 1_200]
    assert (await ask.signed("GET", "v1/commissionRate", symbol=SYMBOL))[1]["takerCommissionRate"] == "0.000500"
    assert (await ask.signed("GET", "v1/symbolConfig", symbol=SYMBOL))[1][0]["marginType"] == "CROSSED"
    assert (await ask.signed("GET", "v1/accountConfig"))[1]["canTrade"] is True
    brackets = (await ask.signed("GET", "v1/leverageBracket", symbol=SYMBOL))[1][0]["brackets"]
    assert brackets[0]["maintMarginRatio"] == 0.01 and brackets[1]["cum"] == 100.0
    for version in ("v2", "v3"):
        account = (await ask.signed("GET", f"{version}/account"))[1]
        assert account["totalWalletBalance"] == account["availableBalance"] == "10000.00000000"
        assert len(account["positions"]) == (3 if version == "v2" else 0)
        assert (await ask.signed("GET", f"{version}/balance"))[1][0]["balance"] == "10000.00000000"
    rows = (await ask.signed("GET", "v2/positionRisk"))[1]
    assert {(row["leverage"], row["marginType"], row["liquidationPrice"]) for row in rows} == {("20", "cross", "0")}
    assert (await ask.signed("POST", "v1/positionSide/dual", dualSidePosition="false"))[1]["code"] == -4059


async def test_life_of_an_order(ask: Asker) -> None:
    sent = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "quantity": "100", "price": "1.1", "timeInForce": "GTC"}
    assert await ask.signed("POST", "v1/order/test", **sent) == (200, {})
    assert (await ask.signed("GET", "v1/openOrders"))[1] == []
    placed = (await ask.signed("POST", "v1/order", newClientOrderId="one", **sent))[1]
    assert (placed["status"], placed["origQty"], "avgPrice" in placed) == ("NEW", "100", False)
    assert (await ask.signed("POST", "v1/order", newClientOrderId="one", **sent))[1]["code"] == -4116
    queried = (await ask.signed("GET", "v1/order", symbol=SYMBOL, orderId=placed["orderId"]))[1]
    assert (await ask.signed("GET", "v1/openOrder", symbol=SYMBOL, origClientOrderId="one"))[1] == queried
    assert (await ask.signed("GET", "v1/openOrders", symbol=SYMBOL))[1] == [queried]
    cancelled = (await ask.signed("DELETE", "v1/order", symbol=SYMBOL, origClientOrderId="one"))[1]
    assert cancelled["status"] == "CANCELED"
    assert (await ask.signed("GET", "v1/openOrder", symbol=SYMBOL, origClientOrderId="one"))[1]["code"] == -2013
    await ask.signed("POST", "v1/order", newClientOrderId="one", **sent)
    assert (await ask.signed("DELETE", "v1/allOpenOrders", symbol=SYMBOL))[1]["code"] == 200
    assert [order["status"] for order in (await ask.signed("GET", "v1/allOrders"))[1]] == ["CANCELED", "CANCELED"]
    market = {"symbol": SYMBOL, "side": "SELL", "type": "MARKET", "quantity": "100"}
    assert (await ask.signed("POST", "v1/order", **market))[1]["status"] == "NEW"
    filled = (await ask.signed("POST", "v1/order", newOrderRespType="RESULT", **market))[1]
    assert (filled["status"], filled["executedQty"]) == ("FILLED", "100")
    trades = (await ask.signed("GET", "v1/userTrades", symbol=SYMBOL))[1]
    assert [(trade["qty"], trade["maker"], trade["buyer"]) for trade in trades] == [("100", False, False)] * 2
    incomes = (await ask.signed("GET", "v1/income", incomeType="COMMISSION"))[1]
    assert [row["info"] for row in incomes] == [str(trade["id"]) for trade in trades]
    assert [float(row["income"]) for row in incomes] == [-float(trade["commission"]) for trade in trades]


async def test_weight_is_counted_then_refused_then_banned(ask: Asker) -> None:
    address = f"/fapi/v1/aggTrades?symbol={SYMBOL}&limit=1"  # weight 20 of 2400
    for used in range(1, 121):
        status, _, headers = await ask.raw("GET", address)
        assert (status, headers["X-MBX-USED-WEIGHT-1M"]) == (200, str(20 * used))
    answers = [await ask.raw("GET", address) for _ in range(21)]
    assert [status for status, _, _ in answers] == [429] * 19 + [418] * 2
    assert all(content["code"] == -1003 for _, content, _ in answers)
    assert answers[0][2]["Retry-After"] and f"banned until {WALL_MS + 120_000:.0f}" in answers[-1][1]["msg"]
    assert (await ask.raw("GET", "/fapi/v1/ping"))[0] == 418


def test_the_weight_that_exchange_info_states_holds() -> None:
    stated = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 9_000}
    assert weight_limit({"rateLimits": [stated]}) == 9_000
    assert weight_limit({}) == 2_400


def test_bans_grow_and_order_limits_are_per_account() -> None:
    limits, headers = RateLimits(weight_limit=10), {}
    for length_ms, start_ms in ((120_000.0, 0.0), (240_000.0, 600_000.0)):
        for _ in range(21):
            with pytest.raises(ExchangeRefusal) as refusal:
                limits.spend("a", 11, start_ms, headers)
            if refusal.value.status == 418:
                break
        with pytest.raises(ExchangeRefusal):
            limits.check_ban("a", start_ms + length_ms - 1, headers)
        limits.check_ban("a", start_ms + length_ms, headers)
    limits.check_ban("b", 0.0, headers)
    for _ in range(300):
        limits.count_order("demo", 0.0, headers)
    with pytest.raises(ExchangeRefusal) as refusal:
        limits.count_order("demo", 0.0, headers)
    assert (refusal.value.code, refusal.value.status) == (-1015, 429)
    limits.count_order("other", 0.0, headers)
    limits.count_order("demo", 10_000.0, headers)
    assert (headers["X-MBX-ORDER-COUNT-10S"], headers["X-MBX-ORDER-COUNT-1M"]) == ("1", "302")


async def test_every_account_has_its_own_keys_orders_and_listen_key(ask: Asker) -> None:
    _, made, _ = await ask.raw("POST", "/demo/control", json={"make_key": "second"})
    pair = (made["key"], made["secret"])
    order = {"symbol": SYMBOL, "side": "BUY", "type": "MARKET", "quantity": "100"}
    assert (await ask.signed("POST", "v1/order", pair, **order))[0] == 200
    assert float((await ask.signed("GET", "v3/positionRisk", pair))[1][0]["positionAmt"]) == 100
    assert (await ask.signed("GET", "v3/positionRisk"))[1] == []
    keys = [(await ask.raw("POST", "/fapi/v1/listenKey", key))[1]["listenKey"] for key in ("demo", pair[0], "demo")]
    assert keys[0] == keys[2] != keys[1] and len(keys[0]) == 64
    assert (await ask.raw("DELETE", "/fapi/v1/listenKey", "demo"))[1] == {}
    assert (await ask.raw("PUT", "/fapi/v1/listenKey", "demo"))[1]["code"] == -1125
    assert (await ask.raw("PUT", "/fapi/v1/listenKey", pair[0]))[1]["listenKey"] == keys[1]


async def test_batches_answer_each_element_and_count_as_the_exchange_counts_them(ask: Asker) -> None:
    row = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": 100, "price": "1.1"}
    rows = [{**row, "newClientOrderId": f"b{place}"} for place in range(5)]
    rows[1] = {**rows[1], "type": "STOP", "stopPrice": "1.2"}
    rows[2] = {**rows[2], "reduceOnly": True}

    async def sent(method: str, batch: Any) -> Any:
        text = batch if isinstance(batch, str) else json.dumps(batch, separators=(",", ":"))
        return await ask.signed(method, "v1/batchOrders", batchOrders=text)

    status, answers = await sent("POST", rows)
    assert (status, [each.get("code", each.get("status")) for each in answers]) == (
        200,
        ["NEW", -4120, -2022, "NEW", "NEW"],
    )
    for batch, code in (([*rows, row], -4082), ([], -4082), ("[{", -1130), ("[1]", -1130), ("", -1102)):
        assert (await sent("POST", batch))[1]["code"] == code
    changes = [{"symbol": SYMBOL, "origClientOrderId": name, "side": "BUY", "quantity": "100", "price": "1.09"} for name in
               ("b0", "b9")]  # fmt: skip
    assert [each.get("price", each.get("code")) for each in (await sent("PUT", changes))[1]] == ["1.09", -2013]
    payload = urlencode({"symbol": SYMBOL, "origClientOrderIdList": '["b0","b9","b3"]', "timestamp": T0})
    signature = hmac.new(b"demo", payload.encode(), hashlib.sha256).hexdigest()
    _, ended, headers = await ask.raw("DELETE", f"/fapi/v1/batchOrders?{payload}&signature={signature}", "demo")
    assert [each.get("status", each.get("code")) for each in ended] == ["CANCELED", -2011, "CANCELED"]
    assert "X-MBX-ORDER-COUNT-10S" not in headers
    many = json.dumps(list(range(11)))
    assert (await ask.signed("DELETE", "v1/batchOrders", symbol=SYMBOL, orderIdList=many))[1]["code"] == -4032
    assert (await ask.signed("DELETE", "v1/batchOrders", symbol=SYMBOL))[1]["code"] == -1102
    payload = urlencode({"batchOrders": json.dumps([row]), "timestamp": T0})
    signature = hmac.new(b"demo", payload.encode(), hashlib.sha256).hexdigest()
    _, _, headers = await ask.raw("POST", f"/fapi/v1/batchOrders?{payload}&signature={signature}", "demo")
    # Five requests before this one asked for new orders, one was an amendment and counts as well.
    assert (headers["X-MBX-ORDER-COUNT-10S"], headers["X-MBX-ORDER-COUNT-1M"]) == ("40", "8")


async def test_what_is_asked_of_a_countdown_and_of_liquidations(ask: Asker) -> None:
    asked = {"symbol": SYMBOL, "countdownTime": 60_000}
    assert (await ask.signed("POST", "v1/countdownCancelAll", **asked))[1] == {
        "symbol": SYMBOL,
        "countdownTime": "60000",
    }
    assert (await ask.signed("POST", "v1/countdownCancelAll", symbol=SYMBOL))[1]["code"] == -1102
    assert (await ask.signed("POST", "v1/countdownCancelAll", symbol=SYMBOL, countdownTime=0))[0] == 200
    assert (await ask.signed("GET", "v1/forceOrders", autoCloseType="LIQUIDATION"))[1] == []
    assert (await ask.signed("GET", "v1/forceOrders", autoCloseType="OTHER"))[1]["code"] == -1130
    assert (await ask.signed("POST", "v1/feeBurn", feeBurn="true"))[1]["code"] == -4084
    assert (await ask.signed("POST", "v1/algoOrder", symbol=SYMBOL))[1]["code"] == -1102
    assert (await ask.signed("GET", "v1/algoOrder"))[1]["code"] == -1102
    assert (await ask.signed("GET", "v1/algoOrder", algoId=77))[1]["code"] == -2013
    assert (await ask.signed("DELETE", "v1/algoOrder", algoId=77))[1]["code"] == -2011


@pytest.mark.parametrize(
    ("method", "path", "given", "expected"),
    [
        ("POST", "v1/order", {}, 0), ("PUT", "v1/order", {}, 0), ("DELETE", "v1/order", {}, 1), ("POST", "v1/algoOrder", {}, 0),
        ("GET", "v1/algoOrder", {}, 1), ("POST", "v1/batchOrders", {}, 5), ("PUT", "v1/batchOrders", {}, 5),
        ("DELETE", "v1/batchOrders", {}, 1), ("POST", "v1/countdownCancelAll", {}, 10), ("GET", "v1/openOrders", {}, 40),
        ("GET", "v1/openAlgoOrders", {"symbol": SYMBOL}, 1), ("GET", "v1/openAlgoOrders", {}, 40), ("GET", "v1/forceOrders", {}, 50),
        ("GET", "v1/allAlgoOrders", {"symbol": SYMBOL}, 5), ("GET", "v1/multiAssetsMargin", {}, 30),
        ("POST", "v1/multiAssetsMargin", {}, 1), ("GET", "v1/positionMargin/history", {}, 1), ("GET", "v1/adlQuantile", {}, 5),
    ],
)  # fmt: skip
def test_weights_are_those_of_the_exchange(method: str, path: str, given: dict[str, str], expected: int) -> None:
    assert weight(method, path, given) == expected
