"""What a struct says of its fields: the same bounds that msgspec enforces."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atm.model.analysis_configuration import Average, BollingerLine, ClassicalSignal, MultiMACD, NetworkSignal
from atm.model.errors import Invalid
from atm.model.parameter import parameters_of


class Everything(msgspec.Struct):
    whole: Annotated[int, msgspec.Meta(ge=2, le=9, description="so many")] = 3
    above: Annotated[float, msgspec.Meta(gt=0, lt=1, extra={"unit": "%"})] = 0.5
    switch: bool = True
    average: Average = Average.EMA
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=4)] = "abc"
    list: Annotated[tuple[Annotated[int, msgspec.Meta(ge=1)], ...], msgspec.Meta(min_length=1, max_length=3)] = (1, 2)
    perhaps: Annotated[int, msgspec.Meta(ge=5)] | None = None
    data: dict[str, Any] = {}


def test_kinds_defaults_units_and_descriptions() -> None:
    found = {each.name: each for each in parameters_of(Everything)}
    kinds = ["whole", "number", "switch", "choice", "text", "list", "whole", "data"]
    assert [each.kind for each in found.values()] == kinds
    assert found["average"].choices == ("SMA", "WMA", "EMA")
    assert found["average"].default == "EMA"
    assert found["list"].member is not None
    assert found["list"].member.least == 1
    assert (found["whole"].description, found["above"].unit) == ("so many", "%")
    assert found["perhaps"].optional
    assert not found["whole"].optional
    assert parameters_of(NetworkSignal)[0].required
    assert found["whole"].allowed == "a whole number from 2 up to 9"
    assert found["above"].allowed == "a number above 0 below 1"


@settings(max_examples=300)
@given(
    st.sampled_from([Everything, BollingerLine, MultiMACD, ClassicalSignal]),
    st.data(),
    st.one_of(
        st.integers(-3, 12_000), st.floats(-2, 12, allow_nan=False), st.booleans(), st.text(max_size=6),
        st.sampled_from(["SMA", "CYCLIC", "TREND"]), st.lists(st.integers(-1, 12), max_size=8),
    ),
)  # fmt: skip
def test_a_value_is_allowed_exactly_when_the_struct_takes_it(
    kind: type[msgspec.Struct], data: st.DataObject, value: object
) -> None:
    parameter = data.draw(st.sampled_from([each for each in parameters_of(kind) if each.kind != "data"]))
    raw = msgspec.to_builtins(kind()) | {parameter.name: value}
    try:
        msgspec.convert(raw, kind)
    except msgspec.ValidationError:
        if parameter.kind == "whole" and isinstance(value, float):
            return  # msgspec takes 3.0 for a whole number, a form need not
        with pytest.raises(Invalid, match=parameter.name):
            parameter.check(value)
    else:
        if not (parameter.kind == "whole" and isinstance(value, float)):
            assert parameter.check(value) == value
