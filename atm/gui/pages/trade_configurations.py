"""Trade configurations and their editor, a part of the AutoTrade page."""

from __future__ import annotations

from collections.abc import Callable

from imgui_bundle import ImVec2, imgui

from atm.gui import icons, widgets
from atm.gui.form_fields import label_of
from atm.gui.pages.configuration_list import ConfigurationList
from atm.gui.pages.draft_editor import DraftEditor
from atm.gui.pages.indicator_list import learn_indicators
from atm.gui.read_model import ReadModel
from atm.gui.struct_draft import is_plain
from atm.gui.struct_form import draw_tree
from atm.gui.trade_draft import METHOD, TradeDraft, TradeReading, new_trade_draft, trade_draft_of, trade_parameters
from atm.gui.trade_problems import caution, sentences
from atm.gui.ui import PageName, Ui
from atm.ipc.messages import Failed, PutTradeConfiguration
from atm.model.parameter import Parameter
from atm.model.trade_configuration import TradeConfiguration

LIST_WIDTH = 372.0
Methods = dict[str, tuple[Parameter, ...]]


class TradeConfigurations:
    """See the module."""

    def __init__(self) -> None:
        self.editor: DraftEditor[TradeDraft] = DraftEditor(
            "trade", PageName.AUTO_TRADE, lambda one, other: one.read().raw == other.read().raw
        )
        self._seen: tuple[TradeConfiguration | None, Methods] = (None, {})
        self._list = ConfigurationList(self.editor.choose, self.editor.expect, "trade")

    def draw(self, ui: Ui) -> None:
        editor = self.editor
        learn_indicators(ui)
        editor.settle(ui)
        self._follow(ui)
        with widgets.card(ui, "configurations", min(ui.px(LIST_WIDTH), imgui.get_content_region_avail().x * 0.31), 0):
            self._list.draw(ui, "" if editor.creating else editor.selected, lambda: self._new(ui))
        imgui.same_line(0, ui.px(14))
        imgui.begin_child("editor", ImVec2(0, 0))
        if editor.draft is None:
            widgets.empty(ui, icons.AUTO_TRADE, ui.t("trade.none_title"), ui.t("trade.none"))
        else:
            self._edit(ui, editor.draft)
        imgui.end_child()
        editor.hold(ui)
        editor.question(ui, lambda: self._about(ui))

    def _follow(self, ui: Ui) -> None:
        """Keep the draft on what is chosen and stored, unless the user has changed it."""
        editor, stored, methods = self.editor, ui.model.trade_configurations, users_methods(ui.model)
        if not editor.follow(ui, stored):
            return
        seen = (stored[editor.selected], methods)
        if editor.draft is None or (seen != self._seen and not editor.unsaved):
            self._seen = (seen[0], dict(methods))
            editor.load(trade_draft_of(seen[0], methods))
        elif methods != self._seen[1]:
            self._seen = (self._seen[0], dict(methods))
            editor.draft.parameters = trade_parameters(methods)

    def _new(self, ui: Ui) -> None:
        model = ui.model
        self.editor.new(ui, lambda: new_trade_draft(model.trade_configurations, users_methods(model)))

    def _about(self, ui: Ui) -> tuple[bool, Callable[[], None]]:
        reading = self.editor.draft.read() if self.editor.draft is not None else None
        readable = reading is not None and reading.configuration is not None
        return readable, lambda: self._save(ui, reading)

    def _save(self, ui: Ui, reading: TradeReading | None) -> None:
        if reading is not None and reading.configuration is not None:
            configuration = reading.configuration
            self.editor.save(ui, PutTradeConfiguration(configuration), configuration.code)

    # --- editor

    def _edit(self, ui: Ui, draft: TradeDraft) -> None:
        reading, failed = draft.read(), self.editor.refusal(ui)
        errors = sentences(ui.t, draft, reading, failed.problems if failed is not None else ())
        self.editor.check_code(ui, ui.model.trade_configurations, errors)
        with widgets.card(ui, "head", 0, -1):
            self._head(ui, reading, failed)
        imgui.begin_child("fields", ImVec2(0, 0))
        shown = [each for each in draft.parameters if each.name != "code"]
        with widgets.card(ui, "general", 0, -1, ui.t("trade.general")):
            draw_tree(ui, "trade", [each for each in shown if is_plain(each)], draft.tree, errors)
        with widgets.card(ui, "method", 0, -1):
            draw_tree(ui, "trade", [each for each in shown if each.name == METHOD], draft.tree, errors)
        others = [each for each in shown if not is_plain(each) and each.name != METHOD]
        if others:
            with widgets.card(ui, "others", 0, -1):
                draw_tree(ui, "trade", others, draft.tree, errors)
        imgui.end_child()

    def _head(self, ui: Ui, reading: TradeReading, failed: Failed | None) -> None:
        errors = self.editor.errors
        if self.editor.draw_title(ui, reading.configuration is not None):
            self._save(ui, reading)
        self.editor.draw_summary(ui, lambda: [_place(ui, path) for path in errors])
        widgets.field_note(ui, errors.get("code", ""))
        warning = caution(ui.t, reading.configuration) if reading.configuration is not None else ""
        if warning:
            with ui.font(ui.theme.SMALL):
                ui.wrapped(f"{icons.WARNING}  {warning}", ui.colors.warning)
        if failed is not None and not failed.problems:
            widgets.field_note(ui, failed.message)


def users_methods(model: ReadModel) -> Methods:
    """Parameters of users' methods in use, by name."""
    return {} if model.methods is None else {each.name: each.parameters for each in model.methods.methods}


def _place(ui: Ui, path: str) -> str:
    """Where a field is, in words: "entry 2 deviation"."""
    words = []
    for part in path.removeprefix(f"{METHOD}.").split("."):
        name, _, number = part.rstrip("]").partition("[")
        words.append(label_of(ui.t, name))
        if number.isdigit():
            words.append(str(int(number) + 1))
    return " ".join(words)
