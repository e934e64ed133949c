"""Results of the example backtests, as the stores and a simulator would give them to the page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import msgspec

from atm.gui.read_model import ReadModel
from atm.gui.result.export import export
from atm.gui.results import SimulationResult
from atm.gui.texts import Texts
from atm.ipc.messages import (
    CloseTrial,
    Done,
    OpenTrial,
    ProcessState,
    Reply,
    Request,
    RunTrial,
    SimulationUpdated,
    TrialOpened,
    TrialRun,
)
from atm.ipc.shared_array import SharedArrays
from atm.model.bars import Bars
from atm.model.interval import MINUTE_MS
from atm.model.simulation import SimulationSpec, SimulationState, SimulationStatus, SimulationSummary
from atm.simulators import backtest
from atm.simulators.backtest import NO_CACHE, BacktestResult
from atm.simulators.specification import read_specification
from atm.simulators.statistics.equity import thin
from atm.simulators.trial import Trial
from atm.storage.market_store import MarketStore
from atm.storage.sample import load_instruments
from tests.gui.filled import ASSETS, ROOT, WALL_MS, FilledResults, filled_model

STORE = MarketStore(ASSETS / "sample", read_only=True)
INSTRUMENTS = load_instruments(ASSETS)
EXAMPLES = ("rqpm_filusdt", "ts_nearusdt", "two_positions")


@cache
def ran(name: str) -> tuple[SimulationSpec, BacktestResult]:
    spec = read_specification(ROOT / "examples" / f"{name}.toml")
    return spec, backtest.run(spec, STORE, INSTRUMENTS)


@cache
def by_code() -> dict[str, tuple[SimulationSpec, BacktestResult]]:
    return {ran(name)[0].code: ran(name) for name in EXAMPLES}


class RanResults(FilledResults):
    """The examples by their codes. earlier: as an earlier version stored them, without details; folder: for exports."""

    def __init__(self, folder: Path = Path(), *, earlier: bool = False) -> None:
        super().__init__()
        self.folder = folder
        self.earlier = earlier

    def simulation(self, code: str) -> SimulationResult:
        spec, result = by_code()[code]
        details = None if self.earlier else result.details
        return SimulationResult(spec, *thin(result.equity_time, result.equity), tuple(result.trades), details)

    def export(self, code: str, kind: str, texts: Texts) -> Path:
        return export(self.simulation(code), by_code()[code][1].summary, kind, self.folder, texts)

    def minutes(self, symbol: str) -> Bars:
        return STORE.read(symbol, STORE.coverage(symbol)[0].start_ms, STORE.coverage(symbol)[-1].end_ms)

    def bars(self, symbol: str, most_minutes: int, before_ms: int) -> Bars:
        return STORE.read(symbol, before_ms - most_minutes * MINUTE_MS, before_ms)


def ran_model(*, earlier: bool = False) -> ReadModel:
    """A filled model in which the completed simulations are the examples; a simulator runs."""
    model = filled_model()
    model.simulations.clear()
    for number, (code, (_, result)) in enumerate(by_code().items()):
        summary: SimulationSummary = result.summary
        if earlier:
            summary = msgspec.structs.replace(summary, statistics=None, findings=())
        state = SimulationState(code, SimulationStatus.COMPLETED, 1.0, WALL_MS - number * 3_600_000, "", summary)
        model.apply(SimulationUpdated(state))
    model.apply(ProcessState("simulator-0", "running", 300, 0, 45 << 20))
    return model


@dataclass
class Simulator:
    """Answers as a simulator does, at once. `ask` is for the window; requests: what it was asked."""

    requests: list[Request] = field(default_factory=list)
    arrays: SharedArrays = field(default_factory=lambda: SharedArrays("test", "simulator-0"))
    trial: Trial | None = None

    def ask(self, to: str, request: Request, on_reply: Callable[[Reply], None], timeout: float) -> None:
        self.requests.append(request)
        if isinstance(request, OpenTrial):
            self.trial = Trial(request.spec, STORE, INSTRUMENTS, NO_CACHE)
            on_reply(TrialOpened(request.trial, self.trial.minutes, 0.1))
        elif isinstance(request, RunTrial):
            assert self.trial is not None
            outcome = self.trial.run(request.changes)
            curve = self.arrays.share(outcome.curve)
            on_reply(TrialRun(request.trial, request.number, outcome.figures, curve, 0.01))
        elif isinstance(request, CloseTrial):
            self.trial = None
            on_reply(Done())
