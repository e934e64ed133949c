"""The demo exchange's page asks the Binance API manager, which asks the exchange."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from atm.exchange.client.clock import ExchangeClock
from atm.exchange.demo.server import DemoExchangeOptions, running_demo_exchange
from atm.ipc.local import LocalBus
from atm.ipc.messages import BINANCE_API, GUI, ControlFaults, Failed, FaultsTold, Reply
from atm.managers.demo_desk import DemoDesk
from atm.model.fault import Fault, FaultCommand, FaultKind, FaultSchedule
from atm.storage.market_store import MarketStore
from atm.storage.sample import load_exchange_info, load_instruments

ASSETS = Path(__file__).parents[2] / "assets"


async def ask(bus: LocalBus, command: FaultCommand) -> Reply:
    answered: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
    bus.assistant(GUI).request_async(BINANCE_API, ControlFaults(command), answered.set_result)
    while not answered.done():
        bus.pump()
        await asyncio.sleep(0.005)
    return answered.result()


async def test_faults_are_set_told_and_cleared_while_they_strike_everything_else() -> None:
    options, parts = DemoExchangeOptions(), (MarketStore(ASSETS / "sample"), load_instruments(ASSETS))
    tasks: set[asyncio.Task[None]] = set()
    spawn: Callable[..., None] = lambda work: tasks.add(asyncio.create_task(work))  # noqa: E731
    async with running_demo_exchange(options, *parts, load_exchange_info(ASSETS)) as addresses:
        bus = LocalBus()
        DemoDesk(bus.assistant(BINANCE_API), addresses.rest, spawn, ExchangeClock())
        assert (await told(bus)).report.faults == ()
        fault = Fault(FaultKind.MAINTENANCE)
        report = (await told(bus, FaultCommand(fault, FaultSchedule(5, 60.0, (FaultKind.LATE,))))).report
        assert (report.faults[0].fault, report.faults[0].phase, report.faults[0].end_ms) == (fault, "active", 0)
        assert {record.fault.kind for record in report.faults[1:]} == {FaultKind.LATE}
        refused = await ask(bus, FaultCommand(Fault(FaultKind.SUSPENDED, target="NOSUCHUSDT")))
        assert isinstance(refused, Failed) and "NOSUCHUSDT" in refused.message
        cleared = (await told(bus, FaultCommand(clear_faults=True))).report
        assert {record.phase for record in cleared.faults} <= {"cleared", "over"}
    gone = await ask(bus, FaultCommand())
    assert isinstance(gone, Failed) and gone.kind == "Unavailable"


async def told(bus: LocalBus, command: FaultCommand = FaultCommand()) -> FaultsTold:  # noqa: B008
    reply = await ask(bus, command)
    assert isinstance(reply, FaultsTold)
    return reply
