"""A simulator is killed in the middle of its simulation: the job begins again by itself and ends as it would have."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from atm.model.simulation import SimulationState, SimulationStatus
from atm.simulators.specification import read_specification
from atm.storage.database import Database
from tests.program.running import ROOT, RunningProgram, wait_until

pytestmark = [pytest.mark.program, pytest.mark.timeout(600)]

EXAMPLES = {"rqpm_filusdt": "2f7289d65796", "ts_nearusdt": "f761fd30d70a"}
"""With the beginnings of their trade hashes (tests/simulators/test_backtest.py)."""
COPIES = 20
"""Of each: one takes a fraction of a second, and some must be left when a simulator is caught."""


@pytest.fixture
def program(home: Path) -> Iterator[RunningProgram]:
    database = Database(f"sqlite:///{home / 'demo.sqlite3'}")
    for number, name in enumerate([*EXAMPLES] * COPIES):
        spec = read_specification(ROOT / "examples" / f"{name}.toml")
        database.simulations.add(msgspec.structs.replace(spec, code=f"{name} {number}"), number)
    database.close()
    running = RunningProgram(home, "--headless")
    yield running
    running.clean_up()


def stored(home: Path) -> dict[str, SimulationState]:
    database = Database(f"sqlite:///{home / 'demo.sqlite3'}")
    try:
        return {state.code: state for state in database.simulations.states()}
    finally:
        database.close()


def stopped_while_running(program: RunningProgram) -> str:
    """Stop simulators (SIGSTOP) until one is caught with a simulation that has not ended; its name."""
    for name, pid in program.processes().items():
        if not name.startswith("simulator-"):
            continue
        os.kill(pid, signal.SIGSTOP)
        if any(state.status is SimulationStatus.RUNNING for state in stored(program.home).values()):
            return name
        os.kill(pid, signal.SIGCONT)
    return ""


def test_a_simulator_killed_at_work_costs_nothing_but_time(program: RunningProgram) -> None:
    caught: list[str] = []

    def one_is_caught() -> bool:
        caught.append(stopped_while_running(program))
        return bool(caught[-1])

    wait_until("a simulator is caught at work", one_is_caught, 240)
    dead = program.kill(caught[-1])
    wait_until("another takes its place", lambda: program.processes().get(caught[-1], dead) != dead)
    done = SimulationStatus.COMPLETED
    wait_until("all are done", lambda: all(state.status is done for state in stored(program.home).values()), 240)
    for code, state in stored(program.home).items():
        assert state.summary is not None
        assert state.summary.trade_hash.startswith(EXAMPLES[code.partition(" ")[0]])
    assert program.end() == 0
