"""Every answer and every event of the demo exchange against the field lists of the exchange: missing, superfluous, wrongly typed."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import msgspec
import pytest
from yarl import URL

from atm.exchange.demo.documents import key_expired_event
from atm.exchange.demo.market_events import contract_info
from atm.exchange.demo.server import DemoExchange, DemoExchangeOptions, serving
from atm.model.interval import HOUR_MS, MINUTE_MS, Interval
from atm.storage.market_store import MarketStore
from atm.storage.sample import load_exchange_info, load_instruments
from tests.exchange.demo.forms import (
    ANSWERS,
    DEC,
    EVENTS,
    INT,
    KLINE_ROW,
    NOT_OFFERED,
    ORDER,
    TEXT,
    Either,
    deviations,
)

ASSETS = Path(__file__).parents[3] / "assets"
SYMBOL = "NEARUSDT"
T0 = 1_694_131_200_000 + 90_500
WALL_MS = 1_790_000_000_000.0
ORDER_EVENTS = {
    "ORDER_TRADE_UPDATE",
    "TRADE_LITE",
    "ACCOUNT_UPDATE",
    "ACCOUNT_CONFIG_UPDATE",
    "ALGO_UPDATE",
    "MARGIN_CALL",
}


@pytest.mark.parametrize(
    ("form", "value", "found"),
    [
        ({"a": INT, "b?": TEXT}, {"a": 1}, []),
        ({"a": INT}, {"a": "1", "c": 0}, [".c: superfluous", ".a: not an integer but '1'"]),
        ({"a": INT}, {}, [".a: missing"]),
        ([{"p": DEC}], [{"p": "1.5"}, {"p": 1.5}], ["[1].p: not a decimal string but 1.5"]),
        ({"p": DEC}, {"p": "1e-05"}, [".p: not a decimal string but '1e-05'"]),
        (INT, True, [": not an integer but True"]),
        (Either((None, DEC)), "x", [": no null but 'x'"]),
    ],
)
def test_the_check_tells_what_deviates(form: Any, value: Any, found: list[str]) -> None:
    assert deviations(form, value) == found


def test_the_examples_of_the_documents_have_the_listed_fields() -> None:
    """The table against samples of the exchange itself: a recorded bar and a documented order."""
    row = [1790771340000, "83896.40", "83920.00", "83860.10", "83860.20", "114.602", 1790771399999, "9615538.66780", 2239, "48.488",
           "4068722.10360", "0"]  # fmt: skip
    assert deviations(KLINE_ROW, row) == []
    order = json.loads(
        '{"orderId":22542179,"symbol":"BTCUSDT","status":"NEW","clientOrderId":"atm-000001","price":"60000.00","origQty":"0.500",'
        '"executedQty":"0.000","cumQty":"0.000","timeInForce":"GTC","type":"LIMIT","reduceOnly":false,"closePosition":false,'
        '"side":"BUY","positionSide":"BOTH","stopPrice":"0.00","workingType":"CONTRACT_PRICE","priceProtect":false,'
        '"origType":"LIMIT","priceMatch":"NONE","selfTradePreventionMode":"EXPIRE_MAKER","goodTillDate":0,'
        '"updateTime":1790771299988}'
    )
    assert deviations(ORDER, order) == []


def made() -> DemoExchange:
    options = DemoExchangeOptions(speed=1.0, start_ms=T0)
    arguments = (options, MarketStore(ASSETS / "sample"), load_instruments(ASSETS), load_exchange_info(ASSETS))
    return DemoExchange(*arguments, lambda: WALL_MS)


class Visitor:
    """Asks for things and notes what deviates in the answers and in the events of the account."""

    def __init__(self, exchange: DemoExchange, session: aiohttp.ClientSession, rest: str) -> None:
        self.exchange, self._session, self._rest = exchange, session, rest
        self.answered: set[tuple[str, str]] = set()
        self.kinds: set[str] = set()
        self.found: list[str] = []
        emit = exchange.engine.emit

        def watch(account: Any, event: dict[str, Any]) -> None:
            self.event(event)
            emit(account, event)

        exchange.engine.emit = watch  # what the account's sockets are told, on its way

    def event(self, event: Any) -> None:
        told = json.loads(msgspec.json.encode(event))
        for each in told if isinstance(told, list) else [told]:
            self.kinds.add(each["e"])
            self.found += [f"{each['e']} {what}" for what in deviations(EVENTS[each["e"]], each)]

    async def ask(self, method: str, path: str, signed: bool = True, code: int = 0, **given: Any) -> Any:
        """`code`: of the refusal that is expected."""
        if signed:
            given |= {"timestamp": self.exchange.state().market_ms}
        query, headers = _signed(given) if signed else (urlencode(given), {"X-MBX-APIKEY": "demo"})
        async with self._session.request(
            method, URL(f"{self._rest}/fapi/{path}?{query}", encoded=True), headers=headers
        ) as answer:
            told = await answer.json()
        if code:
            assert told["code"] == code, told
            self.found += deviations({"code": INT, "msg": TEXT}, told, f"{method} {path}")
            return told
        assert answer.status == 200, (path, told)
        self.answered.add((method, path))
        self.found += deviations(ANSWERS[method, path], told, f"{method} {path}")
        return told


def _signed(given: dict[str, Any]) -> tuple[str, dict[str, str]]:
    query = urlencode(given)
    signature = hmac.new(b"demo", query.encode(), hashlib.sha256).hexdigest()
    return f"{query}&signature={signature}", {"X-MBX-APIKEY": "demo"}


@pytest.fixture
async def visitor() -> AsyncIterator[Visitor]:
    exchange = made()
    async with serving(exchange, DemoExchangeOptions()) as addresses, aiohttp.ClientSession() as session:
        yield Visitor(exchange, session, addresses.rest)


async def test_every_answer_has_the_fields_of_the_exchange(visitor: Visitor) -> None:
    await ask_for_the_market(visitor)
    await trade(visitor)
    await use_conditional_orders(visitor)
    await change_settings(visitor)
    await be_liquidated(visitor)
    assert sorted(set(visitor.found)) == []
    rest = visitor.exchange.rest
    routes = {*rest._public, *rest._signed, *((method, "v1/listenKey") for method in ("POST", "PUT", "DELETE"))}
    assert visitor.answered == routes == set(ANSWERS)
    assert visitor.kinds == ORDER_EVENTS
    for method, path in NOT_OFFERED:
        assert (method, path) not in routes


async def ask_for_the_market(visitor: Visitor) -> None:
    ask, symbol = visitor.ask, {"symbol": SYMBOL}
    for path in ("v1/ping", "v1/time", "v1/exchangeInfo", "v1/fundingInfo"):
        await ask("GET", path, signed=False)
    for name in ("ping", "time"):
        visitor.answered.add(("GET", f"v3/{name}"))  # the spot paths of the same handlers, under /api
    for path in ("v1/depth", "v1/rpiDepth", "v1/openInterest", "v1/trades", "v1/aggTrades",
                 "v1/premiumIndex", "v1/fundingRate", "v1/ticker/24hr",
                 "v1/ticker/price", "v2/ticker/price", "v1/ticker/bookTicker"):  # fmt: skip
        await ask("GET", path, signed=False, **symbol)
    for path in ("v1/premiumIndex", "v1/ticker/24hr", "v2/ticker/price", "v1/ticker/bookTicker"):
        await ask("GET", path, signed=False)
    for interval in Interval:
        await ask("GET", "v1/klines", signed=False, interval=interval.value, limit=3, **symbol)
    for path, name in (("continuousKlines", "pair"), ("markPriceKlines", "symbol"), ("premiumIndexKlines", "symbol"),
                       ("indexPriceKlines", "pair")):  # fmt: skip
        more = {"contractType": "PERPETUAL"} if path == "continuousKlines" else {}
        await ask("GET", f"v1/{path}", signed=False, interval="1h", limit=3, **{name: SYMBOL}, **more)
    await ask("GET", "v1/klines", signed=False, code=-1121, symbol="NOSUCH", interval="1m")


async def trade(visitor: Visitor) -> None:
    ask, symbol = visitor.ask, {"symbol": SYMBOL}
    price = float((await ask("GET", "v2/ticker/price", signed=False, **symbol))["price"])
    rest = {
        **symbol,
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "100",
        "price": f"{price * 0.97:.3f}",
    }
    await ask("POST", "v1/order/test", **rest)
    await ask("POST", "v1/order", newClientOrderId="one", **rest)
    named = {**symbol, "origClientOrderId": "one"}
    for path in ("v1/order", "v1/openOrder"):
        await ask("GET", path, **named)
    for path in ("v1/openOrders", "v3/account", "v2/account", "v3/positionRisk", "v2/positionRisk"):
        await ask("GET", path)
    await ask("PUT", "v1/order", **named, side="BUY", quantity="200", price=f"{price * 0.96:.3f}", modifyId=7)
    await ask("GET", "v1/order", **named)
    await ask("GET", "v1/orderAmendment", **named)
    batch = [{**rest, "newClientOrderId": "b-1"}, {**rest, "newClientOrderId": "b-2", "quantity": "1"}]
    await ask("POST", "v1/batchOrders", batchOrders=json.dumps(batch))
    change = [{**symbol, "origClientOrderId": "b-1", "side": "BUY", "quantity": "300", "price": rest["price"]}]
    await ask("PUT", "v1/batchOrders", batchOrders=json.dumps(change))
    await ask("DELETE", "v1/batchOrders", **symbol, origClientOrderIdList='["b-1","b-9"]')
    await ask("POST", "v1/countdownCancelAll", **symbol, countdownTime=120_000)
    await ask("DELETE", "v1/order", **named)
    await ask("DELETE", "v1/order", code=-2011, **named)
    await ask("DELETE", "v1/allOpenOrders", **symbol)
    for kind in ("ACK", "RESULT"):
        await ask("POST", "v1/order", **symbol, side="BUY", type="MARKET", quantity="100", newOrderRespType=kind)
    for path in (
        "v3/account",
        "v2/account",
        "v3/positionRisk",
        "v2/positionRisk",
        "v3/balance",
        "v2/balance",
        "v1/income",
    ):
        await ask("GET", path)
    for path in ("v1/allOrders", "v1/userTrades", "v1/adlQuantile"):
        await ask("GET", path, **symbol)
    visitor.exchange.engine.cancel_all(visitor.exchange.engine.state.accounts["demo"], SYMBOL, T0)


async def use_conditional_orders(visitor: Visitor) -> None:
    ask, symbol = visitor.ask, {"symbol": SYMBOL}
    price = float((await ask("GET", "v2/ticker/price", signed=False, **symbol))["price"])
    stop = {**symbol, "algoType": "CONDITIONAL", "side": "SELL", "quantity": "50"}
    first = await ask("POST", "v1/algoOrder", **stop, type="STOP_MARKET", triggerPrice=f"{price * 0.9:.3f}")
    trail = {"type": "TRAILING_STOP_MARKET", "callbackRate": "0.1", "reduceOnly": "true"}
    await ask("POST", "v1/algoOrder", **stop, **trail)
    await ask("POST", "v1/algoOrder", **symbol, algoType="CONDITIONAL", side="SELL", type="TAKE_PROFIT_MARKET",
              closePosition="true", triggerPrice=f"{price * 1.2:.3f}")  # fmt: skip
    await ask("GET", "v1/algoOrder", algoId=first["algoId"])
    await ask("GET", "v1/openAlgoOrders")
    await visitor.exchange.jump(visitor.exchange.state().market_ms + HOUR_MS)  # the trailing stop fires
    await ask("GET", "v1/allAlgoOrders", **symbol)
    await ask("DELETE", "v1/algoOrder", algoId=first["algoId"])
    await ask("DELETE", "v1/algoOpenOrders", **symbol)
    await ask("GET", "v1/allAlgoOrders", **symbol)


async def change_settings(visitor: Visitor) -> None:
    ask, symbol = visitor.ask, {"symbol": SYMBOL}
    await ask("POST", "v1/order", **symbol, side="SELL", type="MARKET", quantity="1000", reduceOnly="true")
    await ask("POST", "v1/leverage", **symbol, leverage=50)
    await ask("POST", "v1/marginType", **symbol, marginType="ISOLATED")
    await ask("POST", "v1/order", **symbol, side="BUY", type="MARKET", quantity="1000")
    await ask("POST", "v1/positionMargin", **symbol, amount="5", type=1)
    await ask("GET", "v1/positionMargin/history", **symbol)
    for path in ("v3/account", "v3/positionRisk", "v2/positionRisk", "v1/symbolConfig", "v1/leverageBracket"):
        await ask("GET", path, **({} if path == "v3/account" else symbol))
    for path in ("v1/accountConfig", "v1/rateLimit/order", "v1/apiTradingStatus", "v1/positionSide/dual",
                 "v1/multiAssetsMargin", "v1/feeBurn"):  # fmt: skip
        await ask("GET", path)
    await ask("GET", "v1/commissionRate", **symbol)
    for path, name, code in (
        ("positionSide/dual", "dualSidePosition", -4059),
        ("multiAssetsMargin", "multiAssetsMargin", -4171),
    ):
        await ask("POST", f"v1/{path}", code=code, **{name: "false"})
        visitor.answered.add(("POST", f"v1/{path}"))  # only the refusals are modelled: there is nothing to change
    await ask("POST", "v1/feeBurn", feeBurn="false")
    for method in ("POST", "PUT", "DELETE"):
        await ask(method, "v1/listenKey", signed=False)


async def be_liquidated(visitor: Visitor) -> None:
    """A long and a short position at 50 times leverage, one after the other, until one is taken over; with funding on the way."""
    ask, exchange = visitor.ask, visitor.exchange
    for side in ("BUY", "SELL", "BUY", "SELL"):
        await exchange.jump(exchange.state().market_ms + 12 * HOUR_MS)
        if forced := await ask("GET", "v1/forceOrders"):
            told = exchange.streams.events.between(["!forceOrder@arr"], T0, exchange.state().market_ms + 1_000)
            bodies = [json.loads(msgspec.json.encode(event))["o"] for _, event in told]
            assert {(o["S"], o["q"], o["ap"], o["T"]) for o in bodies} <= {
                (each["side"], each["origQty"], each["price"], each["time"]) for each in forced
            }
            assert bodies
            return
        await ask("POST", "v1/order", symbol=SYMBOL, side=side, type="MARKET", quantity="2000")
    pytest.fail("the market did not move enough")


def test_every_market_event_has_the_fields_of_the_exchange() -> None:
    exchange = made()
    low = SYMBOL.lower()
    plain = ("aggTrade", "bookTicker", "markPrice", "markPrice@1s", "ticker", "miniTicker", "forceOrder", "depth", "depth@100ms",
             "depth@500ms", "depth5", "depth10@100ms", "depth20@500ms")  # fmt: skip
    streams = [f"{low}@{kind}" for kind in plain]
    streams += [f"{low}@kline_{interval.value}" for interval in Interval]
    streams += [f"{low}_perpetual@continuousKline_{interval.value}" for interval in Interval]
    streams += [
        "!bookTicker",
        "!markPrice@arr",
        "!markPrice@arr@1s",
        "!miniTicker@arr",
        "!ticker@arr",
        "!forceOrder@arr",
    ]
    exchange.engine.publish({"e": "forceOrder", "E": T0, "o": {"s": SYMBOL, "S": "SELL", "o": "LIMIT", "f": "IOC", "q": "9",
                             "p": "1.1", "ap": "1.1", "X": "FILLED", "l": "9", "z": "9", "T": T0}, "ps": SYMBOL, "st": 1})  # fmt: skip
    found: list[str] = []
    heard: set[str] = set()
    kinds: set[str] = set()
    events = exchange.streams.events
    for ms in range(T0, T0 + 2 * MINUTE_MS, 250):
        for stream, event in events.between(streams, ms, ms + 250):
            told = json.loads(msgspec.json.encode(event))
            heard.add(stream)
            for each in told if isinstance(told, list) else [told]:
                kinds.add(each["e"])
                found += [f"{stream} {what}" for what in deviations(EVENTS[each["e"]], each)]
    told = json.loads(msgspec.json.encode(contract_info(exchange.markets[SYMBOL].instrument, T0, with_brackets=True)))
    found += deviations(EVENTS["contractInfo"], told)
    listed = min(market.start_ms for market in exchange.markets.values())
    (_, listing), *_ = events.between(["!contractInfo"], listed - 1, listed)
    found += deviations(EVENTS["contractInfo"], json.loads(msgspec.json.encode(listing)))
    assert found == []
    assert heard == set(streams)
    assert kinds | {"contractInfo", "listenKeyExpired"} | ORDER_EVENTS == set(EVENTS)


def test_an_expired_listen_key_is_told_in_the_form_of_the_exchange() -> None:
    assert deviations(EVENTS["listenKeyExpired"], key_expired_event("abc", T0)) == []
