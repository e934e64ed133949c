"""Backtest of one position on cached analysis: five synthetic years of 15m decisions with the 1m path inside."""

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
from atm.simulators.backtest import symbol_paths
from atm.simulators.summary import Outcome, conclude
from atm.trading.engine import AccountEngine, MinuteGrid
from atm.trading.layout import Input

MINUTES = 2_629_800
ROUNDS = 5


@kernel
def walk(opens: np.ndarray, highs: np.ndarray, lows: np.ndarray, closes: np.ndarray) -> float:
    """The floor: one comparison of each price of each minute, and nothing else."""
    total = 0.0
    for t in range(opens.shape[0]):
        if lows[t, 0] < opens[t, 0] * 0.97 or highs[t, 0] > opens[t, 0] * 1.03:
            total += closes[t, 0]
    return total


def market() -> MinuteGrid:
    g = np.random.default_rng(7)
    closes = 100 * np.exp(np.cumsum(g.normal(0, 0.0006, (MINUTES, 1)), axis=0))
    opens = np.vstack([closes[:1], closes[:-1]])
    spread = abs(g.normal(0, 0.0004, (MINUTES, 1)))
    highs, lows = np.maximum(opens, closes) * (1 + spread), np.minimum(opens, closes) * (1 - spread)
    count = MINUTES // 15
    row_at = np.full((MINUTES, 1), -1, np.int64)
    row_at[14::15, 0] = np.arange(count)
    rows = np.zeros((count, len(Input)))
    rows[:, Input.CLOSE] = closes[14::15, 0]
    rows[:, Input.OPEN] = opens[0 : 15 * count : 15, 0]
    flips = g.random(count) < 0.02
    rows[:, Input.CYCLE] = np.where(np.cumsum(flips) % 2, 1.0, -1.0)
    rows[:, Input.CYCLE_UPDATED] = flips
    last = np.maximum.accumulate(np.where(flips, np.arange(count), 0))
    rows[:, Input.CYCLE_INDEX] = np.arange(count) - last
    rows[:, Input.CYCLE_BEGIN] = rows[last, Input.CLOSE]
    return MinuteGrid(0, opens, highs, lows, closes, rows, row_at)


def engine(
    settings: TradeConfiguration | None = None, methods: dict[str, TradeMethod[Averages]] | None = None
) -> AccountEngine:
    brackets = (LeverageBracket(0, 1e9, 0.01, 0, 50),)
    instrument = Instrument(
        "X", "X", "USDT", "TRADING", 2, 1, "0.01", "0.1", "0.1", "0.1", "1000000", "5", "0.01", 0, brackets
    )
    shape = RotationalGaussian1(0.5, 0.02, 0.06, 0.03, 2)
    return AccountEngine(
        {"USDT": AssetSetup(10_000)},
        [PositionSetup("X", "a", "t")],
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
        [instrument],
        CostModel(),
        methods,
    )


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
        fresh = engine(settings, {"AVERAGES": METHOD})
        begun = time.perf_counter()
        fills = len(fresh.run(mine)[0])
        best = min(best, time.perf_counter() - begun)
    return best, fills


def concluded(run: AccountEngine, grid: MinuteGrid, trades: list[TradeRecord], equity: np.ndarray) -> float:
    """Seconds that statistics, reports and findings of a result take."""
    spec = SimulationSpec(
        "bench", "1970-01-01", "1975-01-01", {"USDT": AssetSetup(10_000)}, (PositionSetup("X", "a", "t"),),
        (AnalysisConfiguration.of_one("a", pip=ClassicalSignal()),), (TradeConfiguration("t"),),
    )  # fmt: skip
    begun = time.perf_counter()
    paths = symbol_paths(run, grid, np.full(grid.opens.shape, 1e4, np.float32))
    outcome = Outcome(trades, equity, paths, run.fees_paid(), run.funding_paid(), 0.0)
    conclude(spec, grid.start_ms, grid.start_ms + len(equity) * MINUTE_MS, outcome)
    return time.perf_counter() - begun


def rows() -> list[BenchRow]:
    grid = market()
    walk(*grid[1:5])
    engine().run(grid)
    best, floor = 1e9, 1e9
    for _ in range(ROUNDS):
        fresh = engine()
        begun = time.perf_counter()
        fresh.run(grid)
        best = min(best, time.perf_counter() - begun)
        begun = time.perf_counter()
        walk(*grid[1:5])
        floor = min(floor, time.perf_counter() - begun)
    name = "backtest, 5 years of 15m decisions on the 1m path"
    last = engine()
    trades, equity = last.run(grid)
    after = min(concluded(last, grid, trades, equity) for _ in range(ROUNDS))
    said = f"statistics and findings of it, {len(trades):,} fills"
    users, fills = users_seconds(grid)
    by_user = f"the same by a user's method, {fills:,} fills"
    return [
        BenchRow(name, best, "s", "walking the same minutes", floor, best / floor, 0.15, best <= 0.15),
        BenchRow(by_user, users, "s", "by a built-in method", best, users / best, 0.15, users <= 0.15),
        BenchRow(said, after, "s", "the engine's own time", best, after / best, None, True),
    ]
