"""Reports: balances, exposure, counts and money of each hour or day, as a chart and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from imgui_bundle import ImVec2, ImVec4, imgui, implot
from numpy.typing import NDArray

from atm.gui import formats, icons, time_axis, widgets
from atm.gui.chart_candles import draw_candles
from atm.gui.chart_pyramid import Pyramid
from atm.gui.result.view import ShownResult
from atm.gui.table import Column, Table
from atm.gui.theme import fade
from atm.gui.ui import Ui
from atm.model.bars import N_COLUMNS, Bars, Source
from atm.model.interval import Interval, format_time
from atm.model.statistics import BalanceReport
from atm.simulators.statistics.reports import REASONS

MOST_BARS = 1_200
MODES = ("balance", "wallet", "exposure", "fills", "buys", "sells", "gains", "losses", "profit", "fees", *REASONS)
_CANDLES = {"balance": "equity", "wallet": "wallet"}
_FLAGS = int(implot.Flags_.no_menus | implot.Flags_.no_title | implot.Flags_.no_mouse_text | implot.Flags_.no_legend)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table: place in the report."""

    report: BalanceReport
    place: int

    def of(self, name: str) -> float:
        return float(self.report.column(name)[self.place])

    @property
    def open_ms(self) -> int:
        return int(self.report.open_time[self.place])


@dataclass(slots=True)
class ReportsTab:
    """See the module. mode: one of `MODES`."""

    step: str = "daily"
    mode: str = "balance"
    _sight: tuple[float, float] = (0.0, 1.0)
    _candles: dict[tuple[int, str], Pyramid] = field(default_factory=dict)
    _rows: Sequence[Row] = ()
    _table: Table[Row] | None = None
    _of: tuple[object, str, str] = (None, "", "")

    def draw(self, ui: Ui, result: ShownResult) -> None:
        report = result.daily if self.step == "daily" else result.hourly
        if report is None:
            widgets.empty(ui, icons.INFO, ui.t("result.no_reports_title"), ui.t("result.earlier_version"))
            return
        self._follow(ui, report)
        height = imgui.get_content_region_avail().y
        with widgets.card(ui, "chart", 0, height * 0.55):
            self._toolbar(ui)
            self._chart(ui, report)
        with widgets.card(ui, "table", 0, 0):
            if self._table is not None:
                self._table.draw(ui, self._rows)

    def _follow(self, ui: Ui, report: BalanceReport) -> None:
        if self._of[0] is report and self._of[1:] == (self.step, ui.t.language):
            return
        self._of = report, self.step, ui.t.language
        self._candles.clear()
        self._sight = float(report.open_time[0]) / 1000, float(report.open_time[-1] + report.step_ms) / 1000
        self._rows = [Row(report, place) for place in range(len(report.open_time) - 1, -1, -1)]
        self._table = _table(ui)

    def _toolbar(self, ui: Ui) -> None:
        steps = [(name, ui.t(f"report_step.{name}")) for name in ("hourly", "daily")]
        self.step = widgets.segments(ui, "reports.step", self.step, steps)
        imgui.same_line(0, ui.px(20))
        modes = [(mode, _mode_name(ui, mode)) for mode in MODES]
        self.mode = widgets.choice(ui, "reports.mode", "", self.mode, modes, width=ui.px(220))

    def _chart(self, ui: Ui, report: BalanceReport) -> None:
        if not implot.begin_plot(f"##{self.step}{id(report)}", ImVec2(-1, -1), _FLAGS):
            return
        begin, end = float(report.open_time[0]) / 1000, float(report.open_time[-1] + report.step_ms) / 1000
        quiet = implot.AxisFlags_.no_highlight | implot.AxisFlags_.no_menus
        implot.setup_axis(implot.ImAxis_.x1, None, int(quiet))
        implot.setup_axis_limits(implot.ImAxis_.x1, begin, end, implot.Cond_.once)
        time_axis.set_up(*self._sight)
        flags = quiet | implot.AxisFlags_.opposite | implot.AxisFlags_.auto_fit | implot.AxisFlags_.range_fit
        implot.setup_axis(implot.ImAxis_.y1, None, int(flags))
        implot.setup_axis_format(implot.ImAxis_.y1, "%.0f%%" if self.mode == "exposure" else "%.6g")
        implot.setup_finish()
        limits = implot.get_plot_limits()
        self._sight = limits.x.min, limits.x.max
        if self.mode in _CANDLES:
            self._draw_candles(ui, report)
        else:
            _draw_bars(ui, report, self.mode, self._sight)
        _read_out(ui, report, self.mode)
        implot.end_plot()

    def _draw_candles(self, ui: Ui, report: BalanceReport) -> None:
        """The chosen balance as candles, the other one behind them in half intensity."""
        chosen = _CANDLES[self.mode]
        colors = ui.theme.chart_colors()
        faint = replace(colors, up=fade(colors.up, 0.3), down=fade(colors.down, 0.3))
        for level, tint in (("wallet" if chosen == "equity" else "equity", faint), (chosen, colors)):
            key = (id(report), level)
            if key not in self._candles:
                self._candles[key] = Pyramid(_bars(report, level))
            seen = self._candles[key].visible(self._sight[0] * 1000, self._sight[1] * 1000, MOST_BARS)
            step = float(np.median(np.diff(seen.time))) if len(seen.time) > 1 else float(report.step_ms)
            draw_candles(seen, step, tint)


def _mode_name(ui: Ui, mode: str) -> str:
    return ui.t(f"trade_reason.{mode.upper()}") if mode in REASONS else ui.t(f"report.{mode}")


def _bars(report: BalanceReport, level: str) -> Bars:
    """The balance of each interval as a candle."""
    n = len(report.open_time)
    values = np.zeros((N_COLUMNS, n))
    for row, which in enumerate(("open", "high", "low", "close")):
        values[row] = report.column(f"{level}_{which}")
    interval = Interval.H1 if report.step_ms < Interval.D1.nominal_ms else Interval.D1
    return Bars(interval, report.open_time, values, np.full(n, int(Source.STREAM), np.uint8))


def values_of(report: BalanceReport, mode: str) -> NDArray[np.float64]:
    """What a mode shows of each interval; exposure: notional in percent of the balance."""
    if mode == "exposure":
        balance = report.column("equity_close")
        return np.divide(100 * report.column("notional"), balance, out=np.zeros(len(balance)), where=balance > 0)
    return report.column(f"{_CANDLES[mode]}_close" if mode in _CANDLES else mode)


def blocks(
    report: BalanceReport, mode: str, start_s: float, end_s: float, most: int = MOST_BARS
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """(middle of each bar in seconds, its value, its length in seconds) of what lies in a range, in at most `most` bars:
    sums of counts and money, the highest exposure."""
    lo, hi = (int(place) for place in np.searchsorted(report.open_time, (int(start_s * 1000), int(end_s * 1000) + 1)))
    lo = max(0, lo - 1)
    size = max(1, -(-(hi - lo) // most))
    lo -= lo % size
    starts = np.arange(lo, hi, size)
    length = size * report.step_ms / 1000
    if not len(starts):
        return np.zeros(0), np.zeros(0), length
    values = values_of(report, mode)[lo:hi]
    merge = np.maximum if mode == "exposure" else np.add
    merged: NDArray[np.float64] = merge.reduceat(values, starts - lo)
    return report.open_time[starts] / 1000.0 + length / 2, merged, length


def _draw_bars(ui: Ui, report: BalanceReport, mode: str, sight: tuple[float, float]) -> None:
    times, values, length = blocks(report, mode, *sight)
    for name, chosen, color in (("##up", values >= 0, ui.colors.accent), ("##down", values < 0, ui.colors.down)):
        tint = {"profit": ui.colors.up, "gains": ui.colors.up, "losses": ui.colors.down}.get(mode, color)
        spec = implot.Spec(fill_color=ImVec4(*fade(tint if name == "##up" else color, 0.75)), line_weight=0.0)
        if chosen.any():
            implot.plot_bars(name, times[chosen], np.ascontiguousarray(values[chosen]), 0.8 * length, spec)


def _read_out(ui: Ui, report: BalanceReport, mode: str) -> None:
    """The interval under the pointer."""
    if not implot.is_plot_hovered():
        return
    mouse = implot.get_plot_mouse_pos()
    place = int(
        np.clip(np.searchsorted(report.open_time, int(mouse.x * 1000), "right") - 1, 0, len(report.open_time) - 1)
    )
    lines = [format_time(int(report.open_time[place]))]
    if mode in _CANDLES:
        for level, name in (("equity", "report.balance"), ("wallet", "report.wallet")):
            row = [
                formats.number(float(report.column(f"{level}_{w}")[place])) for w in ("open", "low", "high", "close")
            ]
            lines.append(f"{ui.t(name)}   O {row[0]}   L {row[1]}   H {row[2]}   C {row[3]}")
    else:
        value = formats.quantity(float(values_of(report, mode)[place]), 2)
        lines.append(f"{_mode_name(ui, mode)}   {value}{'%' if mode == 'exposure' else ''}")
    imgui.set_tooltip("\n".join(lines))


def _table(ui: Ui) -> Table[Row]:
    t = ui.t

    def money(name: str) -> Column[Row]:
        return Column(t(f"report.{name}"), lambda r: formats.number(r.of(name)), lambda r: r.of(name))

    def count(name: str) -> Column[Row]:
        return Column(t(f"report.{name}"), lambda r: f"{r.of(name):,.0f}", lambda r: r.of(name), True, 0.6)

    return Table(
        "reports",
        (
            Column(f"{t('field.time')} (UTC)", lambda r: formats.moment(r.open_ms), lambda r: r.open_ms, False, 1.3),
            *(
                Column(
                    t(f"report.{level}_{which}"),
                    lambda r, name=f"{level}_{which}": formats.number(r.of(name)),  # type: ignore[misc]
                    lambda r, name=f"{level}_{which}": r.of(name),  # type: ignore[misc]
                )
                for level, which in (("equity", "open"), ("equity", "low"), ("equity", "high"), ("equity", "close"))
            ),
            Column(t("report.wallet"), lambda r: formats.number(r.of("wallet_close")), lambda r: r.of("wallet_close")),
            Column(
                t("report.profit"),
                lambda r: formats.number(r.of("profit"), sign=True),
                lambda r: r.of("profit"),
                color=lambda r: ui.signed(r.of("profit")),
            ),
            money("fees"),
            count("fills"),
            count("buys"),
            count("sells"),
        ),
        key=lambda r: str(r.place),
    )
