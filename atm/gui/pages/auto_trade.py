"""AutoTrade: trade configurations and their editor. Which analyses run where is said on the Currency Analysis page."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from imgui_bundle import ImVec2, imgui

from atm.gui import icons, widgets
from atm.gui.dialogs import draw_unsaved
from atm.gui.form_fields import label_of
from atm.gui.pages.configuration_list import ConfigurationList, uses_of
from atm.gui.pages.indicator_list import learn_indicators
from atm.gui.read_model import ReadModel
from atm.gui.struct_draft import is_plain
from atm.gui.struct_form import draw_tree
from atm.gui.trade_draft import METHOD, TradeDraft, TradeReading, new_trade_draft, trade_draft_of, trade_parameters
from atm.gui.trade_problems import caution, sentences
from atm.gui.ui import PageName, Ui
from atm.ipc.messages import TRADE, Failed, PutTradeConfiguration
from atm.model.parameter import Parameter
from atm.model.trade_configuration import TradeConfiguration

SAVE = "trade.save"
UNSAVED = "trade.unsaved"
LIST_WIDTH = 372.0
MOST_NAMED = 5
Methods = dict[str, tuple[Parameter, ...]]


class AutoTradePage:
    """See the module. draft: of the chosen configuration, or of a new one while `creating`; errors: what is wrong in it, by
    the path of its field."""

    def __init__(self) -> None:
        self.selected = ""
        self.creating = False
        self.draft: TradeDraft | None = None
        self.errors: dict[str, str] = {}
        self._base: TradeDraft | None = None
        self._seen: tuple[TradeConfiguration | None, Methods] = (None, {})
        self._saving: TradeDraft | None = None
        self._refused: TradeDraft | None = None
        self._awaited = ""
        self._then: Callable[[], None] | None = None
        self._ask = False
        self._list = ConfigurationList(self._wanted, self._made, "trade")

    @property
    def unsaved(self) -> bool:
        """Whether the form says something else than what is stored."""
        if self.draft is None or self._base is None or self.creating:
            return self.draft is not None and self.creating
        return self.draft.read().raw != self._base.read().raw

    def draw(self, ui: Ui) -> None:
        learn_indicators(ui)
        self._saved(ui)
        self._follow(ui)
        with widgets.card(ui, "configurations", min(ui.px(LIST_WIDTH), imgui.get_content_region_avail().x * 0.31), 0):
            self._list.draw(ui, "" if self.creating else self.selected, lambda: self._new(ui))
        imgui.same_line(0, ui.px(14))
        imgui.begin_child("editor", ImVec2(0, 0))
        if self.draft is None:
            widgets.empty(ui, icons.AUTO_TRADE, ui.t("trade.none_title"), ui.t("trade.none"))
        else:
            self._edit(ui, self.draft)
        imgui.end_child()
        ui.unsaved = self.unsaved
        if ui.held is not None:
            page, selection = ui.held
            ui.held = None
            self._leave(lambda: ui.leave(page, selection))
        self._question(ui)

    # --- what is edited

    def _follow(self, ui: Ui) -> None:
        """Keep the draft on what is chosen and stored, unless the user has changed it."""
        stored = ui.model.trade_configurations
        wanted = ui.take_selection(PageName.AUTO_TRADE)
        if wanted in stored and wanted != self.selected:
            self._wanted(wanted)
        if self._awaited in stored:
            self.selected, self._awaited = self._awaited, ""
        if self.creating or self._awaited:
            return
        if self.selected not in stored:
            self.selected, self.draft = min(stored, default=""), None
        seen = (stored.get(self.selected), users_methods(ui.model))
        if seen[0] is not None and (self.draft is None or (seen != self._seen and not self.unsaved)):
            self._seen = (seen[0], dict(seen[1]))
            self.draft = trade_draft_of(seen[0], users_methods(ui.model))
            self._base = self.draft.copy()
        elif self.draft is not None and seen[1] != self._seen[1]:
            self._seen = (self._seen[0], dict(seen[1]))
            self.draft.parameters = trade_parameters(seen[1])

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
        def begin() -> None:
            ui.commands.forget(SAVE)
            self.creating = True
            self.draft = new_trade_draft(ui.model.trade_configurations, users_methods(ui.model))

        self._leave(begin)

    def _wanted(self, code: str) -> None:
        def choose() -> None:
            self.creating, self.selected, self.draft, self._awaited = False, code, None, ""

        if self.creating or code != self.selected:
            self._leave(choose)

    def _made(self, code: str) -> None:
        """A configuration that will be there shortly is to be shown."""

        def choose() -> None:
            self.creating, self._awaited, self.draft = False, code, None

        self._leave(choose)

    # --- editor

    def _edit(self, ui: Ui, draft: TradeDraft) -> None:
        reading = draft.read()
        failed = ui.commands.failure(SAVE) if draft == self._refused else None
        errors = sentences(ui.t, draft, reading, failed.problems if failed is not None else ())
        code = draft.code.strip()
        if self.creating and code in ui.model.trade_configurations:
            errors["code"] = ui.t("analysis.code_taken", code=code)
        self.errors = errors
        with widgets.card(ui, "head", 0, -1):
            self._head(ui, draft, reading, errors, failed)
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

    def _head(
        self, ui: Ui, draft: TradeDraft, reading: TradeReading, errors: Mapping[str, str], failed: Failed | None
    ) -> None:
        right, top = imgui.get_cursor_pos_x() + imgui.get_content_region_avail().x, imgui.get_cursor_pos_y()
        if self.creating:
            draft.code = widgets.text_field(ui, "trade.code", "", draft.code, width=ui.px(260), hint=ui.t("field.code"))
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
        self._summary(ui, draft, errors)
        widgets.field_note(ui, errors.get("code", ""))
        warning = caution(ui.t, reading.configuration) if reading.configuration is not None else ""
        if warning:
            with ui.font(ui.theme.SMALL):
                ui.wrapped(f"{icons.WARNING}  {warning}", ui.colors.warning)
        if failed is not None and not failed.problems:
            widgets.field_note(ui, failed.message)

    def _summary(self, ui: Ui, draft: TradeDraft, errors: Mapping[str, str]) -> None:
        """One line, always there so that nothing moves while the user types: what is wrong and where, else the uses."""
        uses = [] if self.creating else uses_of(ui.model, "trade").get(draft.code, [])
        text = ui.t("analysis.in_use", uses=_some(uses)) if uses else ui.t("analysis.not_in_use")
        if errors:
            where = _some([_place(ui, path) for path in errors])
            text = f"{icons.WARNING}  {ui.t('analysis.problems', count=len(errors))}   {where}"
        ui.text(text, ui.colors.bad if errors else ui.colors.muted, size=ui.theme.SMALL)

    def _buttons(
        self, ui: Ui, draft: TradeDraft, reading: TradeReading, errors: Mapping[str, str], end: tuple[float, float]
    ) -> None:
        """At the right end of the heading: its right edge and its height."""
        save, discard = ui.t("analysis.save"), ui.t("analysis.discard")
        padding = 2 * imgui.get_style().frame_padding.x
        room = sum(imgui.calc_text_size(text).x + padding for text in (save, discard)) + ui.px(8)
        widgets.same_line_right(end[0], room)
        imgui.set_cursor_pos_y(end[1])
        why = "" if self.unsaved else ui.t("analysis.nothing_changed")
        if widgets.button(ui, "trade.discard", discard, why_not=why):
            self._discard(ui)
        imgui.same_line(0, ui.px(8))
        imgui.set_cursor_pos_y(end[1])
        if widgets.button(ui, SAVE, save, "primary", why_not=why or self._why_not(ui, reading, errors)):
            self._save(ui, draft, reading)

    def _why_not(self, ui: Ui, reading: TradeReading, errors: Mapping[str, str]) -> str:
        """Why what is in the form cannot be saved; "" when it can. What the trade manager refused may be tried again."""
        if ui.commands.pending(SAVE):
            return ui.t("form.sending")
        if reading.configuration is None or "code" in errors:
            return ui.t("analysis.problems", count=len(errors))
        return ""

    def _save(self, ui: Ui, draft: TradeDraft, reading: TradeReading) -> None:
        configuration = reading.configuration
        if configuration is None:
            return
        self._saving = draft.copy()
        parameters = {"code": configuration.code}
        ui.commands.send(TRADE, PutTradeConfiguration(configuration), SAVE, "done.trade_saved", parameters)

    def _discard(self, ui: Ui) -> None:
        ui.commands.forget(SAVE)
        self.creating, self.draft = False, None

    # --- leaving

    def _leave(self, action: Callable[[], None]) -> None:
        """Do what ends the editing of this draft, after a question when there is something to lose."""
        self._then = action
        if self.unsaved:
            self._ask = True
        else:
            self._then = None
            action()

    def _question(self, ui: Ui) -> None:
        if self._ask:
            imgui.open_popup(UNSAVED)
            self._ask = False
        if self.draft is None or not imgui.is_popup_open(UNSAVED):
            return
        reading = self.draft.read()
        why = self._why_not(ui, reading, self.errors)
        chosen = draw_unsaved(ui, UNSAVED, ui.t("unsaved.trade", code=self.draft.code), why)
        if chosen == "save":
            self._save(ui, self.draft, reading)
        elif chosen == "discard":
            then, self._then = self._then, None
            self._discard(ui)
            if then is not None:
                then()
        elif chosen == "stay":
            self._then = None


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


def _some(words: list[str]) -> str:
    """The first ones, as far as a line holds them."""
    return ", ".join(words[:MOST_NAMED]) + (" …" if len(words) > MOST_NAMED else "")
