"""The row above the chart that chooses its analyses: a stored configuration, or a choice of one's own from all indicators.

Parameters are edited in a pop-up made from their description; what is wrong is said at the field, and nothing changes before
all fields are right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from imgui_bundle import ImVec2, imgui

from atm.gui import icons, widgets
from atm.gui.analysis_choice import Known, Line, has_room, new_line
from atm.gui.form_fields import Typed, Values, allowed, as_typed, draw_fields, fresh, read, refusal
from atm.gui.preferences import ChartPreferences, QuickAnalysis
from atm.gui.ui import Ui
from atm.model.errors import Invalid
from atm.model.parameter import Parameter

OWN = ""
_MARK = "market.analysis"
_LIST, _FORM = f"{_MARK}.list", f"{_MARK}.form"


@dataclass(slots=True)
class _Draft:
    """The parameters being edited of one line. position: in the choice, −1 = a new one."""

    indicator: Known
    position: int
    values: Values
    errors: dict[str, str] = field(default_factory=dict)


class AnalysisPicker:
    """See the module. `draw` changes the preferences and says whether it has; opened: the list was opened in this frame."""

    def __init__(self) -> None:
        self.opened = False
        self._draft: _Draft | None = None
        self._open_form = False
        self._query = ""

    def draw(self, ui: Ui, known: Mapping[str, Known], lines: Sequence[Line], loading: bool) -> bool:
        """lines: what is chosen now; loading: users' indicators are not known yet."""
        chart = ui.preferences.chart
        self.opened = False
        changed = self._configuration(ui, chart)
        if chart.configuration == OWN:
            imgui.same_line(0, ui.px(8))
            if widgets.button(ui, f"{_MARK}.add", f"{icons.ADD}  {ui.t('market.add_analysis')}"):
                self._query, self.opened = "", True
                imgui.open_popup(_LIST)
        if chart.closed:
            imgui.same_line(0, ui.px(8))
            if widgets.button(ui, f"{_MARK}.reopen", ui.t("market.reopen_panes", count=len(chart.closed))):
                chart.closed = ()
                changed = True
        if chart.configuration == OWN:
            changed |= self._chips(ui, chart, known)
            changed |= self._list(ui, chart, known, lines, loading)
            changed |= self._form(ui, chart, lines)
        if changed:
            ui.on_preferences()
        return changed

    def _configuration(self, ui: Ui, chart: ChartPreferences) -> bool:
        options = [("own", ui.t("market.own_choice"))]
        options += [(f"code.{code}", code) for code in sorted(ui.model.analysis_configurations)]
        value = f"code.{chart.configuration}" if chart.configuration else "own"
        chosen = widgets.choice(ui, f"{_MARK}.configuration", "", value, options, width=ui.px(190))
        if chosen == value:
            return False
        chart.configuration = chosen.removeprefix("code.") if chosen != "own" else OWN
        return True

    # --- the chosen lines

    def _chips(self, ui: Ui, chart: ChartPreferences, known: Mapping[str, Known]) -> bool:
        """A button with a cross for every chosen line, wrapped where the row is full."""
        removed = None
        for position, quick in enumerate(chart.quick):
            indicator = known.get(quick.name)
            label = quick.name
            if indicator is not None:
                label = Line(indicator, 0, {**indicator.defaults(), **quick.parameters}).label
            width = imgui.calc_text_size(label).x + ui.px(64)
            imgui.same_line(0, ui.px(8))
            if imgui.get_content_region_avail().x < width:
                imgui.new_line()
            if widgets.button(ui, f"{_MARK}.{position}", label) and indicator is not None:
                self._edit(indicator, position, {**indicator.defaults(), **quick.parameters})
            widgets.tooltip(ui.t("market.edit_analysis") if indicator else ui.t("market.unknown_analysis"))
            imgui.same_line(0, ui.px(1))
            if widgets.button(ui, f"{_MARK}.{position}.remove", icons.CLOSE):
                removed = position
        if removed is None:
            return False
        chart.quick = chart.quick[:removed] + chart.quick[removed + 1 :]
        return True

    # --- the list of indicators

    def _list(
        self, ui: Ui, chart: ChartPreferences, known: Mapping[str, Known], lines: Sequence[Line], loading: bool
    ) -> bool:
        imgui.set_next_window_size(ImVec2(ui.px(430), ui.px(470)))
        if not imgui.begin_popup(_LIST):
            return False
        if imgui.is_window_appearing():
            imgui.set_keyboard_focus_here()
        imgui.set_next_item_width(-1)
        _, self._query = imgui.input_text_with_hint(f"##{_LIST}.q", ui.t("market.search_analysis"), self._query)
        ui.mark(f"{_LIST}.search")
        chosen = None
        for indicator in known.values():
            about = self._about(ui, indicator)
            if self._query.strip().lower() not in f"{indicator.name} {about}".lower():
                continue
            full = not has_room(indicator, lines, new_line(indicator, lines))
            imgui.begin_disabled(full)
            if imgui.selectable(f"{indicator.name}##{_LIST}", False)[0]:
                chosen = indicator
            imgui.end_disabled()
            ui.mark(f"{_LIST}.{indicator.name}")
            imgui.same_line(ui.px(130))
            ui.text(ui.t("market.all_lines_chosen") if full else about, ui.colors.muted)
        if loading:
            ui.wrapped(ui.t("market.users_indicators_loading"))
        if chosen is not None:
            imgui.close_current_popup()
        imgui.end_popup()
        return chosen is not None and self._add(chart, chosen, lines)

    def _about(self, ui: Ui, indicator: Known) -> str:
        key = f"indicator.{indicator.name.lower()}"
        return ui.t(key) if indicator.built_in is not None else ui.t("market.users_indicator")

    def _add(self, chart: ChartPreferences, indicator: Known, lines: Sequence[Line]) -> bool:
        parameters = new_line(indicator, lines)
        chart.closed = tuple(key for key in chart.closed if key.split()[0] != indicator.name)
        if not indicator.complete(parameters):
            self._edit(indicator, -1, parameters)
            return False
        chart.quick = (*chart.quick, QuickAnalysis(indicator.name, parameters))
        return True

    # --- parameters

    def _edit(self, indicator: Known, position: int, parameters: Mapping[str, Any]) -> None:
        values = {each.name: as_typed(each, parameters.get(each.name, each.default)) for each in indicator.parameters}
        self._draft = _Draft(indicator, position, values)
        self._open_form = True

    def _form(self, ui: Ui, chart: ChartPreferences, lines: Sequence[Line]) -> bool:
        if self._open_form:
            self._open_form = False
            imgui.open_popup(_FORM)
        draft = self._draft
        if draft is None:
            return False  # before the constraints: without a popup they would be those of the next window
        imgui.set_next_window_size_constraints(ImVec2(ui.px(380), 0), ImVec2(ui.px(380), ui.px(640)))
        if not imgui.begin_popup(_FORM):
            return False
        ui.text(draft.indicator.name, size=ui.theme.BODY + 2, bold=True)
        self._fields(ui, draft)
        imgui.dummy(ImVec2(0, ui.px(4)))
        applied = widgets.button(ui, f"{_FORM}.apply", ui.t("action.apply"), "primary")
        applied = applied or imgui.is_key_pressed(imgui.Key.enter)
        imgui.same_line()
        if widgets.button(ui, f"{_FORM}.defaults", ui.t("action.defaults")):
            draft.values = fresh(draft.indicator.parameters)
            draft.errors = {}
        imgui.same_line()
        if widgets.button(ui, f"{_FORM}.cancel", ui.t("action.cancel")):
            imgui.close_current_popup()
        done = applied and self._apply(ui, chart, draft, lines)
        if done:
            imgui.close_current_popup()
        imgui.end_popup()
        return done

    def _fields(self, ui: Ui, draft: _Draft) -> None:
        """All fields; what is wrong with one is said as soon as it has changed."""
        before = dict(draft.values)
        width = imgui.get_content_region_avail().x
        draw_fields(ui, _FORM, draft.indicator.parameters, draft.values, draft.errors, str, width)
        for each in draft.indicator.parameters:
            if draft.values[each.name] != before[each.name]:
                draft.errors[each.name] = self._error_of(ui, each, draft.values[each.name])

    def _error_of(self, ui: Ui, parameter: Parameter, typed: Typed) -> str:
        try:
            read(parameter, typed)
        except Invalid:
            return refusal(ui.t, typed, allowed(ui.t, parameter))
        return ""

    def _apply(self, ui: Ui, chart: ChartPreferences, draft: _Draft, lines: Sequence[Line]) -> bool:
        """Take the draft over if every field is right and no other line is the same."""
        described = draft.indicator.parameters
        draft.errors = {each.name: self._error_of(ui, each, draft.values[each.name]) for each in described}
        if any(draft.errors.values()):
            return False
        parameters = {each.name: read(each, draft.values[each.name]) for each in described}
        others = [line for index, line in enumerate(lines) if index != draft.position]
        if not has_room(draft.indicator, others, parameters):
            draft.errors[described[0].name] = ui.t("market.same_line")
            return False
        quick = QuickAnalysis(draft.indicator.name, parameters)
        if draft.position < 0:
            chart.quick = (*chart.quick, quick)
        else:
            chart.quick = (*chart.quick[: draft.position], quick, *chart.quick[draft.position + 1 :])
        return True
