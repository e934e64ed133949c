"""The account engine on cached analysis: five synthetic years of 15m decisions with the 1m path inside, one position and ten."""

from __future__ import annotations

import time

import msgspec
import numpy as np

from atm.app.bench import BenchRow
from atm.model.account import AssetSetup, CostModel, PositionSetup, TradeRecord
from atm.model.analysis_configuration import AnalysisConfiguration, ClassicalSignal, MultiMACD
from atm.model.instrument import Instrument, LeverageBracket
from atm.model.interval import MINUTE_MS
from atm.model.kernel import kernel
from atm.model.simulation import SimulationSpec
from atm.model.trade_configuration import RemainingQuantity, RotationalGaussian1, TradeConfiguration, UserMethod
from atm.model.trade_method import Answer, Held, TradeMethod
from atm.simulators.replay import STRETCH
from atm.simulators.statistics.path import SymbolPath
from atm.simulators.summary import Outcome, conclude
from atm.trading.engine import AccountEngine
from atm.trading.layout import Input, Setup
from atm.trading.minute_grid import MinuteGrid

MINUTES = 2_629_800
ROUNDS = 5
TEN = 10
BRACKETS = (
    LeverageBracket(0, 5_000, 0.01, 0, 50),
    LeverageBracket(5_000, 50_000, 0.025, 75, 20),
    LeverageBracket(50_000, 1e9, 0.05, 1_325, 10),
)


@kernel
def walk(opens: np.ndarray, highs: np.ndarray, lows: np.ndarray, closes: np.ndarray) -> float:
    """The floor: one comparison of each price of each minute, and nothing else."""
    total = 0.0
    for t in range(opens.shape[0]):
        if lows[t, 0] < opens[t, 0] * 0.97 or highs[t, 0] > opens[t, 0] * 1.03:
            total += closes[t, 0]
    return total


def market(seed: int = 7, minutes: int = MINUTES, positions: int = 1, begin: float = 100.0) -> MinuteGrid:
    """Random walks from `begin` on, with a decision every 15 minutes whose cycle turns at every fiftieth on the average."""
    g = np.random.default_rng(seed)
    shape = (minutes, positions)
    closes = begin * np.exp(np.cumsum(g.normal(0, 0.0006, shape), axis=0))
    opens = np.vstack([closes[:1], closes[:-1]])
    spread = abs(g.normal(0, 0.0004, shape))
    highs, lows = np.maximum(opens, closes) * (1 + spread), np.minimum(opens, closes) * (1 - spread)
    count = minutes // 15
    row_at = np.full(shape, -1, np.int64)
    rows = np.zeros((positions, count, len(Input)))
    for i in range(positions):
        row_at[14::15, i] = i * count + np.arange(count)
        rows[i, :, Input.CLOSE] = closes[14::15, i]
        rows[i, :, Input.OPEN] = opens[0 : 15 * count : 15, i]
        flips = g.random(count) < 0.02
        cycle(rows[i], np.where(np.cumsum(flips) % 2, 1.0, -1.0), flips)
    return MinuteGrid(0, opens, highs, lows, closes, rows.reshape(-1, len(Input)), row_at)


def marked(grid: MinuteGrid) -> MinuteGrid:
    """The same minutes with a mark price in 99 of 100, within 0.1 % of the trades, and a rate every eight hours."""
    g = np.random.default_rng(8)
    basis = 1 + 0.001 * np.sin(np.arange(len(grid.opens)) / 500)[:, None]
    marks = np.stack([each * basis for each in grid[1:5]], axis=-1)
    marks[g.random(len(marks)) < 0.01] = np.nan
    stamps = np.arange(0, len(marks), 480) * MINUTE_MS
    rates = np.column_stack([stamps, np.zeros(len(stamps)), g.normal(0.0001, 0.0001, len(stamps))])
    return grid._replace(marks=marks, rates=rates)


def engine_seconds(grid: MinuteGrid) -> float:
    """Best seconds of a new engine over the minutes."""
    best = 1e9
    for _ in range(ROUNDS):
        fresh = engine()
        begun = time.perf_counter()
        fresh.run(grid)
        best = min(best, time.perf_counter() - begun)
    return best


def cycle(rows: np.ndarray, side: np.ndarray, flips: np.ndarray) -> None:
    """Fill in what decision rows say of the cycle of the classical signal."""
    count = np.arange(len(rows))
    last = np.maximum.accumulate(np.where(flips, count, 0))
    rows[:, Input.CYCLE], rows[:, Input.CYCLE_UPDATED] = side, flips
    rows[:, Input.CYCLE_INDEX], rows[:, Input.CYCLE_BEGIN] = count - last, rows[last, Input.CLOSE]


def engine(
    positions: int = 1,
    settings: TradeConfiguration | None = None,
    methods: dict[str, TradeMethod[Averages]] | None = None,
) -> AccountEngine:
    """Isolated at leverage 3, three brackets, both stops, fees, slippage and funding."""
    shape = RotationalGaussian1(0.5, 0.02, 0.06, 0.03, 2)
    names = [f"X{number}" for number in range(positions)]
    return AccountEngine(
        {"USDT": AssetSetup(10_000)},
        [PositionSetup(name, "a", "t", 1 / positions) for name in names],
        [AnalysisConfiguration.of_one("a", pip=ClassicalSignal(), mmacd_short=MultiMACD())],
        [
            settings
            or TradeConfiguration(
                "t",
                3,
                full_stop_loss_immediate=0.04,
                full_stop_loss_close=0.025,
                method=RemainingQuantity(long=shape, short=shape),
            )
        ],
        [
            Instrument(
                name, name, "USDT", "TRADING", 2, 1, "0.01", "0.1", "0.1", "0.1", "1000000", "5", "0.01", 0, BRACKETS
            )
            for name in names
        ],
        CostModel(),
        methods,
    )


def of_ten() -> float:
    """Seconds of the engine over ten positions, in pieces as a backtest hands them to it."""
    run, seconds = engine(TEN), 0.0
    begin = 100.0
    for number, first in enumerate(range(0, MINUTES, STRETCH)):
        piece = market(number, min(STRETCH, MINUTES - first), TEN, begin)
        piece, begin = piece._replace(start_ms=first * MINUTE_MS), piece.closes[-1]
        begun = time.perf_counter()
        run.run(piece)
        seconds += time.perf_counter() - begun
    return seconds


class Averages(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No parameters."""


@kernel
def decide(params: np.ndarray, memory: np.ndarray, row: np.ndarray, position: np.ndarray, out: np.ndarray) -> None:
    """Long above, short below, with a stop that follows 3 % behind."""
    side = 1.0 if row[0] > row[1] else -1.0
    out[Answer.TARGET] = side
    out[Answer.STOP] = position[Held.CLOSE] * (1.0 - 0.03 * side)


METHOD = TradeMethod[Averages](
    name="AVERAGES",
    parameters=Averages,
    columns=lambda _: ("KLINE.0.open", "KLINE.0.close"),
    pack=lambda _: np.empty(0),
    decide=decide,
)


def users_seconds(grid: MinuteGrid) -> tuple[float, int]:
    """Seconds and fills of the same minutes, traded by a user's method: it holds for as long as a cycle lasts."""
    settings = TradeConfiguration("t", 3, full_stop_loss_immediate=0.04, method=UserMethod("AVERAGES"))
    columns = np.stack([grid.rows[:, Input.CYCLE], np.zeros(len(grid.rows))], axis=1)
    mine = grid._replace(rows=np.concatenate([grid.rows, columns], axis=1))
    best, fills = 1e9, 0
    for _ in range(ROUNDS):
        fresh = engine(1, settings, {"AVERAGES": METHOD})
        begun = time.perf_counter()
        fills = len(fresh.run(mine)[0])
        best = min(best, time.perf_counter() - begun)
    return best, fills


def path_of(run: AccountEngine, grid: MinuteGrid, i: int) -> SymbolPath:
    """What the statistics look at of one position."""
    setup, volumes = run.setup, np.full(len(grid.opens), 1e4, np.float32)
    brackets = setup.brackets[setup.first[i] : setup.first[i + 1]]
    rules = setup.setups[i, [Setup.LEVERAGE, Setup.FUNDING_RATE, Setup.FUNDING_MS]].tolist()
    prices = (column[:, i] for column in (grid.opens, grid.highs, grid.lows, grid.closes))
    return SymbolPath(grid.start_ms, *prices, volumes, rules[0], brackets, rules[1], int(rules[2]))


def concluded(run: AccountEngine, grid: MinuteGrid, trades: list[TradeRecord], equity: np.ndarray) -> float:
    """Seconds that statistics, reports and findings of a result take."""
    spec = SimulationSpec(
        "bench", "1970-01-01", "1975-01-01", {"USDT": AssetSetup(10_000)}, (PositionSetup("X0", "a", "t"),),
        (AnalysisConfiguration.of_one("a", pip=ClassicalSignal()),), (TradeConfiguration("t"),),
    )  # fmt: skip
    begun = time.perf_counter()
    paths = {symbol: path_of(run, grid, i) for i, symbol in enumerate(run.symbols)}
    outcome = Outcome(trades, equity, paths, run.fees_paid(), run.funding_paid(), 0.0)
    conclude(spec, grid.start_ms, grid.start_ms + len(equity) * MINUTE_MS, outcome)
    return time.perf_counter() - begun


def rows() -> list[BenchRow]:
    grid = market()
    walk(*grid[1:5])
    engine().run(grid)
    best, floor = engine_seconds(grid), 1e9
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        walk(*grid[1:5])
        floor = min(floor, time.perf_counter() - begun)
    name = "backtest, 5 years of 15m decisions on the 1m path"
    last = engine()
    trades, equity = last.run(grid)
    after = min(concluded(last, grid, trades, equity) for _ in range(ROUNDS))
    said = f"statistics and findings of it, {len(trades):,} fills"
    ten = min(of_ten() for _ in range(2))
    users, fills = users_seconds(grid)
    on_marks = engine_seconds(marked(grid))
    by_marks = "the same, liquidation on mark prices, recorded funding rates"
    by_user = f"the same by a user's method, {fills:,} fills"
    speed, bare = MINUTES / best / 1e6, MINUTES / floor / 1e6
    rules = "minutes/s, all costs, stops, brackets, liquidation"
    return [
        BenchRow(rules, speed, "M/s", "walking the same minutes", bare, speed / bare, 10.0, speed >= 10.0),
        BenchRow(name, best, "s", "walking the same minutes", floor, best / floor, 0.15, best <= 0.15),
        BenchRow(
            "the same with ten positions",
            ten,
            "s",
            "ten times one position",
            10 * best,
            ten / best / 10,
            1.5,
            ten <= 1.5,
        ),
        BenchRow(by_marks, on_marks, "s", "without marks", best, on_marks / best, 0.15, on_marks <= 0.15),
        BenchRow(by_user, users, "s", "by a built-in method", best, users / best, 0.15, users <= 0.15),
        BenchRow(said, after, "s", "the engine's own time", best, after / best, None, True),
    ]
