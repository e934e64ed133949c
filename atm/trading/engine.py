"""The account engine: all positions of one account, minute after minute. The one core of backtest, paper and live.

A backtest calls `run` over years, a virtual account `minute` for one; both call the same kernels on the same arrays, so
their decisions are the same bits. The state is what `dump` gives and `load` takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from atm.ledger.settings import ALLOWED, mode_change
from atm.model.account import (
    AccountKind,
    AccountSnapshot,
    AssetSetup,
    CostModel,
    PositionSetup,
    TradeReason,
    TradeRecord,
)
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.bars import Bar
from atm.model.errors import Invalid, Refused
from atm.model.instrument import Instrument
from atm.model.interval import Interval
from atm.model.mark import Assumptions
from atm.model.order import Side
from atm.model.trade_configuration import TradeConfiguration
from atm.model.trade_method import resolved
from atm.trading import engine_state
from atm.trading.account_figures import account_figures
from atm.trading.cross_margin import refresh_pools
from atm.trading.engine_setup import EngineSetup, build, with_instruments
from atm.trading.fills import refresh_levels
from atm.trading.layout import (
    MEMORY,
    MOST_FILLS,
    POSITION_WIDTH,
    Asset,
    Meta,
    Position,
    Reason,
    Trade,
    input_columns,
)
from atm.trading.method_choice import Methods
from atm.trading.method_setup import decision_columns
from atm.trading.minute_grid import MinuteGrid, one_minute
from atm.trading.phases import run_minutes

Floats = NDArray[np.float64]
Shorts = NDArray[np.float32]
Ints = NDArray[np.int64]

_BUFFER_ROWS = 8_192
_REASONS = tuple(TradeReason)
_WHOLE = [Trade.INDEX, Trade.TIME, Trade.DECISION, Trade.POSITION, Trade.REASON]
_AS_THEY_ARE = [
    Trade.PRICE,
    Trade.PROFIT,
    Trade.FEE,
    Trade.QUANTITY_AFTER,
    Trade.ENTRY_AFTER,
    Trade.WALLET_AFTER,
    Trade.TARGET_BEFORE,
    Trade.TARGET_AFTER,
]


class AccountEngine:
    """See the module. Positions are worked in priority order. Raises `Invalid` for set-ups that cannot be traded.

    methods: users' methods by name, None: those that are loaded. An engine keeps the versions that it began with.
    """

    def __init__(
        self,
        assets: Mapping[str, AssetSetup],
        positions: Iterable[PositionSetup],
        analysis: Iterable[AnalysisConfiguration],
        trade: Iterable[TradeConfiguration],
        instruments: Iterable[Instrument],
        costs: CostModel,
        methods: Methods | None = None,
    ) -> None:
        self.setup: EngineSetup = build(assets, positions, analysis, trade, instruments, costs, methods)
        n = len(self.setup.positions)
        self._positions = np.zeros((n, POSITION_WIDTH))
        self._positions[:, Position.REMAINING] = 1.0
        self._assets = np.zeros((len(self.setup.assets), len(Asset)))
        self._assets[:, Asset.CROSS] = self.setup.balances
        self._meta = np.zeros(len(Meta), np.int64)
        self._meta[Meta.TRADING] = 1
        self._buffer = np.zeros((_BUFFER_ROWS + MOST_FILLS * n, len(Trade)))
        self._levels = np.zeros((n, 4))
        self._columns: dict[tuple[str, tuple[str, ...]], Ints] = {}

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
    def row_width(self) -> int:
        """Numbers of a row of decision inputs."""
        return self.setup.row_width

    @property
    def method_versions(self) -> dict[str, str]:
        """Versions of the users' methods that trade here, by name."""
        return {each.method.name: each.method.version for each in self.setup.chosen if each is not None}

    @property
    def every_minute(self) -> frozenset[str]:
        """Symbols of the positions that decide at every minute, on rows of open bars too."""
        users = zip(self.symbols, self.setup.chosen, strict=True)
        return frozenset(symbol for symbol, chosen in users if chosen is not None and chosen.method.every_minute)

    @property
    def fills(self) -> int:
        """How many there have been, ever."""
        return int(self._meta[Meta.TRADES])

    def columns(self, symbol: str, interval: Interval) -> tuple[str, ...]:
        """The columns of analysis that the position of this symbol decides on; those of the decision interval come first."""
        i = self._index(symbol)
        own = tuple(f"{interval.value}.{name}" for name in decision_columns(self.setup.trade[i], self.setup.chosen[i]))
        return tuple(dict.fromkeys((*own, *self._user_columns(i, interval))))

    def decided_on(self, symbol: str, interval: Interval) -> Ints:
        """Places in a row of decision inputs of what the position of this symbol decides on; others may hold anything."""
        names = [*input_columns(interval), *self._user_columns(self._index(symbol), interval)]
        wanted = set(self.columns(symbol, interval))
        return np.array([place for place, name in enumerate(names) if name in wanted], np.int64)

    def _user_columns(self, i: int, interval: Interval) -> tuple[str, ...]:
        chosen = self.setup.chosen[i]
        return () if chosen is None else tuple(resolved(name, interval) for name in chosen.columns)

    def inputs(self, symbol: str, columns: tuple[str, ...], values: Floats) -> Floats:
        """The decision inputs of the position of this symbol from analysis rows: float64 (n_columns,) or (n_columns, n) →
        (row_width,) or (n, row_width).

        The first column is one of the decision interval. What the analysis lacks is NaN.
        """
        key = symbol, columns
        if key not in self._columns:
            interval = Interval(columns[0].split(".", 1)[0])
            names = [*input_columns(interval), *self._user_columns(self._index(symbol), interval)]
            at = [columns.index(name) if name in columns else -1 for name in names]
            self._columns[key] = np.array(at + [-1] * (self.row_width - len(at)), np.int64)
        at_column = self._columns[key]
        picked = values[at_column]
        picked[at_column < 0] = np.nan
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
        Raises `Refused` when a user's method fails.
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
        if grid.rows.shape[1] < setup.row_width:
            raise Invalid("rows", grid.rows.shape[1], f"at least {setup.row_width} numbers each")
        done = run_minutes(
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
            grid.volumes[at:stop],
            grid.books[:, at:stop],
            grid.rows,
            grid.row_at[at:stop],
            equity[at:stop],
            self._levels,
            grid.rates,
            grid.marks[at:stop],
        )
        failed = int(self._meta[Meta.FAILED]) - 1
        if failed >= 0:
            self._meta[Meta.FAILED] = 0
            self._refuse(failed)
        return int(done)

    def _refuse(self, i: int) -> None:
        chosen = self.setup.chosen[i]
        name = "" if chosen is None else chosen.method.name
        raise Refused(
            f"the method {name} failed at a decision on {self.symbols[i]}: an index outside of an array, or an exception"
        )

    def minute(
        self,
        minute_ms: int,
        bars: Mapping[str, Bar],
        rows: Mapping[str, Floats],
        rates: Mapping[str, float] | None = None,
    ) -> float:
        """One minute: bars by symbol (absent = missing), rows of decision inputs by analysis id (see `inputs`) of the
        analyses that close with it. Mark price and settled funding rate are those of the bars, `rates` (by symbol) goes before the
        latter. Returns the equity at its close. Raises `Refused` when a user's method fails."""
        grid = one_minute(self.symbols, self.analyses, self.row_width, minute_ms, bars, rows, rates)
        equity = np.zeros(1)
        self._step(grid, 0, 1, equity)
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

    def transfer(self, asset: str, amount: float) -> None:
        """Pay into the cross wallet of an asset, or out of it (amount < 0); how much may leave is for the caller to know
        (`AssetState.withdrawable`). Raises `Invalid` for an asset that the account has not."""
        if asset not in self.setup.assets:
            raise Invalid("asset", asset, ", ".join(self.setup.assets))
        self._assets[self.setup.assets.index(asset), Asset.CROSS] += amount
        self.refresh()

    def _index(self, symbol: str) -> int:
        if symbol not in self.symbols:
            raise Invalid("symbol", symbol, ", ".join(self.symbols))
        return self.symbols.index(symbol)

    def adopt(self, previous: AccountEngine) -> None:
        """Take over wallets, positions and counters of the same account's engine before its set-up was changed.

        Raises `Invalid` when a position that is open would vanish or change its margin mode.
        """
        for symbol in previous.symbols:
            row = previous._positions[previous._index(symbol)]
            if symbol not in self.symbols and row[Position.QUANTITY] != 0.0:
                raise Invalid("positions.symbol", symbol, "kept while its position is open")
            if symbol in self.symbols:
                was, is_ = previous.setup.trade[previous._index(symbol)], self.setup.trade[self._index(symbol)]
                refused = mode_change(was.isolated, is_.isolated, False, bool(row[Position.QUANTITY] != 0.0))
                if was.isolated != is_.isolated and refused != ALLOWED:
                    allowed = f"{str(was.isolated).lower()} while the position in {symbol} is open"
                    raise Invalid("trade.isolated", is_.isolated, allowed)
        for symbol in previous.symbols:
            if symbol in self.symbols:
                self._adopt_position(self._index(symbol), previous._positions[previous._index(symbol)], previous)
        for index, asset in enumerate(self.setup.assets):
            if asset in previous.setup.assets:
                self._assets[index] = previous._assets[previous.setup.assets.index(asset)]
        self._meta[:] = previous._meta
        self.refresh()

    def take_instruments(self, instruments: Mapping[str, Instrument]) -> None:
        """Size and price new orders by these filters and brackets from the next minute on; those of other symbols stay."""
        self.setup = with_instruments(self.setup, instruments)
        self.refresh()

    def refresh(self) -> None:
        """Work out the levels that follow from positions and set-up."""
        setup = self.setup
        for i in range(len(setup.positions)):
            refresh_levels(self._positions, self._assets, setup.setups, setup.brackets, setup.first, i)
        refresh_pools(self._positions, self._assets, setup.setups, setup.brackets, setup.first)

    def _adopt_position(self, i: int, row: Floats, previous: AccountEngine) -> None:
        """The position, and the state of its trade control unless that has changed while the position is flat."""
        symbol = self.symbols[i]
        before = previous._index(symbol)
        self._positions[i] = row
        if previous.setup.trade[before] != self.setup.trade[i] and row[Position.QUANTITY] == 0.0:
            self._positions[i, [Position.CYCLE_SIDE, Position.TARGET, Position.STOP_MARK]] = 0.0
            self._positions[i, Position.REMAINING] = 1.0
            self._positions[i, MEMORY:] = 0.0
        self.forget(previous.method_versions)

    def forget(self, versions: Mapping[str, str]) -> tuple[str, ...]:
        """Clear what users' methods remember that had another version (by name) when the state was made: its numbers may mean
        something else now. Positions, stops and orders stay. Returns the symbols."""
        changed = [
            i
            for i, each in enumerate(self.setup.chosen)
            if each is not None and versions.get(each.method.name, each.method.version) != each.method.version
        ]
        self._positions[changed, MEMORY:] = 0.0
        return tuple(self.symbols[i] for i in changed)

    # --- results -----------------------------------------------------------------------------------------------

    def trades(self) -> list[TradeRecord]:
        """The fills since the last call, in order."""
        count = int(self._meta[Meta.BUFFERED])
        self._meta[Meta.BUFFERED] = 0
        if not count:
            return []
        rows = self._buffer[:count]
        whole = rows[:, _WHOLE].astype(np.int64).T.tolist()
        index, time, decision, position, reason = whole
        symbols = self.symbols
        return list(
            map(
                TradeRecord,
                index,
                time,
                decision,
                [symbols[i] for i in position],
                [Side.BUY if bought else Side.SELL for bought in (rows[:, Trade.QUANTITY] > 0).tolist()],
                [_REASONS[number] for number in reason],
                np.abs(rows[:, Trade.QUANTITY]).tolist(),
                *rows[:, _AS_THEY_ARE].T.tolist(),
                (rows[:, Trade.MAKER] > 0.5).tolist(),
            )
        )

    def funding_paid(self) -> float:
        """Funding paid so far over all assets (negative = received)."""
        return float(self._assets[:, Asset.FUNDING].sum())

    def fees_paid(self) -> float:
        """Commission and clearance fees so far over all assets."""
        return float(self._assets[:, Asset.FEES].sum())

    @property
    def assumed(self) -> Assumptions:
        """What stood in for mark prices and funding rates that were not recorded, so far."""
        sums = self._positions[:, [Position.HELD, Position.UNMARKED, Position.STAMPS, Position.DEFAULTED]].sum(axis=0)
        return Assumptions(*(int(each) for each in sums))

    @property
    def unrecorded_fills(self) -> int:
        """Market orders priced by the fixed model of slippage because their minute's book was not recorded."""
        return int(self._positions[:, Position.UNRECORDED].sum())

    def snapshot(
        self, name: str = "", marks: Mapping[str, float] | None = None, kind: AccountKind = AccountKind.VIRTUAL
    ) -> AccountSnapshot:
        """The account as it is, valued at `marks` where given, else at the last mark prices. Changes nothing."""
        at = self._positions[:, Position.MARK].copy()
        for symbol, mark in (marks or {}).items():
            if symbol in self.symbols:
                at[self._index(symbol)] = mark
        assets, positions = account_figures(self.setup, self._state(), at)
        trading = bool(self._meta[Meta.TRADING])
        return AccountSnapshot(name, kind, trading, self.market_ms, assets, positions, assumed=self.assumed)

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

    def tables(self) -> engine_state.Tables:
        """The state itself: positions (n, POSITION_WIDTH), assets, meta. For `atm.trading.actual`, which writes into it."""
        return self._state()

    def _state(self) -> engine_state.Tables:
        return self._positions, self._assets, self._meta


assert list(Reason._fields) == [reason.name for reason in TradeReason]
