"""The two sides of an account of the kill campaign: what the program's journal says, and what the exchange says."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from pathlib import Path

import msgspec

from atm.exchange.demo.account import Account, Order, Trade
from atm.exchange.demo.conditional import Conditional
from atm.exchange.demo.state_file import NAME, Kept
from atm.model.journal import Adjusted, JournalEntry, LiveState, Target, TargetSet
from atm.model.live_order import LiveOrder
from atm.model.order_facts import Intended, OrderFact
from atm.storage.orders import decoded
from atm.trading.live.client_id import belongs_to
from atm.trading.live.journal_fold import apply
from atm.trading.live.order_machine import advance


class Journal:
    """Read as it grows. orders: every one that was ever intended; targets: by symbol and decision time."""

    def __init__(self, home: Path, account: str) -> None:
        self.account = account
        self._database = sqlite3.connect(f"file:{home / 'demo.sqlite3'}?mode=ro", uri=True, timeout=30)
        self.number = 0
        self.state = LiveState()
        self.orders: dict[str, LiveOrder] = {}
        self.targets: dict[tuple[str, int], Target] = {}
        self.adjusted: list[Adjusted] = []

    def close(self) -> None:
        self._database.close()

    def read(self) -> list[JournalEntry]:
        """What is new."""
        query = "SELECT number, payload FROM order_journal WHERE account = ? AND number > ? ORDER BY number"
        rows = self._database.execute(query, (self.account, self.number)).fetchall()
        entries = [decoded(payload) for _, payload in rows]
        for entry in entries:
            self._take(entry)
        self.number = rows[-1][0] if rows else self.number
        return entries

    def _take(self, entry: JournalEntry) -> None:
        self.state = apply(self.state, entry)
        if isinstance(entry, TargetSet):
            self.targets[entry.target.symbol, entry.target.decision_ms] = entry.target
        elif isinstance(entry, Adjusted):
            self.adjusted.append(entry)
        elif isinstance(entry, Intended):
            self.orders.setdefault(entry.client_id, LiveOrder(entry.intent))
        elif isinstance(entry, OrderFact) and entry.client_id in self.orders:
            self.orders[entry.client_id] = advance(self.orders[entry.client_id], entry)

    def logged(self) -> float:
        """Profits less fees of all trade records."""
        query = "SELECT COALESCE(SUM(profit - fee), 0) FROM account_trades WHERE account = ?"
        found: float = self._database.execute(query, (self.account,)).fetchone()[0]
        return found


class Books:
    """What the exchange says of an account, gathered over time: it remembers the newest thousand of everything only."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.now = Account()
        self.orders: dict[int, Order] = {}
        self.conditionals: dict[int, Conditional] = {}
        self.trades: dict[int, Trade] = {}
        self.incomes: dict[int, tuple[str, float]] = {}
        self.foreign: set[str] = set()

    def take(self, account: Account) -> None:
        """The account as it is now."""
        self.now = account
        for order in (*account.old_orders, *account.open_orders.values()):
            if belongs_to(order.client_order_id, self.name):
                self.orders[order.order_id] = order
            else:
                self.foreign.add(order.client_order_id)
        for each in (*account.old_conditionals, *account.conditionals.values()):
            self.conditionals[each.algo_id] = each
        self.trades |= {trade.trade_id: trade for trade in account.trades}
        self.incomes |= {each.transaction_id: (each.kind, each.amount) for each in account.incomes}

    def amount(self, symbol: str) -> Decimal:
        """Signed position."""
        held = self.now.positions.get(symbol)
        return Decimal(0) if held is None else Decimal(str(held.amount))


def exchange_accounts(home: Path) -> dict[str, Account]:
    """All accounts of the exchange as it has kept them last, which is after each change."""
    try:
        return msgspec.json.decode((home / NAME).read_bytes(), type=Kept).state.accounts
    except FileNotFoundError:
        return {}
