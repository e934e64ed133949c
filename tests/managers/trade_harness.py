"""A small program in one thread for tests of the trade manager: a bus, a market that plays bars into a real store, real
analyzers, and a main that starts them. Main, the exchange and (unless `real_data`) the data
manager are stand-ins, which answer as their contracts say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from atm.analyzers.service import AnalyzerService
from atm.ipc.assistant import IPCAssistant
from atm.ipc.local import LocalBus
from atm.ipc.messages import (
    BINANCE_API,
    DATA,
    MAIN,
    AccountUpdated,
    ClosedBar,
    CollectSymbols,
    Done,
    EnsureBars,
    FetchBars,
    FetchedBars,
    Instruments,
    NoticeRaised,
    OpenBar,
    ProcessState,
    Reply,
    Request,
    RetireWorker,
    StartWorker,
    TradeLogged,
    WorkerStarted,
)
from atm.managers.data import DataManager
from atm.managers.trade import TradeManager
from atm.model.account import AccountSetup, AssetSetup, PositionSetup, TradeRecord
from atm.model.analysis_configuration import AnalysisConfiguration, ClassicalSignal, MultiMACD
from atm.model.bars import Bar, Bars, Source
from atm.model.endpoint import Addresses, Endpoint
from atm.model.errors import Refused
from atm.model.instrument import Instrument
from atm.model.interval import MINUTE_MS, Interval
from atm.model.program import ProgramContext
from atm.model.trade_configuration import RemainingQuantity, RotationalGaussian1, TradeConfiguration
from atm.storage.database import Database
from atm.storage.market_store import MarketStore

T0 = 1_690_848_000_000  # 2023-08-01 00:00 UTC
DAY = 1_440
SYMBOLS = ("AAAUSDT", "BBBUSDT")

ROUND = RotationalGaussian1(theta=0.5, alpha=0.01, beta0=0.03, beta1=0.02, gamma=2)
ANALYSIS = AnalysisConfiguration.of_one(
    "A5",
    interval=Interval.M5,
    mmacd_short=MultiMACD(windows=(2, 4, 8), signal=2, multiplier=1, normaliser=8),
    pip=ClassicalSignal(alpha=1.0, window=4, sigma=1.5, enter_threshold=0.2),
)
TRADE = TradeConfiguration(
    "T",
    leverage=3,
    full_stop_loss_immediate=0.01,
    method=RemainingQuantity(rebalance_band=0.05, long=ROUND, short=ROUND),
)
ACCOUNT = AccountSetup(
    "paper",
    assets={"USDT": AssetSetup(10_000.0, 0.8)},
    positions=tuple(PositionSetup(s, "A5", "T", 0.5, n + 1) for n, s in enumerate(SYMBOLS)),
    trading=True,
)


def instrument(symbol: str) -> Instrument:
    return Instrument(
        symbol, symbol[:3], "USDT", "TRADING", 4, 1, "0.0001", "0.1", "0.1", "0.1", "1000000", "5", "0.015"
    )


def walk(seed: int, minutes: int, start_ms: int = T0) -> Bars:
    """A random walk with drifting trend, 0.1 % a minute, so that cycles flip and stops are hit."""
    random = np.random.default_rng(seed)
    trend = np.repeat(random.normal(0, 0.0003, minutes // 60 + 1), 60)[:minutes]
    close = 5.0 * np.exp(np.cumsum(random.normal(0, 0.001, minutes) + trend))
    opened = np.concatenate([[5.0], close[:-1]])
    spread = 1 + np.abs(random.normal(0, 0.0005, (2, minutes)))
    volume = random.uniform(10, 100, minutes)
    values = np.vstack(
        [
            opened, np.maximum(opened, close) * spread[0], np.minimum(opened, close) / spread[1], close,
            volume, volume * close, np.full(minutes, 9.0), volume / 2, volume * close / 2,
        ]
    )  # fmt: skip
    times = start_ms + np.arange(minutes, dtype=np.int64) * MINUTE_MS
    return Bars(Interval.M1, times, values, np.full(minutes, int(Source.STREAM), np.uint8))


class _Never:
    def submit(self, _function: Callable[[], None], /) -> object:
        raise AssertionError("no test imports files here")


class Program:
    """See the module. `bars` by symbol; the first `history` minutes are stored already, `play` closes the next ones."""

    def __init__(
        self,
        folder: Path,
        bars: dict[str, Bars],
        history: int,
        url: str = "",
        analyzers: int = 2,
        instruments: tuple[Instrument, ...] = (),
        real_data: bool = False,
    ) -> None:
        self.now = 0.0
        self.bars = bars
        self.at = history
        self.url = url or f"sqlite:///{folder / 'demo.sqlite3'}"
        self.bus = LocalBus(lambda: self.now)
        self.context = ProgramContext(
            folder, folder, Endpoint.TESTNET, Addresses("", ""), analyzers, 1, tuple(bars), database_url=self.url
        )
        self.writer = MarketStore(folder / "market", read_only=False)
        for symbol, all_bars in bars.items():
            self.writer.append(symbol, all_bars.slice(0, history))
        self.reader = MarketStore(folder / "market")
        self.fills: list[TradeRecord] = []
        self.updates: list[AccountUpdated] = []
        self.notices: list[str] = []
        self.collected: tuple[str, ...] = ()
        self._pids = iter(range(1_000, 9_999))
        self._main = self._start_main()
        self.exchange = self.bus.assistant(BINANCE_API)
        data = self.bus.assistant(DATA)
        self._stores_itself = real_data
        if real_data:
            DataManager(data, self.writer, _Never(), lambda: self.now, lambda: 0).start()
        else:
            data.answer(EnsureBars, self._ensure)
        self.exchange.answer(FetchBars, self._fetch)
        self.exchange.answer(CollectSymbols, self._collect)
        self.exchange.publish(Instruments(instruments or tuple(instrument(symbol) for symbol in bars)))
        self.user = self.bus.assistant("gui")
        self.user.subscribe(TradeLogged, lambda event: self.fills.append(event.record))
        self.user.subscribe(AccountUpdated, self.updates.append)
        self.user.subscribe(NoticeRaised, lambda event: self.notices.append(event.notice.text))
        self.manager: TradeManager | None = None
        self.database: Database | None = None
        self.can_ensure = True

    def seed(self, account: AccountSetup = ACCOUNT) -> None:
        """Configurations and one account in the database."""
        database = Database(self.url)
        database.configurations.put_analysis(ANALYSIS)
        database.configurations.put_trade(TRADE)
        database.accounts.put(account)
        database.close()

    # --- stand-ins --------------------------------------------------------------------------------------------

    def _start_main(self) -> IPCAssistant:
        main = self.bus.assistant(MAIN)
        main.answer(StartWorker, self._start_worker)
        main.answer(RetireWorker, self._retire)
        return main

    def _start_worker(self, request: StartWorker) -> Reply:
        free = [
            f"{request.kind}-{n}" for n in range(self.context.analyzers) if f"{request.kind}-{n}" not in self.workers()
        ]
        if not free:
            raise Refused("the pool is full")
        self.start_analyzer(free[0])
        return WorkerStarted(free[0])

    def _retire(self, request: RetireWorker) -> Reply:
        self.bus.kill(request.name)
        self._main.publish(ProcessState(request.name, "stopped", 0, 0), request.name)
        return Done()

    def workers(self) -> list[str]:
        return [name for name in self.bus.assistants if name.startswith("analyzer-")]

    def start_analyzer(self, name: str) -> None:
        AnalyzerService(self.bus.assistant(name), self.reader)
        self._main.publish(ProcessState(name, "running", next(self._pids), 0), name)

    def _ensure(self, _request: EnsureBars) -> Reply:
        if not self.can_ensure:
            raise Refused("the exchange has no such minutes")
        return Done()

    def _fetch(self, request: FetchBars) -> Reply:
        closed = self.bars[request.symbol].slice(0, self.at).between(request.start_ms, request.end_ms)
        return FetchedBars(request.symbol, tuple(closed.bar(index) for index in range(len(closed))))

    def _collect(self, request: CollectSymbols) -> Reply:
        self.collected = request.symbols
        return Done()

    # --- driving ----------------------------------------------------------------------------------------------

    def start(self) -> TradeManager:
        """A trade manager, in place of one that was killed."""
        self.database = Database(self.url)
        self.manager = TradeManager(
            self.bus.assistant("trade"), self.context, self.database, self.reader, lambda: self.now, lambda: 0
        )
        self.manager.start()
        self.bus.pump()
        self.wait(1.0)
        return self.manager

    def kill(self) -> None:
        """As kill -9: nothing is finished, nothing more is stored."""
        self.bus.kill("trade")
        assert self.database is not None
        self.database.close()

    def kill_analyzer(self, name: str) -> None:
        self.bus.kill(name)
        self._main.publish(ProcessState(name, "dead", 0, 1), name)
        self.start_analyzer(name)

    def close_minute(self) -> None:
        """The next minute of every symbol is stored and published; nobody has handled it yet."""
        for symbol, bars in self.bars.items():
            if self.at < len(bars):
                if not self._stores_itself:
                    self.writer.append(symbol, bars.slice(self.at, self.at + 1))
                self.exchange.publish(ClosedBar(symbol, bars.bar(self.at), int(Source.STREAM)), symbol)
        self.at += 1

    def play(self, minutes: int, pause: float = 0.0) -> None:
        for _ in range(minutes):
            self.close_minute()
            self.bus.pump()
            self.now += pause

    def wait(self, seconds: float, step: float = 0.25) -> None:
        """Let time pass with nothing else happening."""
        for _ in range(int(seconds / step)):
            self.now += step
            self.bus.pump()

    def publish_bar(self, symbol: str, bar: Bar, source: Source = Source.STREAM) -> None:
        self.exchange.publish(ClosedBar(symbol, bar, int(source)), symbol)

    def publish_open(self, symbol: str, bar: Bar) -> None:
        self.exchange.publish(OpenBar(symbol, bar), symbol)

    def ask(self, request: Request) -> Reply:
        """A user's request; raises what the manager answers."""
        return self.user.request("trade", request)

    def stored(self, name: str = "paper") -> tuple[list[TradeRecord], int, bytes | None]:
        """Trades in order, market time and engine as stored."""
        database = Database(self.url)
        (account,) = [a for a in database.accounts.load() if a.setup.name == name]
        trades = database.accounts.trades(name, limit=1_000_000)[::-1]
        database.close()
        return trades, account.market_ms, account.engine
