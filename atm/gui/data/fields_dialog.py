"""A dialog of a few fields that stays until what it asks for has been taken, with the refusal at the field."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atm.gui import widgets
from atm.gui.dialogs import begin_dialog, end_dialog
from atm.gui.position_form import error_at
from atm.gui.ui import Ui
from atm.ipc.messages import Failed
from atm.model.errors import Invalid
from atm.model.interval import MINUTE_MS, parse_time


class FieldsDialog:
    """scope: of the command it leads to; fields: names, whose labels are the texts "field.<name>" and whose values are texts;
    choices: fields that are one of a few values, whose names are the texts "<field>.<value>", or the values themselves unless `named`."""

    def __init__(
        self,
        scope: str,
        fields: tuple[str, ...],
        choices: dict[str, tuple[str, ...]] | None = None,
        *,
        named: bool = True,
    ) -> None:
        self.scope = scope
        self.values = dict.fromkeys(fields, "")
        self._choices = choices or {}
        self._named = named
        self._opening = False
        self._closing = False

    def open(self, ui: Ui, **values: str) -> None:
        """Show it in this frame, with these values to begin with."""
        self.values.update(values)
        self._opening = True
        ui.commands.forget(self.scope)

    def close(self) -> None:
        """Close it in the next frame."""
        self._closing = True

    def draw(
        self, ui: Ui, title: str, body: str, action: str, *, kind: str = "primary", hints: dict[str, str] | None = None
    ) -> bool:
        """True in the frame in which the user sends it. kind: of its button."""
        done = ui.commands.succeeded(self.scope)
        if self._opening:
            imgui.open_popup(self.scope)
            self._opening = False
        if not begin_dialog(ui, self.scope, title):
            return False
        failed = ui.commands.failure(self.scope)
        ui.wrapped(body)
        imgui.dummy(ImVec2(0, ui.px(4)))
        for name in self.values:
            self._field(ui, name, failed, (hints or {}).get(name, ""))
        if failed is not None and failed.field not in self.values:
            widgets.field_note(ui, failed.message)
        imgui.dummy(ImVec2(0, ui.px(6)))
        sent = self._buttons(ui, action, kind)
        if done or self._closing:
            self._closing = False
            imgui.close_current_popup()
        end_dialog()
        return sent

    def _field(self, ui: Ui, name: str, failed: Failed | None, hint: str) -> None:
        mark, label = f"{self.scope}.{name}", ui.t(f"field.{name}")
        if name in self._choices:
            options = [(value, ui.t(f"{name}.{value}") if self._named else value) for value in self._choices[name]]
            self.values[name] = widgets.choice(ui, mark, label, self.values[name], options)
            return
        self.values[name] = widgets.text_field(
            ui, mark, label, self.values[name], hint=hint, error=error_at(failed, name)
        )

    def _buttons(self, ui: Ui, action: str, kind: str) -> bool:
        if widgets.button(ui, f"{self.scope}.cancel", ui.t("action.cancel")) or imgui.is_key_pressed(imgui.Key.escape):
            imgui.close_current_popup()
        imgui.set_item_default_focus()
        imgui.same_line()
        why = ui.t("form.sending") if ui.commands.pending(self.scope) else ""
        return widgets.button(ui, f"{self.scope}.send", action, kind, why_not=why)

    def refuse(self, ui: Ui, error: Invalid) -> None:
        """Show what is wrong at its field."""
        ui.commands.refuse(self.scope, Failed("Invalid", str(error), error.field))

    def moment(self, name: str) -> int:
        """Unix ms of a field on whole minutes, 0 where it is empty. Raises `Invalid`."""
        text = self.values[name].strip()
        if not text:
            return 0
        try:
            return parse_time(text) // MINUTE_MS * MINUTE_MS
        except ValueError:
            raise Invalid(name, text, "a UTC time YYYY-MM-DD or YYYY-MM-DD HH:MM, or nothing") from None

    def whole(self, name: str) -> int:
        """A whole number, 0 where it is empty. Raises `Invalid`."""
        text = self.values[name].strip() or "0"
        if not text.isdigit():
            raise Invalid(name, text, "a whole number, 0 or more")
        return int(text)
