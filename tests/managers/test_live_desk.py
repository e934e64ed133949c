"""The desks of both managers between them: targets on one side, the demo exchange behind real sockets on the other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
import pytest

from atm.exchange.client.rest import FuturesClient, with_brackets
from atm.exchange.client.transport import Credentials
from atm.ipc.local import LocalBus
from atm.ipc.messages import BINANCE_API, TRADE, LastTrade, MarkPrice
from atm.managers.live_desk import LiveDesk
from atm.managers.live_exchange_desk import LiveExchangeDesk
from atm.model.account import AccountKind, AccountSetup, AssetSetup, PositionSetup, TradeReason, TradeRecord
from atm.model.endpoint import Addresses, Endpoint
from atm.model.instrument import Instrument
from atm.model.journal import Target
from atm.model.risk import LiveRules, RiskLimits
from atm.model.trade_configuration import TradeConfiguration
from atm.storage.database import Database
from tests.exchange.client.test_client_demo import demo

X = "FILUSDT"
SETUP = AccountSetup(
    "first", AccountKind.ACTUAL, {"USDT": AssetSetup(0)}, (PositionSetup(X, "a", "t"),), trading=True
)  # fmt: skip
TRADE_CONFIGURATION = TradeConfiguration("t", leverage=4, isolated=True)


class Managers:
    """Both desks on one bus, which is pumped all the time."""

    def __init__(self, home: Path, addresses: Addresses, market: FuturesClient, instruments: dict[str, Instrument]):
        self.bus = LocalBus(time.monotonic)
        self.accounts = Database(f"sqlite:///{home / 'a.sqlite3'}").accounts
        self.accounts.put(SETUP)
        self.journal = Database(f"sqlite:///{home / 'a.sqlite3'}").orders
        self.logged: list[TradeRecord] = []
        self.instruments, self.addresses, self.market = instruments, addresses, market
        self.notices: list[str] = []
        self.decision_ms = 0
        self.tasks: set[asyncio.Task[None]] = set()
        self.begin_exchange()
        self.begin_trade()
        self.tasks.add(asyncio.create_task(self._pump()))

    def begin_exchange(self) -> None:
        assistant = self.bus.assistant(BINANCE_API)
        self.exchange = LiveExchangeDesk(assistant, Endpoint.DEMO, self.addresses, self.market, self._spawn)
        self.publish = assistant.publish

    def begin_trade(self) -> None:
        self.desk = LiveDesk(
            self.bus.assistant(TRADE),
            self.journal,
            self._notify,
            lambda: None,
            last_trades=self.accounts.last_trades,
            logged=lambda _, record: self.logged.append(record),
        )
        self.desk.open(SETUP, {"t": TRADE_CONFIGURATION}, self.instruments)

    def _notify(self, severity: object, text: str, subject: str, **parameters: str) -> None:
        self.notices.append(text)

    def _spawn(self, work) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _pump(self) -> None:
        while True:
            now_ms = self.desk.now_ms
            self.publish(MarkPrice(X, now_ms, 3.0, 3.0, 0.0, 0), key=X)
            self.publish(LastTrade(X, now_ms, 3.0, 1.0, False), key=X)
            self.bus.pump()
            await asyncio.sleep(0.02)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not holds():
                await asyncio.sleep(0.02)

    def aim(self, quantity: str) -> None:
        self.decision_ms = max(self.desk.now_ms, self.decision_ms + 1)
        self.desk.aim("first", [Target(X, Decimal(quantity), self.decision_ms)])

    def quantity(self) -> float | None:
        facts = self.desk.facts("first")
        return None if facts is None or X not in facts.held else facts.held[X].quantity


M = TypeVar("M", bound=Managers)


@asynccontextmanager
async def on_demo(kind: type[M], home: Path) -> AsyncIterator[M]:
    """Managers of a kind on a demo exchange of their own."""
    async with demo(speed=1) as addresses, FuturesClient(addresses, Credentials("demo", "demo")) as market:
        await market.synchronise()
        listed = with_brackets(await market.exchange_info(), await market.leverage_brackets())
        made = kind(home, addresses, market, {each.symbol: each for each in listed})
        try:
            yield made
        finally:
            for task in list(made.tasks):
                task.cancel()
            await made.exchange.close()


@pytest.fixture
async def managers(home: Path) -> AsyncIterator[Managers]:
    async with on_demo(Managers, home) as made:
        yield made


async def test_a_target_crosses_the_managers_and_survives_the_death_of_each(managers: Managers) -> None:
    await managers.until(lambda: managers.desk.facts("first") is not None)
    assert managers.desk.facts("first").wallets == {"USDT": 10_000.0}
    assert managers.desk.engaged("first") == set()
    managers.aim("100")
    assert managers.desk.engaged("first") == {X}, "before anything of it is filled"
    await managers.until(lambda: managers.quantity() == 100.0)
    managers.bus.kill(TRADE)
    managers.begin_trade()
    await managers.until(lambda: managers.quantity() == 100.0)
    managers.aim("30")
    await managers.until(lambda: managers.quantity() == 30.0)
    await managers.exchange.close()
    managers.bus.kill(BINANCE_API)
    managers.begin_exchange()
    managers.desk.reconnect()
    managers.aim("-20")
    await managers.until(lambda: managers.quantity() == -20.0)
    managers.desk.clear("first", [X])
    await managers.until(lambda: managers.quantity() == 0.0)
    await managers.until(lambda: managers.desk.engaged("first") == set())
    assert "notice.live_outside_change" not in managers.notices
    await managers.until(lambda: bool(managers.logged) and managers.logged[-1].quantity_after == 0.0)
    stored = managers.accounts.trades("first")[::-1]
    assert stored == managers.logged
    assert [each.index for each in stored] == list(range(len(stored)))
    by_hand = np.cumsum([each.quantity * each.side.sign for each in stored])
    assert [each.quantity_after for each in stored] == pytest.approx(by_hand)
    assert {100.0, 30.0, -20.0, 0.0} <= {each.quantity_after for each in stored}
    assert stored[-1].reason is TradeReason.FORCE_CLEAR
    paid = sum(each.profit - each.fee for each in stored)
    assert managers.desk.facts("first").wallets["USDT"] == pytest.approx(10_000 + paid, abs=1e-8)


async def test_the_limits_of_the_account_hold(managers: Managers) -> None:
    await managers.until(lambda: managers.desk.facts("first") is not None)
    limited = msgspec.structs.replace(SETUP, live=LiveRules(RiskLimits(max_notional=150.0)))
    managers.desk.open(limited, {"t": TRADE_CONFIGURATION}, managers.instruments)
    await managers.until(lambda: managers.desk.facts("first") is not None)
    managers.aim("100")
    await managers.until(lambda: bool(managers.desk.halts("first")))
    (halt,) = managers.desk.halts("first")
    assert (halt.scope, halt.reason) == (X, "max_notional: 300, allowed 150")
    assert not managers.quantity()
    assert managers.desk.engaged("first") == {X}, "the decision waits for the halt to end"
    managers.desk.hold("first")
    assert managers.desk.engaged("first") == set(), "trading is off: nothing waits to be opened"


async def test_an_account_without_keys_is_refused_in_words(home: Path) -> None:
    bus, notices = LocalBus(), []

    def notify(severity: object, text: str, subject: str, **parameters: str) -> None:
        notices.append((text, parameters["reason"]))

    market = FuturesClient(Addresses("http://127.0.0.1:9", "ws://127.0.0.1:9"))
    LiveExchangeDesk(
        bus.assistant(BINANCE_API), Endpoint.LIVE, market_addresses(), market, lambda work: tasks.append(work)
    )  # fmt: skip
    tasks: list = []
    desk = LiveDesk(
        bus.assistant(TRADE), Database(f"sqlite:///{home / 'b.sqlite3'}").orders, notify, lambda: None
    )  # fmt: skip
    desk.open(SETUP, {"t": TRADE_CONFIGURATION}, {})
    bus.pump()
    await tasks[0]
    bus.pump()
    await market.close()
    assert notices[0][0] == "notice.account_failed"
    assert "has no API key" in notices[0][1]


def market_addresses() -> Addresses:
    return Addresses("http://127.0.0.1:9", "ws://127.0.0.1:9")
