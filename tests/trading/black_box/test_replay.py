"""Histories of the deterministic simulation of orders, recorded, exported and replayed."""

from __future__ import annotations

from pathlib import Path

import pytest

from atm.simulators.orders import run as simulation
from atm.simulators.orders.exchange import MINUTES, SYMBOLS
from atm.simulators.orders.plan import plan
from atm.simulators.orders.run import Run
from atm.storage.flight_log import FlightLimits, FlightLog
from atm.trading.black_box.incident import Incident, Wanted, export
from atm.trading.black_box.recorder import FlightRecorder
from atm.trading.black_box.redaction import Redactor
from atm.trading.black_box.replay import replay

ASSETS = Path(__file__).parents[3] / "assets"
FOREVER = Wanted(0, 10**15)


class _RecordedRun(Run):
    """A seed whose account is recorded; the recorder's clocks are the simulation's."""

    def __init__(self, seed: int, folder: Path, segment: int = 60_000) -> None:
        super().__init__(plan(seed, SYMBOLS, MINUTES), ASSETS)
        self.log = FlightLog(folder, FlightLimits(segment=segment), lambda: self.scheduler.now_ms)
        self.recorder = FlightRecorder(
            self.log, lambda: self.scheduler.now_ms / 40, lambda: self.scheduler.now_ms, Redactor()
        )

    def _tick(self) -> None:
        super()._tick()
        self.recorder.pulse()


def recorded(seed: int, folder: Path, monkeypatch: pytest.MonkeyPatch, wanted: Wanted = FOREVER) -> Incident:
    made = _RecordedRun(seed, folder / "box")
    monkeypatch.setattr(simulation, "LiveAccount", made.recorder.live)
    outcome = made.go()
    assert not outcome.violations
    made.recorder.close()
    export(folder / "box", folder / "a.atmincident", wanted, {}, "test", 0)
    return Incident(folder / "a.atmincident")


@pytest.mark.parametrize("seed", range(1, 13))
def test_what_was_recorded_is_replayed_bit_for_bit(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = replay(recorded(seed, tmp_path, monkeypatch).lines())
    assert found.differences == []
    assert found.missing == []
    assert found.inputs > 500
    assert found.steps > 300
