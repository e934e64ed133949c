"""The list of simulations, shared by the pages that show one."""

from __future__ import annotations

from atm.gui import formats
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
        SimulationStatus.COMPLETED: c.good,
        SimulationStatus.CANCELLED: c.warning,
        SimulationStatus.FAILED: c.bad,
    }[status]


def _profit(state: SimulationState) -> float:
    return state.summary.net_profit if state.summary is not None else float("nan")


def simulation_table(ui: Ui, name: str, *, completed: bool = False) -> Table[SimulationState]:
    """A table of simulations in the user's language. completed: only such are listed, so status and progress go without
    saying."""
    t = ui.t
    progress: tuple[Column[SimulationState], ...] = (
        Column(
            t("field.status"),
            lambda s: t(f"simulation_status.{s.status.value}"),
            lambda s: s.status.value,
            False,
            1.1,
            lambda s: status_color(ui, s.status),
        ),
        Column(t("field.progress"), lambda s: formats.percent(s.progress, 0), lambda s: s.progress, True, 0.7),
    )
    return Table(
        name,
        (
            Column(t("field.code"), lambda s: s.code, lambda s: s.code, False, 1.5),
            *(() if completed else progress),
            Column(
                t("field.net_profit"),
                lambda s: formats.number(_profit(s), sign=True),
                _profit,
                True,
                1.0,
                lambda s: ui.signed(_profit(s)),
            ),
            Column(t("field.created"), lambda s: formats.moment(s.created_ms), lambda s: s.created_ms, False, 1.3),
        ),
        key=lambda s: s.code,
    )
