"""Compare: two to eight simulations side by side: figures, equity over each other, and where their set-ups differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
from imgui_bundle import ImVec2, ImVec4, imgui, implot

from atm.gui import icons, time_axis, widgets
from atm.gui.equity_chart import EquityCurve
from atm.gui.result.setup import written
from atm.gui.result.tables import Cell, plain_table
from atm.gui.result.view import ShownResult
from atm.gui.stored import Loaded
from atm.gui.ui import Ui
from atm.model.adjustable import differing
from atm.model.simulation import SimulationSpec, SimulationState
from atm.simulators.comparison import Comparison, compare
from atm.simulators.figures import FIGURES, GROUPS, shown

FEWEST, MOST = 2, 8
VIEWS = ("figures", "differences")
_FLAGS = int(implot.Flags_.no_menus | implot.Flags_.no_title | implot.Flags_.no_mouse_text)


@dataclass(slots=True)
class CompareTab:
    """See the module. codes: what is compared, in the order in which it was chosen, the present result first."""

    codes: list[str] = field(default_factory=list)
    view: str = "figures"
    _compared: tuple[tuple[SimulationState, ...], Comparison | None] = ((), None)
    _differences_of: tuple[SimulationSpec, ...] = ()
    _differences: list[tuple[str, tuple[object, ...]]] = field(default_factory=list)
    _sight: tuple[float, float] = (0.0, 1.0)

    def draw(
        self,
        ui: Ui,
        present: str,
        states: Sequence[SimulationState],
        load: Callable[[SimulationState], Loaded[ShownResult]],
    ) -> None:
        """load: the result of a simulation, as far as it has been read."""
        by_code = {state.code: state for state in states}
        self.codes = [code for code in self.codes if code in by_code and code != present][: MOST - 1]
        with widgets.card(ui, "choice", ui.px(230), 0, ui.t("result.compare_with")):
            self._choose(ui, present, states)
        imgui.same_line(0, ui.px(10))
        imgui.begin_child("comparison", ImVec2(0, 0))
        codes = [present, *self.codes]
        if len(codes) < FEWEST:
            widgets.empty(ui, icons.RESULT, ui.t("result.compare_title"), ui.t("result.compare_hint", most=MOST))
        else:
            chosen = [by_code[code] for code in codes]
            self._draw(ui, chosen, [load(state) for state in chosen])
        imgui.end_child()

    def _choose(self, ui: Ui, present: str, states: Sequence[SimulationState]) -> None:
        for state in states:
            if state.code == present:
                continue
            chosen = state.code in self.codes
            full = len(self.codes) >= MOST - 1 and not chosen
            imgui.begin_disabled(full)
            changed, _ = imgui.checkbox(f"{state.code}##compare", chosen)
            ui.mark(f"compare.{state.code}")
            imgui.end_disabled()
            if changed and chosen:
                self.codes.remove(state.code)
            elif changed:
                self.codes.append(state.code)

    def _draw(self, ui: Ui, states: list[SimulationState], loaded: list[Loaded[ShownResult]]) -> None:
        height = imgui.get_content_region_avail().y
        results = [each.value for each in loaded]
        with widgets.card(ui, "curves", 0, height * 0.46, ui.t("result.compare_curves")):
            self._curves(ui, [state.code for state in states], results)
        with widgets.card(ui, "beside", 0, 0):
            options = [(view, ui.t(f"compare_view.{view}")) for view in VIEWS]
            self.view = widgets.segments(ui, "compare.view", self.view, options)
            if self.view == "figures":
                self._figures(ui, states)
            else:
                self._set_ups(ui, [state.code for state in states], results)

    def _curves(self, ui: Ui, codes: Sequence[str], results: Sequence[ShownResult | None]) -> None:
        """Equity in percent of the initial one."""
        if not implot.begin_plot("##curves", ImVec2(-1, -1), _FLAGS):
            return
        there = [each for each in results if each is not None and len(each.curve.time)]
        quiet = implot.AxisFlags_.no_highlight | implot.AxisFlags_.no_menus
        implot.setup_axis(implot.ImAxis_.x1, None, int(quiet | implot.AxisFlags_.auto_fit))
        if there:
            begin = min(float(each.curve.time[0]) for each in there)
            end = max(float(each.curve.time[-1]) for each in there)
            time_axis.set_up(begin, end)
        value = quiet | implot.AxisFlags_.opposite | implot.AxisFlags_.auto_fit
        implot.setup_axis(implot.ImAxis_.y1, None, int(value))
        implot.setup_axis_format(implot.ImAxis_.y1, "%.1f%%")
        implot.setup_legend(implot.Location_.north_west, int(implot.LegendFlags_.none))
        implot.setup_finish()
        for index, (code, result) in enumerate(zip(codes, results, strict=True)):
            if result is not None and len(result.curve.time):
                spec = implot.Spec(line_color=ImVec4(*color_of(ui, index)), line_weight=1.5)
                implot.plot_line(code, result.curve.time, relative(result.curve, result.initial), spec)
        implot.end_plot()

    def _figures(self, ui: Ui, states: list[SimulationState]) -> None:
        key = tuple(states)
        if self._compared[0] != key:
            summaries = [state.summary for state in states if state.summary is not None]
            self._compared = key, compare(summaries)
        comparison = self._compared[1]
        if comparison is None:
            return
        if not comparison.comparable:
            ui.wrapped(f"{icons.WARNING}  {ui.t('comparison.different')}", ui.colors.warning)
        rows: list[list[Cell]] = []
        group = ""
        for compared in comparison.figures:
            if compared.group != group:
                group = compared.group
                rows.append([(ui.t(f"statistic_group.{group}"), ui.colors.accent), *([("", None)] * len(states))])
            figure = FIGURES[compared.name]
            cells: list[Cell] = [
                (shown(figure, value), ui.colors.good if index in compared.best else None)
                for index, value in enumerate(compared.values)
            ]
            rows.append([(ui.t(f"statistic.{compared.name}"), ui.colors.muted), *cells])
        assert group in GROUPS
        _side_by_side(ui, "figures", [state.code for state in states], rows)

    def _set_ups(self, ui: Ui, codes: Sequence[str], results: Sequence[ShownResult | None]) -> None:
        specs = tuple(each.spec for each in results if each is not None)
        if len(specs) < len(codes):
            ui.text(ui.t("result.loading"), ui.colors.muted)
            return
        if any(a is not b for a, b in zip(specs, self._differences_of, strict=False)) or len(specs) != len(
            self._differences_of
        ):
            self._differences_of = specs
            found = differing([msgspec.to_builtins(spec) for spec in specs])
            self._differences = [(path, values) for path, values in found if path != "code"]
        if not self._differences:
            ui.wrapped(ui.t("result.same_setup"))
            return
        rows: list[list[Cell]] = [
            [(path, ui.colors.muted), *((written(value), None) for value in values)]
            for path, values in self._differences
        ]
        _side_by_side(ui, "differences", codes, rows)


def color_of(ui: Ui, index: int) -> tuple[float, float, float, float]:
    """The present result in the accent, the others in the colours of lines."""
    return ui.colors.accent if index == 0 else ui.theme.line_color(index - 1)


def relative(curve: EquityCurve, initial: float) -> np.ndarray:
    """Equity in percent of the initial one, as a change."""
    return 100 * (curve.equity / initial - 1) if initial > 0 else np.zeros(len(curve.equity))


def _side_by_side(ui: Ui, name: str, codes: Sequence[str], rows: list[list[Cell]]) -> None:
    titles = ("", *codes)
    plain_table(ui, name, titles, rows, height=imgui.get_content_region_avail().y)
