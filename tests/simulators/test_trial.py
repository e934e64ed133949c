"""A trial is the backtest with other values; the desk answers for it over the bus."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from atm.ipc.assistant import IPCAssistant
from atm.ipc.local import LocalBus
from atm.ipc.messages import (
    CloseTrial,
    Done,
    Failed,
    OpenTrial,
    Reply,
    RunTrial,
    TrialLoading,
    TrialOpened,
    TrialOvertaken,
    TrialRun,
    TrialServed,
)
from atm.ipc.shared_array import SharedArrays, take
from atm.model.adjustable import adjusted
from atm.model.bars import Source
from atm.model.errors import Invalid
from atm.model.flow import RecordedBook
from atm.model.interval import MINUTE_MS
from atm.model.simulation import SimulationSpec
from atm.model.trial import TrialFigures
from atm.simulators import backtest, trial
from atm.simulators.backtest import NO_CACHE, Cancelled
from atm.simulators.specification import read_specification
from atm.simulators.trial import Trial, TrialOutcome
from atm.simulators.trial_desk import EXPIRY_S, TrialDesk
from atm.storage.market_store import MarketStore
from atm.storage.sample import load_instruments
from tests.simulators.marks import marks_of

ROOT = Path(__file__).parents[2]
STORE = MarketStore(ROOT / "assets" / "sample")
INSTRUMENTS = load_instruments(ROOT / "assets")


def example(name: str, end: str) -> SimulationSpec:
    return msgspec.structs.replace(read_specification(ROOT / "examples" / f"{name}.toml"), end=end)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("rqpm_filusdt", {}),
        ("rqpm_filusdt", {"trade[0].method.long.alpha": 0.05, "trade[0].leverage": 5, "costs.taker_fee": 0.0002}),
        ("two_positions", {"assets.USDT.allocation_ratio": 0.9, "positions[1].assumed_ratio": 0.2}),
        ("ts_nearusdt", {"trade[0].full_stop_loss_immediate": None, "trade[0].method.exit[2].deviation": 0.1}),
    ],
)
@pytest.mark.parametrize("marked", [False, True])
def test_a_trial_gives_the_figures_of_the_whole_backtest(
    name: str, changes: dict[str, Any], marked: bool, tmp_path: Path
) -> None:
    spec = example(name, "2023-08-25")
    store = MarketStore(tmp_path, read_only=False, sample=ROOT / "assets" / "sample")
    for position in spec.positions if marked else ():
        store.append_marks(position.symbol, marks_of(store.read(position.symbol, 0, 2**60)), Source.REST)
    tried = Trial(spec, store, INSTRUMENTS, NO_CACHE).run(changes)
    whole = backtest.run(adjusted(spec, changes), store, INSTRUMENTS)
    s = whole.summary
    assert s.statistics is not None
    assert ((s.statistics.unmarked_share or 0) < 0.1, (s.statistics.constant_share or 0) < 1) == (marked, marked)
    assert tried.figures == TrialFigures(
        s.net_profit, pytest.approx(s.total_return), pytest.approx(s.max_drawdown), pytest.approx(s.statistics.sharpe),
        s.trades, s.fees, s.funding, s.liquidations, s.statistics.unmarked_share, s.statistics.constant_share,
    )  # fmt: skip
    at = np.searchsorted(whole.equity_time, tried.curve[0])
    np.testing.assert_array_equal(whole.equity[at], tried.curve[1])


def test_one_after_the_other_from_the_same_minutes() -> None:
    opened = Trial(example("rqpm_filusdt", "2023-08-10"), STORE, INSTRUMENTS, NO_CACHE)
    base = opened.run({}).figures
    other = opened.run({"trade[0].leverage": 1}).figures
    assert other != base
    assert opened.run({}).figures == base


def test_another_line_of_analysis_is_read_when_the_method_turns_to_it() -> None:
    spec = example("rqpm_filusdt", "2023-08-10")
    from atm.model.trade_configuration import MmacdDefault, TargetExposure

    method = TargetExposure(MmacdDefault())
    code = spec.trade[0].code
    spec = msgspec.structs.replace(spec, trade=(msgspec.structs.replace(spec.trade[0], method=method),))
    assert spec.trade[0].code == code
    opened = Trial(spec, STORE, INSTRUMENTS, NO_CACHE)
    with pytest.raises(Invalid, match="mmacd_long"):
        opened.run({"trade[0].method.function.line": "LONG"})
    assert opened.run({"trade[0].method.function.alpha": 2.0}).figures.trades > 0


def test_recorded_books_are_read_when_slippage_comes_to_follow_them(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Trial(example("rqpm_filusdt", "2023-08-10"), STORE, INSTRUMENTS, NO_CACHE)
    base = opened.run({}).figures

    def thin(store: MarketStore, symbol: str, start_ms: int, end_ms: int) -> RecordedBook:
        book = RecordedBook.unrecorded(start_ms, (end_ms - start_ms) // MINUTE_MS)
        book.spread[:], book.bid_depth[:], book.ask_depth[:] = 0.02, 1e9, 1e9
        return book

    monkeypatch.setattr(MarketStore, "book", thin)
    assert opened.run({"costs.slippage_model": "BOOK"}).figures.net_profit < base.net_profit
    assert opened.run({}).figures == base


def test_what_would_not_fit_into_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "MOST_MINUTES", 1_000)
    with pytest.raises(Invalid, match="up to 1,000 minutes"):
        Trial(example("rqpm_filusdt", "2023-08-10"), STORE, INSTRUMENTS, NO_CACHE)


def test_a_trial_tells_how_far_it_has_read(tmp_path: Path) -> None:
    told: list[float] = []
    made = Trial(example("two_positions", "2023-08-10"), STORE, INSTRUMENTS, NO_CACHE, told.append)
    assert told == sorted(told) and told[-1] == pytest.approx(1.0)
    assert any(0.0 < share < 0.9 for share in told)
    before = len(told)
    made.run({"trade[0].leverage": 2})
    assert len(told) == before, "nothing had to be read"


def test_a_trial_that_is_stopped_says_so() -> None:
    opened = Trial(example("rqpm_filusdt", "2023-08-10"), STORE, INSTRUMENTS, NO_CACHE)
    with pytest.raises(Cancelled):
        opened.run({}, cancelled=lambda: True)


class Gated:
    """A trial whose runs go on when the test says so."""

    minutes = 7

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.gate = threading.Semaphore(0)
        self.closed = False

    def run(
        self, changes: dict[str, Any], progress: Callable[[float], None], cancelled: Callable[[], bool]
    ) -> TrialOutcome:
        self.begun.release()
        self.gate.acquire()
        if cancelled():
            raise Cancelled
        if changes.get("bad"):
            raise Invalid("trade[0].leverage", 200, "up to 125")
        figures = TrialFigures(changes["x"], 0.0, 0.0, None, 0, 0.0, 0.0, 0)
        return TrialOutcome(figures, np.array([[1.0, 2.0], [3.0, 4.0]]))


class Desk:
    def __init__(self, lanes: int = 1) -> None:
        self.now = 0.0
        self.bus = LocalBus(lambda: self.now)
        self.simulator: IPCAssistant = self.bus.assistant("simulator-0")
        self.window = self.bus.assistant("gui")
        self.served: list[bool] = []
        self.window.subscribe(TrialServed, lambda event: self.served.append(event.open))
        self.loading: list[TrialLoading] = []
        self.window.subscribe(TrialLoading, self.loading.append)
        self.trial = Gated()
        self.arrays = SharedArrays("test", "simulator-0")
        self.refuse = False
        TrialDesk(self.simulator, self._make, self.arrays, lambda: self.now, lanes)
        self.replies: list[Reply] = []

    def _make(self, spec: SimulationSpec, loading: Callable[[float], None]) -> Gated:
        if self.refuse:
            raise Invalid("minutes", 9, "fewer")
        loading(0.25)
        return self.trial

    def ask(self, request: OpenTrial | RunTrial | CloseTrial) -> None:
        self.window.request_async("simulator-0", request, self.replies.append, 60.0)
        self.bus.pump()

    def wait(self, count: int) -> list[Reply]:
        deadline = time.monotonic() + 20
        while len(self.replies) < count:
            assert time.monotonic() < deadline, self.replies
            self.bus.pump()
            time.sleep(0.001)  # the answer comes from the trial's own thread
        return self.replies


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.arrays.close()


def test_the_desk_opens_runs_overtakes_and_closes(desk: Desk) -> None:
    desk.ask(OpenTrial("t", example("rqpm_filusdt", "2023-08-02")))
    assert isinstance(desk.wait(1)[0], TrialOpened)
    assert desk.served == [True]
    assert desk.loading == [TrialLoading("t", 0.25)]
    desk.ask(RunTrial("t", 1, {"x": 1.0}))
    assert desk.trial.begun.acquire(timeout=10)
    desk.ask(RunTrial("t", 2, {"x": 2.0}))
    desk.ask(RunTrial("t", 3, {"x": 3.0}))
    assert desk.wait(2)[1] == TrialOvertaken("t", 2), "it had not begun"
    desk.trial.gate.release()
    assert desk.wait(3)[2] == TrialOvertaken("t", 1), "it was stopped"
    desk.trial.gate.release()
    last = desk.wait(4)[3]
    assert isinstance(last, TrialRun)
    assert (last.number, last.figures.net_profit) == (3, 3.0)
    np.testing.assert_array_equal(take(last.curve), [[1.0, 2.0], [3.0, 4.0]])
    desk.ask(CloseTrial("t"))
    desk.ask(RunTrial("t", 4, {"x": 1.0}))
    done, refused = desk.wait(6)[4:]
    assert done == Done()
    assert isinstance(refused, Failed) and refused.kind == "Refused"
    assert desk.served == [True, False]


def test_two_lanes_work_at_a_time() -> None:
    desk = Desk(lanes=2)
    desk.ask(OpenTrial("t", example("rqpm_filusdt", "2023-08-02")))
    desk.wait(1)
    for number in (1, 2):
        desk.ask(RunTrial("t", number, {"x": float(number)}))
        assert desk.trial.begun.acquire(timeout=10)
    desk.trial.gate.release()
    desk.trial.gate.release()
    found = {each.number: each.figures.net_profit for each in desk.wait(3)[1:] if isinstance(each, TrialRun)}
    assert found == {1: 1.0, 2: 2.0}
    desk.ask(CloseTrial("t"))
    desk.arrays.close()


def test_what_is_not_allowed_is_said_and_the_trial_goes_on(desk: Desk) -> None:
    desk.ask(OpenTrial("t", example("rqpm_filusdt", "2023-08-02")))
    desk.ask(RunTrial("t", 1, {"bad": True}))
    desk.trial.gate.release()
    failed = desk.wait(2)[1]
    assert isinstance(failed, Failed) and failed.field == "trade[0].leverage"
    desk.ask(RunTrial("t", 2, {"x": 5.0}))
    desk.trial.gate.release()
    assert isinstance(desk.wait(3)[2], TrialRun)


def test_a_second_trial_closes_the_first_and_one_that_nobody_asks_for_ends(desk: Desk) -> None:
    spec = example("rqpm_filusdt", "2023-08-02")
    desk.ask(OpenTrial("one", spec))
    desk.wait(1)
    desk.ask(OpenTrial("two", spec))
    desk.wait(2)
    desk.ask(RunTrial("one", 1, {"x": 1.0}))
    assert isinstance(desk.wait(3)[2], Failed)
    desk.now += EXPIRY_S + 10.0
    desk.bus.pump()
    assert desk.served[-1] is False
    desk.ask(RunTrial("two", 2, {"x": 1.0}))
    assert isinstance(desk.wait(4)[3], Failed)


def test_a_trial_that_cannot_be_opened_says_why(desk: Desk) -> None:
    desk.refuse = True
    desk.ask(OpenTrial("t", example("rqpm_filusdt", "2023-08-02")))
    failed = desk.wait(1)[0]
    assert isinstance(failed, Failed) and failed.field == "minutes"
    desk.bus.pump()
    assert desk.served[-1] is False
