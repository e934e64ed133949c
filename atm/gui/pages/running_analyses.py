"""What runs now: every analysis with its analyzer, and every analyzer with its load."""

from __future__ import annotations

from dataclasses import dataclass

from imgui_bundle import imgui

from atm.gui import formats, icons, widgets
from atm.gui.read_model import ReadModel
from atm.gui.table import Column, Table
from atm.gui.theme import Color
from atm.gui.ui import PageName, Ui
from atm.ipc.messages import TRADE, AnalysisReady, RestartAnalysis

RESTART = "analysis.restart"


@dataclass(frozen=True, slots=True)
class AnalyzerRow:
    """minute_us: what a minute of all its analyses takes."""

    name: str
    state: str
    analyses: tuple[str, ...]
    minute_us: float
    memory: int


def analyzer_rows(model: ReadModel) -> list[AnalyzerRow]:
    """The analyzers that run, by name."""
    rows = []
    for name in sorted(name for name in model.processes if name.startswith("analyzer-")):
        load, process = model.analyzers.get(name), model.processes[name]
        carried = tuple(each.analysis for each in load.analyses) if load is not None else ()
        rows.append(
            AnalyzerRow(name, process.state, carried, load.minute_us if load is not None else 0.0, process.pss_bytes)
        )
    return rows


def configuration_of(ready: AnalysisReady) -> str:
    """The code of the configuration, from the id of the analysis (SYMBOL/CODE)."""
    return ready.analysis.removeprefix(ready.symbol).lstrip("/ ")


class RunningAnalyses:
    """See the module. Keeps the chosen analysis."""

    def __init__(self) -> None:
        self.selected = ""
        self._language = ""
        self._analyses: Table[AnalysisReady] | None = None
        self._analyzers: Table[AnalyzerRow] | None = None
        self._rows: list[AnalysisReady] = []
        self._analyzer_rows: list[AnalyzerRow] = []

    def draw(self, ui: Ui) -> None:
        if self._language != ui.t.language:
            self._language = ui.t.language
            self._analyses, self._analyzers = _analysis_table(ui), _analyzer_table(ui)
        height = imgui.get_content_region_avail().y
        with widgets.card(ui, "running", 0, height * 0.64, ui.t("running.analyses")):
            self._draw_analyses(ui)
        with widgets.card(ui, "analyzers", 0, 0, ui.t("running.analyzers")):
            self._draw_analyzers(ui)

    def _draw_analyses(self, ui: Ui) -> None:
        rows = sorted(ui.model.analyses.values(), key=lambda ready: ready.analysis)
        if rows != self._rows:
            self._rows = rows
        if not rows or self._analyses is None:
            widgets.empty(ui, icons.ANALYSIS, ui.t("running.none_title"), ui.t("running.none"))
            return
        self._analyses.selected = self.selected
        room = imgui.get_frame_height_with_spacing()
        clicked = self._analyses.draw(ui, self._rows, imgui.get_content_region_avail().y - room)
        if clicked:
            self.selected = "" if clicked == self.selected else clicked
        chosen = ui.model.analyses.get(self.selected)
        why = ui.t("form.sending") if ui.commands.pending(RESTART) else ""
        if chosen is None:
            why = ui.t("running.choose")
        if widgets.button(ui, RESTART, ui.t("running.restart"), why_not=why) and chosen is not None:
            parameters = {"analysis": chosen.analysis}
            ui.commands.send(TRADE, RestartAnalysis(chosen.analysis), RESTART, "done.analysis_restarted", parameters)
        imgui.same_line()
        if widgets.button(ui, "analysis.chart", ui.t("accounts.show_chart"), why_not=why) and chosen is not None:
            ui.go(PageName.MARKET, chosen.symbol)
        failed = ui.commands.failure(RESTART)
        text = failed.message if failed is not None else chosen.error if chosen is not None else ""
        if text:
            imgui.same_line()
            ui.text(text, ui.colors.bad)

    def _draw_analyzers(self, ui: Ui) -> None:
        rows = analyzer_rows(ui.model)
        if rows != self._analyzer_rows:
            self._analyzer_rows = rows
        if not rows or self._analyzers is None:
            ui.wrapped(ui.t("running.no_analyzer"))
            return
        self._analyzers.draw(ui, self._analyzer_rows)


def _analysis_table(ui: Ui) -> Table[AnalysisReady]:
    t, c = ui.t, ui.colors

    def tone(ready: AnalysisReady) -> Color | None:
        return {"running": c.good, "failed": c.bad}.get(ready.state, c.warning)

    return Table(
        "analysis.running",
        (
            Column(t("field.symbol"), lambda r: r.symbol, lambda r: r.symbol, right=False),
            Column(t("field.analysis"), configuration_of, configuration_of, right=False, width=1.4),
            Column(t("running.analyzer"), lambda r: r.analyzer or formats.UNKNOWN, lambda r: r.analyzer, right=False),
            Column(t("running.state"), lambda r: t(f"analysis.{r.state}"), lambda r: r.state, right=False, color=tone),
            Column(
                t("running.update"), lambda r: f"{formats.number(r.update_us, 0)} µs", lambda r: r.update_us, width=0.9
            ),
            Column(
                t("running.last_close"), lambda r: formats.moment(r.last_close_time), lambda r: r.last_close_time,
                width=1.3,
            ),
        ),
        lambda r: r.analysis,
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
                t("running.minute"), lambda r: f"{formats.number(r.minute_us, 0)} µs", lambda r: r.minute_us, width=1.1
            ),
            Column(t("running.memory"), lambda r: formats.size(r.memory), lambda r: r.memory, width=0.8),
            Column(
                t("running.carried"), lambda r: ", ".join(r.analyses) or formats.UNKNOWN, lambda r: len(r.analyses),
                right=False, width=4.0,
            ),
        ),
        lambda r: r.name,
    )  # fmt: skip
