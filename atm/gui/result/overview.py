"""Overview: equity with its drawdown beside buy-and-hold, what lies in sight, and every figure by group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from imgui_bundle import ImVec2, imgui

from atm.gui import formats, widgets
from atm.gui.equity_chart import Beside, draw_equity
from atm.gui.result.tables import Cell, figure_rows, money, plain_table
from atm.gui.result.view import Group, ShownResult, stretch
from atm.gui.ui import Ui
from atm.model.interval import format_time
from atm.model.simulation import SimulationSummary
from atm.simulators.figures import GROUPS

_COLUMNS = (("result",), ("risk",), ("trades",), ("path", "costs"))


@dataclass(slots=True)
class Overview:
    """See the module. label: text key of what the curve is of; share: of the height that the curve takes;
    sight: times that are shown (Unix seconds)."""

    logarithmic: bool = False
    held: bool = True
    label: str = "tear_sheet.strategy"
    share: float = 0.56
    sight: tuple[float, float] = (0.0, 0.0)
    _ended: tuple[str, float] = ("", 0.0)

    def draw(self, ui: Ui, summary: SimulationSummary, result: ShownResult) -> None:
        height = imgui.get_content_region_avail().y
        with widgets.card(ui, "curve", 0, max(height * self.share, ui.px(260)), ui.t("result.equity")):
            self.draw_curve(ui, result)
        width = (imgui.get_content_region_avail().x - 3 * ui.px(10)) / len(_COLUMNS)
        for index, groups in enumerate(_COLUMNS):
            if index:
                imgui.same_line(0, ui.px(10))
            with widgets.card(ui, f"figures{index}", width, 0):
                for group in groups:
                    widgets.heading(ui, ui.t(f"statistic_group.{group}"))
                    plain_table(ui, group, ("", ""), figure_rows(ui, GROUPS[group], summary))
                    imgui.dummy(ImVec2(0, ui.px(4)))
                if index == 0:
                    self._assets(ui, result)
                if index == len(_COLUMNS) - 1:
                    _notes(ui, summary)

    def draw_curve(self, ui: Ui, result: ShownResult) -> None:
        """The equity alone, in what is left of the present card."""
        if not len(result.curve.time):
            ui.wrapped(ui.t("result.no_curve"))
            return
        self.logarithmic = widgets.toggle(ui, "result.log", ui.t("result.logarithmic"), self.logarithmic)
        beside = []
        if result.held is not None:
            imgui.same_line(0, ui.px(20))
            self.held = widgets.toggle(ui, "result.held", ui.t("result.buy_and_hold"), self.held)
            if self.held:
                beside = [Beside(ui.t("result.buy_and_hold"), result.held, ui.theme.line_color(0))]
        imgui.same_line(0, ui.px(28))
        place = imgui.get_cursor_pos()
        place = ImVec2(place.x, place.y)
        imgui.new_line()
        size = imgui.get_content_region_avail()
        code = result.spec.code
        label = ui.texts(self.label)
        sight = draw_equity(
            ui,
            f"equity {code}",
            result.curve,
            (size.x, size.y),
            label=label,
            beside=beside,
            logarithmic=self.logarithmic,
            limits=self._followed(result),
        )
        if sight is not None:
            self.sight = sight
            imgui.set_cursor_pos(place)
            _in_sight(ui, result, sight)

    def _followed(self, result: ShownResult) -> tuple[float, float] | None:
        """What comes into sight when a curve has grown whose end was in sight; None where nothing changes."""
        code, end = result.spec.code, float(result.curve.time[-1])
        (before, ended), self._ended = self._ended, (code, end)
        return (self.sight[0], end + 1.0) if before == code and end > ended and self.sight[1] >= ended else None

    def _assets(self, ui: Ui, result: ShownResult) -> None:
        """What each margin asset came to."""
        widgets.heading(ui, ui.t("result.by_asset"))
        found = {group.key: group for group in result.assets}
        rows: list[list[Cell]] = []
        for name, asset in result.spec.assets.items():
            group = found.get(name, Group(name, 0, 0, 0.0, 0.0, 0.0, 0.0))
            balance = formats.number(asset.initial_balance)
            rows.append([(name, ui.colors.muted), (balance, None), (f"{group.trips:,}", None), money(ui, group.profit)])
        titles = ("", ui.t("field.initial_balance"), ui.t("statistic.round_trips"), ui.t("field.profit"))
        plain_table(ui, "assets", titles, rows)


def _in_sight(ui: Ui, result: ShownResult, sight: tuple[float, float]) -> None:
    part = stretch(result.curve, *sight)
    if part is None:
        return
    begin, end = int(part.start_s * 1000), int(part.end_s * 1000)
    count = int(np.searchsorted(result.fill_times, end, "right") - np.searchsorted(result.fill_times, begin))
    imgui.align_text_to_frame_padding()
    ui.text(f"{format_time(begin)} … {format_time(end)}", ui.colors.muted, size=ui.theme.SMALL)
    for text, color in (
        (formats.percent(part.change, sign=True), ui.signed(part.change)),
        (formats.number(part.profit, sign=True), ui.signed(part.profit)),
        (ui.t("result.sight_fall", value=formats.percent(-part.fall)), ui.colors.muted),
        (ui.t("result.sight_fills", count=f"{count:,}"), ui.colors.muted),
    ):
        imgui.same_line(0, ui.px(14))
        ui.text(text, color, size=ui.theme.SMALL)


def _source_rows(ui: Ui, summary: SimulationSummary) -> list[list[Cell]]:
    """The share of the minutes that came from each source."""
    total = sum(summary.sources.values())
    return [
        [(ui.t(f"source.{name}"), ui.colors.muted), (formats.percent(count / total), None)]
        for name, count in summary.sources.items()
        if name != "missing"
    ]


def _notes(ui: Ui, summary: SimulationSummary) -> None:
    """What the figures rest on."""
    widgets.heading(ui, ui.t("result.basis"))
    t = ui.t
    missing = (f"{summary.missing_bars:,}", ui.colors.warning if summary.missing_bars else None)
    rows: list[list[Cell]] = [
        [(t("result.bars"), ui.colors.muted), (f"{summary.bars:,}", None)],
        [(t("result.missing_bars"), ui.colors.muted), missing],
        *_source_rows(ui, summary),
        [(t("result.wall_seconds"), ui.colors.muted), (f"{formats.number(summary.wall_seconds, 3)} s", None)],
    ]
    plain_table(ui, "basis", ("", ""), rows)
    if widgets.button(ui, "result.copy_hash", f"{ui.t('result.trade_hash')} {summary.trade_hash[:12]}…"):
        imgui.set_clipboard_text(summary.trade_hash)
    widgets.tooltip(ui.t("result.copy_hash"))
