"""The program with its window, on a display, driven as a person drives it."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.program.running import RunningProgram, wait_until
from tests.program.x11 import Desktop, Window

pytestmark = [pytest.mark.program, pytest.mark.window, pytest.mark.timeout(300)]

TITLE = "Auto Trade Machine"
PAGE = (240, 80, 1300, 760)
MARKET_ENTRY = (100, 124)
EVERYBODY = ("data", "binance_api", "trade", "simulation", "neural_network", "demo-exchange")


@pytest.fixture
def started(home: Path, display: str) -> Iterator[list[RunningProgram]]:
    programs: list[RunningProgram] = []
    yield programs
    for program in programs:
        program.clean_up()


def window_of(program: RunningProgram, display: str) -> Window:
    window = Desktop(display).window(TITLE, program.alive)
    wait_until("the window shows a page", lambda: window.colors(*PAGE) > 12)
    return window


def test_one_command_opens_a_window_on_a_moving_market_and_its_cross_ends_everything(
    started: list[RunningProgram], home: Path, display: str
) -> None:
    program = RunningProgram(home, "--speed", "60")
    started.append(program)
    window = window_of(program, display)
    program.wait_for_processes("gui", "analyzer-0", *EVERYBODY)
    window.click(*MARKET_ENTRY)
    wait_until("the chart is there", lambda: window.colors(*PAGE) > 60)
    pictures = {window.pixels(*PAGE)}

    def moved() -> bool:
        pictures.add(window.pixels(*PAGE))
        return len(pictures) >= 5

    wait_until("the market moves", moved)
    tree = program.processes()
    window.close()
    wait_until("the program ends", lambda: not program.alive())
    assert program.process.returncode == 0, program.terminal()
    assert {"gui", *EVERYBODY} <= tree.keys()


def test_a_headless_program_is_given_a_window_and_loses_it_again(
    started: list[RunningProgram], home: Path, display: str
) -> None:
    program = RunningProgram(home, "--headless", "--speed", "60")
    started.append(program)
    running = program.wait_for_processes("trade", "demo-exchange")
    assert "gui" not in running
    findings = {each["name"]: each for each in json.loads(program.command("doctor", "--json").stdout)}
    assert all(finding["ok"] for finding in findings.values())
    assert "answers in" in findings["exchange"]["text"]
    assert f"process {program.process.pid} with " in findings["program"]["text"]
    for _ in range(2):
        attached = program.command("attach")
        assert (attached.returncode, attached.stderr) == (0, "")
        again = program.command("attach")
        assert (again.returncode, again.stderr) == (1, "atm: the program has a window already\n")
        window = window_of(program, display)
        window.close()
        wait_until("the window is gone", lambda: "gui" not in program.processes())
        assert {name: program.processes()[name] for name in running} == running, "the others have not noticed"
    assert program.end(signal.SIGINT) == 0
    assert program.command("attach").returncode == 1


def test_a_second_program_on_the_same_home_is_refused(started: list[RunningProgram], home: Path) -> None:
    program = RunningProgram(home, "--headless")
    started.append(program)
    program.wait_for_processes("trade")
    second = program.command("--headless")
    assert second.returncode == 1
    assert f"running already on {home}" in second.stderr
    assert program.end() == 0
