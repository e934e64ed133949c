"""Many symbols at one moment: what belongs together is committed together, and nothing is sent before it is committed."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from atm.ipc.assistant import Deferred
from atm.ipc.local import LocalBus
from atm.ipc.messages import (
    BINANCE_API,
    TRADE,
    CarriedOut,
    CarryOut,
    Done,
    LastTrade,
    LiveClock,
    LiveMissed,
    MarkPrice,
    OpenLiveAccount,
    Reply,
)
from atm.managers.live_desk import LiveDesk
from atm.model.account import AccountKind, AccountSetup, AssetSetup, PositionSetup
from atm.model.account_facts import SettingsSeen, Snapshot, WalletSeen
from atm.model.journal import JournalEntry, Target
from atm.model.live_order import OrderState
from atm.model.live_request import Answer, PlaceOrder, TakeSnapshot
from atm.model.order_facts import Reported, Sent
from atm.model.trade_configuration import TradeConfiguration
from atm.storage.database import Database
from atm.storage.orders import OrderJournal
from tests.managers.trade_harness import T0, instrument

SYMBOLS = tuple(f"{letter}{letter}{letter}USDT" for letter in "ABCDEFGHIJKLMNOPQRST")
SETUP = AccountSetup(
    "many", AccountKind.ACTUAL, {"USDT": AssetSetup(0)}, tuple(PositionSetup(s, "a", "t", 0.05) for s in SYMBOLS),
    trading=True,
)  # fmt: skip


class Exchange:
    """Answers snapshots at once and orders when it is told to; remembers what was in the journal when an order came."""

    def __init__(self, bus: LocalBus, committed: list[JournalEntry]) -> None:
        self.assistant, self._committed = bus.assistant(BINANCE_API), committed
        self.placed: list[tuple[CarryOut, Deferred]] = []
        self.early: list[str] = []
        self.assistant.answer(OpenLiveAccount, self._open)
        self.assistant.answer(CarryOut, self._carry_out)

    def _open(self, request: OpenLiveAccount) -> Reply:
        self.assistant.publish(LiveClock(T0, 1.0))
        self.assistant.publish(LiveMissed(request.account), key=request.account)
        return Done()

    def _carry_out(self, request: CarryOut) -> Reply | Deferred:
        wanted = request.request
        if isinstance(wanted, TakeSnapshot):
            settings = tuple(SettingsSeen(symbol, 1, False) for symbol in SYMBOLS)
            wallets = (WalletSeen("USDT", Decimal(100_000), T0),)
            seen = Snapshot(T0, T0, (), (), wallets, settings, (), wanted.trades_of)
            return CarriedOut(Answer(request.number, T0, snapshot=seen))
        assert isinstance(wanted, PlaceOrder)
        sent = {entry.client_id for entry in self._committed if isinstance(entry, Sent)}
        self.early += [wanted.intent.client_id] if wanted.intent.client_id not in sent else []
        deferred = Deferred()
        self.placed.append((request, deferred))
        return deferred

    def acknowledge(self) -> None:
        """All orders rest now, in one go."""
        for number, (request, deferred) in enumerate(self.placed, 1):
            assert isinstance(request.request, PlaceOrder)
            fact = Reported(request.request.intent.client_id, OrderState.ACKNOWLEDGED, Decimal(0), T0, number)
            deferred.reply(CarriedOut(Answer(request.number, T0, facts=(fact,))))


class CountingJournal(OrderJournal):
    """Counts commits that store something."""

    commits: int
    committed: list[JournalEntry]

    def append(self, account: str, entries: Sequence[JournalEntry], trades: Any = ()) -> Any:
        stored = super().append(account, entries, trades)
        if entries:
            self.commits += 1
            self.committed += entries
        return stored


def test_a_minute_of_many_symbols_is_one_commit_and_so_are_their_answers(tmp_path: Path) -> None:
    now = [0.0]
    bus = LocalBus(lambda: now[0])
    database = Database(f"sqlite:///{tmp_path / 'a.sqlite3'}")
    database.accounts.put(SETUP)
    journal = CountingJournal(database.orders._engine, lambda: T0)
    journal.commits, journal.committed = 0, []
    exchange = Exchange(bus, journal.committed)
    trade = TradeConfiguration("t", leverage=1, isolated=False)
    desk = LiveDesk(bus.assistant(TRADE), journal, lambda *_, **__: None, lambda: None, lambda: now[0])
    desk.open(SETUP, {"t": trade}, {symbol: instrument(symbol) for symbol in SYMBOLS})
    bus.pump()
    for symbol in SYMBOLS:
        exchange.assistant.publish(MarkPrice(symbol, T0, 5.0, 5.0, 0.0, 0), key=symbol)
        exchange.assistant.publish(LastTrade(symbol, T0, 5.0, 1.0, False), key=symbol)
    bus.pump()
    now[0] += 0.5
    bus.pump()
    assert desk.facts("many") is not None, "compared"

    before = journal.commits
    assert desk.aim("many", [Target(symbol, Decimal(100), desk.now_ms) for symbol in SYMBOLS])
    assert journal.commits == before + 1
    bus.pump()
    assert len(exchange.placed) == len(SYMBOLS)
    assert exchange.early == [], "nothing leaves before it is committed"

    before = journal.commits
    exchange.acknowledge()
    bus.pump()
    assert journal.commits == before + 1
    known = [entry for entry in journal.committed if isinstance(entry, Reported)]
    assert len(known) == len(SYMBOLS)
    database.close()


def test_a_last_price_beside_a_mark_price_that_comes_no_more_is_as_old_as_that(tmp_path: Path) -> None:
    now = [0.0]
    bus = LocalBus(lambda: now[0])
    database = Database(f"sqlite:///{tmp_path / 'a.sqlite3'}")
    database.accounts.put(SETUP)
    exchange = Exchange(bus, [])
    trade = TradeConfiguration("t", leverage=1, isolated=False)
    desk = LiveDesk(bus.assistant(TRADE), database.orders, lambda *_, **__: None, lambda: None, lambda: now[0])
    desk.open(SETUP, {"t": trade}, {symbol: instrument(symbol) for symbol in SYMBOLS})
    bus.pump()

    def hear(mark: bool) -> None:
        if mark:
            exchange.assistant.publish(MarkPrice(SYMBOLS[0], T0, 5.0, 5.0, 0.0, 0), key=SYMBOLS[0])
        exchange.assistant.publish(LastTrade(SYMBOLS[0], T0, 5.0, 1.0, False), key=SYMBOLS[0])
        bus.pump()
        now[0] += 0.5
        bus.pump()

    hear(mark=True)
    now[0] += SETUP.live.limits.stale_s or 0.0
    hear(mark=False)
    assert desk.aim("many", [Target(SYMBOLS[0], Decimal(100), desk.now_ms)])
    bus.pump()
    assert exchange.placed == []
    hear(mark=True)
    assert len(exchange.placed) == 1
    database.close()
