"""The read model: everything the pages know, updated by arriving events and by nothing else.

Plain state. `apply` takes one event; `revision` counts the events applied, `changed` names their types until the next
frame is drawn. Collections are bounded; the bounds stand beside them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from atm.ipc.messages import (
    AccountUpdated,
    ActivationKey,
    ActivationState,
    AnalysisReady,
    AnalyzerLoad,
    BookTop,
    ClosedBar,
    CollectionUpdated,
    ConfigurationsUpdated,
    ConnectionState,
    Coverage,
    DataJobsUpdated,
    DayTicker,
    DayTickers,
    DemoUpdated,
    DiskUseUpdated,
    Event,
    IndicatorsUpdated,
    Instruments,
    LastTrade,
    Liquidation,
    LiveShown,
    MarkPrice,
    MethodsUpdated,
    NoticeRaised,
    NotificationsUpdated,
    OpenBar,
    OpenInterest,
    OrderTypesShown,
    ParityUpdated,
    ProcessState,
    SimulationUpdated,
    SimulatorPool,
    TradeLogged,
    TrialLoading,
    WholeBook,
)
from atm.model.account import AccountKind, AccountSetup, AccountSnapshot, TradeRecord
from atm.model.activation import ActivationStatus
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.bars import Bar, TimeRange
from atm.model.data_job import Collection, DataJob, Retention
from atm.model.endpoint import Endpoint
from atm.model.instrument import Instrument
from atm.model.interval import DAY_MS
from atm.model.live_view import LiveView
from atm.model.notice import Notice, Severity
from atm.model.simulation import SimulationState, SimulationStatus
from atm.model.trade_configuration import TradeConfiguration

MOST_NOTICES = 500
MOST_RECENT_BARS = 1_500
MOST_LIVE_TRADES = 5_000
MOST_TAPE = 40
MOST_LIQUIDATIONS = 60
MOST_TOASTS = 5
TOAST_MS = 6_000


@dataclass(slots=True)
class AccountView:
    """An account. day_start: (market time, equity by asset without what was paid in until then) of the first state seen on the present
    market day; exchange_equity: of an actual account with one asset, as its exchange says, 0 = not known."""

    setup: AccountSetup
    snapshot: AccountSnapshot
    day_start_ms: int = 0
    day_start_equity: dict[str, float] = field(default_factory=dict)
    exchange_equity: float = 0.0
    trades: deque[TradeRecord] = field(default_factory=lambda: deque(maxlen=MOST_LIVE_TRADES))

    def equity(self, asset: str) -> float | None:
        """Margin balance (wallet and unrealised profit)."""
        if self.exchange_equity and asset in self.setup.assets:
            return self.exchange_equity
        return next((state.margin_balance for state in self.snapshot.assets if state.asset == asset), None)

    def today(self, asset: str) -> float | None:
        """Change of the equity since `day_start_ms`, without what was paid in or out."""
        equity, start = self.equity(asset), self.day_start_equity.get(asset)
        paid_in = next((state.transferred for state in self.snapshot.assets if state.asset == asset), 0.0)
        return None if equity is None or start is None else equity - paid_in - start


@dataclass(frozen=True, slots=True)
class Toast:
    """A notice on top of the page until `until_ms` (wall clock); 0 stays until it is acknowledged."""

    notice: Notice
    until_ms: int


@dataclass(slots=True)
class ReadModel:
    """See the module. Times of notices and toasts are wall clock, all others market time. carried: ids of the analyses of each analyzer;
    killed: when (wall clock) the kill switch of an account was pressed, until it trades again."""

    endpoint: Endpoint = Endpoint.DEMO
    revision: int = 0
    changed: set[type[Event]] = field(default_factory=set)
    connection: ConnectionState | None = None
    instruments: dict[str, Instrument] = field(default_factory=dict)
    coverage: dict[str, tuple[TimeRange, ...]] = field(default_factory=dict)
    collection: dict[str, Collection] = field(default_factory=dict)
    retention: Retention = field(default_factory=Retention)
    data_jobs: dict[int, DataJob] = field(default_factory=dict)
    disk: DiskUseUpdated | None = None
    demo: DemoUpdated | None = None
    open_bars: dict[str, Bar] = field(default_factory=dict)
    closed_bars: dict[str, deque[Bar]] = field(default_factory=dict)
    marks: dict[str, MarkPrice] = field(default_factory=dict)
    books: dict[str, BookTop] = field(default_factory=dict)
    whole_books: dict[str, WholeBook] = field(default_factory=dict)
    tickers: dict[str, DayTicker] = field(default_factory=dict)
    open_interest: dict[str, OpenInterest] = field(default_factory=dict)
    liquidations: deque[Liquidation] = field(default_factory=lambda: deque(maxlen=MOST_LIQUIDATIONS))
    last_trades: dict[str, LastTrade] = field(default_factory=dict)
    tape: dict[str, deque[LastTrade]] = field(default_factory=dict)
    analyses: dict[str, AnalysisReady] = field(default_factory=dict)
    analyzers: dict[str, AnalyzerLoad] = field(default_factory=dict)
    carried: dict[str, frozenset[str]] = field(default_factory=dict)
    indicators: IndicatorsUpdated | None = None
    methods: MethodsUpdated | None = None
    accounts: dict[str, AccountView] = field(default_factory=dict)
    activations: dict[str, ActivationState] = field(default_factory=dict)
    activation_key: bytes = b""
    live: dict[str, LiveView] = field(default_factory=dict)
    order_types: dict[str, OrderTypesShown] = field(default_factory=dict)
    killed: dict[str, int] = field(default_factory=dict)
    analysis_configurations: dict[str, AnalysisConfiguration] = field(default_factory=dict)
    trade_configurations: dict[str, TradeConfiguration] = field(default_factory=dict)
    simulations: dict[str, SimulationState] = field(default_factory=dict)
    parity_worked: dict[str, int] = field(default_factory=dict)
    simulators: SimulatorPool | None = None
    trial_loading: TrialLoading | None = None
    notifications: NotificationsUpdated | None = None
    processes: dict[str, ProcessState] = field(default_factory=dict)
    notices: deque[Notice] = field(default_factory=lambda: deque(maxlen=MOST_NOTICES))
    toasts: list[Toast] = field(default_factory=list)
    unread: int = 0

    def apply(self, event: Event) -> None:
        """Take in one event. An event that no page shows is ignored."""
        handler = _HANDLERS.get(type(event))
        if handler is None:
            return
        handler(self, event)
        self.revision += 1
        self.changed.add(type(event))

    def raise_notice(self, notice: Notice, now_ms: int) -> None:
        """Keep a notice and show it: information in the list only, success and warnings as a passing toast, critical
        ones until acknowledged."""
        self.notices.appendleft(notice)
        self.unread += 1
        if notice.severity is Severity.INFO:
            return
        until = 0 if notice.severity is Severity.CRITICAL else now_ms + TOAST_MS
        self.toasts.append(Toast(notice, until))
        passing = [toast for toast in self.toasts if toast.until_ms]
        if len(self.toasts) > MOST_TOASTS and passing:
            self.toasts.remove(passing[0])
        del self.toasts[:-MOST_TOASTS]

    def expire_toasts(self, now_ms: int) -> None:
        """Drop the toasts whose time is over."""
        self.toasts = [toast for toast in self.toasts if not toast.until_ms or toast.until_ms > now_ms]

    # --- derived

    def activation(self, account: str) -> ActivationState:
        """State of an account with the present Binance API manager, which knows of nothing that was activated before its start."""
        state = self.activations.get(account)
        if state is None or state.public != self.activation_key:
            return ActivationState(account, ActivationStatus.INACTIVE)
        return state

    def symbols(self) -> list[str]:
        """All symbols of which anything is known to be stored or streaming, then the other instruments, by name."""
        known = set(self.coverage) | set(self.open_bars) | set(self.marks)
        return sorted(known) + sorted(set(self.instruments) - known)

    def knows(self, symbol: str) -> bool:
        """Whether it is one of `symbols`, which takes longer to make."""
        return any(symbol in known for known in (self.open_bars, self.coverage, self.marks, self.instruments))

    def last_price(self, symbol: str) -> float | None:
        """Price of the newest trade, else of the running minute."""
        trade = self.last_trades.get(symbol)
        if trade is not None:
            return trade.price
        bar = self.open_bars.get(symbol)
        return bar.close if bar is not None else None

    def price_decimals(self, symbol: str) -> int:
        """Decimals of the symbol's tick; 4 while the instrument is unknown."""
        instrument = self.instruments.get(symbol)
        return 4 if instrument is None else instrument.price_precision

    def tick(self, symbol: str) -> float:
        """The smallest step of the symbol's price; that of its decimals while the instrument is unknown."""
        instrument = self.instruments.get(symbol)
        return float(instrument.tick_size) if instrument is not None else 10.0 ** -self.price_decimals(symbol)

    def quantity_decimals(self, symbol: str) -> int:
        instrument = self.instruments.get(symbol)
        return 3 if instrument is None else instrument.quantity_precision

    def stored_range(self, symbol: str) -> TimeRange | None:
        """From the first to the last stored minute."""
        ranges = self.coverage.get(symbol)
        return TimeRange(ranges[0].start_ms, ranges[-1].end_ms) if ranges else None

    def completed_simulations(self) -> list[SimulationState]:
        """Newest first."""
        done = [state for state in self.simulations.values() if state.status is SimulationStatus.COMPLETED]
        return sorted(done, key=lambda state: -state.created_ms)

    def market_ms(self, wall_ms: int) -> int:
        """The exchange's clock; the time at which a market stands that is held."""
        if self.demo is not None and self.demo.state.paused:
            return self.demo.state.market_ms
        return wall_ms + (self.connection.market_offset_ms if self.connection is not None else 0)

    # --- events

    def _on_open_bar(self, event: OpenBar) -> None:
        self.open_bars[event.symbol] = event.bar

    def _on_closed_bar(self, event: ClosedBar) -> None:
        bars = self.closed_bars.setdefault(event.symbol, deque(maxlen=MOST_RECENT_BARS))
        bars.append(event.bar)

    def _on_mark(self, event: MarkPrice) -> None:
        self.marks[event.symbol] = event

    def _on_book(self, event: BookTop) -> None:
        self.books[event.symbol] = event

    def _on_whole_book(self, event: WholeBook) -> None:
        self.whole_books = {event.symbol: event}

    def _on_tickers(self, event: DayTickers) -> None:
        self.tickers = {ticker.symbol: ticker for ticker in event.tickers}

    def _on_open_interest(self, event: OpenInterest) -> None:
        self.open_interest[event.symbol] = event

    def _on_liquidation(self, event: Liquidation) -> None:
        self.liquidations.appendleft(event)

    def _on_trade(self, event: LastTrade) -> None:
        self.last_trades[event.symbol] = event
        self.tape.setdefault(event.symbol, deque(maxlen=MOST_TAPE)).appendleft(event)

    def _on_connection(self, event: ConnectionState) -> None:
        self.connection = event

    def _on_instruments(self, event: Instruments) -> None:
        self.instruments = {instrument.symbol: instrument for instrument in event.instruments}

    def _on_coverage(self, event: Coverage) -> None:
        self.coverage[event.symbol] = event.ranges

    def _on_collection(self, event: CollectionUpdated) -> None:
        self.collection = {each.symbol: each for each in event.symbols}
        self.retention = event.retention

    def _on_data_jobs(self, event: DataJobsUpdated) -> None:
        self.data_jobs = {job.number: job for job in event.jobs}

    def _on_notifications(self, event: NotificationsUpdated) -> None:
        self.notifications = event

    def _on_disk(self, event: DiskUseUpdated) -> None:
        self.disk = event

    def _on_demo(self, event: DemoUpdated) -> None:
        self.demo = event

    def _on_analysis(self, event: AnalysisReady) -> None:
        if event.state == "stopped":
            self.analyses.pop(event.analysis, None)
        else:
            self.analyses[event.analysis] = event

    def _on_load(self, event: AnalyzerLoad) -> None:
        self.analyzers[event.analyzer] = event
        self.carried[event.analyzer] = frozenset(each.analysis for each in event.analyses)

    def _on_indicators(self, event: IndicatorsUpdated) -> None:
        self.indicators = event

    def _on_methods(self, event: MethodsUpdated) -> None:
        self.methods = event

    def _on_account(self, event: AccountUpdated) -> None:
        name = event.snapshot.name
        if event.removed:
            self.accounts.pop(name, None)
            self.live.pop(name, None)
            self.order_types.pop(name, None)
            return
        view = self.accounts.get(name)
        if view is None:
            view = self.accounts[name] = AccountView(event.setup, event.snapshot)
        view.setup, view.snapshot = event.setup, event.snapshot
        if event.snapshot.trading:
            self.killed.pop(name, None)
        if event.setup.kind is AccountKind.ACTUAL:
            return  # its journal knows the equity at the day's start
        if event.snapshot.market_ms // DAY_MS != view.day_start_ms // DAY_MS:
            view.day_start_ms = event.snapshot.market_ms
            view.day_start_equity = {}
        for state in event.snapshot.assets:
            view.day_start_equity.setdefault(state.asset, state.margin_balance - state.transferred)

    def _on_activation(self, event: ActivationState) -> None:
        self.activations[event.account] = event

    def _on_activation_key(self, event: ActivationKey) -> None:
        self.activation_key = event.public

    def _on_live(self, event: LiveShown) -> None:
        self.live[event.account] = event.view
        known, risk = self.accounts.get(event.account), event.view.risk
        if known is not None and len(known.setup.assets) == 1:
            known.exchange_equity = max(risk.equity, 0.0)
            if risk.day_equity > 0:
                known.day_start_equity = dict.fromkeys(known.setup.assets, risk.day_equity)

    def _on_order_types(self, event: OrderTypesShown) -> None:
        self.order_types[event.account] = event

    def _on_trade_logged(self, event: TradeLogged) -> None:
        view = self.accounts.get(event.account)
        if view is not None and (not view.trades or view.trades[-1].index < event.record.index):
            view.trades.append(event.record)

    def _on_parity(self, event: ParityUpdated) -> None:
        """A day of this account was worked again: counted, so that whoever shows it asks anew."""
        self.parity_worked[event.account] = self.parity_worked.get(event.account, 0) + 1

    def _on_configurations(self, event: ConfigurationsUpdated) -> None:
        self.analysis_configurations = {configuration.code: configuration for configuration in event.analysis}
        self.trade_configurations = {configuration.code: configuration for configuration in event.trade}

    def _on_simulation(self, event: SimulationUpdated) -> None:
        if event.removed:
            self.simulations.pop(event.state.code, None)
        else:
            self.simulations[event.state.code] = event.state

    def _on_simulators(self, event: SimulatorPool) -> None:
        self.simulators = event

    def _on_trial_loading(self, event: TrialLoading) -> None:
        self.trial_loading = event

    def analyzer(self) -> str | None:
        """An analyzer that has said that it can be asked; None while there is none."""
        return min((name for name in self._running_analyzers() if name in self.analyzers), default=None)

    def awaits_analyzer(self) -> bool:
        """Whether one runs that has not said anything yet."""
        return any(name not in self.analyzers for name in self._running_analyzers())

    def _running_analyzers(self) -> list[str]:
        names = [name for name in self.processes if name.startswith("analyzer-")]
        return [name for name in names if self.processes[name].state == "running"]

    def _on_process(self, event: ProcessState) -> None:
        before = self.processes.get(event.name)
        if event.state != "running" or (before is not None and before.pid not in (0, event.pid)):
            self.analyzers.pop(event.name, None)
            self.carried.pop(event.name, None)
        if event.state == "stopped":
            self.processes.pop(event.name, None)
        else:
            self.processes[event.name] = event

    def _on_notice(self, event: NoticeRaised) -> None:
        if event.notice.text == "notice.killed":
            self.killed[event.notice.subject] = event.notice.time_ms
        self.raise_notice(event.notice, event.notice.time_ms)


_HANDLERS: dict[type[Event], Callable[[ReadModel, Any], None]] = {
    OpenBar: ReadModel._on_open_bar,
    ClosedBar: ReadModel._on_closed_bar,
    MarkPrice: ReadModel._on_mark,
    BookTop: ReadModel._on_book,
    WholeBook: ReadModel._on_whole_book,
    DayTickers: ReadModel._on_tickers,
    OpenInterest: ReadModel._on_open_interest,
    Liquidation: ReadModel._on_liquidation,
    LastTrade: ReadModel._on_trade,
    ConnectionState: ReadModel._on_connection,
    Instruments: ReadModel._on_instruments,
    Coverage: ReadModel._on_coverage,
    CollectionUpdated: ReadModel._on_collection,
    DataJobsUpdated: ReadModel._on_data_jobs,
    DiskUseUpdated: ReadModel._on_disk,
    DemoUpdated: ReadModel._on_demo,
    NotificationsUpdated: ReadModel._on_notifications,
    AnalysisReady: ReadModel._on_analysis,
    AnalyzerLoad: ReadModel._on_load,
    IndicatorsUpdated: ReadModel._on_indicators,
    MethodsUpdated: ReadModel._on_methods,
    AccountUpdated: ReadModel._on_account,
    ActivationState: ReadModel._on_activation,
    ActivationKey: ReadModel._on_activation_key,
    LiveShown: ReadModel._on_live,
    OrderTypesShown: ReadModel._on_order_types,
    TradeLogged: ReadModel._on_trade_logged,
    ParityUpdated: ReadModel._on_parity,
    ConfigurationsUpdated: ReadModel._on_configurations,
    SimulationUpdated: ReadModel._on_simulation,
    SimulatorPool: ReadModel._on_simulators,
    TrialLoading: ReadModel._on_trial_loading,
    ProcessState: ReadModel._on_process,
    NoticeRaised: ReadModel._on_notice,
}

EVENTS: tuple[type[Event], ...] = tuple(_HANDLERS)
"""The events that the read model takes in."""
