"""docs/analyses.md names every analysis, every output field and every parameter."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from atm.analyzers.builtin import built_in
from atm.model import analysis_configuration

TEXT = (Path(__file__).parents[2] / "docs" / "analyses.md").read_text(encoding="utf-8")
STRUCTS = [
    value
    for value in vars(analysis_configuration).values()
    if isinstance(value, type)
    and issubclass(value, msgspec.Struct)
    and value.__module__ == analysis_configuration.__name__
]


@pytest.mark.parametrize("indicator", list(built_in()), ids=lambda indicator: indicator.name)
def test_every_field_is_documented(indicator):
    assert re.search(rf"^## .*\b{indicator.name}\b|`{indicator.name}\.", TEXT, re.MULTILINE)
    for field in indicator.fields:
        # below_1 … below_5 stand for those between
        assert f"{field}`" in TEXT or re.search(r"_[2-4]$", field), field


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda struct: struct.__name__)
def test_every_parameter_is_documented(struct):
    if struct not in (analysis_configuration.AnalysisConfiguration, analysis_configuration.IntervalAnalyses):
        for field in struct.__struct_fields__:
            assert re.search(rf"`([a-z_]+, )*([a-z_]+\.)?{field}`", TEXT), f"{struct.__name__}.{field}"
