"""The parity of an account: its days with their verdicts, and what differs on the one that is chosen."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from imgui_bundle import ImVec2, imgui

from atm.gui import formats, icons, widgets
from atm.gui.equity_chart import Beside, EquityCurve, draw_equity
from atm.gui.parity.differences import DECIMALS, decision_differences, draw_money, fill_differences
from atm.gui.parity.drift_strip import draw_drift
from atm.gui.parity.parity_client import ParityClient
from atm.gui.read_model import AccountView
from atm.gui.result.export_bar import ExportBar
from atm.gui.table import Column, Table
from atm.gui.theme import Color
from atm.gui.ui import Ui
from atm.ipc.messages import ParityHead
from atm.model.interval import DAY_MS
from atm.model.parity import DecisionDifference, FillDifference, ParityDay, Verdict

DAYS_WIDTH = 336.0
DRIFT_HEIGHT = 152.0
MONEY_WIDTH = 300.0
CURVE_HEIGHT = 250.0
CSV = (("csv", "CSV"),)


@dataclass(slots=True)
class ParityTab:
    """See the module. what: "fills" or "decisions", the differences that are shown."""

    client: ParityClient = field(default_factory=ParityClient)
    what: str = "fills"
    _export: ExportBar = field(default_factory=ExportBar)
    _language: str = ""
    _days: Table[ParityHead] | None = None
    _fills: Table[FillDifference] | None = None
    _decisions: Table[DecisionDifference] | None = None

    def draw(self, ui: Ui, view: AccountView) -> None:
        client, name = self.client, view.snapshot.name
        client.follow(ui, name, (view.snapshot.market_ms // DAY_MS, ui.model.parity_worked.get(name, 0)))
        self._make(ui)
        if client.days is None or client.drift is None:
            self._waiting(ui)
            return
        if not client.days:
            with widgets.card(ui, "parity.none", 0, 0):
                widgets.empty(ui, icons.WAITING, ui.t("parity.none_title"), ui.t("parity.none"))
            return
        if not client.chosen_ms:
            newest = next((head for head in client.days if head.verdict is not None), client.days[0])
            client.choose(ui, newest.day_ms)
        with widgets.card(ui, "drift", 0, ui.px(DRIFT_HEIGHT), ui.t("drift.title")):
            draw_drift(ui, client, client.drift)
        with widgets.card(ui, "days", ui.px(DAYS_WIDTH), 0, ui.t("parity.days")):
            self._list(ui, client.days)
        imgui.same_line(0, ui.px(10))
        with widgets.card(ui, "day", 0, 0):
            self._day(ui)

    def _make(self, ui: Ui) -> None:
        if self._days is None or self._language != ui.t.language:
            self._language, self._days = ui.t.language, _day_table(ui)
            self._fills, self._decisions = fill_differences(ui), decision_differences(ui)

    def _waiting(self, ui: Ui) -> None:
        with widgets.card(ui, "parity.waits", 0, 0):
            failed = bool(self.client.error)
            title = ui.t("parity.unreadable" if failed else "parity.loading")
            widgets.empty(ui, icons.WARNING if failed else icons.WAITING, title, self.client.error)
            if failed:
                imgui.dummy(ImVec2(0, ui.px(8)))
                widgets.centre_next(ui.t("action.retry"))
                if widgets.button(ui, "parity.retry", ui.t("action.retry")):
                    self.client.retry()

    def _list(self, ui: Ui, days: tuple[ParityHead, ...]) -> None:
        assert self._days is not None
        self._days.selected = str(self.client.chosen_ms)
        clicked = self._days.draw(ui, days)
        if clicked and int(clicked) != self.client.chosen_ms:
            self.client.choose(ui, int(clicked))

    # --- one day

    def _day(self, ui: Ui) -> None:
        client, day = self.client, self.client.day
        ui.text(formats.moment(client.chosen_ms)[:10], size=ui.theme.BODY + 2, bold=True)
        if day is not None:
            imgui.same_line(0, ui.px(10))
            draw_verdict(ui, day.verdict)
        imgui.same_line(0, ui.px(10))
        busy = ui.t("parity.working") if client.working else ""
        if widgets.button(ui, "parity.again", f"{icons.HISTORY}  {ui.t('parity.again')}", why_not=busy):
            client.again(ui)
        if busy:
            imgui.same_line(0, ui.px(10))
            ui.text(busy, ui.colors.muted, size=ui.theme.SMALL)
        if day is None:
            self._no_day(ui)
            return
        results = ui.results

        def write(_kind: str) -> Path:
            return results.export_parity(day)

        self._export.draw(ui, f"{day.account} {day.day_ms}", write, CSV)
        if client.day_error:
            ui.text(f"{icons.WARNING}  {client.day_error}", ui.colors.warning, size=ui.theme.SMALL)
        self._figures(ui, day)
        if day.money is not None:
            height = min(ui.px(CURVE_HEIGHT), imgui.get_content_region_avail().y * 0.5)
            imgui.begin_child("parity.money", ImVec2(ui.px(MONEY_WIDTH), height))
            draw_money(ui, day.money)
            imgui.end_child()
            imgui.same_line(0, ui.px(12))
            imgui.begin_child("parity.curves", ImVec2(0, height))
            _curves(ui, day)
            imgui.end_child()
        self._differences(ui, day)

    def _no_day(self, ui: Ui) -> None:
        client = self.client
        if client.day_error:
            widgets.empty(ui, icons.WARNING, ui.t("parity.day_failed"), client.day_error)
        elif client.working:
            widgets.empty(ui, icons.WAITING, ui.t("parity.working"), ui.t("parity.working_hint"))
        else:
            head = next((each for each in client.days or () if each.day_ms == client.chosen_ms), None)
            waits = head is not None and head.verdict is None
            title, hint = ("parity.not_worked", "parity.not_worked_hint") if waits else ("parity.loading", "")
            widgets.empty(ui, icons.WAITING, ui.texts(title), ui.texts(hint) if hint else "")

    def _figures(self, ui: Ui, day: ParityDay) -> None:
        t, bad = ui.t, ui.colors.bad
        money = day.money
        figures: list[tuple[str, str, Color | None]] = [
            (t("parity.compared"), f"{day.decisions:,}", None),
            (t("parity.differing"), f"{day.differing:,}", ui.colors.warning if day.differing else ui.colors.good),
            (t("parity.missing"), f"{day.missing:,}", ui.colors.warning if day.missing else None),
            (t("parity.late"), f"{day.late:,}", None),
        ]
        if money is not None:
            unexplained = formats.number(money.unexplained, DECIMALS, sign=True)
            figures += [
                (t("parity.fills_both"), f"{money.fills_live:,} / {money.fills_backtest:,}", None),
                (t("parity.equity_live"), formats.number(money.equity_live, DECIMALS), None),
                (t("parity.equity_backtest"), formats.number(money.equity_backtest, DECIMALS), None),
                (
                    t("parity.difference"),
                    formats.number(money.difference, DECIMALS, sign=True),
                    ui.signed(money.difference),
                ),
                (t("money_cause.UNEXPLAINED"), unexplained, bad if money.unexplained else ui.colors.good),
            ]
        widgets.stats(ui, figures, 104)
        versions = day.version_live if day.version == day.version_live else f"{day.version_live} → {day.version}"
        span = f"{formats.moment(day.begin_ms)} … {formats.moment(day.end_ms)}"
        ui.text(f"{span}  ·  {t('parity.version', version=versions)}", ui.colors.faint, size=ui.theme.SMALL)

    def _differences(self, ui: Ui, day: ParityDay) -> None:
        assert self._fills is not None and self._decisions is not None
        fills = () if day.money is None else day.money.fills
        options = [
            ("fills", f"{ui.t('parity.fills')}  {len(fills):,}"),
            ("decisions", f"{ui.t('parity.decisions')}  {day.differing:,}"),
        ]
        self.what = widgets.segments(ui, "parity.what", self.what, options)
        if self.what == "fills" and fills:
            self._fills.draw(ui, fills)
        elif self.what == "decisions" and day.differences:
            self._decisions.draw(ui, day.differences)
        else:
            ui.text(f"{icons.CHECK}  {ui.t('parity.nothing_differs')}", ui.colors.good)


def draw_verdict(ui: Ui, verdict: Verdict) -> None:
    """In a word, in the present line."""
    text, color = verdict_of(ui, verdict)
    widgets.badge(ui, text, color, filled=verdict is Verdict.UNEXPLAINED)
    widgets.tooltip(ui.t(f"parity_verdict.{verdict.value}_hint"))


def verdict_of(ui: Ui, verdict: Verdict | None) -> tuple[str, Color]:
    """Word and colour."""
    if verdict is None:
        return ui.t("parity.not_worked"), ui.colors.faint
    colors = {
        Verdict.EQUAL: ui.colors.good,
        Verdict.EXPLAINED: ui.colors.info,
        Verdict.UNEXPLAINED: ui.colors.bad,
        Verdict.INCOMPLETE: ui.colors.warning,
    }
    return ui.t(f"parity_verdict.{verdict.value}"), colors[verdict]


def _day_table(ui: Ui) -> Table[ParityHead]:
    t = ui.t
    columns: tuple[Column[ParityHead], ...] = (
        Column(t("parity.day"), lambda r: formats.moment(r.day_ms)[:10], lambda r: r.day_ms, False, 1.2),
        Column(
            t("parity.verdict"),
            lambda r: verdict_of(ui, r.verdict)[0],
            lambda r: "" if r.verdict is None else r.verdict.value,
            False,
            1.2,
            lambda r: verdict_of(ui, r.verdict)[1],
        ),
        Column(t("parity.differing_short"), _differing, lambda r: r.differing, width=0.9),
        Column(
            t("parity.difference"),
            lambda r: formats.number(r.difference, sign=True),
            lambda r: r.difference or 0.0,
            color=lambda r: ui.signed(r.difference),
        ),
    )
    return Table("parity.days", columns, key=lambda r: str(r.day_ms))


def _differing(head: ParityHead) -> str:
    return formats.UNKNOWN if head.verdict is None else f"{head.differing:,} / {head.decisions:,}"


def _curves(ui: Ui, day: ParityDay) -> None:
    times, live, backtest = day.curve
    if not times:
        ui.wrapped(ui.t("result.no_curve"))
        return
    at = np.array(times, np.int64)
    size = imgui.get_content_region_avail()
    beside = Beside(ui.t("parity.backtest"), EquityCurve.of(at, np.array(backtest)), ui.theme.line_color(0))
    curve = EquityCurve.of(at, np.array(live))
    name = f"parity {day.account} {day.day_ms}"
    draw_equity(ui, name, curve, (size.x, size.y), label=ui.t("parity.live"), beside=[beside])
