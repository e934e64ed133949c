"""Simulation: define a backtest, queue it, follow it."""

from __future__ import annotations

from imgui_bundle import ImVec2, ImVec4, imgui

from atm.gui import formats, icons, widgets
from atm.gui.drafts import ASSET, SimulationDraft, common_range
from atm.gui.pages.simulation_table import simulation_table, status_color
from atm.gui.position_form import draw_positions, error_at, prefill
from atm.gui.table import Table
from atm.gui.ui import PageName, Ui
from atm.ipc.messages import SIMULATION, AddSimulation, CancelSimulation, Failed, RemoveSimulation
from atm.model.errors import Invalid
from atm.model.interval import DAY_MS, format_time
from atm.model.simulation import SimulationState, SimulationStatus

ADD = "simulation.add"
RANGES = ("all", "7", "30", "90")
_COSTS = ("maker_fee", "taker_fee", "half_spread", "slippage", "funding_rate")


class SimulationPage:
    """See the module. Keeps the draft."""

    def __init__(self) -> None:
        self.draft = SimulationDraft()
        self.selected = ""
        self._table: Table[SimulationState] | None = None
        self._language = ""
        self._rows: list[SimulationState] = []

    def draw(self, ui: Ui) -> None:
        self.selected = ui.take_selection(PageName.SIMULATION) or self.selected
        width = imgui.get_content_region_avail().x * 0.46
        imgui.begin_child("list", ImVec2(width, 0))
        height = imgui.get_content_region_avail().y
        with widgets.card(ui, "simulations", 0, height * 0.62, ui.t("simulation.list")):
            self._list(ui)
        with widgets.card(ui, "selected", 0, 0, self.selected or ui.t("simulation.nothing_selected_title")):
            self._selected(ui)
        imgui.end_child()
        imgui.same_line(0, ui.px(14))
        with widgets.card(ui, "form", 0, 0, ui.t("simulation.new")):
            self._form(ui)

    # --- list

    def _list(self, ui: Ui) -> None:
        if self._table is None or self._language != ui.t.language:
            self._table, self._language = simulation_table(ui, "simulation.list"), ui.t.language
        rows = sorted(ui.model.simulations.values(), key=lambda state: -state.created_ms)
        if rows != self._rows:
            self._rows = rows
        if not self._rows:
            widgets.empty(ui, icons.SIMULATION, ui.t("simulation.empty_title"), ui.t("simulation.empty"))
            return
        self._table.selected = self.selected
        clicked = self._table.draw(ui, self._rows)
        if clicked:
            self.selected = "" if clicked == self.selected else clicked

    def _selected(self, ui: Ui) -> None:
        state = ui.model.simulations.get(self.selected)
        if state is None:
            self.selected = ""
            ui.wrapped(ui.t("simulation.nothing_selected"))
            return
        ui.text(ui.t(f"simulation_status.{state.status.value}"), status_color(ui, state.status), bold=True)
        imgui.same_line()
        imgui.set_cursor_pos_y(imgui.get_cursor_pos_y() + ui.px(8))
        widgets.meter(ui, state.progress, status_color(ui, state.status), ui.px(180))
        imgui.same_line()
        ui.text(formats.percent(state.progress, 0))
        if state.error:
            ui.wrapped(state.error, ui.colors.bad)
        self._actions(ui, state)

    def _actions(self, ui: Ui, state: SimulationState) -> None:
        done = state.status is SimulationStatus.COMPLETED
        active = state.status in (SimulationStatus.QUEUED, SimulationStatus.RUNNING)
        why = "" if done else ui.t("simulation.not_completed")
        if widgets.button(ui, "simulation.view", ui.t("simulation.view_result"), "primary", why_not=why):
            ui.go(PageName.RESULT, state.code)
        imgui.same_line()
        why = "" if active else ui.t("simulation.not_active")
        if widgets.button(ui, "simulation.cancel", ui.t("simulation.cancel"), why_not=why):
            ui.commands.send(SIMULATION, CancelSimulation(state.code), "simulation.cancel")
        imgui.same_line()
        if widgets.button(ui, "simulation.remove", f"{icons.TRASH} {ui.t('simulation.remove')}", "danger"):
            imgui.open_popup("simulation.confirm")
        consequence = ui.t("simulation.remove_consequence", code=state.code)
        title = ui.t("simulation.remove_title", code=state.code)
        if widgets.confirmation(ui, "simulation.confirm", title, consequence, ui.t("simulation.remove")):
            parameters = {"code": state.code}
            ui.commands.send(
                SIMULATION, RemoveSimulation(state.code), "simulation.remove", "done.simulation_removed", parameters
            )
        for scope in ("simulation.cancel", "simulation.remove"):
            failed = ui.commands.failure(scope)
            widgets.field_note(ui, failed.message if failed is not None else "")

    # --- form

    def _form(self, ui: Ui) -> None:
        draft = self.draft
        prefill(ui, draft.positions)
        if not draft.start:
            self._preset(ui, "all")
        if ui.commands.succeeded(ADD):
            draft.code = ""
        failed = ui.commands.failure(ADD)
        half = (imgui.get_content_region_avail().x - ui.px(10)) / 2
        draft.code = widgets.text_field(
            ui, "simulation.code", ui.t("field.code"), draft.code, width=half, hint=ui.t("form.automatic"),
            error=error_at(failed, "code"),
        )  # fmt: skip
        self._range(ui, half, failed)
        imgui.dummy(ImVec2(0, ui.px(6)))
        widgets.heading(ui, ui.t("simulation.positions"))
        draw_positions(ui, "simulation.positions", draft.positions, sorted(ui.model.coverage), failed)
        imgui.dummy(ImVec2(0, ui.px(6)))
        self._money(ui, half, failed)
        self._costs(ui, failed)
        imgui.dummy(ImVec2(0, ui.px(6)))
        self._send(ui, failed)

    def _range(self, ui: Ui, half: float, failed: Failed | None) -> None:
        draft = self.draft
        draft.start = widgets.text_field(
            ui, "simulation.start", ui.t("field.start"), draft.start, width=half, unit="UTC",
            error=error_at(failed, "start"),
        )  # fmt: skip
        imgui.same_line()
        draft.end = widgets.text_field(
            ui, "simulation.end", ui.t("field.end"), draft.end, width=half, unit="UTC", error=error_at(failed, "end")
        )
        options = [(days, ui.t("simulation.range_all" if days == "all" else "simulation.range_days", days=days))
                   for days in RANGES]  # fmt: skip
        chosen = widgets.segments(ui, "simulation.range", "", options)
        if chosen:
            self._preset(ui, chosen)
        self._preflight(ui)

    def _preset(self, ui: Ui, days: str) -> None:
        """The whole common range of the chosen symbols, or its last days."""
        whole = common_range([row.symbol for row in self.draft.positions], ui.model.coverage)
        if whole is None:
            return
        start = whole.start_ms if days == "all" else max(whole.start_ms, whole.end_ms - int(days) * DAY_MS)
        self.draft.start, self.draft.end = format_time(start), format_time(whole.end_ms)

    def _preflight(self, ui: Ui) -> None:
        """What is stored of the chosen symbols, so that nothing is queued that cannot run."""
        imgui.push_font(ui.fonts.regular, ui.theme.SMALL)
        for row in self.draft.positions:
            stored = ui.model.stored_range(row.symbol)
            if stored is not None:
                text = ui.t(
                    "simulation.stored",
                    symbol=row.symbol,
                    start=format_time(stored.start_ms),
                    end=format_time(stored.end_ms),
                )
                ui.text(text, ui.colors.muted)
            elif row.symbol:
                ui.text(ui.t("simulation.not_stored", symbol=row.symbol), ui.colors.warning)
        imgui.pop_font()

    def _money(self, ui: Ui, half: float, failed: Failed | None) -> None:
        draft = self.draft
        draft.balance = widgets.text_field(
            ui, "simulation.balance", ui.t("field.initial_balance"), draft.balance, width=half, unit=ASSET,
            error=error_at(failed, "balance"),
        )  # fmt: skip
        imgui.same_line()
        draft.allocation = widgets.text_field(
            ui, "simulation.allocation", ui.t("field.allocation"), draft.allocation, width=half, unit="%",
            error=error_at(failed, "allocation"),
        )  # fmt: skip

    def _costs(self, ui: Ui, failed: Failed | None) -> None:
        imgui.push_style_color(imgui.Col_.header, ImVec4(*ui.colors.raised))
        opened = imgui.collapsing_header(ui.t("simulation.costs"))
        ui.mark("simulation.costs")
        imgui.pop_style_color()
        if not opened:
            for name in _COSTS:
                widgets.field_note(ui, error_at(failed, f"costs.{name}"))
            return
        costs = self.draft.costs
        width = (imgui.get_content_region_avail().x - ui.px(40)) / 5
        for index, name in enumerate(_COSTS):
            if index:
                imgui.same_line()
            value = widgets.text_field(
                ui, f"simulation.costs.{name}", ui.t(f"field.{name}"), getattr(costs, name), width=width, unit="%",
                error=error_at(failed, f"costs.{name}"),
            )  # fmt: skip
            setattr(costs, name, value)

    def _send(self, ui: Ui, failed: Failed | None) -> None:
        why = ""
        if not (ui.model.analysis_configurations and ui.model.trade_configurations):
            why = ui.t("form.no_configurations")
        elif not ui.model.coverage:
            why = ui.t("form.no_data")
        elif ui.commands.pending(ADD):
            why = ui.t("form.sending")
        if widgets.button(ui, ADD, f"{icons.PLAY}  {ui.t('simulation.add')}", "primary", why_not=why):
            self._add(ui)
        if failed is not None:
            widgets.field_note(ui, failed.message)
        elif why:
            ui.text(why, ui.colors.muted)

    def _add(self, ui: Ui) -> None:
        model = ui.model
        try:
            spec = self.draft.read(
                model.analysis_configurations, model.trade_configurations, model.coverage, model.simulations, ui.now_ms
            )
        except Invalid as error:
            ui.commands.refuse(ADD, Failed("Invalid", str(error), error.field))
            return
        ui.commands.send(SIMULATION, AddSimulation(spec), ADD, "done.simulation_added", {"code": spec.code})
        self.selected = spec.code
