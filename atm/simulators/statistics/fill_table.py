"""Fills as columns: what is asked of thousands of them at once is asked of arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from atm.model.account import TradeReason, TradeRecord
from atm.model.order import Side

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

REASONS = tuple(TradeReason)
_HASHED = np.dtype(
    [
        ("time_ms", "<i8"),
        ("decision_ms", "<i8"),
        ("quantity", "<f8"),
        ("price", "<f8"),
        ("profit", "<f8"),
        ("fee", "<f8"),
    ]
)


@dataclass(frozen=True, slots=True)
class FillTable:
    """n fills in their order, each column (n,); meanings and units as in `TradeRecord`.

    names: the symbols; symbol: place in `names`; bought: whether it was a purchase; reason: place in `REASONS`.
    """

    names: tuple[str, ...]
    symbol: Ints
    time_ms: Ints
    decision_ms: Ints
    bought: NDArray[np.bool_]
    reason: Ints
    quantity: Floats
    price: Floats
    profit: Floats
    fee: Floats
    quantity_after: Floats
    entry_price_after: Floats
    wallet_after: Floats

    @classmethod
    def of(cls, trades: Sequence[TradeRecord]) -> FillTable:
        """Columns of single fills."""
        symbols = [t.symbol for t in trades]
        names = tuple(dict.fromkeys(symbols))
        place = {name: at for at, name in enumerate(names)}
        number = {reason: at for at, reason in enumerate(REASONS)}

        def whole(name: str) -> Ints:
            return np.fromiter(map(attrgetter(name), trades), np.int64, len(trades))

        def money(name: str) -> Floats:
            return np.fromiter(map(attrgetter(name), trades), np.float64, len(trades))

        return cls(
            names=names,
            symbol=np.array([place[name] for name in symbols], np.int64),
            time_ms=whole("time_ms"),
            decision_ms=whole("decision_ms"),
            bought=np.array([t.side is Side.BUY for t in trades], bool),
            reason=np.array([number[t.reason] for t in trades], np.int64),
            quantity=money("quantity"),
            price=money("price"),
            profit=money("profit"),
            fee=money("fee"),
            quantity_after=money("quantity_after"),
            entry_price_after=money("entry_price_after"),
            wallet_after=money("wallet_after"),
        )

    def __len__(self) -> int:
        return len(self.time_ms)

    def places(self, symbol: str) -> Ints:
        """Where the fills of a symbol stand."""
        return (
            np.flatnonzero(self.symbol == self.names.index(symbol)) if symbol in self.names else np.zeros(0, np.int64)
        )

    def of_symbol(self, symbol: str) -> FillTable:
        """The fills of one symbol."""
        if self.names == (symbol,):
            return self
        at = self.places(symbol)
        columns = (getattr(self, field.name)[at] for field in fields(self)[1:])
        return FillTable(self.names, *columns)

    @property
    def signed(self) -> Floats:
        """Quantities, negative where it was a sale."""
        return np.where(self.bought, self.quantity, -self.quantity)

    @property
    def quantity_before(self) -> Floats:
        """Signed quantity of the symbol that was held before each fill."""
        found = np.zeros(len(self))
        for name in self.names:
            at = self.places(name)
            found[at[1:]] = self.quantity_after[at[:-1]]
        return found

    @property
    def hash(self) -> str:
        """SHA-256 over a canonical encoding of the fills: equal for equal trades, on every machine."""
        rows = np.empty(len(self), _HASHED)
        for name in _HASHED.names or ():
            rows[name] = getattr(self, name)
        body, size = rows.tobytes(), _HASHED.itemsize
        kinds = (self.symbol * 2 + self.bought) * len(REASONS) + self.reason
        heads = {kind: self._head(kind) for kind in np.unique(kinds).tolist()}
        parts = [heads[kind] + body[at * size : (at + 1) * size] for at, kind in enumerate(kinds.tolist())]
        return hashlib.sha256(b"".join(parts)).hexdigest()

    def _head(self, kind: int) -> bytes:
        rest, reason = divmod(kind, len(REASONS))
        side = Side.BUY if rest % 2 else Side.SELL
        return f"{self.names[rest // 2]}|{side.value}|{REASONS[reason].value}|".encode()


def summed(values: Floats) -> float:
    """The sum from the first to the last, as a ledger makes it (numpy adds in pairs: other last digits)."""
    return float(sum(values.tolist()))
