"""What is typed into a generated form, and an analysis configuration as a form and back."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atm.analyzers.warm_up import EVERYTHING
from atm.gui.analysis_draft import draft_of, groups_of, new_draft
from atm.gui.form_fields import allowed, as_typed, label_of, nudged, read, refusal
from atm.gui.texts import Texts
from atm.managers.presets import FAST_ANALYSIS, SLOW_ANALYSIS
from atm.model.analysis_configuration import (
    AnalysisConfiguration,
    BollingerLine,
    ClassicalSignal,
    IntervalAnalyses,
    NetworkSignal,
)
from atm.model.errors import Invalid
from atm.model.interval import Interval
from atm.model.parameter import Parameter, parameters_of
from tests.gui.filled import ASSETS, indicators

GROUPS = groups_of(indicators().indicators)
REVERSAL = next(group for group in GROUPS if group.key == "swing_range").parameters[0]
BAND = {each.name: each for each in parameters_of(BollingerLine)}
(NETWORK,) = parameters_of(NetworkSignal)
WINDOWS = Parameter("windows", "list", least=2, most=3, member=Parameter("window", "whole", least=2, most=50))


@given(st.floats(1e-6, 0.5))
def test_a_fraction_is_typed_in_percent(value: float) -> None:
    assert read(REVERSAL, as_typed(REVERSAL, max(value, 1e-4))) == pytest.approx(max(value, 1e-4), rel=1e-7)
    assert as_typed(REVERSAL, 0.025) == "2.5"
    assert read(REVERSAL, "2.5 %") == 0.025


@pytest.mark.parametrize(
    ("parameter", "typed", "value"),
    [
        (WINDOWS, "3, 6,12", [3, 6, 12]),
        (BAND["window"], " 25 ", 25),
        (BAND["width"], "2.5", 2.5),
        (BAND["average"], "EMA", "EMA"),
        (NETWORK, "mine", "mine"),
        (Parameter("w", "whole", least=2, most=5_000), "1,500", 1_500),
        (Parameter("x", "number"), "−1.5", -1.5),
        (Parameter("x", "number", optional=True), "", None),
        (Parameter("d", "data"), '{"a": [1]}', {"a": [1]}),
        (Parameter("s", "switch"), True, True),
    ],
)
def test_what_is_typed_is_read(parameter: Parameter, typed: str, value: object) -> None:
    assert read(parameter, typed) == value


@pytest.mark.parametrize(
    ("parameter", "typed"),
    [
        (WINDOWS, "3"), (WINDOWS, "3, x"), (WINDOWS, "3, 1"), (Parameter("w", "whole", least=2), "2.5"),
        (Parameter("w", "whole"), ""), (Parameter("x", "number", least=0, above=True), "0"),
        (BAND["window"], "10001"), (BAND["width"], "10.5"), (BAND["average"], "MEDIAN"), (NETWORK, ""),
        (Parameter("x", "number"), "nan"), (Parameter("d", "data"), "{"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named_with_its_text(parameter: Parameter, typed: str) -> None:
    with pytest.raises(Invalid) as refused:
        read(parameter, typed)
    assert (refused.value.field, refused.value.value) == (parameter.name, typed)


def test_steps_stay_within_the_bounds() -> None:
    width = parameters_of(BollingerLine)[1]
    assert [nudged(width, "2", 1), nudged(width, "10", 1), nudged(width, "x", 1)] == ["2.1", "10", "2"]
    assert nudged(REVERSAL, "2.5", -1) == "2.4"
    assert nudged(Parameter("w", "whole", least=2), "2", -1) == "2"


def test_what_is_allowed_is_said_in_both_languages() -> None:
    english, korean = Texts(ASSETS / "texts"), Texts(ASSETS / "texts", "ko")
    assert refusal(english, "1", allowed(english, parameters_of(BollingerLine)[0])) == (
        "“1” – allowed: a whole number 2 … 10,000"
    )
    assert allowed(korean, parameters_of(BollingerLine)[1]) == "숫자 > 0 … 10"
    assert allowed(english, REVERSAL) == "a number 0.01 … 50%"
    assert label_of(korean, "window") == "기간"
    assert label_of(korean, "of_a_plug_in") == "of a plug in"


MANY = AnalysisConfiguration(
    "many",
    (
        IntervalAnalyses(Interval.H1, user={"ROC": ({"window": 3}, {"window": 12}), "GONE": ({"a": 1, "b": "x"},)}),
        IntervalAnalyses(Interval.M5, pip=ClassicalSignal(alpha=0.1)),
    ),
    Interval.H1,
)


@pytest.mark.parametrize("configuration", [EVERYTHING, SLOW_ANALYSIS, FAST_ANALYSIS, MANY], ids=lambda each: each.code)
@pytest.mark.parametrize("groups", [GROUPS, groups_of(())], ids=["indicators known", "not yet"])
def test_a_configuration_survives_its_form(configuration: AnalysisConfiguration, groups: tuple[object, ...]) -> None:
    reading = draft_of(configuration, groups).read(groups)  # type: ignore[arg-type]
    assert reading.configuration == configuration


def test_everything_wrong_is_found_at_once_by_its_path() -> None:
    draft = draft_of(MANY, GROUPS)
    draft.code = ""
    draft.intervals[0].lines["user.ROC"][1]["window"] = "0"
    draft.intervals[0].lines["swing_range"][0]["swing_range"] = "99"
    draft.intervals[1].lines["pip"][0]["alpha"] = "much"
    reading = draft.read(GROUPS)
    assert set(reading.wrong) == {
        "code", "intervals[0].user.ROC[1].window", "intervals[0].swing_range", "intervals[1].pip.alpha",
    }  # fmt: skip
    assert reading.configuration is None


def test_every_analysis_of_the_structs_has_a_form_and_a_new_draft_is_a_configuration() -> None:
    keys = {group.key for group in GROUPS}
    assert keys == {field.name for field in msgspec.structs.fields(IntervalAnalyses)} - {"interval", "user"} | {
        "user.ROC"
    }
    assert new_draft({"ANALYSIS-1": None}, GROUPS).read(GROUPS).configuration == AnalysisConfiguration("ANALYSIS-2")
