"""All indicators with what the checker found of them, and the user's files with a button that loads them again."""

from __future__ import annotations

from pathlib import PurePath

from imgui_bundle import ImVec2, imgui

from atm.gui import icons, widgets
from atm.gui.table import Column, Table
from atm.gui.theme import Color
from atm.gui.ui import Ui
from atm.ipc.messages import TRADE, IndicatorBadge, KnownIndicator, ListIndicators

RELOAD = "analysis.reload"
EXAMINING_S = 600.0
"""A file may take two minutes to examine."""


def ask_for_indicators(ui: Ui, done_text: str = "") -> None:
    """Have users' files looked at; the list comes as an event."""
    if not ui.commands.pending(RELOAD):
        ui.commands.send(TRADE, ListIndicators(), RELOAD, done_text, timeout_s=EXAMINING_S)


def learn_indicators(ui: Ui) -> None:
    """Ask once while no list has come. A refusal is not repeated by itself."""
    if ui.model.indicators is None and ui.commands.failure(RELOAD) is None:
        ask_for_indicators(ui)


class IndicatorList:
    """See the module."""

    def __init__(self) -> None:
        self._language = ""
        self._table: Table[KnownIndicator] | None = None
        self._rows: tuple[KnownIndicator, ...] = ()

    def draw(self, ui: Ui) -> None:
        if self._language != ui.t.language:
            self._language, self._table = ui.t.language, _table(ui)
        known = ui.model.indicators
        with widgets.card(ui, "files", 0, -1, ui.t("indicators.files")):
            self._files(ui, known.files if known is not None else ())
        with widgets.card(ui, "indicators", 0, 0, ui.t("indicators.all")):
            if known is None or self._table is None:
                ui.wrapped(ui.t("indicators.waiting"))
                return
            self._rows = known.indicators
            self._table.draw(ui, self._rows)

    def _files(self, ui: Ui, files: tuple[IndicatorBadge, ...]) -> None:
        ui.wrapped(ui.t("indicators.hint"))
        why = ui.t("indicators.examining") if ui.commands.pending(RELOAD) else ""
        if widgets.button(ui, RELOAD, ui.t("indicators.reload"), "primary", why_not=why):
            ask_for_indicators(ui, "done.indicators_loaded")
        if why:
            imgui.same_line()
            imgui.align_text_to_frame_padding()
            ui.text(f"{icons.WAITING}  {why}", ui.colors.muted)
        failed = ui.commands.failure(RELOAD)
        widgets.field_note(ui, failed.message if failed is not None else "")
        if not files:
            ui.wrapped(ui.t("indicators.no_files"))
        for file in files:
            _draw_file(ui, file)


def _draw_file(ui: Ui, file: IndicatorBadge) -> None:
    imgui.dummy(ImVec2(0, ui.px(2)))
    c = ui.colors
    state = "passed" if file.passed else "failed"
    icon = icons.CHECK if file.passed else icons.WARNING
    widgets.badge(
        ui,
        f"{icon} {ui.t('indicators.taken' if file.passed else 'indicators.refused')}",
        c.good if file.passed else c.bad,
    )
    ui.mark(f"indicators.file.{PurePath(file.path).name}.{state}")
    imgui.same_line()
    ui.text(PurePath(file.path).name, bold=True)
    widgets.tooltip(file.path)
    imgui.same_line()
    ui.text(", ".join(file.names) if file.names else ui.t("indicators.nothing_in_use"), c.muted)
    if file.sentence:
        ui.wrapped(file.sentence, c.bad)


def _table(ui: Ui) -> Table[KnownIndicator]:
    t, c = ui.t, ui.colors

    def tone(known: KnownIndicator) -> Color | None:
        return {"passed": c.good, "failed": c.bad}.get(known.state, c.muted)

    def whose(known: KnownIndicator) -> str:
        return t("indicators.built_in" if known.analyses else "analysis.yours")

    def title(known: KnownIndicator) -> str:
        key = f"analysis_title.{known.analyses}"
        return t(key) if t.has(key) else ""

    return Table(
        "indicators.list",
        (
            Column(t("indicators.name"), lambda r: r.name, lambda r: r.name, right=False, width=0.9),
            Column(t("indicators.title"), title, title, right=False, width=1.8),
            Column(t("indicators.whose"), whose, whose, right=False, width=0.7),
            Column(t("indicators.verdict"), lambda r: t(f"verdict.{r.state}"), lambda r: r.state, right=False,
                   width=0.8, color=tone),
            Column(t("indicators.sentence"), lambda r: r.sentence, lambda r: r.sentence, right=False, width=2.8),
            Column(t("indicators.columns"), lambda r: ", ".join(r.columns), lambda r: len(r.columns), right=False,
                   width=3.0),
        ),
        lambda r: r.name,
    )  # fmt: skip
