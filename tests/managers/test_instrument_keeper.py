"""The demo exchange changes an instrument under the program's hands: real client, real exchange, virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from atm.exchange.client.demo_control import control_faults
from atm.exchange.client.feed import MarketFeed
from atm.exchange.client.rest import FuturesClient
from atm.exchange.client.transport import Credentials
from atm.exchange.demo.server import DemoExchangeOptions, running_demo_exchange
from atm.ipc.virtual_loop import VirtualRunner
from atm.managers.instrument_keeper import InstrumentKeeper
from atm.model.errors import Refused
from atm.model.fault import Fault, FaultCommand, FaultKind
from atm.model.instrument import Instrument
from atm.model.notice import Notice, Severity
from atm.model.order import OrderTicket, OrderType, Side
from atm.storage.market_store import MarketStore
from atm.storage.sample import load_exchange_info, load_instruments

ASSETS = Path(__file__).parents[2] / "assets"
T0 = 1_694_131_200_000  # 2023-09-08 00:00 UTC
SYMBOL = "FILUSDT"


class Told:
    """What the keeper published and told."""

    def __init__(self) -> None:
        self.instruments: tuple[Instrument, ...] = ()
        self.notices: list[Notice] = []

    def take(self, instruments: Iterable[Instrument]) -> None:
        self.instruments = tuple(instruments)

    def changes(self) -> list[tuple[str, str, str, str]]:
        found = [(notice.text, notice.parameters) for notice in self.notices]
        self.notices.clear()
        return [(text, given["field"], given["old"], given["new"]) for text, given in found]


async def change_everything(wall_ms: Callable[[], float]) -> None:
    told = Told()
    options = DemoExchangeOptions(speed=1.0, start_ms=T0)
    market = MarketStore(ASSETS / "sample"), load_instruments(ASSETS), load_exchange_info(ASSETS)
    async with (
        running_demo_exchange(options, *market, wall_ms) as addresses,
        FuturesClient(addresses, Credentials("demo", "demo"), wall_ms) as client,
    ):
        feed = MarketFeed(client, addresses.stream, "demo", lambda event, key: None)
        keeper = InstrumentKeeper(client, told.take, told.notices.append, lambda: [SYMBOL], "binance_api")
        feed.reduction.on_contract = keeper.hint
        running = asyncio.create_task(keeper.run())
        await keeper.listed.wait()
        await feed.collect([SYMBOL], {SYMBOL: T0 - 120_000})
        await asyncio.sleep(60)
        assert told.notices == []
        before = {instrument.symbol: instrument for instrument in told.instruments}[SYMBOL]

        async def fault(kind: FaultKind, variant: str = "", amount: float = 0.0) -> None:
            wish = Fault(kind, duration_ms=120_000, target=SYMBOL, variant=variant, amount=amount)
            await control_faults(addresses.rest, FaultCommand(fault=wish))

        await fault(FaultKind.FILTER_CHANGE, "step", 10)
        await asyncio.sleep(5)
        assert told.notices == []  # nothing announces it
        with pytest.raises(Refused):
            await client.place(OrderTicket(SYMBOL, Side.BUY, OrderType.MARKET, before.floor_quantity(12.3), "one"))
        await asyncio.sleep(31)
        steps = told.changes()
        assert ("notice.instrument_filter", "market_step_size", before.market_step_size) in [each[:3] for each in steps]
        after = {instrument.symbol: instrument for instrument in told.instruments}[SYMBOL]
        assert float(after.market_step_size) == 10 * float(before.market_step_size)
        placed = await client.place(OrderTicket(SYMBOL, Side.BUY, OrderType.MARKET, after.floor_quantity(12.3), "two"))
        assert placed.client_order_id == "two"
        await control_faults(addresses.rest, FaultCommand(clear_faults=True))
        await fault(FaultKind.SUSPENDED)
        await asyncio.sleep(35)
        assert ("notice.instrument_status", "status", "TRADING") in [each[:3] for each in told.changes()]
        await asyncio.sleep(160)
        assert ("notice.instrument_status", "status", "TRADING") in [(t, f, new) for t, f, _, new in told.changes()]
        assert {instrument.symbol: instrument for instrument in told.instruments}[SYMBOL] == before
        await fault(FaultKind.SUSPENDED)
        await asyncio.sleep(35)
        assert [notice.severity for notice in told.notices] == [Severity.WARNING]
        running.cancel()
        await feed.close()


def test_filters_and_status_that_change_are_found_told_and_taken_over() -> None:
    with VirtualRunner(T0) as runner:
        runner.run(change_everything(runner.wall_ms))
