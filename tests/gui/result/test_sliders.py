"""Ranges of sliders."""

from __future__ import annotations

import pytest

from atm.gui.result.sliders import name_of, range_of, start_of
from atm.gui.texts import Texts
from atm.model.adjustable import adjustables
from atm.model.parameter import Parameter
from atm.model.trade_configuration import TradeConfiguration, TradeScenario
from tests.gui.filled import ASSETS


@pytest.mark.parametrize(
    ("parameter", "value", "low", "high"),
    [
        (Parameter("alpha", "number", least=0, most=100), 0.5, 0.0, 2.0),
        (Parameter("theta", "number", least=0, most=1), 0.5, 0.0, 1.0),
        (Parameter("leverage", "whole", least=1, most=125), 3, 1.0, 12.0),
        (Parameter("leverage", "whole", least=1, most=125), 1, 1.0, 5.0),
        (Parameter("half_spread", "number", least=0, most=0.01), 0.0, 0.0, 0.01),
        (Parameter("funding_rate", "number", least=-0.03, most=0.03), 0.0001, -0.0004, 0.0004),
        (Parameter("delta", "number", least=-1, most=1), 0.0, -1.0, 1.0),
        (Parameter("free", "number"), 0.0, 0.0, 1.0),
    ],
)
def test_the_range_is_about_the_value(parameter: Parameter, value: float, low: float, high: float) -> None:
    found = range_of(parameter, value)
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))
    assert found.low <= value <= found.high


def test_a_bound_that_is_not_allowed_is_not_offered() -> None:
    stop = next(
        each.parameter for each in adjustables(TradeConfiguration("t")) if each.path == "full_stop_loss_immediate"
    )
    found = range_of(stop, 0.5)
    assert 0.0 < found.low < found.high < 1.0
    assert stop.check(found.low) and stop.check(found.high)


@pytest.mark.parametrize("method", [None, TradeScenario()])
def test_what_is_switched_on_begins_with_something_allowed(method: TradeScenario | None) -> None:
    configuration = TradeConfiguration("t") if method is None else TradeConfiguration("t", method=method)
    for each in adjustables(configuration):
        if each.parameter.optional and each.parameter.kind == "number":
            assert each.parameter.check(start_of(each.parameter)) is not None


def test_names_are_the_last_parts_in_words() -> None:
    texts = Texts(ASSETS / "texts")
    found = {each.path: name_of(texts, each, "trade[0]") for each in adjustables(TradeConfiguration("t"), "trade[0]")}
    assert found["trade[0].method.long.beta0"] == "long · beta 0"
    scenario = adjustables(TradeConfiguration("t", method=TradeScenario()), "trade[0]")
    assert {each.path: name_of(texts, each, "trade[0]") for each in scenario}["trade[0].method.exit[1].target"] == (
        "exit 2 · target"
    )
