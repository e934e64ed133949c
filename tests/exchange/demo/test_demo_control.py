"""The market of the demo exchange held, stepped and moved forward, and its accounts administered, over real sockets."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from atm.exchange.client.demo_control import control
from atm.exchange.client.rest import FuturesClient
from atm.exchange.client.transport import Credentials
from atm.exchange.demo.clock import DEFAULT_START_MS, MarketClock, resumed
from atm.exchange.demo.server import DemoExchangeOptions, running_demo_exchange
from atm.model.demo_state import DemoCommand, DemoDeposit
from atm.model.endpoint import Addresses
from atm.model.errors import Invalid, Refused, Unavailable
from atm.model.interval import DAY_MS, MINUTE_MS
from atm.model.order import OrderTicket, OrderType, Side, TimeInForce
from atm.storage.market_store import MarketStore
from atm.storage.sample import load_exchange_info, load_instruments

ASSETS = Path(__file__).parents[3] / "assets"
SYMBOL = "NEARUSDT"


def serving(home: Path | None = None):  # type: ignore[no-untyped-def]
    options = DemoExchangeOptions(speed=1.0, start_ms=DEFAULT_START_MS, home=home)
    return running_demo_exchange(
        options, MarketStore(ASSETS / "sample"), load_instruments(ASSETS), load_exchange_info(ASSETS)
    )


@pytest.fixture
async def addresses() -> AsyncIterator[Addresses]:
    async with serving() as found:
        yield found


async def tell(addresses: Addresses, **wanted: Any):  # type: ignore[no-untyped-def]
    return await control(addresses.rest, DemoCommand(**wanted))


def test_a_paused_clock_stands_still_and_goes_on_where_it_was() -> None:
    clock = MarketClock(1_000_000.0, 0.0, 60.0).with_pause(1_000.0, True)
    assert (clock.at(1_000.0), clock.at(9_000.0)) == (1_060_000, 1_060_000)
    assert clock.wall_of(1_060_001) == math.inf
    assert clock.with_speed(5_000.0, 10.0).at(8_000.0) == 1_060_000
    assert resumed(clock, 10_000.0, 900_000.0).paused
    going = clock.with_pause(9_000.0, False)
    assert (going.at(9_000.0), going.at(10_000.0)) == (1_060_000, 1_120_000)


def test_a_clock_moves_forward_only() -> None:
    clock = MarketClock(1_000_000.0, 0.0, 60.0)
    assert clock.moved(1_000.0, 1_060_000).at(2_000.0) == 1_120_000
    with pytest.raises(Invalid, match="jump"):
        clock.moved(1_000.0, 1_059_999)


async def test_a_paused_market_stands_still_and_a_step_streams_the_closed_minute(addresses: Addresses) -> None:
    held, _ = await tell(addresses, pause=True)
    async with aiohttp.ClientSession() as session:
        socket = await session.ws_connect(f"{addresses.stream}/market/ws/{SYMBOL.lower()}@kline_1m")
        stepped, _ = await tell(addresses, step=1)
        assert stepped.paused and stepped.market_ms == held.market_ms + MINUTE_MS
        closed = []
        while not closed:
            message = json.loads((await socket.receive(5)).data)
            closed = [message["k"]["t"]] if message["k"]["x"] else []
        assert closed == [held.market_ms - held.market_ms % MINUTE_MS]
    assert (await control(addresses.rest))[0].market_ms == stepped.market_ms
    going, _ = await tell(addresses, pause=False)
    assert not going.paused and stepped.market_ms <= going.market_ms < stepped.market_ms + 5_000


async def test_a_jump_goes_forward_within_the_recording_and_its_minutes_can_be_had(addresses: Addresses) -> None:
    held, _ = await tell(addresses, pause=True)
    there_ms = held.market_ms + 3 * DAY_MS
    moved, _ = await tell(addresses, jump=there_ms)
    assert (moved.market_ms, moved.paused) == (there_ms, True)
    async with FuturesClient(addresses) as client:
        await client.synchronise()
        bars = await client.klines(SYMBOL, there_ms - DAY_MS, there_ms - 2 * MINUTE_MS)
    assert len(bars) == 1_438
    for wrong in (held.market_ms, there_ms, moved.last_ms + 1):
        with pytest.raises(Refused, match=r"jump: .* is not allowed; allowed: a time after the market's present"):
            await tell(addresses, jump=wrong)
    assert (await control(addresses.rest))[0].market_ms == there_ms


async def test_orders_and_funding_happen_during_a_jump(addresses: Addresses) -> None:
    async with FuturesClient(addresses, Credentials("demo", "demo")) as client:
        await client.synchronise()
        await client.place(OrderTicket(SYMBOL, Side.BUY, OrderType.MARKET, "100", "held"))
        before = await client.server_time()
        await tell(addresses, jump=before + DAY_MS)
        incomes = await client._library.futures_income_history(incomeType="FUNDING_FEE")
    assert len(incomes) == 3  # 08:00, 16:00 and 00:00


async def test_a_key_belongs_to_an_account_whose_balance_can_be_changed(addresses: Addresses) -> None:
    state, made = await tell(addresses, make_key="second")
    assert made is not None and made.secret not in repr(made)
    assert [(account.name, account.keys) for account in state.accounts] == [
        ("demo", ("demo",)),
        ("second", (made.key,)),
    ]
    await tell(addresses, deposit=DemoDeposit("second", 500.0))
    async with FuturesClient(addresses, Credentials(made.key, made.secret)) as client:
        await client.synchronise()
        assert (await client.balance())[0].balance == 10_500.0
        await client.place(OrderTicket(SYMBOL, Side.BUY, OrderType.MARKET, "100", "held"))
        await client.place(OrderTicket(SYMBOL, Side.BUY, OrderType.LIMIT, "100", "rests", "1.0", TimeInForce.GTC))
        with pytest.raises(Refused, match=r"amount: .* at most .* USDT can be paid out"):
            await tell(addresses, deposit=DemoDeposit("second", -10_500.0))
        state, _ = await tell(addresses, reset="second")
        assert (state.accounts[1].balance, state.accounts[1].positions, state.accounts[1].open_orders) == (
            10_000.0,
            0,
            0,
        )
        assert await client.position_risk() == () and await client.open_orders() == ()


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ({"speed": 0.5}, "speed: 0.5 is not allowed; allowed: 1 to 1000"),
        ({"step": 1_441}, "step: 1441 is not allowed; allowed: 1 to 1,440 minutes"),
        ({"reset": "nobody"}, "account: 'nobody' is not allowed; allowed: one of the accounts: demo"),
        ({"make_key": " x"}, "account: ' x' is not allowed"),
        ({"deposit": DemoDeposit("demo", 0.0)}, "amount: 0.0 is not allowed"),
    ],
)
async def test_what_cannot_be_done_is_said_in_a_sentence(
    addresses: Addresses, wanted: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(Refused) as refused:
        await tell(addresses, **wanted)
    assert sentence in str(refused.value)


async def test_nobody_there() -> None:
    with pytest.raises(Unavailable, match=r"no demo exchange answers at http://127.0.0.1:1"):
        await control("http://127.0.0.1:1")
    with pytest.raises(Invalid, match="address"):
        await control("nowhere")


async def test_a_paused_market_is_still_paused_after_a_restart(tmp_path: Path) -> None:
    async with serving(tmp_path) as addresses:
        held, _ = await tell(addresses, pause=True)
    async with serving(tmp_path) as addresses:
        again, _ = await control(addresses.rest)
    assert (again.paused, again.market_ms) == (True, held.market_ms)
