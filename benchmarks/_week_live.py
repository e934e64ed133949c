"""A stretch of the demo market traded by actual accounts in virtual time: real trade manager, analyzers, journal and stores on a bus
in one thread, the demo exchange's engine behind it. Three accounts, three strategies: RQPM, a trade scenario, a user's method."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np

from atm.analyzers import installed
from atm.analyzers.checker import Verdict
from atm.analyzers.user_indicators import UserIndicators
from atm.exchange.demo.market import Market
from atm.exchange.demo.marks import FUNDING_PERIOD_MS, FUNDING_RATE
from atm.exchange.demo.rules import Rules
from atm.managers import examined
from atm.managers.trade import TradeManager
from atm.model.account import AccountKind, AccountSetup, AssetSetup, PositionSetup, TradeRecord
from atm.model.bars import Bars, Source
from atm.model.interval import DAY_MS, MINUTE_MS
from atm.model.mark import RecordedMarks
from atm.model.risk import LiveRules
from atm.model.simulation import SimulationSpec
from atm.simulators.orders.scheduler import Scheduler
from atm.simulators.specification import read_specification
from atm.storage.database import Database
from atm.storage.market_store import MarketStore
from atm.storage.sample import load_exchange_info, load_instruments
from benchmarks._week_exchange import WeekExchange
from tests.managers.trade_harness import Program

ROOT = Path(__file__).parents[1]
ASSETS = ROOT / "assets"
STRATEGIES = (
    ("rqpm", "FILUSDT", "two_positions"),
    ("scenario", "NEARUSDT", "ts_nearusdt"),
    ("method", "AVAXUSDT", "method_trend"),
)
"""Account, symbol, and the example whose configurations it trades by."""
HISTORY_MS = 3 * DAY_MS
BAR_LATENCY_MS = 80
"""The model: a closed minute is so long on its way."""
QUIET_STEPS_MS, BUSY_STEP_MS = (30_000,), 20_000
"""Moments of a minute at which timers run and the exchange is looked at; while something rests or is held, every twenty seconds."""

AFTERWARDS_STEPS = 8
"""Steps after the last minute, in which the income of the day is read."""


class Played(NamedTuple):
    """Trades by account, oldest first, what was told the user, the stores to work with; accounts that were stopped."""

    trades: dict[str, list[TradeRecord]]
    notices: list[str]
    database: Database
    store: MarketStore
    failures: dict[str, str]
    exchange: WeekExchange


def specification(example: str) -> SimulationSpec:
    return read_specification(ROOT / "examples" / f"{example}.toml")


def setups() -> list[AccountSetup]:
    """Three actual accounts, each with what its example trades by."""
    made = []
    for name, symbol, example in STRATEGIES:
        position = specification(example).positions[0]
        made.append(
            AccountSetup(
                name,
                AccountKind.ACTUAL,
                {"USDT": AssetSetup(0.0, 0.5)},
                (PositionSetup(symbol, position.analysis, position.trade),),
                trading=True,
                live=LiveRules(stop_distance=0.1),
            )
        )
    return made


def bars_of(market: Market, begin_ms: int, end_ms: int) -> Bars:
    """The minutes of the demo exchange with their mark prices and funding rates, as its streams tell them."""
    edges = list(range(begin_ms, end_ms + 1, MINUTE_MS))
    rows = market.marks.bars(edges, end_ms - 1, lambda _, mark: mark)
    stamps = np.array([edge for edge in edges[:-1] if edge % FUNDING_PERIOD_MS == 0], np.int64)
    times = np.array(edges[:-1], np.int64)
    marks = RecordedMarks(times, np.array(rows).T, stamps, np.full(len(stamps), FUNDING_RATE))
    return Bars.of([market.closed(edge) for edge in edges[:-1]], Source.STREAM).with_marks(marks)


class Week:
    """See the module. begin_ms: 00:00 UTC of the first day."""

    def __init__(self, folder: Path, begin_ms: int, minutes: int) -> None:
        self._begin_ms, self._minutes = begin_ms, minutes
        _install(folder)
        sample = MarketStore(folder / "none", sample=ASSETS / "sample")
        instruments = load_instruments(ASSETS)
        symbols = [symbol for _, symbol, _ in STRATEGIES]
        markets = {each.symbol: Market(each, sample) for each in instruments if each.symbol in symbols}
        entries = {entry["symbol"]: entry for entry in load_exchange_info(ASSETS)["symbols"]}
        rules = {symbol: Rules.of(entries[symbol]) for symbol in symbols}
        end_ms = begin_ms + (minutes + 1) * MINUTE_MS
        bars = {symbol: bars_of(markets[symbol], begin_ms - HISTORY_MS, end_ms) for symbol in symbols}
        self.program = Program(folder, bars, (HISTORY_MS // MINUTE_MS) - 1, instruments=instruments)
        self._seed()
        self._scheduler = Scheduler(begin_ms)
        names = [name for name, _, _ in STRATEGIES]
        self.exchange = WeekExchange(self.program.exchange, markets, rules, names, self._scheduler)

    def _seed(self) -> None:
        database = Database(self.program.url)
        for _, _, example in STRATEGIES:
            spec = specification(example)
            for analysis in spec.analysis:
                database.configurations.put_analysis(analysis)
            for trade in spec.trade:
                database.configurations.put_trade(trade)
        for setup in setups():
            database.accounts.put(setup)
        database.close()

    def play(self, kill_after: int = 0) -> Played:
        """The whole stretch. kill_after: minutes after which the trade manager is killed and begins anew (0: never)."""
        self._start()
        self._close()  # the minute before the first tells the accounts what time it is
        for minute in range(1, self._minutes + 1):
            self._pass((minute - 1) * MINUTE_MS)
            self._close()
            if minute == kill_after:
                self.program.kill()
                self._start()
        for _ in range(AFTERWARDS_STEPS):
            self._to(self._scheduler.now_ms + BUSY_STEP_MS)
        manager, database = self.program.manager, self.program.database
        assert manager is not None and database is not None
        manager.finish()
        names = [name for name, _, _ in STRATEGIES]
        trades = {name: database.accounts.trades(name, 1_000_000)[::-1] for name in names}
        failures = {name: account.failure for name, account in manager.book.accounts.items() if account.failure}
        return Played(trades, self.program.notices, database, self.program.reader, failures, self.exchange)

    def _start(self) -> None:
        program = self.program
        program.database = Database(program.url)
        program.manager = TradeManager(
            program.bus.assistant("trade"), program.context, program.database, program.reader, lambda: program.now,
            lambda: 0,
        )  # fmt: skip
        program.manager.start()
        self._to(self._scheduler.now_ms)
        self._to(self._scheduler.now_ms + 3_000)

    def _pass(self, since_ms: int) -> None:
        """The minute from its beginning to its close."""
        open_ms = self._begin_ms + since_ms
        busy = range(BUSY_STEP_MS, MINUTE_MS, BUSY_STEP_MS)
        for step in busy if self.exchange.is_busy else QUIET_STEPS_MS:
            if open_ms + step > self._scheduler.now_ms:
                self._to(open_ms + step)
        self._to(open_ms + MINUTE_MS)

    def _close(self) -> None:
        """The closed bars of the newest minute arrive."""
        self._to(self._scheduler.now_ms + BAR_LATENCY_MS)
        self.program.close_minute()
        self.program.bus.pump()

    def _to(self, ms: int) -> None:
        """Let everything happen up to a moment."""
        self._scheduler.at(ms, self.exchange.tell)
        while (due := self._scheduler.next_ms()) is not None and due <= ms:
            self._scheduler.run_next()
            self.program.now = (self._scheduler.now_ms - self._begin_ms) / 1_000
            self.program.bus.pump()


def _install(folder: Path) -> None:
    """The shipped methods, examined already."""
    copy = folder / "strategies"
    shutil.copytree(ROOT / "strategies", copy, ignore=shutil.ignore_patterns("__pycache__"))
    examined.apart = lambda work: work()  # type: ignore[assignment]
    installed._users = UserIndicators([copy], None, lambda _: Verdict(True))
