"""Histories of the deterministic simulation of orders, recorded, exported and replayed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from atm.model.incident import Wanted
from atm.simulators.orders import run as simulation
from atm.simulators.orders.exchange import MINUTES, SYMBOLS
from atm.simulators.orders.plan import plan
from atm.simulators.orders.run import NAME, Run
from atm.storage.flight_log import FlightLimits, FlightLog
from atm.trading.black_box.incident import Incident, export
from atm.trading.black_box.recorder import FlightRecorder
from atm.trading.black_box.records import LiveCall, LiveMemory
from atm.trading.black_box.redaction import Redactor
from atm.trading.black_box.replay import replay
from atm.trading.black_box.story import tell, tell_difference
from atm.trading.live import position_desk

ASSETS = Path(__file__).parents[3] / "assets"
FOREVER = Wanted(0, 10**15)


class RecordedRun(Run):
    """A seed whose account is recorded; the recorder's clocks are the simulation's."""

    def __init__(self, seed: int, folder: Path, stopped: Callable[[str], None] = lambda _: None) -> None:
        super().__init__(plan(seed, SYMBOLS, MINUTES), ASSETS)
        self.log = FlightLog(folder, FlightLimits(segment=60_000), lambda: self.scheduler.now_ms)
        self.recorder = FlightRecorder(
            self.log, lambda: self.scheduler.now_ms / 40, lambda: self.scheduler.now_ms, Redactor(), stopped
        )

    def _tick(self) -> None:
        super()._tick()
        self.recorder.pulse()


def recorded(seed: int, folder: Path, monkeypatch: pytest.MonkeyPatch, wanted: Wanted = FOREVER) -> Incident:
    made = RecordedRun(seed, folder / "box")
    monkeypatch.setattr(simulation, "LiveAccount", made.recorder.live)
    outcome = made.go()
    assert not outcome.violations
    made.recorder.close()
    export(folder / "box", folder / "a.atmincident", wanted, {}, "test", 0)
    return Incident(folder / "a.atmincident")


@pytest.mark.parametrize("seed", range(1, 9))
def test_what_was_recorded_is_replayed_bit_for_bit(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = replay(recorded(seed, tmp_path, monkeypatch).lines())
    assert found.differences == []
    assert found.missing == []
    assert found.inputs > 500
    assert found.steps > 300


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Incident:
    with pytest.MonkeyPatch.context() as patch:
        return recorded(4, tmp_path_factory.mktemp("history"), patch)


def test_a_replay_can_begin_at_every_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = list(recorded(3, tmp_path, monkeypatch).lines())
    states = [line for line in whole if isinstance(line.record, LiveMemory)]
    assert len(states) > 10
    for state in states[:: len(states) // 8]:
        part = Wanted(state.wall, 10**15)
        export(tmp_path / "box", tmp_path / "part.atmincident", part, {}, "test", 0)
        lines = list(Incident(tmp_path / "part.atmincident").lines())
        assert isinstance(next(line.record for line in lines if line.account), LiveMemory)
        assert len(lines) <= len(whole)
        found = replay(lines)
        assert (found.differences, found.missing) == ([], [])


def test_a_replay_is_the_same_under_another_hash_seed(history: Incident, tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from atm.trading.black_box.incident import Incident\n"
        "from atm.trading.black_box.replay import replay\n"
        "found = replay(Incident(Path(sys.argv[1])).lines()); print(found.inputs, len(found.differences))"
    )
    ours = replay(history.lines())
    for seed in ("1", "2"):
        said = subprocess.run(
            [sys.executable, "-c", script, str(history.path)],
            env={"PYTHONHASHSEED": seed, "PATH": ""}, cwd=ASSETS.parent, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        assert said.split() == [str(ours.inputs), "0"]


def test_a_decision_that_has_changed_is_found_and_told(history: Incident, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(position_desk, "slices", lambda quantity, instrument: [quantity - 1])
    (found,) = replay(history.lines()).differences
    assert found.account == NAME
    assert isinstance(found.line.record, LiveCall)
    told = "\n".join(tell_difference(found))
    assert "the step differs" in told
    assert "recorded" in told and "replayed" in told


def test_a_core_that_remembers_otherwise_is_found_at_the_next_state(
    history: Incident, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent_order = position_desk.PositionDesk.sent_order
    monkeypatch.setattr(position_desk.PositionDesk, "sent_order", lambda self, now_ms: sent_order(self, now_ms + 1))
    (found,) = replay(history.lines()).differences
    assert found.what == "the memory"


def test_a_hole_in_the_record_is_told_and_the_rest_is_replayed(history: Incident) -> None:
    lines = list(history.lines())
    calls = [index for index, line in enumerate(lines) if isinstance(line.record, LiveCall)]
    del lines[calls[20]]
    found = replay(lines)
    assert found.differences == []
    assert [account for account, _ in found.missing] == [NAME]
    assert 0 < found.inputs < replay(history.lines()).inputs


def test_the_story_tells_decisions_journal_and_requests(history: Incident) -> None:
    told = "\n".join(tell(history.lines(), lambda text, _: text))
    assert "<- Aimed(targets=[Target(" in told
    assert "journal Intended(" in told
    assert "PlaceOrder(" in told
    assert "Filled(" in told
    assert list(tell(history.lines(), lambda text, _: text, "another")) == []
