"""Whether the exchange still takes the order types that the program depends on, as the newest trial has found."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atm.gui import formats, icons
from atm.gui.result.tables import Cell, plain_table
from atm.gui.ui import Ui
from atm.ipc.messages import OrderTypesShown
from atm.model.order_probe import ProbeOutcome


def draw_order_types(ui: Ui, shown: OrderTypesShown | None) -> None:
    """A line where all is well; a row for each type that is not, or of which nothing was learnt."""
    imgui.dummy(ImVec2(0, ui.px(4)))
    ui.text(ui.t("probe.title"), bold=True)
    ui.mark("probe.title")
    with ui.font(ui.theme.SMALL):
        ui.wrapped(ui.t("probe.about"))
    if shown is None:
        ui.text(ui.t("probe.not_yet"), ui.colors.muted)
        return
    at = formats.moment(shown.time_ms, seconds=True)
    broken = [each for each in shown.results if each.outcome is ProbeOutcome.BROKEN]
    unknown = [each for each in shown.results if each.outcome is ProbeOutcome.UNKNOWN]
    if not broken and not unknown:
        said = ui.t("probe.holds", count=str(len(shown.results)), time=at)
        ui.text(f"{icons.SUCCESS}  {said}", ui.colors.good)
        return
    said = ui.t("probe.broken" if broken else "probe.unknown", count=str(len(broken or unknown)), time=at)
    ui.text(f"{icons.WARNING}  {said}", ui.colors.bad if broken else ui.colors.warning)
    rows: list[list[Cell]] = [
        [
            (each.symbol, None),
            (ui.t(f"probe_type.{each.probe.value}"), None),
            (
                ui.t(f"probe_outcome.{each.outcome.value}"),
                ui.colors.bad if each.outcome is ProbeOutcome.BROKEN else ui.colors.warning,
            ),
            (each.details, ui.colors.muted),
        ]
        for each in (*broken, *unknown)
    ]
    titles = (ui.t("field.symbol"), ui.t("probe.type"), "", ui.t("probe.said"))
    plain_table(ui, "probe", titles, rows, left=4)
