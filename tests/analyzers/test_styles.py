"""What the window knows of the built-in analyses without their code agrees with their code."""

from __future__ import annotations

import dataclasses
import typing

import msgspec
import pytest

from atm.analyzers.builtin import built_in
from atm.analyzers.contract import Registry
from atm.model.analysis_configuration import IntervalAnalyses
from atm.model.builtin_analyses import BUILT_IN
from atm.model.errors import Invalid
from atm.model.indicator_style import IndicatorStyle, Trace

INPUTS_ONLY = {"FLOW"}
"""Indicators that nobody looks at: they carry columns from outside to others."""


def test_every_indicator_but_the_inputs_can_be_shown() -> None:
    registry = built_in()
    assert set(BUILT_IN) == {indicator.name for indicator in registry} - INPUTS_ONLY
    for name, known in BUILT_IN.items():
        assert registry[name].style == known.style
        assert registry[name].singleton is (known.most == 0)
        assert known.style.fields() <= set(registry[name].fields)


@pytest.mark.parametrize("name", list(BUILT_IN))
def test_places_and_line_limits_are_those_of_the_configuration(name: str) -> None:
    known = BUILT_IN[name]
    hint = typing.get_type_hints(IntervalAnalyses, include_extras=True)[known.place]
    limits = [meta.max_length for meta in getattr(hint, "__metadata__", ()) if isinstance(meta, msgspec.Meta)]
    assert (limits[0] if limits and limits[0] is not None else 0) == known.most
    names = {field.name for field in msgspec.structs.fields(known.parameters)}
    thresholds = {parameter for form in known.style.forms for parameter in form.thresholds}
    assert names >= set(known.style.title) | thresholds


def test_a_style_that_names_a_field_which_is_not_there_is_refused() -> None:
    wrong = dataclasses.replace(built_in()["SMA"], name="OTHER", style=IndicatorStyle(main=(Trace("velue"),)))
    with pytest.raises(Invalid, match="velue"):
        Registry().register(wrong)
