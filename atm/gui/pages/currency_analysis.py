"""Currency Analysis: analysis configurations and their editor, what runs of them, and the indicators they may name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from imgui_bundle import ImVec2, imgui

from atm.gui import icons, widgets
from atm.gui.analysis_draft import AnalysisDraft, Group, Reading, draft_of, groups_of, new_draft
from atm.gui.dialogs import draw_unsaved
from atm.gui.pages.analysis_editor import AnalysisEditor, places, sentences
from atm.gui.pages.configuration_list import ConfigurationList, uses_of
from atm.gui.pages.indicator_list import IndicatorList, learn_indicators
from atm.gui.pages.running_analyses import RunningAnalyses
from atm.gui.ui import PageName, Ui
from atm.ipc.messages import TRADE, AnalysesDescription, Failed, IndicatorsUpdated, PutAnalysisConfiguration
from atm.model.analysis_configuration import AnalysisConfiguration

SAVE = "analysis.save"
UNSAVED = "analysis.unsaved"
LIST_WIDTH = 372.0
MOST_NAMED = 5
RETRY_MS = 5_000
TABS = ("configurations", "running", "indicators")


class CurrencyAnalysisPage:
    """See the module. draft: of the chosen configuration, or of a new one while `creating`; errors: what is
    wrong in it, by the path of its field."""

    def __init__(self) -> None:
        self.tab = TABS[0]
        self.selected = ""
        self.creating = False
        self.draft: AnalysisDraft | None = None
        self.errors: dict[str, str] = {}
        self._base: AnalysisDraft | None = None
        self._seen: tuple[AnalysisConfiguration | None, IndicatorsUpdated | None] = (None, None)
        self._saving: AnalysisDraft | None = None
        self._refused: AnalysisDraft | None = None
        self._awaited = ""
        self._then: Callable[[], None] | None = None
        self._ask = False
        self._offered: tuple[IndicatorsUpdated | None, tuple[Group, ...]] = (None, ())
        self._reading: tuple[AnalysisDraft, tuple[Group, ...], Reading | None] = (AnalysisDraft(), (), None)
        self._about: tuple[Reading, IndicatorsUpdated | None] | None = None
        self._asked, self._asked_ms = 0, 0
        self._list = ConfigurationList(self._wanted, self._copied)
        self._editor = AnalysisEditor()
        self._running = RunningAnalyses()
        self._indicators = IndicatorList()

    @property
    def unsaved(self) -> bool:
        """Whether the form differs from what is stored."""
        return self.draft is not None and (self.creating or self.draft != self._base)

    def draw(self, ui: Ui) -> None:
        learn_indicators(ui)
        self._saved(ui)
        options = [(name, ui.t(f"analysis_tab.{name}")) for name in TABS]
        self.tab = widgets.segments(ui, "analysis.tab", self.tab, options)
        imgui.dummy(ImVec2(0, 0))
        if self.tab == "configurations":
            self._configurations(ui)
        elif self.tab == "running":
            self._running.draw(ui)
        else:
            self._indicators.draw(ui)
        ui.unsaved = self.unsaved
        if ui.held is not None:
            page, selection = ui.held
            ui.held = None
            self._leave(lambda: self._go(ui, page, selection))
        self._question(ui)

    # --- what is edited

    def _configurations(self, ui: Ui) -> None:
        groups = self._groups(ui)
        self._follow(ui, groups)
        with widgets.card(ui, "configurations", min(ui.px(LIST_WIDTH), imgui.get_content_region_avail().x * 0.31), 0):
            self._list.draw(ui, "" if self.creating else self.selected, lambda: self._new(ui))
        imgui.same_line(0, ui.px(14))
        imgui.begin_child("editor", ImVec2(0, 0))
        if self.draft is None:
            widgets.empty(ui, icons.ANALYSIS, ui.t("analysis.none_title"), ui.t("analysis.none"))
        else:
            self._edit(ui, self.draft, groups)
        imgui.end_child()

    def _follow(self, ui: Ui, groups: tuple[Group, ...]) -> None:
        """Keep the draft on what is chosen and stored, unless the user has changed it."""
        stored = ui.model.analysis_configurations
        wanted = ui.take_selection(PageName.ANALYSIS)
        if wanted in stored and wanted != self.selected:
            self._wanted(wanted)
        if self._awaited in stored:
            self.selected, self._awaited = self._awaited, ""
        if self.creating or self._awaited:
            return
        if self.selected not in stored:
            self.selected, self.draft = min(stored, default=""), None
        seen = (stored.get(self.selected), ui.model.indicators)
        if seen[0] is not None and (self.draft is None or (seen != self._seen and not self.unsaved)):
            self.draft = draft_of(seen[0], groups)
            self._base = self.draft.copy()
            self._seen = seen

    def _saved(self, ui: Ui) -> None:
        """What follows a save that has succeeded or failed."""
        if self._saving is None or ui.commands.pending(SAVE):
            return
        saved, self._saving = self._saving, None
        if not ui.commands.succeeded(SAVE):
            self._refused, self._then = saved, None
            return
        self._base = saved
        if self.creating:
            self.creating, self._awaited = False, saved.code.strip()
        if self._then is not None:
            then, self._then = self._then, None
            then()

    def _new(self, ui: Ui) -> None:
        groups = self._groups(ui)

        def begin() -> None:
            ui.commands.forget(SAVE)
            self.creating, self.draft = True, new_draft(ui.model.analysis_configurations, groups)

        self._leave(begin)

    def _wanted(self, code: str) -> None:
        """The user wants to see another configuration."""

        def choose() -> None:
            self.creating, self.selected, self.draft, self._awaited = False, code, None, ""

        if self.creating or code != self.selected:
            self._leave(choose)

    def _copied(self, code: str) -> None:
        """A configuration that will be there shortly is to be shown."""

        def choose() -> None:
            self.creating, self._awaited, self.draft = False, code, None

        self._leave(choose)

    # --- editor

    def _edit(self, ui: Ui, draft: AnalysisDraft, groups: tuple[Group, ...]) -> None:
        reading = self._read(draft, groups)
        description = self._description(ui, reading)
        failed = self._refusal(ui)
        remote = (*(failed.problems if failed is not None else ()), *(description.problems if description else ()))
        errors = sentences(ui, reading, remote)
        if self.creating and draft.code.strip() in ui.model.analysis_configurations:
            errors["code"] = ui.t("analysis.code_taken", code=draft.code.strip())
        self.errors = errors
        with widgets.card(ui, "head", 0, -1):
            self._head(ui, draft, groups, reading, errors)
        self._editor.draw(ui, draft, groups, errors, description)

    def _refusal(self, ui: Ui) -> Failed | None:
        """Why the trade manager has not taken what is in the form, until that is changed."""
        return ui.commands.failure(SAVE) if self.draft == self._refused else None

    def _head(
        self, ui: Ui, draft: AnalysisDraft, groups: tuple[Group, ...], reading: Reading, errors: Mapping[str, str]
    ) -> None:
        right, top = imgui.get_cursor_pos_x() + imgui.get_content_region_avail().x, imgui.get_cursor_pos_y()
        if self.creating:
            draft.code = widgets.text_field(
                ui, "analysis.code", "", draft.code, width=ui.px(260), hint=ui.t("field.code")
            )
        else:
            imgui.align_text_to_frame_padding()
            ui.text(draft.code, size=ui.theme.TITLE, bold=True)
        imgui.same_line()
        imgui.set_cursor_pos_y(imgui.get_cursor_pos_y() + ui.px(5))
        if self.creating:
            widgets.badge(ui, ui.t("analysis.new_badge"), ui.colors.info)
        elif self.unsaved:
            widgets.badge(ui, ui.t("analysis.changed_badge"), ui.colors.warning)
        else:
            widgets.badge(ui, ui.t("analysis.saved_badge"), ui.colors.good)
        self._buttons(ui, draft, reading, errors, (right, top))
        failed = self._refusal(ui)
        self._summary(ui, draft, groups, errors)
        for place, text in errors.items():
            if not place.startswith("intervals["):
                widgets.field_note(ui, text)
        if failed is not None and not failed.problems:
            for line in failed.message.splitlines():
                widgets.field_note(ui, line)

    def _summary(self, ui: Ui, draft: AnalysisDraft, groups: tuple[Group, ...], errors: Mapping[str, str]) -> None:
        """One line, always there so that nothing moves while the user types: what is wrong and where, else the uses."""
        uses = [] if self.creating else uses_of(ui.model).get(draft.code, [])
        text = ui.t("analysis.in_use", uses=_some(uses)) if uses else ui.t("analysis.not_in_use")
        if errors:
            where = _some(places(ui.t, draft, groups, errors))
            text = f"{icons.WARNING}  {ui.t('analysis.problems', count=len(errors))}   {where}"
        ui.text(text, ui.colors.bad if errors else ui.colors.muted, size=ui.theme.SMALL)

    def _buttons(
        self, ui: Ui, draft: AnalysisDraft, reading: Reading, errors: Mapping[str, str], end: tuple[float, float]
    ) -> None:
        """At the right end of the heading: its right edge and its height."""
        save, discard = ui.t("analysis.save"), ui.t("analysis.discard")
        padding = 2 * imgui.get_style().frame_padding.x
        room = sum(imgui.calc_text_size(text).x + padding for text in (save, discard)) + ui.px(8)
        widgets.same_line_right(end[0], room)
        imgui.set_cursor_pos_y(end[1])
        why = "" if self.unsaved else ui.t("analysis.nothing_changed")
        if widgets.button(ui, "analysis.discard", discard, why_not=why):
            self._discard(ui)
        imgui.same_line(0, ui.px(8))
        imgui.set_cursor_pos_y(end[1])
        if widgets.button(ui, SAVE, save, "primary", why_not=why or self._why_not(ui, reading, errors)):
            self._save(ui, draft, reading)

    def _why_not(self, ui: Ui, reading: Reading, errors: Mapping[str, object]) -> str:
        """Why what is in the form cannot be saved; "" when it can. What the trade manager refused may be tried again."""
        if ui.commands.pending(SAVE):
            return ui.t("form.sending")
        if reading.configuration is None or "code" in errors:
            return ui.t("analysis.problems", count=len(errors))
        return ""

    def _save(self, ui: Ui, draft: AnalysisDraft, reading: Reading) -> None:
        configuration = reading.configuration
        if configuration is None:
            return
        self._saving = draft.copy()
        parameters = {"code": configuration.code}
        ui.commands.send(TRADE, PutAnalysisConfiguration(configuration), SAVE, "done.analysis_saved", parameters)

    def _discard(self, ui: Ui) -> None:
        ui.commands.forget(SAVE)
        self.creating, self.draft = False, None

    def _description(self, ui: Ui, reading: Reading) -> AnalysesDescription | None:
        """What the trade manager says of the form; asked anew when that, or the indicators, have changed."""
        configuration = reading.configuration
        if configuration is None:
            return None
        key, results = ("analyses", self._asked), ui.results
        about = (reading, ui.model.indicators)
        loaded = ui.stored.get(key, lambda: results.description(configuration)) if about == self._about else None
        late = loaded is not None and loaded.error and ui.now_ms - self._asked_ms > RETRY_MS
        if loaded is None or late:
            ui.stored.forget(key)
            self._asked, self._asked_ms, self._about = self._asked + 1, ui.now_ms, about
            loaded = ui.stored.get(("analyses", self._asked), lambda: results.description(configuration))
        return loaded.value

    def _read(self, draft: AnalysisDraft, groups: tuple[Group, ...]) -> Reading:
        """The draft as it can be read; read anew when it has changed."""
        of, with_groups, reading = self._reading
        if reading is None or of != draft or with_groups is not groups:
            reading = draft.read(groups)
            self._reading = draft.copy(), groups, reading
        return reading

    def _groups(self, ui: Ui) -> tuple[Group, ...]:
        known = ui.model.indicators
        if not self._offered[1] or self._offered[0] is not known:
            self._offered = known, groups_of(known.indicators if known is not None else ())
        return self._offered[1]

    # --- leaving

    def _leave(self, action: Callable[[], None]) -> None:
        """Do what ends the editing of this draft, after a question when there is something to lose."""
        self._then = action
        if self.unsaved:
            self._ask = True
        else:
            self._then = None
            action()

    def _go(self, ui: Ui, page: PageName, selection: str) -> None:
        ui.leave(page, selection)

    def _question(self, ui: Ui) -> None:
        if self._ask:
            imgui.open_popup(UNSAVED)
            self._ask = False
        if self.draft is None or not imgui.is_popup_open(UNSAVED):
            return
        reading = self._read(self.draft, self._groups(ui))
        what = ui.t("unsaved.analysis", code=self.draft.code)
        why = self._why_not(ui, reading, reading.wrong)
        chosen = draw_unsaved(ui, UNSAVED, what, why)
        if chosen == "save":
            self._save(ui, self.draft, reading)
        elif chosen == "discard":
            then, self._then = self._then, None
            self._discard(ui)
            if then is not None:
                then()
        elif chosen == "stay":
            self._then = None


def _some(words: list[str]) -> str:
    """The first ones, as far as a line holds them."""
    return ", ".join(words[:MOST_NAMED]) + (" …" if len(words) > MOST_NAMED else "")
