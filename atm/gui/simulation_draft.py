"""The set-up of a simulation as it stands in the form of the Simulation page. Pure.

Every symbol has a row; a row takes part when both of its configurations are chosen and bars are stored in the range. Percent
fields are typed in percent. Whatever changes several rows at once is a method here, so that the page can take it back by
keeping a copy.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from atm.gui.drafts import new_code
from atm.gui.struct_draft import Tree, tree_of
from atm.model.account import CostModel, PositionSetup
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.parameter import parameters_of
from atm.model.simulation import SimulationSpec
from atm.model.trade_configuration import TradeConfiguration

ASSET = "USDT"
BALANCE = "10000"
ALLOCATION = "50"
RATIO = "100"
KNOWN_ASSETS = ("USDT", "USDC")
"""Assets in which a symbol may be settled that no instrument describes."""
COSTS = parameters_of(CostModel)


@dataclass(frozen=True, slots=True)
class PositionRow:
    """A position. "" = no configuration; ratio in percent, cap ("" = none) as typed; priority 1 … n, unique.

    Frozen: a draft is copied and compared in a frame, and rows that both share need no look.
    """

    symbol: str
    priority: int
    analysis: str = ""
    trade: str = ""
    ratio: str = RATIO
    cap: str = ""

    @property
    def configured(self) -> bool:
        return bool(self.analysis and self.trade)


@dataclass(slots=True)
class AssetDraft:
    """As typed; allocation in percent."""

    balance: str = "0"
    allocation: str = ALLOCATION


@dataclass(frozen=True, slots=True)
class Change:
    """What a bulk edit puts into rows; None leaves a field as it is, "" takes a configuration or a cap away."""

    analysis: str | None = None
    trade: str | None = None
    ratio: str | None = None
    cap: str | None = None
    priority: int | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """A configuration of a copied simulation that does not exist (any more): its rows have none."""

    kind: str
    code: str
    symbols: tuple[str, ...]


def _no_costs() -> Tree:
    return tree_of(COSTS, {})


@dataclass(slots=True)
class SimulationDraft:
    """See the module. A blank code means one made from the time."""

    code: str = ""
    start: str = ""
    end: str = ""
    rows: dict[str, PositionRow] = field(default_factory=dict)
    assets: dict[str, AssetDraft] = field(default_factory=lambda: {ASSET: AssetDraft(BALANCE)})
    costs: Tree = field(default_factory=_no_costs)

    def copy(self) -> SimulationDraft:
        return replace(self, rows=dict(self.rows), assets=copy.deepcopy(self.assets), costs=copy.deepcopy(self.costs))

    # --- what there is

    def follow(self, symbols: Iterable[str], assets: Mapping[str, str]) -> None:
        """A row for every symbol, at the end; an asset for every one that symbols are settled in (`assets`, by symbol)."""
        for symbol in symbols:
            if symbol not in self.rows:
                self.rows[symbol] = PositionRow(symbol, len(self.rows) + 1)
        for asset in assets.values():
            self.assets.setdefault(asset, AssetDraft())

    def begin(self, analyses: Collection[str], trades: Collection[str], stored: Sequence[str]) -> None:
        """Make the form of a newcomer ready to be sent: the first stored symbol with the first configurations."""
        first = next((symbol for symbol in stored if symbol in self.rows), None)
        if first is not None and analyses and trades and not any(row.configured for row in self.rows.values()):
            self.rows[first] = replace(self.rows[first], analysis=next(iter(analyses)), trade=next(iter(trades)))

    def configured(self) -> list[PositionRow]:
        """Rows with both configurations, by priority."""
        return sorted((row for row in self.rows.values() if row.configured), key=lambda row: row.priority)

    # --- changes of many rows

    def apply(self, symbols: Collection[str], change: Change) -> None:
        """Put a change into these rows. A priority needs a single row; the others make room."""
        for symbol in symbols:
            row = self.rows[symbol]
            self.rows[symbol] = replace(
                row,
                analysis=row.analysis if change.analysis is None else change.analysis,
                trade=row.trade if change.trade is None else change.trade,
                ratio=row.ratio if change.ratio is None else change.ratio,
                cap=row.cap if change.cap is None else change.cap,
            )
        if change.priority is not None and len(symbols) == 1:
            self.prioritise(next(iter(symbols)), change.priority)

    def prioritise(self, symbol: str, priority: int) -> None:
        """Give a row a place (kept within 1 … n); those between its old and its new place move by one."""
        order = sorted(self.rows.values(), key=lambda row: row.priority)
        moved = self.rows[symbol]
        order.remove(moved)
        order.insert(min(max(priority, 1), len(self.rows)) - 1, moved)
        for number, row in enumerate(order, 1):
            if row.priority != number:
                self.rows[row.symbol] = replace(row, priority=number)

    def initialise(self) -> None:
        """All rows as they were in the beginning, in the order of their symbols."""
        for number, symbol in enumerate(sorted(self.rows), 1):
            self.rows[symbol] = PositionRow(symbol, number)

    def replicate(
        self,
        spec: SimulationSpec,
        analyses: Mapping[str, AnalysisConfiguration],
        trades: Mapping[str, TradeConfiguration],
    ) -> list[Missing]:
        """Take over code, range, positions, assets and costs. Configurations that do not exist become unset; which."""
        missing: dict[tuple[str, str], list[str]] = {}
        self.code, self.start, self.end = spec.code, spec.start, spec.end
        self.costs = tree_of(COSTS, msgspec.to_builtins(spec.costs))
        for name, asset in spec.assets.items():
            self.assets[name] = AssetDraft(plain(asset.initial_balance), percent_text(asset.allocation_ratio))
        for position in sorted(spec.positions, key=lambda each: each.priority):
            if position.symbol not in self.rows:
                self.rows[position.symbol] = PositionRow(position.symbol, len(self.rows) + 1)
        self.rows = {symbol: replace(row, analysis="", trade="") for symbol, row in self.rows.items()}
        for number, position in enumerate(sorted(spec.positions, key=lambda each: each.priority), 1):
            row = self._replicated(position, analyses, trades, missing)
            self.prioritise(row.symbol, number)
        return [Missing(kind, code, tuple(symbols)) for (kind, code), symbols in missing.items()]

    def _replicated(
        self,
        position: PositionSetup,
        analyses: Collection[str],
        trades: Collection[str],
        missing: dict[tuple[str, str], list[str]],
    ) -> PositionRow:
        row = self.rows[position.symbol] = replace(
            self.rows[position.symbol],
            ratio=percent_text(position.assumed_ratio),
            cap="" if position.max_allocated is None else plain(position.max_allocated),
            analysis=position.analysis if position.analysis in analyses else "",
            trade=position.trade if position.trade in trades else "",
        )
        for kind, code, kept in (("analysis", position.analysis, row.analysis), ("trade", position.trade, row.trade)):
            if not kept:
                missing.setdefault((kind, code), []).append(position.symbol)
        return row

    def free_code(self, taken: Mapping[str, object], now_ms: int) -> str:
        """The code as typed, or one from the time."""
        return self.code.strip() or new_code(now_ms, taken)


def settled_in(symbol: str, quote_asset: str | None) -> str:
    """The asset of a symbol: that of its instrument, else what its name ends with."""
    return quote_asset or next((asset for asset in KNOWN_ASSETS if symbol.endswith(asset)), ASSET)


def plain(value: float) -> str:
    """A number as one types it."""
    return f"{value:.12f}".rstrip("0").rstrip(".")


def percent_text(fraction: float) -> str:
    """A fraction as one types it in percent."""
    return plain(round(fraction * 100, 10))
