"""An account engine whose orders are filled by an exchange: the same engine as of a backtest, with the same decisions.

Before each minute it is given the exchange's positions and wallets as facts, in place of fills of its own; after it it is asked
what it wants. What it fills in simulation inside the minute (stops, levels of a trade scenario) is what it wants of the
exchange at the minute's close; its own records of it are thrown away.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec
import numpy as np
from numpy.typing import NDArray

from atm.model.bars import Bar
from atm.model.interval import MINUTE_MS
from atm.model.journal import Target
from atm.trading.engine import AccountEngine
from atm.trading.layout import Asset, Position, Setup
from atm.trading.resting_orders import withdraw_entry, withdraw_exit

Floats = NDArray[np.float64]
_ORDERS = [
    Position.ALLOCATED,
    Position.TRADED,
    Position.PENDING_CLOSE,
    Position.PENDING_CLOSE_REASON,
    Position.PENDING_OPEN,
    Position.PENDING_MS,
    Position.FORCE,
    Position.PENDING_ALLOCATED,
    Position.OPEN_LIMIT,
    Position.OPEN_TRIGGER,
    Position.OPEN_FROM,
    Position.OPEN_UNTIL,
    Position.CLOSE_LIMIT,
    Position.CLOSE_FROM,
    Position.CLOSE_UNTIL,
]
SAME_STOP = 1e-4
"""A stop that moved by less than this share of its price is not replaced."""


class Held(msgspec.Struct, frozen=True):
    """A position of the exchange: quantity signed, entry price 0 when flat. stopped: side (±1) of a position that a stop of the
    exchange has closed since the minute before, 0 = none."""

    quantity: float = 0.0
    entry: float = 0.0
    stopped: int = 0


class ActualEngine:
    """Drives an AccountEngine of an actual account. Raises what `AccountEngine.minute` raises. last: the newest target of each
    symbol."""

    def __init__(self, engine: AccountEngine) -> None:
        self.engine = engine
        self.last: dict[str, Target] = {}

    def minute(
        self,
        minute_ms: int,
        bars: Mapping[str, Bar],
        rows: Mapping[str, Floats],
        held: Mapping[str, Held],
        wallets: Mapping[str, float],
        rates: Mapping[str, float] | None = None,
    ) -> list[Target]:
        """One minute, see `AccountEngine.minute`. held: by symbol, absent = flat; wallets: whole wallet balance by asset. Returns
        the targets that are new, in priority order."""
        self._take(held, wallets)
        before = [held.get(symbol, Held()).quantity for symbol in self.engine.symbols]
        self.engine.minute(minute_ms, bars, rows, rates)
        self.engine.trades()
        found = []
        for i, (symbol, analysis) in enumerate(zip(self.engine.symbols, self.engine.analyses, strict=True)):
            target = self._target(i, symbol, minute_ms + MINUTE_MS)
            if analysis in rows or self._is_new(symbol, target, before[i]):
                self.last[symbol] = target
                found.append(target)
        return found

    def go_on_from(self, held: Mapping[str, Held], wallets: Mapping[str, float]) -> None:
        """Let the engine go on by fills of its own from the exchange's positions and wallets: where it holds the same, its orders stay."""
        positions, _, _ = self.engine.tables()
        before = positions.copy()
        self._take(held, wallets)
        for row, was in zip(positions, before, strict=True):
            if row[Position.QUANTITY] == was[Position.QUANTITY]:
                row[_ORDERS] = was[_ORDERS]

    # --- in ---------------------------------------------------------------------------------------------------

    def _take(self, held: Mapping[str, Held], wallets: Mapping[str, float]) -> None:
        positions, assets, _ = self.engine.tables()
        setup = self.engine.setup
        bound = np.zeros(len(setup.assets))
        for i, symbol in enumerate(self.engine.symbols):
            self._hold(positions[i], setup.setups[i], held.get(symbol, Held()))
            bound[int(setup.setups[i, Setup.ASSET])] += positions[i, Position.ISOLATED]
        for index, asset in enumerate(setup.assets):
            if asset in wallets:
                assets[index, Asset.CROSS] = wallets[asset] - bound[index]
        self.engine.refresh()

    @staticmethod
    def _hold(row: Floats, setup: Floats, held: Held) -> None:
        """The exchange's position in place of the engine's; its pending orders are the exchange's now, but for entries that wait
        for a trigger, which the exchange does not know."""
        was, margin = row[Position.QUANTITY], abs(held.quantity) * held.entry / setup[Setup.LEVERAGE]
        if held.quantity == 0.0:
            row[[Position.ALLOCATED, Position.TRADED]] = 0.0
        elif was * held.quantity <= 0.0:
            row[Position.ALLOCATED] = row[Position.PENDING_ALLOCATED] or margin
            row[Position.PROTECTIVE] = row[Position.NEXT_PROTECTIVE]
            row[Position.NEXT_PROTECTIVE] = row[Position.BARS_HELD] = 0.0
        if held.quantity != 0.0 and held.quantity != was:
            row[Position.TRADED] = row[Position.TARGET]
        row[Position.QUANTITY], row[Position.ENTRY] = held.quantity, held.entry if held.quantity else 0.0
        row[Position.ISOLATED] = margin if setup[Setup.ISOLATED] > 0.5 else 0.0
        row[Position.FORCE] = 0.0
        withdraw_exit(row)
        if row[Position.OPEN_TRIGGER] == 0.0:
            withdraw_entry(row)
        if held.stopped:
            row[Position.STOP_MARK] = float(held.stopped)

    # --- out --------------------------------------------------------------------------------------------------

    def _target(self, i: int, symbol: str, now_ms: int) -> Target:
        positions, _, _ = self.engine.tables()
        row, setup = positions[i], self.engine.setup.setups[i]
        quantity, side = row[Position.QUANTITY], float(np.sign(row[Position.QUANTITY]))
        wanted = 0.0 if row[Position.FORCE] > 0.5 else quantity - side * row[Position.PENDING_CLOSE]
        price, cancel_ms = None, 0
        if row[Position.PENDING_OPEN] != 0.0 and row[Position.OPEN_TRIGGER] == 0.0:
            wanted += row[Position.PENDING_OPEN]
            if row[Position.OPEN_LIMIT] > 0.0:
                price, cancel_ms = _exact(row[Position.OPEN_LIMIT]), int(row[Position.OPEN_UNTIL])
        units = setup[Setup.UNITS]
        exact = _exact(round(wanted * units) / units)
        exposure = float(row[Position.TARGET])
        stop = self._stop(row, setup, wanted)
        return Target(symbol, exact, now_ms, price, cancel_ms, stop, exposure=exposure if exact else 0.0)

    @staticmethod
    def _stop(row: Floats, setup: Floats, wanted: float) -> Decimal | None:
        """The price at which the engine would stop the wanted position; of one that is still to be opened, from the newest price."""
        side = float(np.sign(wanted))
        if side == 0.0:
            return None
        if row[Position.QUANTITY] * side > 0.0:
            return _exact(row[Position.STOP]) if row[Position.STOP] > 0.0 else None
        found, distance = row[Position.NEXT_PROTECTIVE], setup[Setup.STOP_IMMEDIATE]
        if distance > 0.0:
            units = setup[Setup.TICK_UNITS]
            full = round(row[Position.MARK] * (1.0 - side * distance) * units) / units
            found = full if found == 0.0 or side * (full - found) > 0.0 else found
        return _exact(found) if found > 0.0 else None

    def _is_new(self, symbol: str, target: Target, before: float) -> bool:
        """Whether a minute without a decision asks for something: another quantity, or another stop of what is held."""
        if target.quantity != _exact(before):
            return True
        last = self.last.get(symbol)
        if last is None or last.quantity != target.quantity or target.stop is None:
            return False
        return last.stop is None or abs(target.stop / last.stop - 1) > Decimal(str(SAME_STOP))


def _exact(value: float) -> Decimal:
    return Decimal(repr(float(value))).normalize()
