"""`./run.sh demo …`: what its actions ask for, and the sentence for bad input."""

from __future__ import annotations

from pathlib import Path

import pytest

from atm.app.command_line import main
from atm.app.demo_command import read_command
from atm.model.demo_state import DemoCommand, DemoDeposit
from atm.model.errors import Invalid
from atm.model.interval import parse_time


@pytest.mark.parametrize(
    ("action", "values", "command"),
    [
        ("state", [], None),
        ("pause", [], DemoCommand(pause=True)),
        ("resume", [], DemoCommand(pause=False)),
        ("speed", ["300"], DemoCommand(speed=300.0)),
        ("step", [], DemoCommand(step=1)),
        ("step", ["15"], DemoCommand(step=15)),
        ("jump", ["2023-09-10 08:30"], DemoCommand(jump=parse_time("2023-09-10 08:30"))),
        ("jump", ["2023-09-10", "08:30"], DemoCommand(jump=parse_time("2023-09-10 08:30"))),
        ("make-key", ["second"], DemoCommand(make_key="second")),
        ("deposit", ["demo", "-1,500.5"], DemoCommand(deposit=DemoDeposit("demo", -1_500.5))),
        ("reset", ["demo"], DemoCommand(reset="demo")),
        ("drop", [], DemoCommand(drop_connections=True)),
    ],
)
def test_actions(action: str, values: list[str], command: DemoCommand | None) -> None:
    assert read_command(action, values) == command


@pytest.mark.parametrize(
    ("action", "values", "field"),
    [
        ("speed", [], "speed"),
        ("speed", ["fast"], "speed"),
        ("step", ["0"], "step"),
        ("jump", ["tomorrow"], "jump"),
        ("deposit", ["demo"], "deposit"),
        ("deposit", ["demo", "much"], "amount"),
        ("reset", [" "], "account"),
        ("pause", ["now"], "pause"),
    ],
)
def test_bad_input_names_the_field(action: str, values: list[str], field: str) -> None:
    with pytest.raises(Invalid) as invalid:
        read_command(action, values)
    assert invalid.value.field == field


def test_without_a_running_program_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "pause", "--home", str(tmp_path)]) == 1
    assert f"no program is running on {tmp_path}" in capsys.readouterr().err
    assert main(["demo", "speed", "fast", "--home", str(tmp_path)]) == 2
    assert "speed: 'fast' is not allowed; allowed: a number" in capsys.readouterr().err
