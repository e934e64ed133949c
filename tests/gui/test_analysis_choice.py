"""The chosen analyses: what is asked of an analyzer, and where it is drawn."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from atm.analyzers import AnalysisPipeline
from atm.gui import value_axis
from atm.gui.analysis_choice import (
    Line,
    has_room,
    known_analyses,
    lines_of,
    new_line,
    quick_configuration,
    quick_lines,
    wanted_columns,
)
from atm.gui.analysis_layout import Layout, lay_out
from atm.gui.analysis_series import AnalysisSeries
from atm.gui.preferences import ChartPreferences, QuickAnalysis
from atm.gui.results import AnalysedStretch
from atm.gui.theme import Theme
from atm.ipc.messages import AnalyseBars, KnownIndicator
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.builtin_analyses import BUILT_IN
from atm.model.indicator_style import Form, IndicatorStyle, Mark, Trace
from atm.model.interval import Interval
from tests.gui.filled import MARKET_MS, START_MS, FilledResults, indicators

RESULTS = FilledResults()
KNOWN = known_analyses(indicators().indicators)
DARK = Theme.of("dark", "green_red", 1.0)


def everything() -> list[Line]:
    quick = [QuickAnalysis(name, {"network": "n"} if name == "NNA" else {}) for name in KNOWN]
    return quick_lines(quick, KNOWN)


def computed(lines: list[Line], interval: Interval = Interval.M15) -> AnalysisSeries:
    configuration = quick_configuration(interval, lines)
    columns = wanted_columns(interval, lines)
    return AnalysisSeries(RESULTS.analysis("a", AnalyseBars("AVAXUSDT", configuration, START_MS, MARKET_MS, columns)))


def laid(*lines: Line, **forms: str) -> Layout:
    return lay_out(lines, computed(list(lines)), forms, (), DARK)


def test_every_indicator_can_be_chosen_is_computed_and_is_drawn() -> None:
    lines = everything()
    assert [line.known.name for line in lines] == [*BUILT_IN, "ROC"]
    configuration = quick_configuration(Interval.M15, lines)
    names = set(AnalysisPipeline(configuration, RESULTS.registry).columns)
    assert set(wanted_columns(Interval.M15, lines)) <= names
    layout = lay_out(lines, computed(lines), {}, (), DARK)
    drawn = {each.key.partition(".")[0] for each in (*layout.main, *(d for pane in layout.panes for d in pane.drawn))}
    assert drawn == {line.known.name for line in lines}
    assert [pane.key for pane in layout.panes] == [
        "MMACDSHORT", "MMACDLONG", "DMIxADX", "MFI", "WOI", "NES", "TPD", "NNA", "PIP", "ROC", "VOL",
    ]  # fmt: skip
    assert {pane.key for pane in layout.panes if pane.empty} == {"WOI", "NNA"}, "nothing is recorded"


def test_the_first_choice_of_a_user_can_run() -> None:
    lines = quick_lines(ChartPreferences().quick, KNOWN)
    assert [line.label for line in lines] == ["EMA 12", "EMA 26", "BOL 20, 2"]
    assert [line.column("value") for line in lines] == ["EMA.1.value", "EMA.2.value", "BOL.1.value"]


def test_pip_alone_gets_a_contributor() -> None:
    configuration = quick_configuration(Interval.H1, quick_lines([QuickAnalysis("PIP")], KNOWN))
    assert AnalysisPipeline(configuration).columns
    own = quick_lines([QuickAnalysis("PIP"), QuickAnalysis("MFI")], KNOWN)
    assert quick_configuration(Interval.H1, own).intervals[0].mmacd_short is None


def test_what_stands_wrong_in_the_preferences_is_left_out() -> None:
    quick = [
        QuickAnalysis("SMA", {"window": 1}),
        QuickAnalysis("SMA", {"width": 3}),
        QuickAnalysis("GONE"),
        QuickAnalysis("ROC", {"nothing": 1}),
        QuickAnalysis("NNA"),
        QuickAnalysis("SMA"),
        QuickAnalysis("SMA", {"window": 10}),
        QuickAnalysis("IVP"),
        QuickAnalysis("IVP", {"window": 99}),
    ]
    assert [line.label for line in quick_lines(quick, KNOWN)] == ["SMA 10", "IVP 500"]


def test_a_further_line_differs_from_the_others_until_all_are_chosen() -> None:
    sma, chosen = KNOWN["SMA"], []
    for number in range(1, 11):
        parameters = new_line(sma, chosen)
        assert parameters == {"window": 10 * number}
        assert has_room(sma, chosen, parameters)
        chosen.append(Line(sma, number, parameters))
    assert not has_room(sma, chosen, {"window": 11})
    assert not has_room(KNOWN["PIP"], [Line(KNOWN["PIP"], 0, {})], {"alpha": 1.0})


def test_a_stored_configuration_is_shown_line_by_line() -> None:
    lines = everything()
    configuration = quick_configuration(Interval.M15, lines)
    stored = msgspec.json.decode(msgspec.json.encode(configuration), type=AnalysisConfiguration)
    shown = lines_of(stored.intervals[0], KNOWN)
    assert [(line.known.name, line.number) for line in shown] == [(line.known.name, line.number) for line in lines]
    assert [line.label for line in shown] == [line.label for line in lines]
    assert wanted_columns(Interval.M15, shown) == wanted_columns(Interval.M15, lines)


def test_volumes_of_another_kind_stand_beside_their_own_bars() -> None:
    lines = quick_lines([QuickAnalysis("VOL"), QuickAnalysis("VOL", {"volume_type": "QUOTE"})], KNOWN)
    quote, base = laid(*lines).panes
    assert (base.key, base.bars, [each.key for each in base.drawn]) == ("VOL", -1, ["VOL.1.value"])
    assert quote.key == "VOL QUOTE"
    assert quote.bars == computed(lines).place("KLINE.0.quote_volume")


def test_thresholds_stand_on_both_sides_and_forms_are_the_users() -> None:
    lines = quick_lines([QuickAnalysis("PIP", {"enter_threshold": 0.4, "leave_threshold": 0.1})], KNOWN)
    signal = laid(*lines).panes[0]
    assert sorted(signal.levels) == [-0.4, -0.1, 0, 0.1, 0.4]
    assert (signal.form, signal.forms) == ("signal", ("signal", "impulse", "order_flow"))
    impulse = laid(*lines, PIP="impulse").panes[0]
    assert [each.key for each in impulse.drawn] == ["PIP.0.impulse"]
    assert laid(*lines, PIP="of an older version").panes[0].form == "signal"


def test_closed_panes_are_left_out_and_lines_have_colours_of_their_own() -> None:
    lines = quick_lines([QuickAnalysis(n) for n in ("SMA", "EMA", "BOL", "MFI")], KNOWN)
    layout = lay_out(lines, computed(lines), {}, ("VOL", "MFI"), DARK)
    assert layout.panes == ()
    sma, ema, *band = layout.main
    assert len({sma.color, ema.color, band[0].color}) == 3
    assert {each.color for each in band} == {band[0].color}
    assert band[0].mark is Mark.BAND


@pytest.mark.parametrize(("shift", "over"), [(1.0, True), (0.5, False), (2.0, False)])
def test_an_indicator_without_a_style_lies_over_the_candles_where_the_prices_are(shift: float, over: bool) -> None:
    user = KnownIndicator("MINE", ("a", "b"))
    line = Line(known_analyses([user])["MINE"], 1, {})
    price = 10 + np.sin(np.arange(500) / 20)
    names = ("1m.KLINE.0.high", "1m.KLINE.0.low", "1m.MINE.1.a", "1m.MINE.1.b")
    values = np.stack([price + 0.1, price - 0.1, price, shift * price])
    values[2, :50] = np.nan
    series = AnalysisSeries(AnalysedStretch(names, np.arange(500, dtype=np.int64) * 60_000, values, 0))
    layout = lay_out([line], series, {}, (), DARK)
    assert [each.key for each in layout.main] == (["MINE.1.a", "MINE.1.b"] if over else [])
    assert [pane.key for pane in layout.panes] == (["VOL"] if over else ["MINE", "VOL"])


def test_a_users_style_is_carried_out() -> None:
    style = IndicatorStyle(
        main=(Trace("a", Mark.DOTS),), forms=(Form("both", (Trace("b", Mark.HISTOGRAM),), levels=(1.0,)),)
    )
    line = Line(known_analyses([KnownIndicator("MINE", ("a", "b"), style=style)])["MINE"], 1, {})
    names = ("1m.MINE.1.a", "1m.MINE.1.b")
    series = AnalysisSeries(AnalysedStretch(names, np.arange(3, dtype=np.int64), np.ones((2, 3)), 0))
    layout = lay_out([line], series, {}, (), DARK)
    assert [(each.key, each.mark) for each in layout.main] == [("MINE.1.a", Mark.DOTS)]
    assert [(each.key, each.mark) for each in layout.panes[0].drawn] == [("MINE.1.b", Mark.HISTOGRAM)]
    assert layout.panes[0].levels == (1.0,)


@pytest.mark.parametrize(
    ("low", "high", "most", "expected"),
    [
        (0, 100, 3, [0, 50, 100]),
        (-0.9, 0.9, 3, [-0.5, 0, 0.5]),
        (12, 87, 2, [50]),
        (0.00021, 0.00098, 4, [0.0004, 0.0006, 0.0008]),
        (1, 1, 3, []),
        (float("nan"), 1, 3, []),
    ],
)
def test_ticks_are_few_and_round(low: float, high: float, most: int, expected: list[float]) -> None:
    assert value_axis.ticks(low, high, most) == pytest.approx(expected)
