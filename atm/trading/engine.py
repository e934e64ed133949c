"""The account engine: all positions of one account, minute after minute. The one core of backtest, paper and live.

A backtest calls `run` over years, a virtual account `minute` for one; both call the same kernels on the same arrays, so
their decisions are the same bits. The state is what `dump` gives and `load` takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atm.ledger.margin import maintenance_margin
from atm.model.account import (
    AccountKind,
    AccountSnapshot,
    AssetSetup,
    AssetState,
    CostModel,
    PositionSetup,
    PositionState,
    TradeReason,
    TradeRecord,
)
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.bars import Bar
from atm.model.errors import Invalid
from atm.model.instrument import Instrument
from atm.model.interval import Interval
from atm.model.order import Side
from atm.model.trade_configuration import TradeConfiguration
from atm.trading import engine_state
from atm.trading.engine_setup import EngineSetup, build
from atm.trading.fills import refresh_levels
from atm.trading.layout import (
    MEMORY,
    MOST_FILLS,
    POSITION_WIDTH,
    Asset,
    Input,
    Meta,
    Position,
    Reason,
    Setup,
    Trade,
    input_columns,
)
from atm.trading.method_setup import decision_columns
from atm.trading.phases import run_minutes

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_BUFFER_ROWS = 8_192
_REASONS = tuple(TradeReason)


class MinuteGrid(NamedTuple):
    """Dense minutes of all positions. Prices float64 (n, positions), NaN = missing; rows float64 (k, Input);
    row_at int64 (n, positions): row that closes with the minute, −1 = none; start_ms: first open time."""

    start_ms: int
    opens: Floats
    highs: Floats
    lows: Floats
    closes: Floats
    rows: Floats
    row_at: Ints


class AccountEngine:
    """See the module. Positions are worked in priority order. Raises `Invalid` for set-ups that cannot be traded."""

    def __init__(
        self,
        assets: Mapping[str, AssetSetup],
        positions: Iterable[PositionSetup],
        analysis: Iterable[AnalysisConfiguration],
        trade: Iterable[TradeConfiguration],
        instruments: Iterable[Instrument],
        costs: CostModel,
    ) -> None:
        self.setup: EngineSetup = build(assets, positions, analysis, trade, instruments, costs)
        n = len(self.setup.positions)
        self._positions = np.zeros((n, POSITION_WIDTH))
        self._positions[:, Position.REMAINING] = 1.0
        self._assets = np.zeros((len(self.setup.assets), len(Asset)))
        self._assets[:, Asset.CROSS] = self.setup.balances
        self._meta = np.zeros(len(Meta), np.int64)
        self._meta[Meta.TRADING] = 1
        self._buffer = np.zeros((_BUFFER_ROWS + MOST_FILLS * n, len(Trade)))
        self._columns: dict[tuple[str, ...], Ints] = {}

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """Symbols in priority order."""
        return tuple(position.symbol for position in self.setup.positions)

    @property
    def analyses(self) -> tuple[str, ...]:
        """Analysis ids (SYMBOL/code) of the positions, in the same order."""
        return tuple(f"{position.symbol}/{position.analysis}" for position in self.setup.positions)

    @property
    def market_ms(self) -> int:
        """Close of the last processed minute (Unix ms), 0 before the first."""
        return int(self._meta[Meta.MARKET_MS])

    @property
    def liquidations(self) -> int:
        return int(self._meta[Meta.LIQUIDATIONS])

    @property
    def fills(self) -> int:
        """How many there have been, ever."""
        return int(self._meta[Meta.TRADES])

    def columns(self, symbol: str, interval: Interval) -> tuple[str, ...]:
        """The columns of analysis that the position of this symbol decides on."""
        settings = self.setup.trade[self._index(symbol)]
        return tuple(f"{interval.value}.{name}" for name in decision_columns(settings))

    def inputs(self, columns: tuple[str, ...], values: Floats) -> Floats:
        """The decision inputs of analysis rows: float64 (n_columns,) or (n_columns, n) → (Input,) or (n, Input).

        They are read from the decision interval, whose columns come first; what the analysis lacks is NaN.
        """
        if columns not in self._columns:
            names = input_columns(Interval(columns[0].split(".", 1)[0]))
            self._columns[columns] = np.array([columns.index(n) if n in columns else -1 for n in names], np.int64)
        at = self._columns[columns]
        picked = values[at]
        picked[at < 0] = np.nan
        return np.ascontiguousarray(picked.T)

    # --- driving -----------------------------------------------------------------------------------------------

    def run(
        self,
        grid: MinuteGrid,
        progress: Callable[[float], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        slice_minutes: int = 200_000,
        *,
        recorded: bool = True,
    ) -> tuple[list[TradeRecord], Floats]:
        """All minutes of a grid → (fills, equity at each minute's close). Stops early when `cancelled()`.

        recorded: whether the fills are wanted; without them there are none in the answer, only counted (`fills`).
        """
        total = grid.opens.shape[0]
        equity = np.zeros(total)
        records: list[TradeRecord] = []
        at = 0
        while at < total and not (cancelled is not None and cancelled()):
            stop = min(total, at + slice_minutes)
            at += self._step(grid, at, stop, equity)
            if recorded:
                records.extend(self.trades())
            self._meta[Meta.BUFFERED] = 0
            if progress is not None:
                progress(at / total)
        return records, equity[:at]

    def _step(self, grid: MinuteGrid, at: int, stop: int, equity: Floats) -> int:
        setup = self.setup
        return run_minutes(
            self._positions,
            self._assets,
            setup.setups,
            setup.ratios,
            self._meta,
            setup.brackets,
            setup.first,
            self._buffer,
            grid.start_ms + at * 60_000,
            grid.opens[at:stop],
            grid.highs[at:stop],
            grid.lows[at:stop],
            grid.closes[at:stop],
            grid.rows,
            grid.row_at[at:stop],
            equity[at:stop],
        )

    def minute(self, minute_ms: int, bars: Mapping[str, Bar], rows: Mapping[str, Floats]) -> float:
        """One minute: bars by symbol (absent = missing), rows of decision inputs by analysis id (see `inputs`) of the
        analyses that close with it. Returns the equity at its close."""
        n = len(self.setup.positions)
        prices = np.full((4, 1, n), np.nan)
        row_at = np.full((1, n), -1, np.int64)
        table = np.zeros((max(n, 1), len(Input)))
        for i, (symbol, analysis) in enumerate(zip(self.symbols, self.analyses, strict=True)):
            bar = bars.get(symbol)
            if bar is not None:
                prices[:, 0, i] = (bar.open, bar.high, bar.low, bar.close)
            if analysis in rows:
                table[i] = rows[analysis]
                row_at[0, i] = i
        equity = np.zeros(1)
        self._step(MinuteGrid(minute_ms, prices[0], prices[1], prices[2], prices[3], table, row_at), 0, 1, equity)
        return float(equity[0])

    # --- commands ----------------------------------------------------------------------------------------------

    def set_trading(self, on: bool) -> None:
        """Off: no new exposure. Reductions, stops and liquidation go on."""
        self._meta[Meta.TRADING] = int(on)
        if not on:
            self._positions[:, Position.PENDING_OPEN] = 0.0

    def force_clear(self, symbol: str) -> None:
        """Close the position at the next open. Raises `Invalid` when there is none."""
        i = self._index(symbol)
        if self._positions[i, Position.QUANTITY] == 0.0:
            raise Invalid("symbol", symbol, "a symbol with an open position")
        self._positions[i, Position.FORCE] = 1.0
        self._positions[i, Position.PENDING_OPEN] = 0.0

    def _index(self, symbol: str) -> int:
        if symbol not in self.symbols:
            raise Invalid("symbol", symbol, ", ".join(self.symbols))
        return self.symbols.index(symbol)

    def adopt(self, previous: AccountEngine) -> None:
        """Take over wallets, positions and counters of the same account's engine before its set-up was changed.

        Raises `Invalid` when a position that is open would vanish.
        """
        for symbol in previous.symbols:
            row = previous._positions[previous._index(symbol)]
            if symbol not in self.symbols and row[Position.QUANTITY] != 0.0:
                raise Invalid("positions.symbol", symbol, "kept while its position is open")
            if symbol in self.symbols:
                self._adopt_position(self._index(symbol), row, previous.setup.trade[previous._index(symbol)])
        for index, asset in enumerate(self.setup.assets):
            if asset in previous.setup.assets:
                self._assets[index] = previous._assets[previous.setup.assets.index(asset)]
        self._meta[:] = previous._meta

    def _adopt_position(self, i: int, row: Floats, traded: TradeConfiguration) -> None:
        """The position, and the state of its trade control unless that has changed while the position is flat."""
        self._positions[i] = row
        if traded != self.setup.trade[i] and row[Position.QUANTITY] == 0.0:
            self._positions[i, [Position.CYCLE_SIDE, Position.TARGET, Position.STOP_MARK]] = 0.0
            self._positions[i, Position.REMAINING] = 1.0
            self._positions[i, MEMORY:] = 0.0
        refresh_levels(self._positions, self.setup.setups, self.setup.brackets, self.setup.first, i)

    # --- results -----------------------------------------------------------------------------------------------

    def trades(self) -> list[TradeRecord]:
        """The fills since the last call, in order."""
        count = int(self._meta[Meta.BUFFERED])
        self._meta[Meta.BUFFERED] = 0
        return [self._record(row) for row in self._buffer[:count].tolist()]

    def _record(self, row: list[float]) -> TradeRecord:
        (time, decision, position, reason, quantity, price, profit, fee, after, entry, wallet, index,
         target_before, target_after) = row  # fmt: skip
        return TradeRecord(
            int(index),
            int(time),
            int(decision),
            self.symbols[int(position)],
            Side.BUY if quantity > 0 else Side.SELL,
            _REASONS[int(reason)],
            abs(quantity),
            price,
            profit,
            fee,
            after,
            entry,
            wallet,
            target_before,
            target_after,
        )

    def funding_paid(self) -> float:
        """Funding paid so far over all assets (negative = received)."""
        return float(self._assets[:, Asset.FUNDING].sum())

    def fees_paid(self) -> float:
        """Commission and clearance fees so far over all assets."""
        return float(self._assets[:, Asset.FEES].sum())

    def snapshot(
        self, name: str = "", marks: Mapping[str, float] | None = None, kind: AccountKind = AccountKind.VIRTUAL
    ) -> AccountSnapshot:
        """The account as it is, valued at `marks` where given, else at the last close. Changes nothing."""
        positions = tuple(self._position_state(i, marks or {}) for i in range(len(self.symbols)))
        assets = tuple(self._asset_state(index, positions) for index in range(len(self.setup.assets)))
        trading = bool(self._meta[Meta.TRADING])
        return AccountSnapshot(name, kind, trading, self.market_ms, assets, positions)

    def _position_state(self, i: int, marks: Mapping[str, float]) -> PositionState:
        row = self._positions[i].tolist()
        symbol = self.symbols[i]
        q = row[Position.QUANTITY]
        mark = marks.get(symbol, row[Position.MARK])
        leverage = int(self.setup.setups[i, Setup.LEVERAGE])
        brackets = self.setup.brackets[self.setup.first[i] : self.setup.first[i + 1]]
        open_ = q != 0.0
        return PositionState(
            symbol=symbol,
            quantity=q,
            entry_price=row[Position.ENTRY] if open_ else None,
            mark_price=mark or None,
            leverage=leverage,
            isolated=True,
            isolated_wallet=row[Position.ISOLATED],
            initial_margin=abs(q) * mark / leverage,
            maintenance_margin=maintenance_margin(brackets, abs(q) * mark) if open_ else 0.0,
            unrealized_profit=q * (mark - row[Position.ENTRY]) if open_ else 0.0,
            liquidation_price=row[Position.LIQUIDATION] or None,
            allocated_balance=row[Position.ALLOCATED],
            target_exposure=row[Position.TARGET],
            stop_price=row[Position.STOP] or None,
            trading=bool(self._meta[Meta.TRADING]),
            reason="stopped" if row[Position.STOP_MARK] else "",
        )

    def _asset_state(self, index: int, positions: tuple[PositionState, ...]) -> AssetState:
        row = self._assets[index].tolist()
        mine = [p for i, p in enumerate(positions) if int(self.setup.setups[i, Setup.ASSET]) == index]
        wallet = row[Asset.CROSS] + sum(p.isolated_wallet for p in mine)
        unrealized = sum(p.unrealized_profit for p in mine)
        return AssetState(
            asset=self.setup.assets[index],
            wallet_balance=wallet,
            cross_wallet_balance=row[Asset.CROSS],
            margin_balance=wallet + unrealized,
            available_balance=max(0.0, row[Asset.CROSS]),
            unrealized_profit=unrealized,
            initial_margin=sum(p.initial_margin for p in mine),
            maintenance_margin=sum(p.maintenance_margin for p in mine),
            fees_paid=row[Asset.FEES],
            funding_paid=row[Asset.FUNDING],
            realized_profit=row[Asset.REALIZED],
        )

    # --- storing -----------------------------------------------------------------------------------------------

    def dump(self) -> bytes:
        """The state, bit for bit; fills not yet taken by `trades` are not part of it."""
        return engine_state.dump(self.symbols, self.setup.assets, self._state())

    def load(self, data: bytes) -> None:
        """Take a dumped state over, that of an earlier version too.

        Raises `Invalid` when it belongs to a version that is not known or to another set of positions.
        """
        engine_state.load(data, self.symbols, self.setup.assets, self._state())
        self._meta[Meta.BUFFERED] = 0

    def _state(self) -> engine_state.Tables:
        return self._positions, self._assets, self._meta


assert list(Reason._fields) == [reason.name for reason in TradeReason]
