"""The lists of simulations, shared by the pages that show one."""

from __future__ import annotations

from atm.gui import formats
from atm.gui.durations import duration
from atm.gui.table import Column, Table
from atm.gui.theme import Color
from atm.gui.ui import Ui
from atm.model.simulation import SimulationState, SimulationStatus


def status_color(ui: Ui, status: SimulationStatus) -> Color:
    """One colour per status, always beside its word."""
    c = ui.colors
    return {
        SimulationStatus.QUEUED: c.muted,
        SimulationStatus.RUNNING: c.info,
        SimulationStatus.PAUSED: c.warning,
        SimulationStatus.COMPLETED: c.good,
        SimulationStatus.CANCELLED: c.muted,
        SimulationStatus.FAILED: c.bad,
    }[status]


def _profit(state: SimulationState) -> float:
    return state.summary.net_profit if state.summary is not None else float("nan")


def simulation_table(ui: Ui, name: str, *, completed: bool = False) -> Table[SimulationState]:
    """A table of simulations in the user's language. completed: only such are listed, so status and progress go without
    saying."""
    progress = () if completed else (_status(ui), _progress(ui))
    return Table(name, (_code(ui), *progress, _net_profit(ui), _created(ui)), key=lambda s: s.code)


def queue_table(ui: Ui) -> Table[SimulationState]:
    """The queue, of which several rows may be selected."""
    columns = (_code(ui), _status(ui), _progress(ui), _left(ui), _net_profit(ui), _range(ui), _created(ui))
    return Table("simulation.list", columns, key=lambda s: s.code, multi=True, inner_width=700)


def _code(ui: Ui) -> Column[SimulationState]:
    return Column(ui.t("field.code"), lambda s: s.code, lambda s: s.code, False, 1.5)


def _range(ui: Ui) -> Column[SimulationState]:
    return Column(
        ui.t("field.range"), lambda s: f"{s.start[:10]} – {s.end[:10]}" if s.start else formats.UNKNOWN,
        lambda s: f"{s.start} {s.end}", False, 1.75,
    )  # fmt: skip


def _status(ui: Ui) -> Column[SimulationState]:
    return Column(
        ui.t("field.status"), lambda s: ui.t(f"simulation_status.{s.status.value}"), lambda s: s.status.value, False, 1.0,
        lambda s: status_color(ui, s.status),
    )  # fmt: skip


def _progress(ui: Ui) -> Column[SimulationState]:
    return Column(ui.t("field.progress"), lambda s: formats.percent(s.progress, 0), lambda s: s.progress, True, 0.8)


def _left(ui: Ui) -> Column[SimulationState]:
    return Column(
        ui.t("field.time_left"),
        lambda s: formats.UNKNOWN if s.seconds_left is None else duration(ui.t, s.seconds_left),
        lambda s: float("nan") if s.seconds_left is None else s.seconds_left, True, 0.85,
    )  # fmt: skip


def _net_profit(ui: Ui) -> Column[SimulationState]:
    return Column(
        ui.t("field.net_profit"), lambda s: formats.number(_profit(s), sign=True), _profit, True, 1.0,
        lambda s: ui.signed(_profit(s)),
    )  # fmt: skip


def _created(ui: Ui) -> Column[SimulationState]:
    return Column(ui.t("field.created"), lambda s: formats.moment(s.created_ms), lambda s: s.created_ms, False, 1.3)
