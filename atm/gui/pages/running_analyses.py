"""What runs now: every analysis with its progress, load and users, and every analyzer with what it carries."""

from __future__ import annotations

import math

from imgui_bundle import ImVec2, imgui

from atm.gui import formats, icons, widgets
from atm.gui.analysis_rows import STATES, AnalysisRow, AnalyzerRow, RowsOnce, analyzer_rows, counts
from atm.gui.table import Column, Table
from atm.gui.theme import Color
from atm.gui.ui import PageName, Ui
from atm.ipc.messages import TRADE, RestartAnalysis

RESTART = "analysis.restart"
WIDTH = 1_060.0


class RunningAnalyses:
    """See the module. Keeps the chosen analysis."""

    def __init__(self) -> None:
        self.selected = ""
        self._query = ""
        self._once = RowsOnce()
        self._language = ""
        self._analyses: Table[AnalysisRow] | None = None
        self._analyzers: Table[AnalyzerRow] | None = None
        self._rows: list[AnalysisRow] = []
        self._analyzer_rows: list[AnalyzerRow] = []

    def draw(self, ui: Ui) -> None:
        """In what is left of the window."""
        if self._language != ui.t.language:
            self._language = ui.t.language
            self._analyses, self._analyzers = _analysis_table(ui), _analyzer_table(ui)
        rows = self._once.get(ui.model, ui.model.market_ms(ui.now_ms))
        with widgets.card(ui, "state", 0, -1):
            self._state(ui, rows)
        height = imgui.get_content_region_avail().y
        with widgets.card(ui, "running", 0, max(ui.px(230), height * 0.64), ui.t("running.analyses")):
            self._draw_analyses(ui, rows)
        with widgets.card(
            ui, "analyzers", 0, max(ui.px(150), imgui.get_content_region_avail().y), ui.t("running.analyzers")
        ):
            self._draw_analyzers(ui)

    def _state(self, ui: Ui, rows: list[AnalysisRow]) -> None:
        """How many analyzers and analyses there are, by state."""
        found, analyzers = counts(rows), analyzer_rows(ui.model)
        alive = sum(row.state == "running" for row in analyzers)
        tones = {"running": ui.colors.good, "failed": ui.colors.bad}
        loads = [row.minute_us for row in rows if row.minute_us > 0]
        mean = sum(loads) / len(loads) if loads else math.nan
        widgets.stats(
            ui,
            [
                (ui.t("running.analyzers"), f"{alive}", None if alive == len(analyzers) else ui.colors.warning),
                (ui.t("running.analyses"), f"{len(rows)}", None),
                *(
                    (ui.texts(f"analysis.{state}"), f"{found[state]}",
                     tones.get(state, ui.colors.warning) if found[state] else ui.colors.faint)
                    for state in STATES
                ),
                (ui.t("running.mean"), _microseconds(mean), None),
            ],
            110,
        )  # fmt: skip

    def _draw_analyses(self, ui: Ui, rows: list[AnalysisRow]) -> None:
        if not rows or self._analyses is None:
            widgets.empty(ui, icons.ANALYSIS, ui.t("running.none_title"), ui.t("running.none"))
            imgui.dummy(ImVec2(0, ui.px(8)))
            widgets.centre_next(ui.t("page.accounts"))
            if widgets.button(ui, "running.accounts", ui.t("page.accounts"), "primary"):
                ui.go(PageName.ACCOUNTS)
            return
        self._query = widgets.text_field(
            ui, "running.search", "", self._query, width=ui.px(260), hint=ui.t("running.search")
        )
        wanted = self._query.strip().upper()
        found = [row for row in rows if wanted in f"{row.analysis} {row.analyzer}".upper()]
        if found != self._rows:
            self._rows = found
        chosen = next((row for row in rows if row.analysis == self.selected), None)
        self._analyses.selected = self.selected
        room = imgui.get_frame_height_with_spacing() + imgui.get_text_line_height_with_spacing()
        clicked = self._analyses.draw(ui, self._rows, max(ui.px(80), imgui.get_content_region_avail().y - room))
        if clicked:
            self.selected = "" if clicked == self.selected else clicked
        self._actions(ui, chosen)
        self._said(ui, chosen)

    def _actions(self, ui: Ui, chosen: AnalysisRow | None) -> None:
        none = ui.t("running.choose") if chosen is None else ""
        pressed = widgets.button(
            ui, "running.open", f"{icons.ANALYSIS}  {ui.t('running.open')}", "primary", why_not=none
        )
        if pressed and chosen is not None:
            ui.go(PageName.ANALYSIS, chosen.analysis)
        imgui.same_line()
        if widgets.button(ui, "running.edit", ui.t("running.edit"), why_not=none) and chosen is not None:
            ui.go(PageName.AUTO_TRADE, f"analysis:{chosen.configuration}")
        imgui.same_line()
        why = none or ("" if chosen is not None and chosen.accounts else ui.t("running.unused"))
        if widgets.button(ui, "running.account", ui.t("running.account"), why_not=why) and chosen is not None:
            ui.go(PageName.ACCOUNTS, chosen.accounts[0])
        imgui.same_line()
        why = none or (ui.t("form.sending") if ui.commands.pending(RESTART) else "")
        if widgets.button(ui, RESTART, ui.t("running.restart"), why_not=why) and chosen is not None:
            parameters = {"analysis": chosen.analysis}
            ui.commands.send(TRADE, RestartAnalysis(chosen.analysis), RESTART, "done.analysis_restarted", parameters)

    def _said(self, ui: Ui, chosen: AnalysisRow | None) -> None:
        """What the state of the chosen analysis means, or what is wrong with it."""
        failed = ui.commands.failure(RESTART)
        if failed is not None:
            widgets.field_note(ui, failed.message)
        elif chosen is None:
            ui.text(ui.t("running.hint"), ui.colors.faint, size=ui.theme.SMALL)
        elif chosen.error:
            ui.text(f"{icons.WARNING}  {chosen.error}", ui.colors.bad, size=ui.theme.SMALL)
        else:
            covered = formats.percent(chosen.covered, 1)
            said = ui.texts(
                f"running.{chosen.state}_hint", covered=covered, progress=formats.percent(chosen.progress, 0)
            )
            ui.text(said, ui.colors.muted, size=ui.theme.SMALL)

    def _draw_analyzers(self, ui: Ui) -> None:
        rows = analyzer_rows(ui.model)
        if rows != self._analyzer_rows:
            self._analyzer_rows = rows
        if not rows or self._analyzers is None:
            ui.wrapped(ui.t("running.no_analyzer"))
            return
        self._analyzers.draw(ui, self._analyzer_rows)


def state_tone(ui: Ui, state: str) -> Color:
    """Colour of an analysis's state."""
    return {"running": ui.colors.good, "failed": ui.colors.bad}.get(state, ui.colors.warning)


def _microseconds(value: float) -> str:
    return formats.UNKNOWN if math.isnan(value) or not value else f"{formats.number(value, 0)} µs"


def _analysis_table(ui: Ui) -> Table[AnalysisRow]:
    t, c = ui.t, ui.colors

    def progress(row: AnalysisRow) -> str:
        if row.state == "preparing":
            return t("running.caught_up", share=formats.percent(row.caught_up, 0))
        if row.settled is not None and row.settled < 1.0:
            return t("running.settling", share=formats.percent(row.settled, 0))
        return t("running.settled") if row.settled is not None else formats.UNKNOWN

    return Table(
        "analysis.running",
        (
            Column(t("field.symbol"), lambda r: r.symbol, lambda r: r.symbol, right=False),
            Column(t("field.analysis"), lambda r: r.configuration, lambda r: r.configuration, right=False, width=1.3),
            Column(t("running.analyzer"), lambda r: r.analyzer or formats.UNKNOWN, lambda r: r.analyzer, right=False),
            Column(
                t("running.state"), lambda r: t(f"analysis.{r.state}"), lambda r: r.state, right=False,
                color=lambda r: state_tone(ui, r.state),
            ),
            Column(
                t("running.progress"), progress, lambda r: r.progress if r.progress is not None else -1.0, right=False,
                width=1.5, color=lambda r: None if (r.progress or 0.0) >= 1.0 else c.warning,
            ),
            Column(
                t("running.coverage"), lambda r: formats.percent(r.covered, 1),
                lambda r: r.covered if r.covered is not None else -1.0, width=0.9,
                color=lambda r: None if r.covered is None or r.covered >= 0.9995 else c.warning,
            ),
            Column(
                t("running.last_close"), lambda r: formats.moment(r.last_close_ms), lambda r: r.last_close_ms, width=1.5
            ),
            Column(t("running.minute"), lambda r: _microseconds(r.minute_us), lambda r: r.minute_us, width=0.9),
            Column(
                t("running.accounts"), lambda r: ", ".join(r.accounts) or formats.UNKNOWN, lambda r: len(r.accounts),
                right=False, width=1.6,
            ),
        ),
        lambda r: r.analysis,
        inner_width=WIDTH,
    )  # fmt: skip


def _analyzer_table(ui: Ui) -> Table[AnalyzerRow]:
    t, c = ui.t, ui.colors

    def tone(row: AnalyzerRow) -> Color | None:
        return c.good if row.state == "running" else c.warning

    return Table(
        "analysis.analyzers",
        (
            Column(t("running.analyzer"), lambda r: r.name, lambda r: r.name, right=False),
            Column(t("running.state"), lambda r: t(f"process.{r.state}"), lambda r: r.state, right=False, color=tone),
            Column(t("running.count"), lambda r: str(len(r.analyses)), lambda r: len(r.analyses), width=0.7),
            Column(
                t("running.minute"), lambda r: _microseconds(r.minute_us), lambda r: r.minute_us, width=1.1
            ),
            Column(t("running.memory"), lambda r: formats.size(r.memory), lambda r: r.memory, width=0.8),
            Column(
                t("running.carried"), lambda r: ", ".join(r.analyses) or formats.UNKNOWN, lambda r: len(r.analyses),
                right=False, width=4.0,
            ),
        ),
        lambda r: r.name,
    )  # fmt: skip
