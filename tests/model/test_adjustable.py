"""What sliders move: every number, switch and choice by its path."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atm.model.account import AssetSetup, PositionSetup
from atm.model.adjustable import MISSING, adjustables, adjusted, differing, of_specification
from atm.model.analysis_configuration import AnalysisConfiguration, ClassicalSignal
from atm.model.errors import Invalid
from atm.model.simulation import SimulationSpec
from atm.model.trade_configuration import (
    RemainingQuantity,
    RotationalGaussian2,
    TargetExposure,
    TradeConfiguration,
    TradeScenario,
)

METHODS = (
    RemainingQuantity(),
    RemainingQuantity(long=RotationalGaussian2()),
    TradeScenario(),
    TargetExposure(),
)


def spec(*trade: TradeConfiguration) -> SimulationSpec:
    return SimulationSpec(
        "s", "2023-08-01", "2023-08-02", {"USDT": AssetSetup(1_000.0)}, (PositionSetup("X", "a", "t"),),
        (AnalysisConfiguration.of_one("a", pip=ClassicalSignal()),), trade or (TradeConfiguration("t"),),
    )  # fmt: skip


def test_nested_methods_become_paths_with_their_bounds() -> None:
    found = {each.path: each for each in adjustables(TradeConfiguration("t"))}
    alpha = found["method.long.alpha"]
    assert (alpha.value, alpha.parameter.least, alpha.parameter.most) == (0.5, 0, 100)
    assert found["leverage"].parameter.kind == "whole"
    assert found["direction"].parameter.choices == ("LONG", "SHORT", "BOTH")
    stop = found["full_stop_loss_immediate"]
    assert (stop.value, stop.parameter.optional, stop.parameter.above, stop.parameter.most) == (None, True, True, 1)
    assert "code" not in found, "a name is no parameter"


def test_rows_and_tuples_become_paths_with_places() -> None:
    found = {each.path: each for each in adjustables(METHODS[2], "method")}
    assert found["method.exit[4].target"].value == 0
    assert found["method.exit[4].target"].parameter.most == 1
    gaussian = {each.path: each for each in adjustables(METHODS[1], "method")}
    assert gaussian["method.long.delta[3]"].parameter.least == -1
    assert gaussian["method.long.sigma[0]"].parameter.least == 0.0001


def test_only_configurations_in_use_can_be_moved() -> None:
    groups = of_specification(spec(TradeConfiguration("other"), TradeConfiguration("t")))
    assert list(groups) == ["trade[1]", "allocation", "costs"]
    assert [each.path for each in groups["allocation"]] == [
        "assets.USDT.allocation_ratio", "positions[0].assumed_ratio", "positions[0].max_allocated",
    ]  # fmt: skip
    assert "costs.taker_fee" in {each.path for each in groups["costs"]}


@given(st.sampled_from(METHODS))
def test_every_path_leads_to_its_value_and_putting_it_there_changes_nothing(method: object) -> None:
    whole = spec(TradeConfiguration("t", method=method))  # type: ignore[arg-type]
    changes = {each.path: each.value for group in of_specification(whole).values() for each in group}
    assert len(changes) > 15
    assert adjusted(whole, changes) == whole


def test_a_change_is_made_where_it_belongs() -> None:
    changed = adjusted(spec(), {"trade[0].method.long.alpha": 0.25, "costs.slippage": 0.002})
    assert changed.trade[0].method.long.alpha == 0.25  # type: ignore[union-attr]
    assert differing([msgspec.to_builtins(spec()), msgspec.to_builtins(changed)]) == [
        ("trade[0].method.long.alpha", (0.5, 0.25)),
        ("costs.slippage", (0.0001, 0.002)),
    ]


@pytest.mark.parametrize(
    ("path", "value"), [("trade[0].method.long.omega", 1), ("trade[3].leverage", 1), ("trade[0].leverage.more", 1)]
)
def test_a_path_that_there_is_not_is_named(path: str, value: int) -> None:
    with pytest.raises(Invalid, match="path of a value"):
        adjusted(spec(), {path: value})


def test_a_value_that_is_not_allowed_is_named_with_its_path() -> None:
    with pytest.raises(Invalid) as caught:
        adjusted(spec(), {"trade[0].method.short.beta1": -1.0})
    assert caught.value.field == "trade[0].method.short.beta1"


def test_members_that_only_one_has_are_differences() -> None:
    found = differing([{"a": [1, 2], "c": {}}, {"a": [1], "b": 3, "c": {}}, {"a": [1, 2]}])
    assert found == [
        ("a[1]", (2, MISSING, 2)),
        ("c", ({}, {}, MISSING)),
        ("b", (MISSING, 3, MISSING)),
    ]
