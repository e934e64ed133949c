"""Statistics: months as a heat map, round trips by group, sides, the best and the worst, excursions, regimes, costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from imgui_bundle import ImVec2, ImVec4, imgui, implot

from atm.gui import formats, widgets
from atm.gui.result.tables import Cell, heat, money, plain_table
from atm.gui.result.view import GROUPINGS, Group, ShownResult, best_and_worst, grouped
from atm.gui.theme import fade
from atm.gui.ui import Ui
from atm.model.simulation import SimulationSummary
from atm.model.statistics import PeriodReturn, RoundTrip, SideStatistics, SimulationStatistics
from atm.simulators.figures import UNDEFINED, duration

_EXTREMES = 5


@dataclass(slots=True)
class StatisticsTab:
    """See the module. What costs time is made once for a result."""

    grouping: str = "symbol"
    _groups_of: tuple[object, str] = (None, "")
    _groups: tuple[Group, ...] = ()
    _extremes_of: object = None
    _extremes: tuple[RoundTrip, ...] = ()
    _scatter_of: object = None
    _points: dict[bool, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    def draw(self, ui: Ui, summary: SimulationSummary, result: ShownResult) -> None:
        statistics = summary.statistics
        half = (imgui.get_content_region_avail().x - ui.px(10)) / 2
        height = imgui.get_content_region_avail().y
        if statistics is not None:
            with widgets.card(ui, "months", 0, -1, ui.t("tear_sheet.months")):
                _months(ui, statistics.months, statistics.years)
        else:
            ui.wrapped(ui.t("result.earlier_version"), ui.colors.warning)
        tall = max(imgui.get_content_region_avail().y, height * 0.7)
        imgui.begin_child("left half", ImVec2(half, tall))
        with widgets.card(ui, "groups", 0, tall * 0.52, ui.t("result.by_group")):
            self._by_group(ui, result)
        with widgets.card(ui, "extremes", 0, 0, ui.t("result.extremes")):
            if self._extremes_of is not result:
                self._extremes_of, self._extremes = result, best_and_worst(result.trips, _EXTREMES)
            _extremes(ui, self._extremes)
        imgui.end_child()
        imgui.same_line(0, ui.px(10))
        imgui.begin_child("right half", ImVec2(0, tall))
        with widgets.card(ui, "excursions", 0, tall * 0.52, ui.t("result.excursions")):
            self._excursions(ui, result)
        with widgets.card(ui, "split", 0, 0):
            _split(ui, summary, statistics)
        imgui.end_child()

    def _by_group(self, ui: Ui, result: ShownResult) -> None:
        options = [(name, ui.t(f"result_group.{name}")) for name in GROUPINGS]
        self.grouping = widgets.segments(ui, "result.grouping", self.grouping, options)
        if self._groups_of[0] is not result or self._groups_of[1] != self.grouping:
            self._groups_of = result, self.grouping
            self._groups = grouped(result.trips, GROUPINGS[self.grouping])
        if not self._groups:
            ui.wrapped(ui.t("result.no_trades"))
            return
        rows: list[list[Cell]] = []
        for group in self._groups:
            factor = UNDEFINED if group.factor is None else formats.number(group.factor)
            rows.append([
                (_group_name(ui, self.grouping, group.key), None),
                (f"{group.trips:,}", None),
                (formats.percent(group.win_rate, 1), None),
                money(ui, group.profit),
                money(ui, group.average),
                (factor, None),
                (formats.number(group.costs), None),
            ])  # fmt: skip
        titles = ["", *(ui.t(f"statistic.{name}") for name in ("round_trips", "win_rate", "net_profit", "expectancy"))]
        titles += [ui.t("statistic.profit_factor"), ui.t("result.costs")]
        plain_table(ui, f"groups {self.grouping}", titles, rows, height=imgui.get_content_region_avail().y)

    def _excursions(self, ui: Ui, result: ShownResult) -> None:
        """Each round trip by how far it went against and for the position; the colour says how it ended."""
        if not result.measured or not result.trips:
            ui.wrapped(ui.t("result.earlier_version" if result.trips else "result.no_trades"))
            return
        if self._scatter_of is not result:
            self._scatter_of = result
            for won in (True, False):
                mine = [trip for trip in result.trips if (trip.profit > 0) is won]
                adverse = np.array([-100 * trip.adverse for trip in mine])
                self._points[won] = adverse, np.array([100 * trip.favourable for trip in mine])
        flags = int(implot.Flags_.no_menus | implot.Flags_.no_title)
        if not implot.begin_plot("##excursions", ImVec2(-1, -1), flags):
            return
        implot.setup_axes(ui.t("result.adverse"), ui.t("result.favourable"))
        for axis in (implot.ImAxis_.x1, implot.ImAxis_.y1):
            implot.setup_axis_format(axis, "%.1f%%")
            implot.setup_axis_limits_constraints(axis, 0.0, 1e6)
        for won, color in ((True, ui.colors.up), (False, ui.colors.down)):
            tint = ImVec4(*fade(color, 0.75))
            spec = implot.Spec(
                marker=implot.Marker_.circle, marker_size=3.2, marker_fill_color=tint, marker_line_color=tint
            )
            implot.plot_scatter(ui.t("result.won" if won else "result.lost"), *self._points[won], spec)
        implot.end_plot()


def _group_name(ui: Ui, grouping: str, key: str) -> str:
    prefix = {"side": "side", "reason": "trade_reason", "weekday": "weekday"}.get(grouping)
    return ui.t(f"{prefix}.{key}") if prefix else key


def _months(ui: Ui, months: Sequence[PeriodReturn], years: Sequence[PeriodReturn]) -> None:
    flags = imgui.TableFlags_.borders_inner | imgui.TableFlags_.sizing_stretch_same
    if not imgui.begin_table("##months", 14, int(flags)):
        return
    imgui.table_next_row()
    for text in ("", *(f"{month:02d}" for month in range(1, 13)), ui.t("tear_sheet.year")):
        imgui.table_next_column()
        with ui.font(ui.theme.SMALL):
            ui.text(text, ui.colors.muted)
    strongest = max((abs(month.value) for month in months), default=0.0)
    by_month = {(each.year, each.month): each for each in months}
    for year in years:
        imgui.table_next_row()
        imgui.table_next_column()
        ui.text(str(year.year), ui.colors.muted)
        for month in range(1, 13):
            imgui.table_next_column()
            found = by_month.get((year.year, month))
            if found is not None:
                heat(ui, _period(found), found.value, strongest)
        imgui.table_next_column()
        heat(ui, _period(year), year.value, max(strongest, abs(year.value)))
    imgui.end_table()
    ui.text(ui.t("result.months_note"), ui.colors.faint, size=ui.theme.SMALL)


def _period(period: PeriodReturn) -> str:
    return formats.percent(period.value, 1, sign=True) + ("" if period.whole else " *")


def _extremes(ui: Ui, trips: Sequence[RoundTrip]) -> None:
    """The best and the worst round trips."""
    rows: list[list[Cell]] = [
        [
            (formats.moment(trip.start_ms), None),
            (trip.symbol, None),
            (ui.t(f"side.{trip.side.value}"), ui.colors.up if trip.side.value == "BUY" else ui.colors.down),
            (ui.t(f"trade_reason.{trip.exit_reason.value}"), ui.colors.muted),
            (duration((trip.end_ms - trip.start_ms) / 60_000), ui.colors.muted),
            money(ui, trip.profit),
        ]
        for trip in trips
    ]
    names = ("start", "symbol", "side", "reason")
    titles = [ui.t(f"field.{name}") for name in names] + [ui.t("result.held_for"), ui.t("field.profit")]
    plain_table(ui, "extremes", titles, rows, left=4, height=imgui.get_content_region_avail().y)


def _split(ui: Ui, summary: SimulationSummary, statistics: SimulationStatistics | None) -> None:
    """Long and short, regimes, reasons of fills, costs."""
    if statistics is None:
        ui.wrapped(ui.t("result.earlier_version"))
        return
    t = ui.t
    titles = ["", *(t(f"statistic.{name}") for name in ("round_trips", "win_rate", "net_profit", "expectancy"))]
    titles.append(t("statistic.profit_factor"))
    sides = (("tear_sheet.long", statistics.long), ("tear_sheet.short", statistics.short))
    widgets.heading(ui, t("tear_sheet.sides"))
    plain_table(ui, "sides", titles, [_side(ui, t(text), side) for text, side in sides])
    if statistics.regimes:
        widgets.heading(ui, t("tear_sheet.regimes"))
        thirds = ("tear_sheet.low", "tear_sheet.middle", "tear_sheet.high")
        rows: list[list[Cell]] = []
        for kind in ("trend", "volatility"):
            profits = [each.profit for each in statistics.regimes if each.kind == kind]
            rows.append([(t(f"tear_sheet.{kind}"), ui.colors.muted), *(money(ui, profit) for profit in profits)])
        plain_table(ui, "regimes", ("", *(t(third) for third in thirds)), rows)
    widgets.heading(ui, t("statistic_group.costs"))
    shares: list[list[Cell]] = [
        [(t("statistic.fees"), ui.colors.muted), (formats.number(summary.fees), None)],
        [(t("statistic.funding"), ui.colors.muted), (formats.number(summary.funding), None)],
        [(t("statistic.cost_share"), ui.colors.muted), (formats.percent(statistics.cost_share), None)],
    ]
    plain_table(ui, "costs", ("", ""), shares)
    reasons = [(name, count) for name, count in statistics.fills_by_reason.items() if count]
    widgets.heading(ui, t("result.fills_by_reason"))
    counts: list[list[Cell]] = [[(t(f"trade_reason.{name}"), ui.colors.muted), (f"{n:,}", None)] for name, n in reasons]
    plain_table(ui, "reasons", ("", ""), counts)


def _side(ui: Ui, name: str, side: SideStatistics) -> list[Cell]:
    factor = UNDEFINED if side.profit_factor is None else formats.number(side.profit_factor)
    return [
        (name, ui.colors.muted),
        (f"{side.trips:,}", None),
        (formats.percent(side.win_rate, 1), None),
        money(ui, side.profit),
        money(ui, side.average_profit),
        (factor, None),
    ]
