"""What a recorder must not miss, cost or do."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from atm.model.risk import LiveSetup, SymbolSetup
from atm.simulators.orders import run as simulation
from atm.storage.flight_log import FlightLimits, FlightLog, segments
from atm.trading.black_box.recorded_account import RecordedAccount
from atm.trading.black_box.recorder import FlightRecorder
from atm.trading.live.live_account import LiveAccount
from tests.trading.black_box.test_replay import ASSETS, RecordedRun

READ_ONLY = {"halts", "view"}


def test_every_input_of_a_live_account_is_recorded() -> None:
    methods = inspect.getmembers(LiveAccount, inspect.isfunction)
    inputs = {name for name, _ in methods if not name.startswith("_")} - READ_ONLY
    assert inputs == inputs & vars(RecordedAccount).keys(), "a new input has to be recorded and replayed"


@pytest.mark.parametrize("seed", [5, 6])
def test_an_account_that_is_recorded_does_what_one_that_is_not_does(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = simulation.run_seed(seed, ASSETS)
    made = RecordedRun(seed, tmp_path)
    monkeypatch.setattr(simulation, "LiveAccount", made.recorder.live)
    assert made.go() == plain


def test_a_defect_of_the_recorder_does_not_reach_the_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, said = simulation.run_seed(5, ASSETS), []
    made = RecordedRun(5, tmp_path, stopped=said.append)
    monkeypatch.setattr(simulation, "LiveAccount", made.recorder.live)
    monkeypatch.setattr("atm.trading.black_box.recorder.memory_of", lambda account, own: {"a": object()})
    assert made.go() == plain
    assert len(said) == 1


def test_states_that_fill_a_segment_alone_are_not_written_without_end(tmp_path: Path) -> None:
    now = 0.0
    log = FlightLog(tmp_path, FlightLimits(segment=100), lambda: 0)
    recorder = FlightRecorder(log, lambda: now, lambda: 0)
    recorder.live("first", LiveSetup({"FILUSDT": SymbolSetup()}), {})
    for _ in range(40):
        now += 0.5
        recorder.pulse()
    recorder.close()
    assert len(segments(tmp_path)) == 3, "at once, after 10 s and after 20 s"
