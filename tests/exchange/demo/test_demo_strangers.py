"""Strangers' clients trade on the demo exchange: every call of a table is carried out over real sockets, by libraries that
know nothing of this program. docs/demo-exchange.md shows the tables.

The market is replayed at the present time and in real time, so the clients' own clocks and signatures are checked.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from binance.async_client import AsyncClient
from binance.exceptions import BinanceAPIException
from binance.ws.streams import BinanceSocketManager

from atm.exchange.demo.server import DemoExchangeOptions, running_demo_exchange
from atm.model.endpoint import Addresses
from atm.storage.market_store import MarketStore
from atm.storage.sample import load_exchange_info, load_instruments

ASSETS = Path(__file__).parents[3] / "assets"
SYMBOL = "NEARUSDT"


@pytest.fixture
async def addresses() -> AsyncIterator[Addresses]:
    options = DemoExchangeOptions(speed=1.0, start_ms=int(time.time() * 1000))
    arguments = (options, MarketStore(ASSETS / "sample"), load_instruments(ASSETS), load_exchange_info(ASSETS))
    async with running_demo_exchange(*arguments) as found:
        yield found


async def set_speed(addresses: Addresses, speed: float) -> None:
    address = f"{addresses.rest}/demo/control"
    async with aiohttp.ClientSession() as session, session.post(address, json={"speed": speed}) as answer:
        assert answer.status == 200


# --- python-binance -------------------------------------------------------------------------------------------------------


@pytest.fixture
async def client(addresses: Addresses) -> AsyncIterator[AsyncClient]:
    own = type("Own", (AsyncClient,), {"FUTURES_URL": f"{addresses.rest}/fapi", "API_URL": f"{addresses.rest}/api"})
    made = await own.create("demo", "demo")
    yield made
    await made.close_connection()


async def price_of(client: AsyncClient) -> float:
    return float((await client.futures_symbol_ticker(symbol=SYMBOL))["price"])


async def test_python_binance_orders(client: AsyncClient) -> None:
    price = await price_of(client)
    low = f"{price * 0.97:.3f}"
    rest = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "100", "price": low}
    assert await client.futures_create_test_order(**rest) == {}
    placed = await client.futures_create_order(**rest, newClientOrderId="one")
    assert (placed["status"], placed["clientOrderId"]) == ("NEW", "one")
    named = {"symbol": SYMBOL, "origClientOrderId": "one"}
    assert (await client.futures_get_order(**named))["orderId"] == placed["orderId"]
    assert (await client.futures_v1_get_open_order(**named))["price"] == low
    lower = f"{price * 0.96:.3f}"
    changed = await client.futures_modify_order(**named, side="BUY", quantity="200", price=lower)
    assert (changed["price"], changed["origQty"], changed["orderId"]) == (lower, "200", placed["orderId"])
    (entry,) = await client.futures_v1_get_order_amendment(**named)
    assert entry["amendment"]["price"] == {"before": low, "after": lower}
    batch = [
        {**rest, "newClientOrderId": "b-1"},
        {**rest, "newClientOrderId": "b-2", "timeInForce": "GTX"},
        {**rest, "newClientOrderId": "b-3", "quantity": "1"},
    ]
    answers = await client.futures_place_batch_order(batchOrders=batch)
    assert [answer.get("clientOrderId", answer.get("code")) for answer in answers] == ["b-1", "b-2", -4164]
    assert {each["clientOrderId"] for each in await client.futures_get_open_orders(symbol=SYMBOL)} == {
        "one",
        "b-1",
        "b-2",
    }
    assert (await client.futures_cancel_order(symbol=SYMBOL, origClientOrderId="b-1"))["status"] == "CANCELED"
    assert (await client.futures_countdown_cancel_all(symbol=SYMBOL, countdownTime=120_000))[
        "countdownTime"
    ] == "120000"
    assert (await client.futures_cancel_all_open_orders(symbol=SYMBOL))["code"] == 200
    with pytest.raises(BinanceAPIException) as refusal:
        await client.futures_cancel_order(**named)
    assert (refusal.value.code, refusal.value.status_code) == (-2011, 400)
    market = {"symbol": SYMBOL, "type": "MARKET", "quantity": "100", "newOrderRespType": "RESULT"}
    assert (await client.futures_create_order(**market, side="BUY"))["status"] == "FILLED"
    (position,) = await client.futures_position_information(symbol=SYMBOL)
    assert float(position["positionAmt"]) == 100
    assert (await client.futures_create_order(**market, side="SELL", reduceOnly="true"))["executedQty"] == "100"
    assert [each["status"] for each in await client.futures_get_all_orders(symbol=SYMBOL)] == [
        "CANCELED", "CANCELED", "CANCELED", "FILLED", "FILLED",
    ]  # fmt: skip
    assert [each["buyer"] for each in await client.futures_account_trades(symbol=SYMBOL)] == [True, False]


async def test_python_binance_conditional_orders(client: AsyncClient) -> None:
    price = await price_of(client)
    stop = {
        "symbol": SYMBOL,
        "side": "SELL",
        "type": "STOP_MARKET",
        "stopPrice": f"{price * 0.9:.3f}",
        "quantity": "50",
    }
    placed = await client.futures_create_order(**stop, clientAlgoId="stop-1")  # the library turns it into an algo order
    assert (placed["clientAlgoId"], placed["algoStatus"], placed["orderType"]) == ("stop-1", "NEW", "STOP_MARKET")
    trail = {"symbol": SYMBOL, "side": "SELL", "type": "TRAILING_STOP_MARKET", "callbackRate": "1.5", "quantity": "50"}
    second = await client.futures_create_algo_order(**trail, algoType="CONDITIONAL")
    assert (await client.futures_get_algo_order(clientAlgoId="stop-1"))["actualOrderId"] == ""
    assert (await client.futures_get_order(symbol=SYMBOL, clientAlgoId="stop-1"))["algoId"] == placed["algoId"]
    both = {placed["algoId"], second["algoId"]}
    assert {each["algoId"] for each in await client.futures_get_open_algo_orders(symbol=SYMBOL)} == both
    assert {each["algoId"] for each in await client.futures_get_open_orders(symbol=SYMBOL, conditional=True)} == both
    cancelled = await client.futures_cancel_algo_order(clientAlgoId="stop-1")
    assert (cancelled["code"], cancelled["msg"]) == ("200", "success")
    assert (await client.futures_cancel_all_algo_open_orders(symbol=SYMBOL))["code"] == 200
    ended = await client.futures_get_all_algo_orders(symbol=SYMBOL)
    assert [each["algoStatus"] for each in ended] == ["CANCELED", "CANCELED"]
    with pytest.raises(BinanceAPIException) as refusal:  # the way of before December 2025
        await client._request_futures_api("post", "order", True, data=stop)
    assert refusal.value.code == -4120


async def test_python_binance_account_and_settings(client: AsyncClient) -> None:
    assert (await client.futures_account_balance())[0]["balance"] == "10000.00000000"
    for version in (2, 3):
        assert (await client.futures_account(version=version))["availableBalance"] == "10000.00000000"
    assert (await client.futures_change_leverage(symbol=SYMBOL, leverage=10))["leverage"] == 10
    assert (await client.futures_change_margin_type(symbol=SYMBOL, marginType="ISOLATED"))["code"] == 200
    await client.futures_create_order(symbol=SYMBOL, side="BUY", type="MARKET", quantity="100")
    assert (await client.futures_change_position_margin(symbol=SYMBOL, amount="20", type=1))["code"] == 200
    (moved,) = await client.futures_position_margin_history(symbol=SYMBOL)
    assert (moved["amount"], moved["type"]) == ("20.00000000", 1)
    assert (await client.futures_symbol_config(symbol=SYMBOL))[0]["marginType"] == "ISOLATED"
    assert (await client.futures_account_config())["canTrade"] is True
    assert (await client.futures_get_position_mode()) == {"dualSidePosition": False}
    assert (await client.futures_get_multi_assets_mode()) == {"multiAssetsMargin": False}
    assert (await client.futures_v1_get_fee_burn()) == {"feeBurn": False}
    for ask, code in (
        (client.futures_change_position_mode(dualSidePosition="false"), -4059),
        (client.futures_change_position_mode(dualSidePosition="true"), -4084),
        (client.futures_change_multi_assets_mode(False), -4171),
    ):
        with pytest.raises(BinanceAPIException) as refusal:
            await ask
        assert refusal.value.code == code
    assert (await client.futures_commission_rate(symbol=SYMBOL))["makerCommissionRate"] == "0.000200"
    assert (await client.futures_leverage_bracket(symbol=SYMBOL))[0]["brackets"][0]["initialLeverage"] == 75
    assert [each["incomeType"] for each in await client.futures_income_history()] == ["COMMISSION"]
    assert (await client.futures_adl_quantile_estimate(symbol=SYMBOL))[0]["adlQuantile"]["BOTH"] == 1
    assert await client.futures_liquidation_orders(symbol=SYMBOL) == []
    assert (await client.futures_api_trading_status())["indicators"] == {}
    assert len(await client.futures_v1_get_rate_limit_order()) == 2


async def test_python_binance_user_stream(client: AsyncClient, addresses: Addresses) -> None:
    manager = BinanceSocketManager(client)
    manager.FSTREAM_URL = f"{addresses.stream}/"
    async with manager.futures_user_socket() as socket, asyncio.timeout(30):
        await client.futures_change_leverage(symbol=SYMBOL, leverage=5)
        assert (await socket.recv())["ac"] == {"s": SYMBOL, "l": 5}
        await client.futures_create_order(symbol=SYMBOL, side="BUY", type="MARKET", quantity="100")
        kinds = [(await socket.recv())["e"] for _ in range(4)]
        assert kinds == ["ORDER_TRADE_UPDATE", "TRADE_LITE", "ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE"]
        await client.futures_create_order(
            symbol=SYMBOL, side="SELL", type="TRAILING_STOP_MARKET", callbackRate="0.1", quantity="100", reduceOnly="true",
            clientAlgoId="trail",
        )  # fmt: skip
        await set_speed(addresses, 1000.0)
        states: list[str] = []
        while "FINISHED" not in states:
            event = await socket.recv()
            states += [event["o"]["X"]] if event["e"] == "ALGO_UPDATE" else []
        assert states == ["NEW", "NEW", "TRIGGERING", "TRIGGERED", "FINISHED"]
    assert await client.futures_position_information(symbol=SYMBOL) == []
    key = await client.futures_stream_get_listen_key()
    assert (await client.futures_stream_keepalive(key))["listenKey"] == key
    assert await client.futures_stream_close(key) == {}


# --- the exchange's own SDK -----------------------------------------------------------------------------------------------


def sdk_calls(sdk: Any, price: float) -> list[tuple[str, Callable[[], Any]]]:
    """Calls of the SDK's REST client in an order in which each has something to answer."""
    low, limit = f"{price * 0.97:.3f}", {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "time_in_force": "GTC"}
    rest = limit | {"quantity": 100, "price": low}
    market = {"symbol": SYMBOL, "type": "MARKET", "quantity": 100}
    algo = {"algo_type": "CONDITIONAL", "symbol": SYMBOL, "side": "SELL", "type": "STOP_MARKET", "quantity": 50}
    named = {"symbol": SYMBOL, "orig_client_order_id": "one"}
    return [
        ("test_order", lambda: sdk.test_order(**rest)),
        ("new_order", lambda: sdk.new_order(**rest, new_client_order_id="one")),
        ("query_order", lambda: sdk.query_order(**named)),
        ("query_current_open_order", lambda: sdk.query_current_open_order(**named)),
        ("current_all_open_orders", lambda: sdk.current_all_open_orders(symbol=SYMBOL)),
        ("modify_order", lambda: sdk.modify_order(**named, side="BUY", quantity=200, price=f"{price * 0.96:.3f}")),
        ("get_order_modify_history", lambda: sdk.get_order_modify_history(**named)),
        ("auto_cancel_all_open_orders", lambda: sdk.auto_cancel_all_open_orders(SYMBOL, 120_000)),
        ("cancel_order", lambda: sdk.cancel_order(**named)),
        ("place_multiple_orders", lambda: sdk.place_multiple_orders([
            {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "100", "price": low,
             "newClientOrderId": name} for name in ("m-1", "m-2")])),
        ("modify_multiple_orders", lambda: sdk.modify_multiple_orders([
            {"symbol": SYMBOL, "origClientOrderId": "m-1", "side": "BUY", "quantity": "300", "price": low}])),
        ("cancel_multiple_orders", lambda: sdk.cancel_multiple_orders(SYMBOL, orig_client_order_id_list=["m-1", "m-2"])),
        ("cancel_all_open_orders", lambda: sdk.cancel_all_open_orders(SYMBOL)),
        ("new_algo_order", lambda: sdk.new_algo_order(**algo, trigger_price=f"{price * 0.9:.3f}", client_algo_id="s-1")),
        ("query_algo_order", lambda: sdk.query_algo_order(client_algo_id="s-1")),
        ("current_all_algo_open_orders", lambda: sdk.current_all_algo_open_orders(symbol=SYMBOL)),
        ("cancel_algo_order", lambda: sdk.cancel_algo_order(client_algo_id="s-1")),
        ("cancel_all_algo_open_orders", lambda: sdk.cancel_all_algo_open_orders(SYMBOL)),
        ("query_all_algo_orders", lambda: sdk.query_all_algo_orders(SYMBOL)),
        ("change_initial_leverage", lambda: sdk.change_initial_leverage(SYMBOL, 10)),
        ("change_margin_type", lambda: sdk.change_margin_type(SYMBOL, "ISOLATED")),
        ("new_order (market)", lambda: sdk.new_order(**market, side="BUY", new_order_resp_type="RESULT")),
        ("modify_isolated_position_margin", lambda: sdk.modify_isolated_position_margin(SYMBOL, 20, "1")),
        ("get_position_margin_change_history", lambda: sdk.get_position_margin_change_history(SYMBOL)),
        ("position_information_v2", lambda: sdk.position_information_v2(SYMBOL)),
        ("position_information_v3", lambda: sdk.position_information_v3(SYMBOL)),
        ("position_adl_quantile_estimation", lambda: sdk.position_adl_quantile_estimation(SYMBOL)),
        ("account_information_v2", sdk.account_information_v2),
        ("account_information_v3", sdk.account_information_v3),
        ("futures_account_balance_v2", sdk.futures_account_balance_v2),
        ("futures_account_balance_v3", sdk.futures_account_balance_v3),
        ("futures_account_configuration", sdk.futures_account_configuration),
        ("symbol_configuration", lambda: sdk.symbol_configuration(SYMBOL)),
        ("get_current_position_mode", sdk.get_current_position_mode),
        ("get_current_multi_assets_mode", sdk.get_current_multi_assets_mode),
        ("get_bnb_burn_status", sdk.get_bnb_burn_status),
        ("query_user_rate_limit", sdk.query_user_rate_limit),
        ("user_commission_rate", lambda: sdk.user_commission_rate(SYMBOL)),
        ("notional_and_leverage_brackets", lambda: sdk.notional_and_leverage_brackets(SYMBOL)),
        ("all_orders", lambda: sdk.all_orders(SYMBOL)),
        ("account_trade_list", lambda: sdk.account_trade_list(SYMBOL)),
        ("get_income_history", sdk.get_income_history),
        ("users_force_orders", sdk.users_force_orders),
        ("start_user_data_stream", sdk.start_user_data_stream),
        ("keepalive_user_data_stream", sdk.keepalive_user_data_stream),
        ("close_user_data_stream", sdk.close_user_data_stream),
        ("test_connectivity", sdk.test_connectivity),
        ("check_server_time", sdk.check_server_time),
        ("exchange_information", sdk.exchange_information),
        ("order_book", lambda: sdk.order_book(SYMBOL, limit=5)),
        ("kline_candlestick_data", lambda: sdk.kline_candlestick_data(SYMBOL, "1m", limit=5)),
        ("compressed_aggregate_trades_list", lambda: sdk.compressed_aggregate_trades_list(SYMBOL, limit=5)),
        ("mark_price", lambda: sdk.mark_price(SYMBOL)),
        ("symbol_price_ticker_v2", lambda: sdk.symbol_price_ticker_v2(SYMBOL)),
    ]  # fmt: skip


_NOT_OURS = {
    "code", "msg",  # of refused elements of a batch
    "activate_price", "price_rate",  # of trailing orders before they moved to the algo service
    "notional_coef",  # of accounts with adjusted brackets
    "hedge",  # of hedge mode
}  # fmt: skip


def missing(value: Any) -> set[str]:
    """Fields that the SDK knows of an answer and that the answer lacks."""
    if isinstance(value, list):
        return missing(value[0]) if value else set()
    value = getattr(value, "actual_instance", None) or value
    if not hasattr(type(value), "model_fields"):
        return set()
    wanted = set(type(value).model_fields) - {"additional_properties"}
    below = [missing(getattr(value, name)) for name in wanted & value.model_fields_set]
    return (wanted - value.model_fields_set).union(*below) - _NOT_OURS


async def test_the_sdk_of_the_exchange_understands_every_answer(
    sdk_client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Its models are made from the exchange's own API definition: an answer of another shape raises or is complained of."""
    sdk = sdk_client.rest_api
    ticker = await asyncio.to_thread(sdk.symbol_price_ticker_v2, SYMBOL)
    found: dict[str, Any] = {}
    for name, call in sdk_calls(sdk, float(ticker.data().to_dict()["price"])):
        try:
            found[name] = missing((await asyncio.to_thread(call)).data()) or None
        except Exception as error:  # noqa: BLE001 (each call is to be reported)
            found[name] = error
    assert {name: what for name, what in found.items() if what is not None} == {}
    assert [record.message for record in caplog.records if "did not match" in record.message] == []


async def test_the_sdk_of_the_exchange_understands_the_user_stream(sdk_client: Any) -> None:
    rest, kinds, filled = sdk_client.rest_api, [], asyncio.Event()

    def take(message: Any) -> None:
        event = message.actual_instance
        kinds.append(type(event).__name__)
        if len(kinds) == 6:
            filled.set()

    key = (await asyncio.to_thread(rest.start_user_data_stream)).data().listen_key
    connection = await sdk_client.websocket_streams.create_connection()
    try:
        (await connection.user_data(key)).on("message", take)
        await asyncio.to_thread(rest.new_order, symbol=SYMBOL, side="BUY", type="MARKET", quantity=100)
        stop = {"algo_type": "CONDITIONAL", "symbol": SYMBOL, "side": "SELL", "type": "STOP_MARKET", "quantity": 50}
        await asyncio.to_thread(lambda: rest.new_algo_order(**stop, trigger_price="0.9"))
        await asyncio.to_thread(rest.change_initial_leverage, SYMBOL, 7)
        async with asyncio.timeout(20):
            await filled.wait()
    finally:
        await connection.close_connection(close_session=True)
    trade = ["OrderTradeUpdate", "TradeLite", "AccountUpdate", "OrderTradeUpdate"]
    assert kinds == [*trade, "AlgoUpdate", "AccountConfigUpdate"]
