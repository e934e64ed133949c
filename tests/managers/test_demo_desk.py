"""What the Binance API manager does for the demo exchange's page, with a real demo exchange behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from atm.exchange.client.clock import ExchangeClock
from atm.exchange.client.demo_control import control
from atm.exchange.client.transport import wall_ms
from atm.exchange.demo.server import DemoExchangeOptions, running_demo_exchange
from atm.ipc.local import LocalBus
from atm.ipc.messages import (
    BINANCE_API,
    ControlDemo,
    DemoKeyMade,
    DemoUpdated,
    DescribeDemo,
    Done,
    Failed,
    MakeDemoKey,
    Reply,
    Request,
)
from atm.managers.demo_desk import DemoDesk
from atm.model.demo_state import DemoCommand
from atm.model.interval import DAY_MS
from atm.storage.market_store import MarketStore
from atm.storage.sample import load_exchange_info, load_instruments

ASSETS = Path(__file__).parents[2] / "assets"


class Desk:
    """The desk on a bus, and a page that asks it."""

    def __init__(self, rest: str) -> None:
        self.rest = rest
        self.bus, self.clock = LocalBus(), ExchangeClock()
        self.tasks: list[asyncio.Task[None]] = []
        self.told: list[DemoUpdated] = []
        self.page = self.bus.assistant("gui")
        self.page.subscribe(DemoUpdated, self.told.append)
        DemoDesk(
            self.bus.assistant(BINANCE_API), rest, lambda work: self.tasks.append(asyncio.create_task(work)), self.clock
        )

    async def ask(self, request: Request) -> Reply:
        replies: list[Reply] = []
        self.page.request_async(BINANCE_API, request, replies.append)
        self.bus.pump()
        await asyncio.gather(*self.tasks)
        self.bus.pump()
        (reply,) = replies
        return reply


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    arguments = MarketStore(ASSETS / "sample"), load_instruments(ASSETS), load_exchange_info(ASSETS)
    async with running_demo_exchange(DemoExchangeOptions(speed=60.0), *arguments) as addresses:
        yield Desk(addresses.rest)


async def test_a_command_is_carried_out_and_its_state_told_with_the_address(desk: Desk) -> None:
    assert await desk.ask(ControlDemo(DemoCommand(pause=True))) == Done()
    assert desk.told[-1].state.paused and desk.told[-1].rest == desk.rest
    refused = await desk.ask(ControlDemo(DemoCommand(speed=5_000.0)))
    assert isinstance(refused, Failed) and "1 to 1000" in refused.message


async def test_a_secret_is_in_the_reply_alone(desk: Desk) -> None:
    reply = await desk.ask(MakeDemoKey("second"))
    assert isinstance(reply, DemoKeyMade) and reply.pair.account == "second"
    assert reply.pair.secret not in str(desk.told) and reply.pair.secret not in repr(reply)
    (made,) = (each for each in desk.told[-1].state.accounts if each.name == "second")
    assert made.keys == (f"{reply.pair.key[:10]}…",) and reply.pair.key not in str(desk.told)


async def test_the_clients_clock_is_told_what_somebody_has_changed_and_nothing_by_a_mere_look(desk: Desk) -> None:
    skewed_ms = 5_000.0  # what the client believes, wrongly: that is its own affair
    now_ms = wall_ms()
    desk.clock.sample(now_ms, now_ms, skewed_ms)
    await desk.ask(DescribeDemo())
    await desk.ask(DescribeDemo())
    assert desk.clock.samples == 1
    await control(desk.rest, DemoCommand(pause=True))  # by somebody else
    await desk.ask(DescribeDemo())
    held = desk.told[-1].state
    assert (desk.clock.rate, desk.clock.now_ms(wall_ms() + 60_000)) == (0.0, held.market_ms)
    await control(desk.rest, DemoCommand(jump=held.market_ms + DAY_MS))
    await desk.ask(DescribeDemo())
    assert desk.clock.now_ms(wall_ms()) == held.market_ms + DAY_MS
