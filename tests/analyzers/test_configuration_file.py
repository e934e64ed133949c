"""Configurations as files: read back as they were, short to read, and every mistake in one is reported."""

from __future__ import annotations

import json
import tomllib

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atm.analyzers.builtin import built_in
from atm.analyzers.configuration_check import check_configuration, parse_configuration
from atm.analyzers.configuration_file import read_configuration, to_json, to_toml, write_configuration
from atm.analyzers.warm_up import EVERYTHING
from atm.model.analysis_configuration import (
    AnalysisConfiguration,
    ClassicalSignal,
    IntervalAnalyses,
    MovingAverageLine,
    MultiMACD,
)
from atm.model.errors import Invalid, Problems, Unavailable
from atm.model.interval import Interval
from tests.analyzers.market import SMALL

TWO = AnalysisConfiguration(
    'a "quoted" 코드',
    (
        msgspec.structs.replace(EVERYTHING.intervals[0], swing_range=1e-4),
        IntervalAnalyses(interval=Interval.MONTH, user={"MY OWN": ({"x": 1.5, "name": "a\n"}, {})}),
    ),
    Interval.M15,
)


@pytest.mark.parametrize("configuration", [TWO, SMALL, AnalysisConfiguration("plain")], ids=lambda each: each.code)
def test_what_is_written_is_read_again(tmp_path, configuration):
    for text, raw in (
        (to_toml(configuration), tomllib.loads(to_toml(configuration))),
        (to_json(configuration), json.loads(to_json(configuration))),
    ):
        assert msgspec.convert(raw, AnalysisConfiguration) == configuration
        assert "null" not in text
    if configuration is SMALL:
        for ending in (".toml", ".json"):
            path = tmp_path / f"c{ending}"
            write_configuration(configuration, path)
            assert read_configuration(path, built_in()) == configuration


@settings(max_examples=50, deadline=None)
@given(code=st.text(min_size=1, max_size=64), number=st.floats(1e-4, 0.5))
def test_any_code_and_number_survive_toml(code, number):
    configuration = AnalysisConfiguration(code, (IntervalAnalyses(swing_range=number),))
    assert msgspec.convert(tomllib.loads(to_toml(configuration)), AnalysisConfiguration) == configuration


def test_a_file_says_only_what_was_chosen():
    configuration = AnalysisConfiguration("c", (IntervalAnalyses(interval=Interval.H1, sma=(MovingAverageLine(20),)),))
    assert to_toml(configuration) == 'code = "c"\n\n[[intervals]]\ninterval = "1h"\nsma = [{ window = 20 }]\n'


def test_every_mistake_is_reported_by_its_path_and_none_hides_another(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text(
        'code = ""\nnonsense = 1\ndecision_interval = "7m"\n'
        "[[intervals]]\n"
        'sma = [{ window = 20 }, { window = 1 }, { window = "ten" }]\nbollinger = { width = 2 }\nswng_range = 0.1\n'
        "[[intervals]]\n"
        'interval = "5m"\nmmacd_short = { windows = [20], signal = 0 }\npip = { action_mode = "SIDEWAYS", beta = 1.5 }\n'
    )
    with pytest.raises(Problems) as caught:
        read_configuration(path, built_in())
    assert [(problem.field, problem.value) for problem in caught.value.found] == [
        ("code", ""),
        ("nonsense", 1),
        ("decision_interval", "7m"),
        ("intervals[0].sma[1].window", 1),
        ("intervals[0].sma[2].window", "ten"),
        ("intervals[0].bollinger", {"width": 2}),
        ("intervals[0].swng_range", 0.1),
        ("intervals[1].mmacd_short.windows", [20]),
        ("intervals[1].mmacd_short.signal", 0),
        ("intervals[1].pip.action_mode", "SIDEWAYS"),
        ("intervals[1].pip.beta", 1.5),
    ]
    lines = str(caught.value).splitlines()
    assert len(lines) == 11
    assert lines[6] == "intervals[0].swng_range: 0.1 is not allowed; allowed: a known field (did you mean swing_range?)"


def test_parameters_that_do_not_fit_each_other_are_all_reported():
    bad = IntervalAnalyses(
        mmacd_short=MultiMACD(windows=(5, 5)), pip=ClassicalSignal(enter_threshold=0.1, leave_threshold=0.2)
    )
    configuration = AnalysisConfiguration("c", (IntervalAnalyses(interval=Interval.H1), bad, bad), Interval.M1)
    with pytest.raises(Problems) as caught:
        check_configuration(configuration, built_in())
    assert [problem.field for problem in caught.value.found] == [
        "intervals[2].interval",
        "intervals[1].mmacd_short.windows",
        "intervals[1].pip.leave_threshold",
        "intervals[2].mmacd_short.windows",
        "intervals[2].pip.leave_threshold",
    ]


def test_in_the_short_form_fields_are_named_as_they_stand():
    with pytest.raises(Invalid) as caught:
        parse_configuration({"code": "c", "sma": [{"window": 0}]}, built_in())
    assert caught.value.field == "sma[0].window"
    with pytest.raises(Invalid, match="AnalysisConfiguration"):
        parse_configuration([], built_in())


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("none.toml", None, "an existing file"),
        ("c.toml", "code = ", "a TOML file"),
        ("c.json", "{", "a JSON file"),
        ("c.yaml", "code: c", r"ends in \.toml or \.json"),
        ("c.toml", 'code = "c"\nintervals = []', "intervals"),
    ],
)
def test_what_is_no_configuration_is_said_in_a_sentence(tmp_path, name, text, words):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(Invalid, match=words):
        read_configuration(tmp_path / name, built_in())


def test_a_file_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match=r"c\.toml could not be written"):
        write_configuration(SMALL, tmp_path / "file" / "c.toml")
