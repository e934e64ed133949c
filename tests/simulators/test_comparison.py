import msgspec
import numpy as np
import pytest

from atm.model.errors import Invalid
from atm.model.simulation import SimulationSummary
from atm.simulators.comparison import compare
from atm.simulators.figures import FIGURES, GROUPS, UNDEFINED, Figure, Kind, duration, shown
from tests.simulators.test_summary import ROUND, concluded

ONE, _ = concluded(ROUND, np.linspace(1_000, 1_010, 40 * 1440))
OTHER = msgspec.structs.replace(ONE, code="other", net_profit=-5.0, max_drawdown=0.3)


def test_the_best_of_each_figure_is_known_and_what_is_equal_has_none() -> None:
    compared = compare([OTHER, ONE])
    figures = {figure.name: figure for figure in compared.figures}
    assert compared.codes == ("other", "s")
    assert compared.comparable
    assert (figures["net_profit"].values, figures["net_profit"].best) == ((-5.0, 10.0), (1,))
    assert figures["max_drawdown"].best == (1,)  # less is better
    assert figures["round_trips"].best == ()  # neither more nor less is
    assert figures["sharpe"].best == ()  # the same
    assert set(figures) == set(FIGURES)


@pytest.mark.parametrize(("sharpes", "best"), [((-3.0, -1.0), ()), ((-3.0, 1.0), (1,)), ((None, 1.0), ())])
def test_a_ratio_of_losses_is_not_called_best(sharpes: tuple[float | None, ...], best: tuple[int, ...]) -> None:
    assert ONE.statistics is not None
    made = [
        msgspec.structs.replace(ONE, statistics=msgspec.structs.replace(ONE.statistics, sharpe=value))
        for value in sharpes
    ]
    figures = {figure.name: figure for figure in compare(made).figures}
    assert figures["sharpe"].best == best


def test_results_of_other_ranges_are_compared_with_a_warning_and_older_ones_with_gaps() -> None:
    earlier = msgspec.structs.replace(ONE, end="2023-12-01 00:00", statistics=None)
    compared = compare([ONE, earlier])
    figures = {figure.name: figure for figure in compared.figures}
    assert not compared.comparable
    assert figures["cagr"].values[1] is None
    assert figures["net_profit"].values == (10.0, 10.0)
    assert msgspec.json.decode(msgspec.json.encode(compared), type=type(compared)) == compared


def test_one_alone_cannot_be_compared() -> None:
    with pytest.raises(Invalid, match="two or more"):
        compare([ONE])


def test_every_figure_exists_and_is_in_one_group() -> None:
    names = [figure.name for group in GROUPS.values() for figure in group]
    assert len(names) == len(set(names))
    fields = set(SimulationSummary.__struct_fields__) | set(type(ONE.statistics).__struct_fields__)
    assert set(names) <= fields


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (Kind.PERCENT, -0.12345, "-12.35%"), (Kind.PERCENT, 1234.5, "123,450%"), (Kind.MONEY, 1234.5, "1,234.50"),
        (Kind.RATIO, None, UNDEFINED), (Kind.COUNT, 1234, "1,234"), (Kind.DAYS, 71.44, "71.4 d"),
        (Kind.MINUTES, 90.0, "1.5 h"),
    ],
)  # fmt: skip
def test_figures_as_text(kind: Kind, value: float | None, text: str) -> None:
    assert shown(Figure("x", kind, 0), value) == text
    assert (duration(59), duration(4 * 1440)) == ("59 min", "4.0 d")
