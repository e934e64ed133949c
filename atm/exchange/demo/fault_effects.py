"""What faults change in the exchange itself: symbols and their rules, the server's clock, listen keys."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from atm.exchange.demo.engine import Engine
from atm.exchange.demo.fault_state import FaultState, Standing
from atm.exchange.demo.market_events import HALTED
from atm.exchange.demo.rules import Rules
from atm.model.fault import FaultKind

_SCALED: dict[str, dict[str, tuple[str, ...]]] = {
    "tick": {"PRICE_FILTER": ("tickSize",)},
    "step": {"LOT_SIZE": ("stepSize", "minQty"), "MARKET_LOT_SIZE": ("stepSize", "minQty")},
    "notional": {"MIN_NOTIONAL": ("notional",)},
}
"""Filters and their fields by variant of a filter change."""


class FaultEffects:
    """Keeps symbols as the active faults want them. info: the exchangeInfo answer, whose list of symbols is replaced."""

    def __init__(self, state: FaultState, engine: Engine, rules: dict[str, Rules], info: dict[str, Any]) -> None:
        self._state, self._engine, self._rules, self._info = state, engine, rules, info
        self._true = {entry["symbol"]: entry for entry in info["symbols"]}

    def restate(self, now_ms: int) -> None:
        """Apply suspensions and changes of filters, of those that are active now and no others."""
        halted = self._state.active(FaultKind.SUSPENDED)
        changed = self._state.active(FaultKind.FILTER_CHANGE)
        entries = []
        for symbol, true in self._true.items():
            entry = true
            for standing in changed:
                if standing.fault.target in ("", symbol):
                    entry = scaled(entry, standing.fault.variant, int(standing.fault.amount))
            self._rules[symbol] = Rules.of(entry)
            market = self._engine.markets[symbol]
            if any(standing.fault.target in ("", symbol) for standing in halted):
                entry = {**entry, "status": HALTED}
                market.halted_ms = now_ms if market.halted_ms is None else market.halted_ms
            else:
                market.halted_ms = None
            entries.append(entry)
        self._info["symbols"] = entries

    def ahead_ms(self) -> int:
        """How far the server's clock is ahead of the market's: the active jumps together."""
        return sum(int(standing.fault.amount) for standing in self._state.active(FaultKind.CLOCK_SKEW))

    def expire_keys(self, standing: Standing) -> None:
        """Let listen keys run out now."""
        for account in self._engine.state.accounts.values():
            if account.listen_key and standing.fault.target in ("", account.name):
                account.listen_until_ms = 0.0
                standing.count("expired")


def scaled(entry: Mapping[str, Any], variant: str, factor: int) -> dict[str, Any]:
    """A symbol of exchangeInfo with tick, step or smallest notional (or every one) so many times as large."""
    wanted: dict[str, tuple[str, ...]] = {}
    for name, filters in _SCALED.items():
        if variant in (name, "every"):
            wanted |= filters
    rows = []
    for row in entry["filters"]:
        fields = wanted.get(row["filterType"], ())
        rows.append({**row, **{field: format(Decimal(row[field]) * factor, "f") for field in fields}})
    return {**entry, "filters": rows}
