"""Set-up: what the simulation ran with, read-only: assets, positions, costs, and the configurations value by value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from imgui_bundle import ImVec2, imgui

from atm.gui import formats, icons, widgets
from atm.gui.form_fields import label_of
from atm.gui.result.tables import Cell, plain_table
from atm.gui.ui import Ui
from atm.model.adjustable import flattened
from atm.model.simulation import SimulationSpec


def written(value: Any) -> str:
    """A plain value as text."""
    if value is None:
        return formats.UNKNOWN
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.10g}"
    return str(value) if not isinstance(value, dict | list) else msgspec.json.encode(value).decode()


@dataclass(slots=True)
class SetupTab:
    """See the module. chosen: kind and code of the configuration that is shown."""

    chosen: str = ""
    text: str = ""
    _of: object = None

    def draw(self, ui: Ui, spec: SimulationSpec) -> None:
        options = [(f"trade:{each.code}", each.code) for each in spec.trade]
        options += [(f"analysis:{each.code}", each.code) for each in spec.analysis]
        if self.chosen not in {key for key, _ in options}:
            self.chosen = options[0][0]
        half = (imgui.get_content_region_avail().x - ui.px(10)) / 2
        imgui.begin_child("what", ImVec2(half, 0))
        with widgets.card(ui, "assets", 0, -1, ui.t("result.assets")):
            _assets(ui, spec)
        with widgets.card(ui, "positions", 0, -1, ui.t("simulation.positions")):
            _positions(ui, spec)
        with widgets.card(ui, "costs", 0, -1, ui.t("simulation.costs")):
            rows: list[list[Cell]] = [
                [(label_of(ui.t, name), ui.colors.muted), (written(value), None)]
                for name, value in msgspec.to_builtins(spec.costs).items()
            ]
            plain_table(ui, "costs", ("", ""), rows)
        imgui.end_child()
        imgui.same_line(0, ui.px(10))
        with widgets.card(ui, "configuration", 0, 0, ui.t("result.configurations")):
            self.chosen = widgets.segments(ui, "setup.configuration", self.chosen, options)
            imgui.same_line(0, ui.px(16))
            if widgets.button(ui, "setup.copy", f"{icons.COPY}  {ui.t('result.copy_setup')}"):
                imgui.set_clipboard_text(msgspec.json.format(msgspec.json.encode(spec)).decode())
            widgets.tooltip(ui.t("result.copy_setup_hint"))
            self._configuration(ui, spec)

    def _configuration(self, ui: Ui, spec: SimulationSpec) -> None:
        kind, _, code = self.chosen.partition(":")
        several = spec.trade if kind == "trade" else spec.analysis
        configuration = next(each for each in several if each.code == code)
        self.text = widgets.text_field(ui, "setup.search", "", self.text, hint=ui.t("result.search_parameter"))
        rows: list[list[Cell]] = [
            [(path, ui.colors.muted), (written(value), None if value is not None else ui.colors.faint)]
            for path, value in flattened(msgspec.to_builtins(configuration)).items()
            if self.text.casefold() in path.casefold()
        ]
        titles = (ui.t("result.parameter"), ui.t("result.value"))
        plain_table(ui, self.chosen, titles, rows, height=imgui.get_content_region_avail().y)


def _assets(ui: Ui, spec: SimulationSpec) -> None:
    titles = ("", ui.t("field.initial_balance"), ui.t("field.allocation"))
    rows: list[list[Cell]] = [
        [
            (name, None),
            (formats.number(asset.initial_balance), None),
            (formats.percent(asset.allocation_ratio, 1), None),
        ]
        for name, asset in spec.assets.items()
    ]
    plain_table(ui, "assets", titles, rows)
    ui.text(f"{spec.start} … {spec.end} UTC", ui.colors.muted)


def _positions(ui: Ui, spec: SimulationSpec) -> None:
    t = ui.t
    names = ("symbol", "analysis", "trade")
    titles = [t(f"field.{name}") for name in names]
    titles += [t("field.assumed_ratio"), t("result.priority"), t("result.most_allocated")]
    rows: list[list[Cell]] = [
        [
            (position.symbol, None),
            (position.analysis, None),
            (position.trade, None),
            (formats.percent(position.assumed_ratio, 1), None),
            (str(position.priority), None),
            (formats.number(position.max_allocated), None),
        ]
        for position in spec.positions
    ]
    plain_table(ui, "positions", titles, rows, left=3)
