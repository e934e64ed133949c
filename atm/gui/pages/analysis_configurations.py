"""Analysis configurations and their editor, a part of the AutoTrade page."""

from __future__ import annotations

from collections.abc import Callable

from imgui_bundle import ImVec2, imgui

from atm.gui import icons, widgets
from atm.gui.analysis_draft import AnalysisDraft, Group, Reading, draft_of, groups_of, new_draft
from atm.gui.pages.analysis_editor import AnalysisEditor, places, sentences
from atm.gui.pages.configuration_list import ConfigurationList
from atm.gui.pages.draft_editor import DraftEditor
from atm.gui.pages.indicator_list import learn_indicators
from atm.gui.ui import PageName, Ui
from atm.ipc.messages import AnalysesDescription, IndicatorsUpdated, PutAnalysisConfiguration
from atm.model.analysis_configuration import AnalysisConfiguration

LIST_WIDTH = 372.0
RETRY_MS = 5_000


class AnalysisConfigurations:
    """See the module."""

    def __init__(self) -> None:
        self.editor: DraftEditor[AnalysisDraft] = DraftEditor(
            "analysis", PageName.AUTO_TRADE, lambda one, other: one == other
        )
        self._seen: tuple[AnalysisConfiguration | None, IndicatorsUpdated | None] = (None, None)
        self._offered: tuple[IndicatorsUpdated | None, tuple[Group, ...]] = (None, ())
        self._reading: tuple[AnalysisDraft, tuple[Group, ...], Reading | None] = (AnalysisDraft(), (), None)
        self._about: tuple[Reading, IndicatorsUpdated | None] | None = None
        self._asked, self._asked_ms = 0, 0
        self._list = ConfigurationList(self.editor.choose, self.editor.expect)
        self._form = AnalysisEditor()

    def draw(self, ui: Ui) -> None:
        learn_indicators(ui)
        self.editor.settle(ui)
        self._configurations(ui)
        self.editor.hold(ui)
        self.editor.question(ui, lambda: self._in_question(ui))

    # --- what is edited

    def _configurations(self, ui: Ui) -> None:
        groups, editor = self._groups(ui), self.editor
        self._follow(ui, groups)
        with widgets.card(ui, "configurations", min(ui.px(LIST_WIDTH), imgui.get_content_region_avail().x * 0.31), 0):
            self._list.draw(ui, "" if editor.creating else editor.selected, lambda: self._new(ui))
        imgui.same_line(0, ui.px(14))
        imgui.begin_child("editor", ImVec2(0, 0))
        if editor.draft is None:
            widgets.empty(ui, icons.ANALYSIS, ui.t("analysis.none_title"), ui.t("analysis.none"))
        else:
            self._edit(ui, editor.draft, groups)
        imgui.end_child()

    def _follow(self, ui: Ui, groups: tuple[Group, ...]) -> None:
        """Keep the draft on what is chosen and stored, unless the user has changed it."""
        editor, stored = self.editor, ui.model.analysis_configurations
        if not editor.follow(ui, stored):
            return
        seen = (stored[editor.selected], ui.model.indicators)
        if editor.draft is None or (seen != self._seen and not editor.unsaved):
            editor.load(draft_of(seen[0], groups))
            self._seen = seen

    def _new(self, ui: Ui) -> None:
        groups = self._groups(ui)
        self.editor.new(ui, lambda: new_draft(ui.model.analysis_configurations, groups))

    def _in_question(self, ui: Ui) -> tuple[bool, Callable[[], None]]:
        draft = self.editor.draft
        reading = self._read(draft, self._groups(ui)) if draft is not None else None
        readable = reading is not None and reading.configuration is not None
        return readable, lambda: self._save(ui, reading)

    def _save(self, ui: Ui, reading: Reading | None) -> None:
        if reading is not None and reading.configuration is not None:
            configuration = reading.configuration
            self.editor.save(ui, PutAnalysisConfiguration(configuration), configuration.code)

    # --- editor

    def _edit(self, ui: Ui, draft: AnalysisDraft, groups: tuple[Group, ...]) -> None:
        reading = self._read(draft, groups)
        description = self._description(ui, reading)
        failed = self.editor.refusal(ui)
        remote = (*(failed.problems if failed is not None else ()), *(description.problems if description else ()))
        errors = sentences(ui, reading, remote)
        self.editor.check_code(ui, ui.model.analysis_configurations, errors)
        with widgets.card(ui, "head", 0, -1):
            self._head(ui, draft, groups, reading)
        self._form.draw(ui, draft, groups, errors, description)

    def _head(self, ui: Ui, draft: AnalysisDraft, groups: tuple[Group, ...], reading: Reading) -> None:
        errors = self.editor.errors
        if self.editor.draw_title(ui, reading.configuration is not None):
            self._save(ui, reading)
        failed = self.editor.refusal(ui)
        self.editor.draw_summary(ui, lambda: places(ui.t, draft, groups, errors))
        for place, text in errors.items():
            if not place.startswith("intervals["):
                widgets.field_note(ui, text)
        if failed is not None and not failed.problems:
            for line in failed.message.splitlines():
                widgets.field_note(ui, line)

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
