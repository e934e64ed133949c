"""Simulation: the queue at the left; at the right the form of a new simulation, or the set-up of the selected one."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atm.gui import widgets
from atm.gui.pages.simulation_form import SimulationForm
from atm.gui.pages.simulation_list import SimulationList
from atm.gui.pages.simulation_setup import SimulationSetup
from atm.gui.ui import PageName, Ui
from atm.model.simulation import SimulationSpec

LIST_SHARE = 0.42


class SimulationPage:
    """See the module."""

    def __init__(self) -> None:
        self.list = SimulationList()
        self.form = SimulationForm()
        self.setup = SimulationSetup()

    def draw(self, ui: Ui) -> None:
        wanted = ui.take_selection(PageName.SIMULATION)
        if wanted:
            self.list.mark(wanted)
        width = imgui.get_content_region_avail().x * LIST_SHARE
        with widgets.card(ui, "simulations", width, 0, ui.t("simulation.list")):
            self.list.draw(ui)
        imgui.same_line(0, ui.px(14))
        imgui.begin_child("right", ImVec2(0, 0))
        chosen = [ui.model.simulations[code] for code in self.list.marked if code in ui.model.simulations]
        if len(chosen) == 1:
            self.setup.draw(ui, chosen[0], lambda spec: self._copy(ui, spec), self.list.mark)
        else:
            self.form.draw(ui)
        imgui.end_child()

    def _copy(self, ui: Ui, spec: SimulationSpec) -> None:
        self.form.replicate(ui, spec)
        self.list.mark()
