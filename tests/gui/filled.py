"""A read model as it looks after some hours on the demo exchange, on the bars of the shipped sample."""

from __future__ import annotations

import random
from decimal import Decimal
from functools import cache
from pathlib import Path

import numpy as np

from atm.analyzers import AnalysisPipeline, Registry
from atm.analyzers.checker import Verdict
from atm.analyzers.description import describe
from atm.analyzers.user_indicators import UserIndicators
from atm.gui.read_model import ReadModel
from atm.gui.results import AccountRecords, AnalysedStretch, SimulationResult
from atm.gui.texts import Texts
from atm.ipc.messages import (
    AccountUpdated,
    AnalyseBars,
    AnalysesDescription,
    AnalysisLoad,
    AnalysisReady,
    AnalyzerLoad,
    BookTop,
    ClosedBar,
    CollectionUpdated,
    ConfigurationsUpdated,
    ConnectionState,
    Coverage,
    DataJobsUpdated,
    DiskUseUpdated,
    IndicatorBadge,
    IndicatorsUpdated,
    Instruments,
    KnownIndicator,
    LastTrade,
    MarkPrice,
    NoticeRaised,
    OpenBar,
    ProcessState,
    SimulationUpdated,
)
from atm.model.account import (
    AccountKind,
    AccountSetup,
    AccountSnapshot,
    AssetSetup,
    AssetState,
    PositionSetup,
    PositionState,
    TradeReason,
    TradeRecord,
)
from atm.model.analysis_configuration import AnalysisConfiguration, ClassicalSignal, MultiMACD
from atm.model.bars import Bar, Bars, Source, TimeRange
from atm.model.data_job import Collection, DataJob, IntegrityFinding, JobKind, JobStatus, KindUse, Retention
from atm.model.income import TOLERANCE, IncomeCause, IncomeCheck, IncomeLine, IncomeRecord, IncomeState
from atm.model.instrument import Instrument
from atm.model.interval import MINUTE_MS, parse_time
from atm.model.journal import JournalEntry
from atm.model.live_order import LiveOrder, OrderFill, OrderIntent, OrderState, Purpose
from atm.model.live_view import DifferenceView, LiveView, OrderView, Protection, RiskFigures, StopView
from atm.model.mark import Assumptions, MarksStored
from atm.model.notice import Notice, Severity
from atm.model.order import Side
from atm.model.order_facts import Filled, Intended, Reported, Sent
from atm.model.parameter import parameters_of
from atm.model.provenance import Provenance
from atm.model.simulation import SimulationSpec, SimulationState, SimulationStatus, SimulationSummary
from atm.model.trade_configuration import TradeConfiguration
from atm.storage.market_store import MarketStore
from atm.trading.live.income_check import sums

ROOT = Path(__file__).resolve().parents[2]
ASSETS = ROOT / "assets"
WALL_MS = parse_time("2026-03-02 10:15:30")
MARKET_MS = parse_time("2023-09-14 12:07:30")
SYMBOLS = ("AVAXUSDT", "FILUSDT", "NEARUSDT")
START_MS = parse_time("2023-09-01")


def sample_bars(symbol: str) -> Bars:
    """The sample's minutes of September up to the market time."""
    store = MarketStore(ASSETS / "sample", read_only=True)
    return store.read(symbol, START_MS, MARKET_MS // MINUTE_MS * MINUTE_MS)


def instrument(symbol: str) -> Instrument:
    return Instrument(
        symbol, symbol[:-4], "USDT", "TRADING", 3, 1, "0.001", "0.1", "0.1", "0.1", "100000", "5", "0.0125"
    )


def configurations() -> ConfigurationsUpdated:
    macd = MultiMACD(windows=(3, 6, 12), signal=3, multiplier=8, normaliser=12)
    return ConfigurationsUpdated(
        (
            AnalysisConfiguration.of_one("DEMO-15M", mmacd_short=macd, pip=ClassicalSignal()),
            AnalysisConfiguration.of_one("DEMO-3M"),
        ),
        (TradeConfiguration("DEMO-RQPM-15M", leverage=2), TradeConfiguration("DEMO-RQPM-FAST")),
    )


@cache
def registry() -> Registry:
    """The built-in indicators and that of the example file."""
    users = UserIndicators([ROOT / "strategies"], None, lambda _path: Verdict(True))
    users.refresh()
    return users.registry()


def indicators(**verdicts: str) -> IndicatorsUpdated:
    """All indicators, passed unless something else is said of one; a file that is in use and one that is not."""
    known = [
        KnownIndicator(
            each.name, each.fields, each.field, () if each.parameters is None else parameters_of(each.parameters),
            "failed" if each.name in verdicts else "passed", verdicts.get(each.name, ""), each.style,
        )
        for each in registry()
        if each.field or each.parameters
    ]  # fmt: skip
    broken = "broken.py: line 7: expected ':'"
    files = (
        IndicatorBadge("/home/user/strategies/example_indicator.py", ("ROC",), True),
        IndicatorBadge("/home/user/strategies/broken.py", (), False, broken),
    )
    return IndicatorsUpdated(tuple(known), files)


def account_setup(name: str = "paper-1") -> AccountSetup:
    positions = tuple(
        PositionSetup(symbol, "DEMO-15M", "DEMO-RQPM-15M", 0.33, number) for number, symbol in enumerate(SYMBOLS, 1)
    )
    return AccountSetup(name, AccountKind.VIRTUAL, {"USDT": AssetSetup(10_000.0)}, positions, trading=True)


def account(name: str = "paper-1", *, equity: float = 10_284.35, market_ms: int = MARKET_MS) -> AccountUpdated:
    asset = AssetState(
        "USDT", 10_211.9, 8_760.2, equity, 7_308.4, equity - 10_211.9, 1_451.7, 29.03, 18.44, 2.71, 233.05,
        commitment_rate=0.937, risk_level=0.4, margin_ratio=0.0, withdrawable=7_235.95, reference=10_000.0,
    )  # fmt: skip
    positions = (
        PositionState(
            "AVAXUSDT",
            152.3,
            9.271,
            9.702,
            2,
            True,
            706.0,
            738.8,
            14.8,
            65.6,
            4.71,
            1_500.0,
            0.94,
            8.9,
            True,
            commitment_rate=0.94,
            risk_level=0.0,
            margin_ratio=0.019,
        ),
        PositionState(
            "FILUSDT",
            -431.0,
            3.247,
            3.231,
            2,
            True,
            700.0,
            712.9,
            14.2,
            6.9,
            4.81,
            1_500.0,
            -0.89,
            3.44,
            True,
            commitment_rate=0.933,
            risk_level=0.8,
            margin_ratio=0.02,
        ),
        PositionState("NEARUSDT", allocated_balance=1_500.0, trading=True),
    )
    assumed = Assumptions(held_minutes=5_000, unmarked_minutes=120, stamps=18, constant_stamps=3)
    snapshot = AccountSnapshot(
        name, AccountKind.VIRTUAL, True, market_ms, (asset,), positions, assumed=assumed, reference=10_000.0
    )
    return AccountUpdated(snapshot, account_setup(name))


def live_view() -> LiveView:
    """Two positions, one without its stop; an order that rests and one that was refused; an order of somebody else."""
    entry = OrderIntent("1h-0s-gt-O0-0", "FILUSDT", Side.SELL, Purpose.OPEN, Decimal(431), MARKET_MS, 0)
    refused = OrderIntent("1h-0s-gt-O1-0", "AVAXUSDT", Side.BUY, Purpose.OPEN, Decimal(5), MARKET_MS, 1)
    stop = OrderIntent(
        "1h-0s-gt-S2-0", "FILUSDT", Side.BUY, Purpose.STOP, Decimal(0), MARKET_MS, 2, trigger=Decimal("3.44")
    )
    orders = (
        LiveOrder(stop, OrderState.ACKNOWLEDGED, 0, 12, sent_ms=MARKET_MS, heard_ms=MARKET_MS),
        LiveOrder(entry, OrderState.FILLED, 99, 0, Decimal(431), sent_ms=MARKET_MS, heard_ms=MARKET_MS + 90),
        LiveOrder(refused, OrderState.REJECTED, sent_ms=MARKET_MS, code=-2019, reason="Margin is insufficient."),
    )
    stops = (
        StopView("AVAXUSDT", Protection.MISSING, None, 8.9, MARKET_MS - 4_000),
        StopView("FILUSDT", Protection.RESTS, 3.44, 3.44),
    )
    differences = (DifferenceView("foreign_order", "NEARUSDT", "", "web_7: BUY 10 @ 1.1"),)
    risk = RiskFigures(9_700.0, 10_000.0, 10_300.0, 2_870.0, 1_477.0, 12)
    return LiveView(True, MARKET_MS, tuple(OrderView.of(each) for each in orders), stops, differences, risk)


def trades(count: int = 60) -> tuple[TradeRecord, ...]:
    """Entries and exits in turn, oldest first."""
    found = []
    wallet = 10_000.0
    for index in range(count):
        entering = index % 2 == 0
        profit = 0.0 if entering else (40.0 - 17.0 * (index % 7))
        wallet += profit - 0.7
        reason = TradeReason.ENTRY if entering else (TradeReason.STOP_CLOSE if index % 9 == 0 else TradeReason.EXIT)
        found.append(
            TradeRecord(
                index, START_MS + index * 3_600_000, START_MS + index * 3_600_000, SYMBOLS[index // 2 % 3],
                Side.BUY if entering else Side.SELL, reason, 152.3 + index, 9.2 + 0.01 * index, profit, 0.7,
                152.3 + index if entering else 0.0, 9.2 if entering else 0.0, wallet,
            )
        )  # fmt: skip
    return tuple(found)


def summary(code: str, net_profit: float) -> SimulationSummary:
    return SimulationSummary(
        code, SYMBOLS[:2], "2023-08-01 00:00", "2023-10-31 00:00", 131_040, 3, 214, 107, 0.542, net_profit,
        net_profit / 10_000, 61.2, 3.9, 1.34, 0.081, 1.42, 0.61, 10_000 + net_profit, 0, 0.187, "9f2c" * 16,
    )  # fmt: skip


def spec(code: str) -> SimulationSpec:
    found = configurations()
    position = PositionSetup("AVAXUSDT", "DEMO-15M", "DEMO-RQPM-15M")
    balance = {"USDT": AssetSetup(10_000.0)}
    return SimulationSpec(
        code, "2023-08-01 00:00", "2023-10-31 00:00", balance, (position,), found.analysis[:1], found.trade[:1]
    )


def income_check(*, agrees: bool = False) -> IncomeCheck:
    """Of an actual account over twenty days."""
    draw, records, number = random.Random(3), [], 0
    for place in range(240):
        at = MARKET_MS - (240 - place) * 2 * 3_600_000
        kind = ("COMMISSION", "REALIZED_PNL", "FUNDING_FEE")[place % 3]
        number = place + 1
        amount = Decimal(round(draw.uniform(-9, 10) if kind == "REALIZED_PNL" else -draw.random(), 8)).quantize(
            TOLERANCE
        )
        records.append(IncomeRecord(number, kind, SYMBOLS[place % 3], "USDT", amount, at, number))
    records.append(IncomeRecord(900, "TRANSFER", "", "USDT", Decimal(500), MARKET_MS - 7_200_000))
    records.append(IncomeRecord(901, "COMMISSION", SYMBOLS[0], "BNB", Decimal("-0.00031"), MARKET_MS - 7_100_000, 7))
    lines = [
        IncomeLine(MARKET_MS - 7_200_000, "TRANSFER", "", "USDT", Decimal(500), None, IncomeCause.TRANSFER),
        IncomeLine(
            MARKET_MS - 7_100_000,
            "COMMISSION",
            "",
            "BNB",
            Decimal("-0.00031"),
            Decimal("-0.00031"),
            IncomeCause.FEE_ASSET,
        ),
        IncomeLine(
            MARKET_MS - 6_000_000,
            "REALIZED_PNL",
            SYMBOLS[1],
            "USDT",
            Decimal("4.2"),
            None,
            IncomeCause.MANUAL_TRADE,
            71,
        ),
    ]
    if not agrees:
        lines += [
            IncomeLine(
                MARKET_MS - 5_000_000,
                "COMMISSION",
                SYMBOLS[2],
                "USDT",
                Decimal("-0.81"),
                None,
                IncomeCause.UNKNOWN_FILL,
                72,
            ),
            IncomeLine(
                MARKET_MS, "WALLET", "", "USDT", Decimal("9700.1"), Decimal("9700.91"), IncomeCause.MISSING_RECORD
            ),
        ]
    has = {
        "USDT": (Decimal("9700.1"), Decimal("9700.1" if agrees else "9700.91")),
        "BNB": (Decimal("0.3"), Decimal("0.3")),
    }
    state = IncomeState(MARKET_MS - 20 * 86_400_000, MARKET_MS, checked_ms=MARKET_MS - 60_000)
    return IncomeCheck(sums(records), tuple(lines), has, 158, state)


class FilledResults:
    """Stored results without a store (bars come from the sample)."""

    def __init__(self, n_trades: int = 60, n_equity: int = 40_000) -> None:
        self.n_trades = n_trades
        self.n_equity = n_equity
        self.registry = registry()
        self.requests: list[AnalyseBars] = []

    def simulation(self, code: str) -> SimulationResult:
        random = np.random.default_rng(5)
        equity = 10_000 + np.cumsum(random.normal(0.03, 4.0, self.n_equity))
        time = START_MS + np.arange(self.n_equity, dtype=np.int64) * MINUTE_MS
        return SimulationResult(spec(code), time, equity, trades(self.n_trades))

    def specification(self, code: str) -> SimulationSpec:
        return spec(code)

    def export(self, code: str, kind: str, texts: Texts) -> Path:
        return Path("/home/user/.atm/exports") / code

    def account_trades(self, name: str) -> tuple[TradeRecord, ...]:
        return tuple(reversed(trades(self.n_trades)))

    def order_story(self, account: str, client_id: str) -> tuple[JournalEntry, ...]:
        """A market order from the journal to its fill."""
        intent = OrderIntent(client_id, "FILUSDT", Side.SELL, Purpose.OPEN, Decimal(431), MARKET_MS, 0)
        fill = OrderFill(7, Decimal(431), Decimal("3.247"), MARKET_MS + 90, commission=Decimal("0.7"), asset="USDT")
        return (
            Intended(intent, MARKET_MS),
            Sent(client_id, MARKET_MS),
            Filled(client_id, fill, 99),
            Reported(client_id, OrderState.FILLED, Decimal(431), MARKET_MS + 90, 99),
        )

    def account_records(self, name: str) -> AccountRecords:
        """A point every quarter of an hour, up to the market time."""
        time = np.arange(START_MS, MARKET_MS, 15 * MINUTE_MS, dtype=np.int64)
        random = np.random.default_rng(7)
        equity = 10_000 + np.cumsum(random.normal(0.2, 6.0, len(time)))
        return AccountRecords(trades(self.n_trades), self.n_trades, time, equity)

    def export_account(
        self, result: SimulationResult, summary: SimulationSummary | None, kind: str, texts: Texts
    ) -> Path:
        return Path("/home/user/.atm/exports/accounts") / result.spec.code

    def account_income(self, name: str) -> IncomeCheck:
        """Twenty days of fills, funding and a transfer; a fill that nobody knows, one by hand, fees in another asset."""
        return income_check()

    def export_income(self, name: str, kind: str) -> Path:
        return Path("/home/user/.atm/exports/accounts") / name

    def bars(self, symbol: str, most_minutes: int, before_ms: int) -> Bars:
        bars = sample_bars(symbol)
        return bars.slice(max(0, len(bars) - most_minutes), len(bars))

    def provenance(self, symbol: str) -> Provenance:
        """Two years and a half: files, then the stream with repairs, some holes and a day that the exchange lacks."""
        start = parse_time("2021-03-11 09:00")
        n = (MARKET_MS - start) // MINUTE_MS
        source = np.full(n, Source.ARCHIVE, np.uint8)
        source[n // 2 :] = Source.STREAM
        random = np.random.default_rng(len(symbol))
        for place in random.integers(0, n, 40):
            source[place : place + random.integers(5, 900)] = Source.REST
        for place in random.integers(0, n, 12):
            source[place : place + random.integers(1, 700)] = Source.MISSING
        source[300_000:301_900] = Source.ABSENT
        return Provenance(start, source)

    def marks_stored(self, symbol: str) -> MarksStored:
        return MarksStored(1_262_304, 1_284_191, 2_675)

    def minutes(self, symbol: str) -> Bars:
        """What analyses are made of."""
        return sample_bars(symbol)

    def analysis(self, analyzer: str, request: AnalyseBars) -> AnalysedStretch:
        """As an analyzer answers, of the sample's bars alone."""
        self.requests.append(request)
        pipeline = AnalysisPipeline(request.configuration, self.registry)
        bars = self.minutes(request.symbol)
        table = pipeline.run(bars.between(int(bars.open_time[0]), request.end_ms))
        table = table.slice(int(np.searchsorted(table.open_time, request.start_ms)), len(table))
        open_time, values = table.open_time, table.values
        if request.running is not None:
            last = pipeline.preview(request.running)
            open_time, values = np.append(open_time, last.open_time), np.column_stack([values, last.values])
        rows = [table.columns.index(name) for name in request.columns]
        profile = pipeline.profile()
        whole = None if profile is None else np.stack([profile.edges[:-1], profile.volume, profile.smoothed])
        return AnalysedStretch(request.columns, open_time, values[rows], request.end_ms, whole)

    def description(self, configuration: AnalysisConfiguration) -> AnalysesDescription:
        return describe(configuration, registry())


def filled_model() -> ReadModel:
    """Everything a page can show."""
    model = ReadModel()
    model.apply(
        ConnectionState("demo", "connected", 4.2, MARKET_MS - WALL_MS, 184, 2_400, 3, 1_200, 15, 210.0, 0, "", 1, 300)
    )
    model.apply(Instruments(tuple(instrument(symbol) for symbol in (*SYMBOLS, "BTCUSDT", "ETHUSDT"))))
    model.apply(configurations())
    model.apply(indicators())
    for symbol in SYMBOLS:
        _market(model, symbol)
    model.apply(account(equity=10_190.0, market_ms=MARKET_MS - 12 * 3_600_000))
    model.apply(account())
    for number, symbol in enumerate(SYMBOLS):
        model.apply(
            AnalysisReady(f"{symbol} DEMO-15M", symbol, "analyzer-0", "running", (), MARKET_MS - 450_000, 38.0 + number)
        )
    loads = tuple(AnalysisLoad(f"{symbol} DEMO-15M", 9.0 + n, 38.0 + n) for n, symbol in enumerate(SYMBOLS))
    model.apply(AnalyzerLoad("analyzer-0", loads))
    _data(model)
    _simulations(model)
    for name in ("main", "binance_api", "data", "trade", "simulation", "neural_network", "gui", "analyzer-0"):
        model.apply(ProcessState(name, "running", 100, 0, 45 << 20))
    _notices(model)
    return model


def _market(model: ReadModel, symbol: str) -> None:
    bars = sample_bars(symbol)
    last = float(bars.close[-1])
    minute = int(bars.open_time[-1]) + MINUTE_MS
    model.apply(Coverage(symbol, (TimeRange(START_MS, minute),)))
    model.apply(ClosedBar(symbol, bars.bar(len(bars) - 1), 1))
    model.apply(
        OpenBar(
            symbol, Bar(minute, last, last * 1.001, last * 0.9992, last * 1.0006, 820.0, 7_900.0, 61.0, 400.0, 3_900.0)
        )
    )
    model.apply(MarkPrice(symbol, MARKET_MS, last * 1.0001, last * 1.0002, 0.0001, MARKET_MS + 13_950_000))
    levels = range(1, 11)
    bids = tuple((last - 0.001 * n, 300.0 * n % 1_700 + 40) for n in levels)
    asks = tuple((last + 0.001 * n, 410.0 * n % 1_900 + 30) for n in levels)
    model.apply(BookTop(symbol, MARKET_MS, bids, asks))
    for n in range(24):
        model.apply(LastTrade(symbol, MARKET_MS - 900 * (24 - n), last + 0.001 * (n % 5 - 2), 12.5 + n, n % 3 == 0))


def _data(model: ReadModel) -> None:
    """What is collected, the disk, and a job of every kind of state."""
    wanted = (Collection("AVAXUSDT"), Collection("FILUSDT", True, False), Collection("NEARUSDT", False, False))
    model.apply(CollectionUpdated(wanted, Retention(flow_months=6)))
    uses = [
        KindUse(symbol, kind, (9 - n) << 20) for n, symbol in enumerate(SYMBOLS) for kind in ("klines_1m", "flow_1m")
    ]
    model.apply(DiskUseUpdated("/home/user/.atm/market/demo", tuple(uses), 61 << 30, 240 << 30, "ok"))
    damage = IntegrityFinding("FILUSDT", "klines_1m", "2022-04.parquet", "prices", 3, parse_time("2022-04-07 11:20"))
    jobs = (
        DataJob(1, JobKind.CHECK, "", JobStatus.DONE, 61, 61, text="job.checked_damaged",
                parameters={"files": "61", "minutes": "1,320,480", "problems": "1"}, findings=(damage,)),
        DataJob(2, JobKind.DOWNLOAD, "BTCUSDT", JobStatus.RUNNING, 1_204_500, 3_451_680, 2_950.0, 761.0),
        DataJob(3, JobKind.DOWNLOAD, "ETHUSDT", JobStatus.PAUSED, 300_000, 3_100_000),
        DataJob(4, JobKind.IMPORT, "drop", JobStatus.FAILED, 2, 9,
                error="file: 'FILUSDT-1m-2023-08.zip (SHA-256 9f2c…)' is not allowed; allowed: a file whose SHA-256 is ab12…"),
        DataJob(5, JobKind.EXPORT, "NEARUSDT", JobStatus.QUEUED),
    )  # fmt: skip
    model.apply(DataJobsUpdated(jobs))


def _simulations(model: ReadModel) -> None:
    for number, (code, status, progress, profit) in enumerate(
        (
            ("avax-august", SimulationStatus.COMPLETED, 1.0, 812.4),
            ("fil-contrarian", SimulationStatus.COMPLETED, 1.0, -231.9),
            ("three symbols", SimulationStatus.RUNNING, 0.46, None),
            ("near-fast", SimulationStatus.QUEUED, 0.0, None),
            ("broken", SimulationStatus.FAILED, 0.1, None),
        )
    ):
        error = "start: '2021-01-01' is not allowed; allowed: a range with bars" if code == "broken" else ""
        done = summary(code, profit) if profit is not None else None
        model.apply(
            SimulationUpdated(SimulationState(code, status, progress, WALL_MS - number * 3_600_000, error, done))
        )


def _notices(model: ReadModel) -> None:
    fill = {
        "account": "paper-1",
        "side": "BUY",
        "quantity": "152.3",
        "symbol": "AVAXUSDT",
        "price": "9.271",
        "reason": "ENTRY",
    }
    stop = {**fill, "side": "SELL", "symbol": "FILUSDT", "reason": "STOP_CLOSE"}
    for severity, text, parameters in (
        (Severity.SUCCESS, "notice.connected", {}),
        (Severity.INFO, "notice.fill", fill),
        (Severity.WARNING, "notice.stop", stop),
        (Severity.CRITICAL, "notice.process_restarted", {"name": "trade"}),
        (Severity.INFO, "notice.of_a_newer_version", {"what": "unknown"}),
    ):
        model.apply(NoticeRaised(Notice(WALL_MS, "trade", severity, text, parameters)))
