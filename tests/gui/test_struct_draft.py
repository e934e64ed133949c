"""Any trade configuration goes into its form and comes out the same; what is wrong is found where it stands."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atm.gui.form_fields import as_typed
from atm.gui.struct_draft import CHOSEN, ON, add_row, choose, read_tree, tree_of
from atm.gui.texts import Texts
from atm.gui.trade_draft import TradeDraft, new_trade_draft, trade_draft_of, trade_parameters
from atm.gui.trade_problems import sentences
from atm.model.parameter import Parameter, Variant, parameters_of
from atm.model.trade_configuration import (
    Direction,
    MacdLine,
    MmacdDefault,
    MmacdLongDefault,
    ReachAndFall,
    RemainingQuantity,
    RotationalGaussian1,
    RotationalGaussian1D,
    RotationalGaussian2,
    ScenarioRow,
    Sense,
    SwingDefault,
    SwingSide,
    TargetExposure,
    TradeConfiguration,
    TradeScenario,
    WeightReduce,
)
from tests.gui.filled import ASSETS

fraction = st.integers(0, 1000).map(lambda n: n / 1000)
some = st.integers(1, 999).map(lambda n: n / 1000)
shift = st.integers(-1000, 1000).map(lambda n: n / 1000)
maps = st.one_of(
    st.builds(RotationalGaussian1, fraction, fraction, fraction, fraction, st.integers(1, 10)),
    st.builds(RotationalGaussian1D, fraction, fraction, fraction, fraction, st.integers(1, 10)),
    st.builds(RotationalGaussian2, st.tuples(fraction, fraction, fraction), st.tuples(shift, shift, shift, shift)),
)
senses = st.sampled_from(Sense)
scenario_rows = st.lists(st.tuples(some, some), min_size=1, max_size=6, unique_by=(lambda p: p[0], lambda p: p[1]))


def rising(pairs: list[tuple[float, float]], sign: int) -> tuple[ScenarioRow, ...]:
    """Deviations that rise, with targets that rise or fall."""
    deviations, targets = sorted(p[0] for p in pairs), sorted((p[1] for p in pairs), reverse=sign < 0)
    return tuple(ScenarioRow(d, t) for d, t in zip(deviations, targets, strict=True))


methods = st.one_of(
    st.builds(RemainingQuantity, sense=senses, regrow=st.booleans(), exit_on_impulse=st.none() | fraction, long=maps,
              short=maps),
    st.builds(
        TradeScenario, sense=senses, entry=scenario_rows.map(lambda r: rising(r, 1)),
        exit=st.just(()) | scenario_rows.map(lambda r: rising(r, -1)),
        weight_reduce=st.none() | st.builds(WeightReduce, some, fraction),
        reach_and_fall=st.none() | some.map(lambda s: ReachAndFall(s, s / 2)), join=st.booleans(),
    ),
    st.builds(TargetExposure, st.one_of(
        st.builds(SwingDefault, st.builds(SwingSide, shift, fraction, fraction)),
        st.builds(MmacdDefault, line=st.sampled_from(MacdLine), strength_short=fraction),
        st.builds(MmacdLongDefault, delta=shift))),
)  # fmt: skip


@given(methods, st.none() | some, st.sampled_from(Direction))
def test_a_configuration_of_any_method_comes_out_of_its_form_as_it_went_in(
    method: RemainingQuantity | TradeScenario | TargetExposure, stop: float | None, direction: Direction
) -> None:
    before = TradeConfiguration("A", 3, False, direction, stop, None if stop is None else stop / 2, True, method=method)
    reading = trade_draft_of(before).read()
    assert reading.wrong == {} and not reading.mistakes
    assert reading.configuration == before


def test_a_new_configuration_is_the_default_under_a_free_code() -> None:
    draft = new_trade_draft({"TRADE-1": None})
    assert draft.read().configuration == TradeConfiguration("TRADE-2")


def scenario() -> TradeDraft:
    return trade_draft_of(TradeConfiguration("A", method=TradeScenario(weight_reduce=WeightReduce(0.1, 0.5))))


def test_percent_is_typed_in_percent_and_an_optional_struct_can_be_left_out() -> None:
    draft = scenario()
    node = draft.tree["method"]["TS"]
    assert node["entry"][1] == {"deviation": "1", "target": "40"} and node["weight_reduce"]["activation"] == "10"
    node["weight_reduce"][ON] = False
    node["reach_and_fall"].update({ON: True, "reach": "5", "fall": "2.5"})
    done = draft.read().configuration
    assert done is not None and isinstance(done.method, TradeScenario)
    assert done.method.weight_reduce is None and done.method.reach_and_fall == ReachAndFall(0.05, 0.025)


def test_another_method_and_back_keeps_what_was_typed() -> None:
    draft = scenario()
    method = draft.parameter("method")
    assert method is not None
    draft.tree["method"]["TS"]["entry"][0]["target"] = "25"
    choose(method, draft.tree["method"], "TEF")
    other = draft.read().configuration
    assert other is not None and other.method == TargetExposure()
    choose(method, draft.tree["method"], "TS")
    back = draft.read().configuration
    assert back is not None and isinstance(back.method, TradeScenario) and back.method.entry[0].target == 0.25


def test_a_row_is_added_like_the_last_one_and_then_does_not_rise() -> None:
    draft = scenario()
    table = draft.parameter("method.exit")
    assert table is not None
    add_row(table, draft.tree["method"]["TS"]["exit"])
    found = sentences(Texts(ASSETS / "texts", "en"), draft, draft.read())
    assert set(found) == {"method.exit[5].deviation", "method.exit[5].target"}
    assert found["method.exit[5].deviation"] == "“5%” – allowed: more than in the row before (5%)"
    assert found["method.exit[5].target"] == "“0%” – allowed: less than in the row before (0%)"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"leverage": "126"}, "leverage"),
        ({"leverage": "two"}, "leverage"),
        ({"full_stop_loss_immediate": "100"}, "full_stop_loss_immediate"),
        ({"full_stop_loss_immediate": "2", "full_stop_loss_close": "3"}, "full_stop_loss_close"),
        ({"code": ""}, "code"),
    ],
)
def test_every_problem_stands_at_its_field(change: dict[str, str], field: str) -> None:
    draft = scenario()
    draft.tree.update(change)
    reading = draft.read()
    assert reading.configuration is None
    for language in ("en", "ko"):
        assert list(sentences(Texts(ASSETS / "texts", language), draft, reading)) == [field]


def test_all_problems_are_told_at_once_wherever_they_are() -> None:
    draft = scenario()
    node = draft.tree["method"]["TS"]
    node["entry"][2]["target"] = "lots"
    node["weight_reduce"]["activation"] = ""
    draft.tree["full_stop_loss_close"] = "-1"
    found = sentences(Texts(ASSETS / "texts", "en"), draft, draft.read())
    assert set(found) == {"full_stop_loss_close", "method.entry[2].target", "method.weight_reduce.activation"}


class Named(msgspec.Struct, frozen=True, tag_field="type", tag="USER"):
    """As the variant of users' methods has it: a name and plain parameters."""

    name: str
    parameters: dict[str, float] = {}


class Plain(msgspec.Struct, frozen=True, tag_field="type", tag="PLAIN"):
    width: float = 1.0


class Holder(msgspec.Struct, frozen=True):
    method: Plain | Named = Plain()


def test_a_method_whose_parameters_come_from_elsewhere_has_a_form_of_its_own() -> None:
    (method,) = parameters_of(Holder)
    mine = Variant(
        "mine",
        {"type": "USER", "name": "mine"},
        (Parameter("parameters", "struct", fields=(Parameter("speed", "whole", 3, least=1),)),),
    )
    plugged = (msgspec.structs.replace(method, variants=(mine, *method.variants)),)
    stored = {"method": {"type": "USER", "name": "mine", "parameters": {"speed": 7}}}
    tree = tree_of(plugged, stored)
    assert tree["method"][CHOSEN] == "mine" and tree["method"]["mine"] == {"parameters": {"speed": "7"}}
    assert read_tree(plugged, tree, "", {}) == stored
    tree["method"]["mine"]["parameters"]["speed"] = "0"
    wrong: dict[str, tuple[object, Parameter]] = {}
    read_tree(plugged, tree, "", wrong)
    assert list(wrong) == ["method.parameters.speed"]
    unknown = {"method": {"type": "USER", "name": "gone", "parameters": {"speed": 7}}}
    assert read_tree(plugged, tree_of(plugged, unknown), "", {}) == unknown, "one that nobody knows is kept as it is"


def test_fixed_tuples_are_lists_of_their_length() -> None:
    (method,) = (each for each in trade_parameters() if each.name == "method")
    rqpm = next(variant for variant in method.variants if variant.key == "RQPM")
    (long,) = (each for each in rqpm.fields if each.name == "long")
    theta = next(v for v in long.variants if v.key == "ROTATIONALGAUSSIAN2").fields[0]
    assert (theta.kind, theta.least, theta.most) == ("list", 3, 3)
    assert as_typed(theta, theta.default) == "0.5, 0.5, 0.5"
