"""Which trades of an account are shown, how many pass each part of the filter, and what they come to. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from atm.gui.result.view import Totals, totals
from atm.model.account import TradeReason, TradeRecord
from atm.model.account_review import asset_of
from atm.model.order import Side


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """start_ms, end_ms: of the fill, Unix ms, half-open, None = open; asset, symbol: "" = all; hidden: sides and reasons that are
    switched off."""

    start_ms: int | None = None
    end_ms: int | None = None
    asset: str = ""
    symbol: str = ""
    hidden: frozenset[Side | TradeReason] = frozenset()

    def in_time(self, trade: TradeRecord) -> bool:
        after = self.start_ms is None or trade.time_ms >= self.start_ms
        return after and (self.end_ms is None or trade.time_ms < self.end_ms)

    def with_switched(self, one: Side | TradeReason) -> HistoryFilter:
        """The same with a side or reason switched over."""
        return HistoryFilter(self.start_ms, self.end_ms, self.asset, self.symbol, self.hidden ^ {one})


@dataclass(frozen=True, slots=True)
class Filtered:
    """rows: newest first; total: of all trades; in_asset, in_symbol, in_time: that pass this part of the filter alone; kinds: sides
    and reasons of those that pass all three; sums: of the rows, by asset."""

    rows: tuple[TradeRecord, ...] = ()
    total: int = 0
    in_asset: int = 0
    in_symbol: int = 0
    in_time: int = 0
    kinds: Mapping[Side | TradeReason, int] = field(default_factory=dict)
    sums: Mapping[str, Totals] = field(default_factory=dict)


def filtered(trades: Sequence[TradeRecord], chosen: HistoryFilter, assets: Sequence[str]) -> Filtered:
    """trades: oldest first; assets: margin assets of the account."""
    belongs = {symbol: asset_of(symbol, assets) for symbol in {trade.symbol for trade in trades}}
    rows, kinds = [], Counter[Side | TradeReason]()
    in_asset = in_symbol = in_time = 0
    for trade in reversed(trades):
        asset = chosen.asset in ("", belongs[trade.symbol])
        symbol = chosen.symbol in ("", trade.symbol)
        time = chosen.in_time(trade)
        in_asset, in_symbol, in_time = in_asset + asset, in_symbol + symbol, in_time + time
        if not (asset and symbol and time):
            continue
        kinds.update((trade.side, trade.reason))
        if trade.side not in chosen.hidden and trade.reason not in chosen.hidden:
            rows.append(trade)
    return Filtered(tuple(rows), len(trades), in_asset, in_symbol, in_time, kinds, _by_asset(rows, belongs))


def _by_asset(rows: Iterable[TradeRecord], belongs: Mapping[str, str]) -> dict[str, Totals]:
    found: dict[str, list[TradeRecord]] = {}
    for trade in rows:
        found.setdefault(belongs[trade.symbol], []).append(trade)
    return {asset: totals(found[asset]) for asset in sorted(found)}
