"""The trades of a stored account, wherever its kind keeps them."""

from __future__ import annotations

from collections.abc import Sequence

from atm.model.account import AccountKind, AccountSetup, TradeRecord
from atm.storage.database import Database
from atm.trading.live.journal_trades import journal_trades

MOST_TRADES = 1_000_000


def stored_trades(
    database: Database, setup: AccountSetup, equity: Sequence[tuple[int, float]], most: int = MOST_TRADES
) -> list[TradeRecord]:
    """The newest `most`, oldest first. equity: the stored points; an actual account begins with the first of them, what an earlier
    account of its name has left in the journal is not its own."""
    if setup.kind is AccountKind.VIRTUAL:
        return database.accounts.trades(setup.name, most)[::-1]
    begun, initial = equity[0] if equity else (0, 0.0)
    trades = journal_trades(database.orders.fills(setup.name), initial)
    return [trade for trade in trades if trade.time_ms >= begun][-most:]
