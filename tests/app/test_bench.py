"""Benchmarks are files with rows; some take settings from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from atm.app.bench import run
from atm.app.command_line import BENCH_SETTINGS, ROOT, main
from atm.model.errors import Invalid

ROW = 'BenchRow("r", {}, "s", "floor", 1.0, 1.0, None, True)'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    head = "from atm.app.bench import BenchRow\n"
    (tmp_path / "plain.py").write_text(f"{head}def rows():\n    return [{ROW.format(1.0)}]\n")
    adjustable = (
        'SETTINGS = {"minutes": 2.0, "rate": 5.0}\n'
        f'def rows(settings):\n    value = settings["minutes"] * settings["rate"]\n    return [{ROW.format("value")}]\n'
    )
    (tmp_path / "adjustable.py").write_text(head + adjustable)
    (tmp_path / "_helper.py").write_text("raise RuntimeError")
    return tmp_path


def test_all_benchmarks_run_with_their_own_settings(folder: Path) -> None:
    announced: list[str] = []
    assert [row.value for row in run(folder, None, announced.append)] == [10.0, 1.0]
    assert announced == ["adjustable", "plain"]


def test_a_setting_replaces_that_of_the_benchmark_which_is_named(folder: Path) -> None:
    assert [row.value for row in run(folder, "adjustable", lambda _: None, {"rate": 7.0})] == [14.0]


def test_a_benchmark_may_have_classes_whose_annotations_are_read_later(tmp_path: Path) -> None:
    head = "from __future__ import annotations\nfrom dataclasses import dataclass\nfrom atm.app.bench import BenchRow\n"
    told = "@dataclass\nclass Told:\n    value: float\n"
    (tmp_path / "told.py").write_text(f"{head}{told}def rows():\n    return [{ROW.format('Told(3.0).value')}]\n")
    assert [row.value for row in run(tmp_path, "told", lambda _: None)] == [3.0]


@pytest.mark.parametrize(
    ("name", "given", "text"),
    [
        ("plain", {"rate": 7.0}, "rate.*it has none"),
        ("adjustable", {"hours": 7.0}, "hours.*minutes, rate"),
        ("adjustable", {"rate": 0.0}, "rate.*above 0"),
        (None, {"rate": 7.0}, "name of one"),
        ("missing", {}, "adjustable, plain"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(
    folder: Path, name: str | None, given: dict[str, float], text: str
) -> None:
    with pytest.raises(Invalid, match=text):
        run(folder, name, lambda _: None, given)


def test_every_setting_of_a_benchmark_has_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["bench", "--help"])
    shown = capsys.readouterr().out
    assert all(f"--{name}" in shown for name in BENCH_SETTINGS)
    wanted = [
        line.split("=")[1] for path in (ROOT / "benchmarks").glob("*.py") for line in path.read_text().splitlines()
        if line.startswith("SETTINGS = ")
    ]  # fmt: skip
    names = {name for settings in wanted for name in eval(settings)}
    assert names and names <= set(BENCH_SETTINGS)
