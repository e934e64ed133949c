"""The queue of simulations: simulators in use, every simulation with its state, and what can be done with those selected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from imgui_bundle import ImVec2, imgui

from atm.gui import formats, icons, widgets
from atm.gui.durations import duration
from atm.gui.pages.simulation_table import queue_table, status_color
from atm.gui.table import Table
from atm.gui.ui import PageName, Ui
from atm.ipc.messages import (
    SIMULATION,
    AdvanceSimulation,
    CancelSimulation,
    PauseSimulation,
    RemoveSimulation,
    Request,
    RequeueSimulation,
    ResumeSimulation,
)
from atm.model.simulation import SimulationState, SimulationStatus

QUEUED, RUNNING, PAUSED = SimulationStatus.QUEUED, SimulationStatus.RUNNING, SimulationStatus.PAUSED
COMPLETED, CANCELLED, FAILED = SimulationStatus.COMPLETED, SimulationStatus.CANCELLED, SimulationStatus.FAILED
CONFIRM = "simulation.confirm"
MOST_AT_ONCE = 200
MOST_NAMED = 5
SCOPES = tuple(f"simulation.{name}" for name in ("pause", "resume", "cancel", "advance", "requeue", "remove"))
_COUNTED = (QUEUED, RUNNING, PAUSED, COMPLETED, FAILED)


class SimulationList:
    """See the module. `marked`: codes of the selected simulations."""

    def __init__(self) -> None:
        self.query = ""
        self._language = ""
        self._table: Table[SimulationState] | None = None
        self._rows: list[SimulationState] = []
        self._marked: set[str] = set()
        self._wanted: tuple[str, tuple[SimulationState, ...]] = ("", ())

    @property
    def marked(self) -> set[str]:
        return self._table.marked if self._table is not None else self._marked

    def mark(self, *codes: str) -> None:
        """Select these alone."""
        self._marked = set(codes)
        if self._table is not None:
            self._table.marked = self._marked

    def draw(self, ui: Ui) -> None:
        if self._table is None or self._language != ui.t.language:
            self._marked = self.marked
            self._table, self._language = queue_table(ui), ui.t.language
            self._table.marked = self._marked
        known = ui.model.simulations
        self._table.marked &= known.keys()
        self._counters(ui)
        if not known:
            widgets.empty(ui, icons.SIMULATION, ui.t("simulation.empty_title"), ui.t("simulation.empty"))
            return
        rows = self._found(ui)
        room = ui.px(122) if self.marked else ui.px(34)
        if not rows:
            ui.wrapped(ui.t("simulation.no_match", count=len(known)))
        self._table.draw(ui, rows, max(ui.px(120), imgui.get_content_region_avail().y - room))
        self._selection(ui, [state for state in self._rows if state.code in self.marked])

    # --- what there is

    def _counters(self, ui: Ui) -> None:
        pool, counted = ui.model.simulators, Counter(state.status for state in ui.model.simulations.values())
        if pool is not None:
            text = ui.t("simulation.simulators", busy=pool.busy, size=pool.size)
            ui.text(text, ui.colors.muted, size=ui.theme.SMALL)
            widgets.tooltip(ui.t("simulation.simulators_hint"))
        for status in _COUNTED:
            if counted[status]:
                label = f"{ui.t(f'simulation_status.{status.value}')} {counted[status]}"
                imgui.same_line(0, ui.px(8))
                widgets.badge(ui, label, status_color(ui, status))
        if pool is None and not counted:
            return
        imgui.dummy(ImVec2(0, ui.px(2)))

    def _found(self, ui: Ui) -> list[SimulationState]:
        """Newest first; a new list only when something has changed."""
        imgui.set_next_item_width(-1)
        hint = f"{icons.SEARCH}  {ui.t('simulation.search')}"
        _, self.query = imgui.input_text_with_hint("##search", hint, self.query)
        ui.mark("simulation.search")
        wanted = (self.query.strip().casefold(), tuple(ui.model.simulations.values()))
        if wanted != self._wanted:
            self._wanted = wanted
            found = [state for state in wanted[1] if wanted[0] in state.code.casefold()]
            self._rows = sorted(found, key=lambda state: -state.created_ms)
        return self._rows

    # --- what is selected

    def _selection(self, ui: Ui, chosen: Sequence[SimulationState]) -> None:
        if not chosen:
            ui.text(ui.t("simulation.nothing_selected"), ui.colors.muted, size=ui.theme.SMALL)
            return
        if len(chosen) == 1:
            self._status(ui, chosen[0])
        else:
            ui.text(ui.t("simulation.selected", count=len(chosen)), bold=True)
        self._actions(ui, chosen)
        self._confirmation(ui, chosen)
        for scope in SCOPES:
            failed = ui.commands.failure(scope)
            widgets.field_note(ui, failed.message if failed is not None else "")

    def _status(self, ui: Ui, state: SimulationState) -> None:
        color = status_color(ui, state.status)
        ui.text(state.code, bold=True)
        imgui.same_line(0, ui.px(10))
        ui.text(ui.t(f"simulation_status.{state.status.value}"), color)
        if state.status in (RUNNING, PAUSED):
            imgui.same_line(0, ui.px(10))
            imgui.set_cursor_pos_y(imgui.get_cursor_pos_y() + ui.px(6))
            widgets.meter(ui, state.progress, color, ui.px(90))
            imgui.same_line(0, ui.px(8))
            ui.text(formats.percent(state.progress, 0))
        with ui.font(ui.theme.SMALL):
            ui.wrapped(state.error or self._detail(ui, state), ui.colors.bad if state.error else ui.colors.muted)

    def _detail(self, ui: Ui, state: SimulationState) -> str:
        """Phase, rate and time left; the place in the queue."""
        t, parts = ui.t, []
        if state.status is QUEUED and ui.model.simulators is not None:
            waiting = ui.model.simulators.waiting
            if state.code in waiting:
                parts.append(t("simulation.place", place=waiting.index(state.code) + 1, count=len(waiting)))
        if state.status in (RUNNING, PAUSED) and state.phase is not None:
            parts.append(t(f"simulation_phase.{state.phase.value}"))
        if state.rate > 0:
            parts.append(t("simulation.rate", minutes=formats.compact(state.rate)))
        if state.seconds_left is not None:
            parts.append(t("simulation.left", time=duration(t, state.seconds_left)))
        if state.status is COMPLETED and state.summary is not None:
            parts.append(t("simulation.took", time=duration(t, state.summary.wall_seconds)))
        return " · ".join(parts) or t("simulation.no_detail")

    def _actions(self, ui: Ui, chosen: Sequence[SimulationState]) -> None:
        t, status = ui.t, {state.status for state in chosen}
        many = t("simulation.too_many", most=MOST_AT_ONCE) if len(chosen) > MOST_AT_ONCE else ""
        one = "" if len(chosen) == 1 else t("simulation.one_only")
        why = one or ("" if status == {COMPLETED} else t("simulation.not_completed"))
        if widgets.button(ui, "simulation.view", t("simulation.view_result"), "primary", why_not=why):
            ui.go(PageName.RESULT, chosen[0].code)
        if status & {PAUSED} and not status & {QUEUED, RUNNING}:
            self._button(
                ui, "resume", f"{icons.PLAY} {t('simulation.resume')}", chosen, {PAUSED}, ResumeSimulation, many
            )
        else:
            why = many or t("simulation.not_pausable")
            allowed = {QUEUED, RUNNING}
            self._button(ui, "pause", t("simulation.pause"), chosen, allowed, PauseSimulation, many, why)
        self._button(
            ui, "cancel", f"{icons.STOP} {t('simulation.cancel')}", chosen, {QUEUED, RUNNING, PAUSED}, CancelSimulation,
            many, t("simulation.not_active"),
        )  # fmt: skip
        first = one or t("simulation.not_queued")
        self._button(ui, "advance", t("simulation.advance"), chosen, {QUEUED}, AdvanceSimulation, one, first)
        self._button(
            ui, "requeue", t("simulation.requeue"), chosen, {CANCELLED, FAILED}, RequeueSimulation, many,
            t("simulation.not_over"),
        )  # fmt: skip
        imgui.same_line(0, ui.px(6))
        if widgets.button(ui, "simulation.remove", f"{icons.TRASH} {t('simulation.remove')}", "danger", why_not=many):
            imgui.open_popup(CONFIRM)

    def _button(
        self,
        ui: Ui,
        name: str,
        label: str,
        chosen: Sequence[SimulationState],
        allowed: set[SimulationStatus],
        request: Callable[[str], Request],
        forbidden: str,
        why_none: str = "",
    ) -> None:
        """Asks for those of the selected to which it applies. why_none: why it applies to none."""
        fitting = [state.code for state in chosen if state.status in allowed]
        scope = f"simulation.{name}"
        imgui.same_line(0, ui.px(6))
        if widgets.button(ui, scope, label, why_not=forbidden or ("" if fitting else why_none)):
            for code in fitting:
                ui.commands.send(SIMULATION, request(code), scope)

    def _confirmation(self, ui: Ui, chosen: Sequence[SimulationState]) -> None:
        """One question for all."""
        codes = [state.code for state in chosen]
        named = ", ".join(codes[:MOST_NAMED]) + (" …" if len(codes) > MOST_NAMED else "")
        running = sum(state.status in (RUNNING, PAUSED) for state in chosen)
        if len(chosen) == 1:
            title = ui.t("simulation.remove_title", code=named)
        else:
            title = ui.t("simulation.remove_many_title", count=len(chosen))
        consequence = ui.t("simulation.remove_consequence", code=named)
        if running:
            consequence += " " + ui.t("simulation.remove_running", count=running)
        if widgets.confirmation(ui, CONFIRM, title, consequence, ui.t("simulation.remove")):
            for number, code in enumerate(codes, 1):
                last = number == len(codes)
                done = "" if not last else "done.simulation_removed" if number == 1 else "done.simulations_removed"
                parameters = {"code": code, "count": str(number)}
                ui.commands.send(SIMULATION, RemoveSimulation(code), "simulation.remove", done, parameters)
