"""Dialogs that ask for a line of text, and stay until what was asked for has been done."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atm.gui import widgets
from atm.gui.ui import Ui

_FLAGS = int(imgui.WindowFlags_.no_title_bar | imgui.WindowFlags_.no_resize | imgui.WindowFlags_.no_saved_settings)


def begin_dialog(ui: Ui, mark: str, title: str, width: float = 480.0) -> bool:
    """Begin the modal dialog opened by `imgui.open_popup(mark)`; when true, `end_dialog` must follow. width unscaled."""
    imgui.set_next_window_pos(imgui.get_main_viewport().get_center(), imgui.Cond_.appearing, ImVec2(0.5, 0.5))
    imgui.set_next_window_size(ImVec2(ui.px(width), 0))
    imgui.push_style_var(imgui.StyleVar_.window_padding, ImVec2(ui.px(22), ui.px(20)))
    if not imgui.begin_popup_modal(mark, None, _FLAGS)[0]:
        imgui.pop_style_var()
        return False
    ui.text(title, size=ui.theme.BODY + 2, bold=True)
    imgui.dummy(ImVec2(0, ui.px(4)))
    return True


def end_dialog() -> None:
    imgui.end_popup()
    imgui.pop_style_var()


class TextDialog:
    """Asks for a line of text, sends it and shows the refusal until it is right. scope: of the command it leads to;
    done: it has succeeded, for one frame."""

    def __init__(self, scope: str) -> None:
        self.scope = scope
        self.text = ""
        self.on = False
        self.done = False
        self._opening = False

    def open(self, ui: Ui, text: str) -> None:
        """Show it from this frame on."""
        ui.commands.forget(self.scope)
        self.text, self._opening = text, True

    def draw(self, ui: Ui, title: str, label: str, action: str, *, hint: str = "", option: str = "") -> str:
        """The text, in the frame in which the user sends it; else "". option: label of a switch, kept in `on`."""
        self.done = ui.commands.succeeded(self.scope)
        appearing = self._opening
        if self._opening:
            imgui.open_popup(self.scope)
            self._opening = False
        if not begin_dialog(ui, self.scope, title):
            return ""
        if self.done:
            imgui.close_current_popup()
        if appearing:
            imgui.set_keyboard_focus_here()
        widgets.label_above(ui, label)
        imgui.set_next_item_width(-1)
        flags = int(imgui.InputTextFlags_.enter_returns_true)
        entered, self.text = imgui.input_text_with_hint(f"##{self.scope}.text", hint, self.text, flags)
        ui.mark(f"{self.scope}.text")
        if option:
            self.on = widgets.toggle(ui, f"{self.scope}.option", option, self.on)
        failed = ui.commands.failure(self.scope)
        for line in failed.message.splitlines() if failed is not None else ():
            widgets.field_note(ui, line)
        imgui.dummy(ImVec2(0, ui.px(6)))
        sent = self._buttons(ui, action)
        end_dialog()
        return self.text.strip() if (sent or entered) and not ui.commands.pending(self.scope) else ""

    def _buttons(self, ui: Ui, action: str) -> bool:
        if widgets.button(ui, f"{self.scope}.cancel", ui.t("action.cancel")) or imgui.is_key_pressed(imgui.Key.escape):
            ui.commands.forget(self.scope)
            imgui.close_current_popup()
        imgui.same_line()
        why = ui.t("form.sending") if ui.commands.pending(self.scope) else ""
        if not self.text.strip():
            why = ui.t("form.empty")
        return widgets.button(ui, f"{self.scope}.send", action, "primary", why_not=why)


def draw_unsaved(ui: Ui, mark: str, what: str, why_not: str) -> str:
    """Asks what to do with unsaved changes: "save", "discard", "stay", or "" while nothing was chosen. why_not: why they
    cannot be saved."""
    if not begin_dialog(ui, mark, ui.t("unsaved.title")):
        return ""
    ui.wrapped(what)
    imgui.dummy(ImVec2(0, ui.px(6)))
    chosen = ""
    if widgets.button(ui, f"{mark}.stay", ui.t("unsaved.stay")) or imgui.is_key_pressed(imgui.Key.escape):
        chosen = "stay"
    imgui.same_line()
    if widgets.button(ui, f"{mark}.discard", ui.t("unsaved.discard"), "danger"):
        chosen = "discard"
    imgui.same_line()
    if widgets.button(ui, f"{mark}.save", ui.t("unsaved.save"), "primary", why_not=why_not):
        chosen = "save"
    if chosen:
        imgui.close_current_popup()
    end_dialog()
    return chosen
