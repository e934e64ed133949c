"""`./run.sh faults …`: what its actions ask for, what it says, and the sentence for bad input."""

from __future__ import annotations

from typing import Any

import pytest

from atm.app.command_line import main
from atm.app.fault_command import fault_lines, kind_lines, read_wish, shown
from atm.exchange.demo.fault_schedule import schedule
from atm.model.fault import Fault, FaultKind, FaultRecord, FaultReport, FaultSchedule


@pytest.mark.parametrize(
    ("action", "values", "wish"),
    [
        ("list", [], None),
        (
            "set",
            ["late", "late_ms=500", "target=*@kline_1m"],
            {"fault": {"kind": "late", "late_ms": 500, "target": "*@kline_1m"}},
        ),
        ("set", ["missing", "probability=0.5"], {"fault": {"kind": "missing", "probability": 0.5}}),
        ("clear", [], {"clear_faults": True}),
        ("clear", ["3", "4"], {"clear": [3, 4]}),
        ("schedule", ["7"], {"faults": FaultSchedule(7)}),
        (
            "schedule",
            ["7", "minutes=2.5", "kinds=late,missing", "symbols=nearusdt"],
            {"faults": FaultSchedule(7, 2.5, (FaultKind.LATE, FaultKind.MISSING), ("NEARUSDT",))},
        ),
    ],
)
def test_actions(action: str, values: list[str], wish: dict[str, Any] | None) -> None:
    assert read_wish(action, values) == wish


@pytest.mark.parametrize(
    "arguments",
    [
        ["set"],
        ["set", "explosion"],
        ["set", "late", "late_ms=soon"],
        ["set", "late", "colour=red"],
        ["set", "late", "500"],
        ["clear", "first"],
        ["schedule"],
        ["schedule", "seven"],
        ["schedule", "7", "kinds=explosion"],
        ["schedule", "7", "minutes=many"],
        ["schedule", "7", "colour=red"],
        ["show", "7", "minutes=0"],
        ["list", "all"],
    ],
)
def test_bad_input_is_one_sentence(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["faults", *arguments]) == 2
    told = capsys.readouterr().err
    assert told.startswith("atm: ") and told.count("\n") == 1 and "allowed: " in told


def test_nobody_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["faults", "list", "--address", "http://127.0.0.1:9"]) == 1
    assert "no demo exchange answers" in capsys.readouterr().err


def test_a_schedule_can_be_shown_before_it_is_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(["7", "minutes=1"]) == schedule(7, 60_000)
    assert main(["faults", "show", "7", "minutes=1"]) == 0
    assert capsys.readouterr().out.count("\n") == len(schedule(7, 60_000))


def test_every_kind_is_listed_with_its_fields() -> None:
    told = "\n".join(kind_lines())
    assert all(f"{kind.value}: " in told for kind in FaultKind)
    assert "late_ms: a whole number from 1 up to 3,600,000 ms, else 3000" in told


def test_what_is_said_of_faults() -> None:
    late = Fault(FaultKind.LATE, duration_ms=5_000, amount=500.0, probability=0.5)
    records = (
        FaultRecord(1, Fault(FaultKind.MAINTENANCE), "active", 1_000, 0, {"refused": 3}),
        FaultRecord(2, late, "active", 1_000, 6_000, {"delayed": 1_200}),
        FaultRecord(3, late, "over", 0, 1_500),
    )
    first, second, third = fault_lines(FaultReport(2_000, records))
    assert first.endswith("active   maintenance at_ms=0 duration_ms=0; until it is cleared; refused 3")
    assert second.endswith("late_ms=500 probability=0.5; ends in 4.0 s; delayed 1,200")
    assert third.endswith("ended 0.5 s ago")
    assert fault_lines(FaultReport(0)) == ["no fault is set"]
