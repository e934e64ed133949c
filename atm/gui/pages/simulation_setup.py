"""The set-up of a simulation that has been queued, read-only."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from imgui_bundle import ImVec2, imgui

from atm.gui import formats, icons, widgets
from atm.gui.form_fields import as_typed, described, option_of
from atm.gui.pages.simulation_positions import PositionsTable, spacer
from atm.gui.simulation_draft import COSTS, SimulationDraft, percent_text
from atm.gui.simulation_plan import Known, Plan, plan
from atm.gui.ui import Ui
from atm.model.simulation import SimulationSpec, SimulationState


class SimulationSetup:
    """See the module. Reads the specification from the store when it is shown first."""

    def __init__(self) -> None:
        self._positions = PositionsTable("simulation.setup")
        self._planned: tuple[SimulationSpec | None, object, Plan | None] = (None, None, None)

    def draw(
        self, ui: Ui, state: SimulationState, copied: Callable[[SimulationSpec], None], back: Callable[[], None]
    ) -> None:
        """copied: called with the specification when it is to be copied into the draft; back: when the draft is wanted."""
        results = ui.results
        loaded = ui.stored.get(("specification", state.code), lambda: results.specification(state.code))
        spec = loaded.value
        with widgets.card(ui, "setup", 0, 0):
            self._head(ui, state, spec, copied, back)
            if spec is None:
                ui.wrapped(loaded.error or ui.t("simulation.loading"))
                return
            self._general(ui, state, spec)
            widgets.heading(ui, ui.t("simulation.positions"))
            made = self._plan(ui, spec)
            rows = min(len(spec.positions), 10)
            height = (rows + 2.2) * imgui.get_text_line_height_with_spacing() + ui.px(16)
            self._positions.draw(ui, made.positions, height, searched=False)
            spacer(ui)
            self._assets(ui, spec, made)
            spacer(ui)
            self._costs(ui, spec)

    def _head(
        self,
        ui: Ui,
        state: SimulationState,
        spec: SimulationSpec | None,
        copied: Callable[[SimulationSpec], None],
        back: Callable[[], None],
    ) -> None:
        right, top = imgui.get_cursor_pos_x() + imgui.get_content_region_avail().x, imgui.get_cursor_pos_y()
        imgui.align_text_to_frame_padding()
        ui.text(state.code, size=ui.theme.BODY + 2, bold=True)
        imgui.same_line(0, ui.px(10))
        imgui.set_cursor_pos_y(imgui.get_cursor_pos_y() + ui.px(4))
        widgets.badge(ui, ui.t("simulation.read_only"), ui.colors.muted)
        labels = (f"{icons.COPY}  {ui.t('simulation.copy')}", ui.t("simulation.back"))
        padding = 2 * imgui.get_style().frame_padding.x
        room = sum(imgui.calc_text_size(label).x + padding for label in labels) + ui.px(8)
        widgets.same_line_right(right, room)
        imgui.set_cursor_pos_y(top)
        why = ui.t("simulation.loading") if spec is None else ""
        if widgets.button(ui, "simulation.copy", labels[0], why_not=why) and spec is not None:
            copied(spec)
        imgui.same_line(0, ui.px(8))
        imgui.set_cursor_pos_y(top)
        if widgets.button(ui, "simulation.back", labels[1]):
            back()

    def _general(self, ui: Ui, state: SimulationState, spec: SimulationSpec) -> None:
        figures = [
            (ui.t("field.start"), spec.start, None),
            (ui.t("field.end"), spec.end, None),
            (ui.t("field.created"), formats.moment(state.created_ms), None),
        ]
        widgets.stats(ui, figures, 170)
        spacer(ui)

    def _plan(self, ui: Ui, spec: SimulationSpec) -> Plan:
        """The set-up with the configurations that it holds, whatever has become of those of the same code."""
        about = (tuple(ui.model.coverage.items()), id(ui.model.instruments))
        before, seen, made = self._planned
        if made is None or before is not spec or seen != about:
            analyses, trades = {each.code: each for each in spec.analysis}, {each.code: each for each in spec.trade}
            draft = SimulationDraft(assets={})
            draft.replicate(spec, analyses, trades)
            made = plan(draft, Known(analyses, trades, ui.model.coverage, ui.model.instruments, {}), 0)
            self._planned = (spec, about, made)
        return made

    def _assets(self, ui: Ui, spec: SimulationSpec, made: Plan) -> None:
        for name, asset in spec.assets.items():
            figures = made.assets[name]
            widgets.heading(ui, name)
            shown = [
                (ui.t("field.initial_balance"), formats.number(asset.initial_balance), None),
                (ui.t("field.allocation"), f"{percent_text(asset.allocation_ratio)}%", None),
                (ui.t("field.allocatable"), formats.number(figures.allocatable), None),
                (ui.t("field.assumed_short"), formats.percent(figures.assumed, 1), None),
                (ui.t("field.weighted_short"), formats.percent(figures.weighted, 1), None),
                (ui.t("field.allocated"), formats.number(figures.allocated), None),
            ]
            widgets.stats(ui, shown)

    def _costs(self, ui: Ui, spec: SimulationSpec) -> None:
        widgets.heading(ui, ui.t("simulation.costs"))
        raw = msgspec.to_builtins(spec.costs)
        shown = []
        for each in COSTS:
            value = raw.get(each.name)
            if isinstance(value, bool):
                text = ui.t("form.on" if value else "form.off")
            elif value is None:
                text = ui.t("form.off")
            else:
                text = option_of(ui.t, str(as_typed(each, value))) + each.unit
            shown.append((described(ui.t, each), text, None))
        widgets.stats(ui, shown, 150)
        imgui.dummy(ImVec2(0, 0))
