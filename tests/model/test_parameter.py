"""Parameters described as plain data, and read as they are typed."""

from __future__ import annotations

import msgspec
import pytest

from atm.model.analysis_configuration import BollingerLine, MultiMACD, NetworkSignal
from atm.model.builtin_analyses import BUILT_IN
from atm.model.errors import Invalid
from atm.model.parameter import Parameter, describe
from atm.model.validation import mistakes

BAND = {parameter.name: parameter for parameter in describe(BollingerLine)}
MACD = {parameter.name: parameter for parameter in describe(MultiMACD)}


@pytest.mark.parametrize(
    ("parameter", "text", "value"),
    [
        (BAND["window"], " 25 ", 25),
        (BAND["width"], "2.5", 2.5),
        (BAND["average"], "EMA", "EMA"),
        (MACD["windows"], "5, 10 20", [5, 10, 20]),
        (MACD["legacy_signal"], "True", True),
        (describe(NetworkSignal)[0], "mine", "mine"),
    ],
)
def test_what_was_typed_is_read_and_shown_the_same(parameter: Parameter, text: str, value: object) -> None:
    assert parameter.read(text) == value
    assert parameter.read(parameter.shown(value)) == value


@pytest.mark.parametrize(
    ("parameter", "text"),
    [
        (BAND["window"], "1"),
        (BAND["window"], "10001"),
        (BAND["window"], "2.5"),
        (BAND["window"], ""),
        (BAND["width"], "0"),
        (BAND["width"], "nan"),
        (BAND["average"], "MEDIAN"),
        (MACD["windows"], "5"),
        (MACD["windows"], "5, 1"),
        (MACD["windows"], "2,3,4,5,6,7,8"),
        (MACD["legacy_signal"], "maybe"),
        (describe(NetworkSignal)[0], ""),
    ],
)
def test_what_the_struct_does_not_allow_is_refused_by_name(parameter: Parameter, text: str) -> None:
    with pytest.raises(Invalid) as refused:
        parameter.read(text)
    assert refused.value.field == parameter.name
    assert parameter.allowed in str(refused.value)


@pytest.mark.parametrize("name", list(BUILT_IN))
def test_bounds_are_those_that_the_struct_is_checked_by(name: str) -> None:
    """Just inside each bound the struct accepts what the description accepts; just outside neither does."""
    struct = BUILT_IN[name].parameters
    whole = {p.name: p.default if p.default is not None else "x" for p in describe(struct)}
    for parameter in describe(struct):
        if parameter.kind not in ("int", "float"):
            continue
        step = 1 if parameter.kind == "int" else 1e-6
        for bound, sign in ((parameter.least, 1), (parameter.most, -1)):
            for offset in (-1, 1) if bound is not None else ():
                value = bound + sign * offset * step  # type: ignore[operator]
                value = int(value) if parameter.kind == "int" else value
                accepted = mistakes(msgspec.to_builtins(whole | {parameter.name: value}), struct) == []
                assert accepted is (offset > 0), (parameter.name, value)
                if accepted:
                    assert parameter.read(repr(value)) == value
                else:
                    with pytest.raises(Invalid):
                        parameter.read(repr(value))
