"""The verdicts on the built-in indicators are made once for a version of the program."""

from __future__ import annotations

from pathlib import Path

import pytest

from atm.analyzers import built_in_verdicts
from atm.analyzers.built_in_verdicts import BuiltInVerdicts
from atm.analyzers.builtin import built_in
from atm.analyzers.checker import Verdict
from atm.model.analysis_configuration import IntervalAnalyses

FOUND = {"SMA": Verdict(True), "PIP": Verdict(False, "the indicator PIP looks ahead")}


def test_they_are_kept_until_the_program_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cache" / "verdicts.json"
    made = BuiltInVerdicts(path, lambda: FOUND)
    assert made.known == {}
    made.examine()
    assert made.known == FOUND
    assert BuiltInVerdicts(path).known == FOUND
    monkeypatch.setattr(built_in_verdicts, "program_version", lambda: "another")
    assert BuiltInVerdicts(path).known == {}


def test_a_broken_file_counts_as_none_and_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.json"
    path.write_text("{")
    made = BuiltInVerdicts(path, lambda: FOUND)
    assert made.known == {}
    made.examine()
    assert BuiltInVerdicts(path).known == FOUND


def test_every_built_in_indicator_says_which_field_holds_its_lines() -> None:
    """But for the order-flow input, which has no parameters; together they are all fields of an interval."""
    fields = {indicator.name: indicator.field for indicator in built_in()}
    assert [name for name, field in fields.items() if not field] == ["FLOW"]
    assert sorted(filter(None, fields.values())) == sorted(
        set(IntervalAnalyses.__struct_fields__) - {"interval", "user"}
    )
