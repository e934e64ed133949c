"""The live slider on five years of one-minute bars: recomputations a second, alone and from a simulator process into a window
while a slider is dragged, and the frames that the window draws meanwhile.

A real simulator process, real messages and shared memory; the window is a real one on a display (an Xvfb of our own where there
is none), with software OpenGL on a machine without a graphics card.
"""

from __future__ import annotations

import math
import queue
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from atm.analyzers.cache import AnalysisCache
from atm.app.bench import BenchRow
from atm.app.process_table import Program
from atm.app.supervisor import Supervisor
from atm.gui.results import SimulationResult
from atm.gui.ui import PageName
from atm.ipc.messages import Ping, ProcessState, Reply, Request, SimulationUpdated
from atm.model.bars import N_COLUMNS, Bars, Source
from atm.model.endpoint import Addresses, Endpoint
from atm.model.interval import MINUTE_MS, Interval, format_time, parse_time
from atm.model.program import ProgramContext
from atm.model.simulation import SimulationSpec, SimulationState, SimulationStatus
from atm.simulators import backtest
from atm.simulators.specification import read_specification
from atm.simulators.statistics.equity import thin
from atm.simulators.trial import Trial
from atm.storage.market_store import open_store
from atm.storage.sample import load_instruments
from tests.display import some_display
from tests.gui.filled import ASSETS, ROOT, WALL_MS, FilledResults, filled_model

MINUTES = 2_629_800
START_MS = parse_time("2018-01-01")
SYMBOL = "FILUSDT"
PATH = "trade[0].method.long.alpha"
RUNS = 20
DRAG_S = 6.0
FRAME_S = 1 / 60


def minutes() -> Bars:
    """A random walk with the jitter of a minute."""
    g = np.random.default_rng(7)
    close = 5 * np.exp(np.cumsum(g.normal(0, 0.0006, MINUTES)))
    opening = np.concatenate([close[:1], close[:-1]])
    spread = abs(g.normal(0, 0.0004, MINUTES))
    values = np.full((N_COLUMNS, MINUTES), 1e4)
    values[0], values[3] = opening, close
    values[1], values[2] = np.maximum(opening, close) * (1 + spread), np.minimum(opening, close) * (1 - spread)
    time_ms = START_MS + np.arange(MINUTES, dtype=np.int64) * MINUTE_MS
    return Bars(Interval.M1, time_ms, values, np.full(MINUTES, int(Source.ARCHIVE), np.uint8))


def specification() -> SimulationSpec:
    end = START_MS + MINUTES * MINUTE_MS
    spec = read_specification(ROOT / "examples" / "rqpm_filusdt.toml")
    return msgspec.structs.replace(spec, code="bench", start=format_time(START_MS), end=format_time(end))


def alone(context: ProgramContext, spec: SimulationSpec) -> tuple[float, float]:
    """Seconds of a run with another value, and of the account engine within it."""
    store = open_store(context, read_only=True)
    cache = AnalysisCache(context.analysis_cache, context.analysis_cache_bytes)
    trial = Trial(spec, store, load_instruments(context.assets), cache)
    whole, engine = [], []
    for number in range(RUNS):
        begun = time.perf_counter()
        trial.run({PATH: 0.02 + 0.001 * number})
        whole.append(time.perf_counter() - begun)
        fresh = trial._engine(spec)
        begun = time.perf_counter()
        fresh.run(trial._grid, recorded=False)
        engine.append(time.perf_counter() - begun)
    return statistics.median(whole), statistics.median(engine)


class Stored(FilledResults):
    """The result of the base."""

    def __init__(self, spec: SimulationSpec, result: backtest.BacktestResult) -> None:
        super().__init__()
        self.spec, self.result = spec, result

    def simulation(self, code: str) -> SimulationResult:
        result = self.result
        return SimulationResult(
            self.spec, *thin(result.equity_time, result.equity), tuple(result.trades), result.details
        )


class Live:
    """A window with the result page on its last tab, and a simulator process that answers it."""

    def __init__(self, supervisor: Supervisor, spec: SimulationSpec, result: backtest.BacktestResult) -> None:
        from tests.gui.render import Rendered

        self.supervisor = supervisor
        self.replies: queue.SimpleQueue[tuple[Callable[[Reply], None], Reply]] = queue.SimpleQueue()
        self.rendered = Rendered()
        ui = self.rendered.ui
        ui.model = filled_model()
        ui.model.toasts.clear()
        ui.model.simulations.clear()
        state = SimulationState(spec.code, SimulationStatus.COMPLETED, 1.0, WALL_MS, "", result.summary)
        ui.model.apply(SimulationUpdated(state))
        ui.model.apply(ProcessState("simulator-0", "running", 1, 0))
        ui.results, ui.ask, ui.page = Stored(spec, result), self._ask, PageName.RESULT
        ui.theme.apply()
        self.page = self.rendered.shell.pages[PageName.RESULT]
        self.page.tab = "trial"  # type: ignore[attr-defined]
        self.client = self.page.trial.client  # type: ignore[attr-defined]

    def _ask(self, to: str, request: Request, on_reply: Callable[[Reply], None], timeout: float) -> None:
        self.supervisor.assistant.request_async(to, request, lambda reply: self.replies.put((on_reply, reply)), timeout)

    def frame(self) -> float:
        """Take in answers and draw; seconds that it took."""
        begun = time.perf_counter()
        self.rendered.ui.now_ms = time.time_ns() // 1_000_000
        while not self.replies.empty():
            on_reply, reply = self.replies.get()
            on_reply(reply)
        window = self.rendered.window
        window.wait(0)
        window.begin_frame()
        self.rendered.shell.draw(self.rendered.ui)
        window.end_frame()
        return time.perf_counter() - begun

    def until(self, there: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 120
        while not there():
            self.frame()
            if time.monotonic() > deadline:
                raise RuntimeError(f"the trial has not come: {self.client.problem}")

    def drag(self) -> tuple[float, float, float]:
        """Move the slider in every frame → (results shown a second, frames a second, median seconds of a frame)."""
        self.until(lambda: self.client.base is not None)
        runs, frames, took = self.client.runs, 0, []
        begun = time.perf_counter()
        while (now := time.perf_counter()) - begun < DRAG_S:
            self.page.trial.changes[PATH] = 0.02 + 0.02 * (1 + math.sin(now))  # type: ignore[attr-defined]
            took.append(self.frame())
            frames += 1
            time.sleep(max(0.0, now + FRAME_S - time.perf_counter()))
        whole = time.perf_counter() - begun
        return (self.client.runs - runs) / whole, frames / whole, statistics.median(took)


def dragged(context: ProgramContext, spec: SimulationSpec) -> tuple[float, float, float]:
    store = open_store(context, read_only=True)
    cache = AnalysisCache(context.analysis_cache, context.analysis_cache_bytes)
    result = backtest.run(spec, store, load_instruments(context.assets), cache=cache)
    supervisor = Supervisor(context, None, (Program("simulator-0", "atm.simulators.process"),))
    started = threading.Event()
    supervisor.assistant.call_soon(started.set)
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    try:
        started.wait(30)
        supervisor.assistant.request("simulator-0", Ping(), 60)
        live = Live(supervisor, spec, result)
        try:
            return live.drag()
        finally:
            live.rendered.window.close()
    finally:
        supervisor.end()
        thread.join(30)


def rows() -> list[BenchRow]:
    with tempfile.TemporaryDirectory() as folder, some_display() as display:
        home = Path(folder)
        context = ProgramContext(home, ASSETS, Endpoint.LIVE, Addresses("", ""), 1, 1, (SYMBOL,), headless=True)
        writer = open_store(context, read_only=False)
        writer.put(SYMBOL, minutes())
        writer.close()
        spec = specification()
        whole, engine = alone(context, spec)
        found = [
            BenchRow("trial of 2.63 million minutes, another value", whole, "s", "the account engine", engine,
                     whole / engine, None, True),
            BenchRow("recomputations a second", 1 / whole, "1/s", "the account engine alone", 1 / engine,
                     engine / whole, None, True),
        ]  # fmt: skip
        if display is None:
            print("no display: the window is left out")
            return found
        shown, frames, frame = dragged(context, spec)
        found.append(
            BenchRow("results shown a second while dragging", shown, "1/s", "recomputations, alone", 1 / whole,
                     shown * whole, None, True)
        )  # fmt: skip
        found.append(
            BenchRow("frames a second of the window meanwhile", frames, "1/s", "asked for", 60.0, frames / 60, 30.0,
                     frames >= 30.0)
        )  # fmt: skip
        found.append(
            BenchRow("time of such a frame", 1e3 * frame, "ms", "a sixtieth of a second", 1e3 * FRAME_S, frame / FRAME_S,
                     None, True)
        )  # fmt: skip
    return found
