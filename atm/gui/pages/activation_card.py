"""Activation of an actual account: its state, and forms that hand keys and passwords over. What is typed there is hidden, leaves the window
sealed and is forgotten at once.
"""

from __future__ import annotations

from imgui_bundle import imgui

from atm.gui import icons, widgets
from atm.gui.read_model import AccountView
from atm.gui.sealing import forget, sealed_for
from atm.gui.theme import Color
from atm.gui.ui import Ui
from atm.ipc.activation_messages import KEYS, NEW_PASSWORD, PASSWORD, activation_purpose
from atm.ipc.messages import (
    BINANCE_API,
    ActivateAccount,
    ActivateByFile,
    ActivationState,
    DeactivateAccount,
    MakeActivationFile,
    Request,
    RotateActivationFile,
)
from atm.model.activation import ActivationReason, ActivationStatus

SEND, DEACTIVATE = "activation.send", "activation.deactivate"
FORMS = ("by_keys", "by_file", "make", "rotate")
LEAST_PASSWORD = 8
_KEY_FIELDS = ("key", "secret")
_OPEN_FIELDS = ("path", "folder")
_FILE_S = 60.0
"""How long a file may take: its key is made slowly on purpose, one after the other."""


class ActivationCard:
    """Keeps what is typed, for one account and until it is sent."""

    def __init__(self) -> None:
        self._account = ""
        self._form = FORMS[0]
        self._hold = False
        self._typed: dict[str, str] = {}

    def draw(self, ui: Ui, view: AccountView) -> None:
        """The inside of the card."""
        name = view.snapshot.name
        if name != self._account:
            self._account = name
            self._forget()
        state = ui.model.activation(name)
        self._state(ui, state)
        is_on = state.status in (ActivationStatus.ACTIVE, ActivationStatus.BLOCKED)
        if is_on:
            self._deactivate(ui, name)
            imgui.same_line(0, ui.px(18))
        forms = FORMS[2:] if state.status is ActivationStatus.ACTIVE else FORMS
        form = self._form if self._form in forms else forms[0]
        chosen = widgets.segments(ui, "activation.form", form, [(each, ui.t(f"activation.{each}")) for each in forms])
        if chosen != self._form:
            self._form = chosen
            self._forget()
            ui.commands.forget(SEND)
        self._fields(ui, is_on)
        why = self._why_not(ui, state, is_on)
        if widgets.button(ui, SEND, ui.t(f"activation.send_{self._form}"), "primary", why_not=why):
            self._send(ui, view, is_on)
        failed = ui.commands.failure(SEND)
        widgets.field_note(ui, failed.message if failed is not None else "")

    # --- state

    def _state(self, ui: Ui, state: ActivationState) -> None:
        ui.text(ui.t("activation.title"), bold=True)
        imgui.same_line()
        status_badge(ui, state.account)
        if state.permissions:
            imgui.same_line(0, ui.px(14))
            said = ", ".join(ui.t(f"key_permission.{each.value}") for each in state.permissions)
            ui.text(ui.t("activation.permissions", permissions=said), ui.colors.muted, size=ui.theme.SMALL)
        if state.reason is not ActivationReason.NONE:
            ui.wrapped(ui.t(f"activation_reason.{state.reason.value}"), _tone(ui, state.status))
            if state.details:
                ui.wrapped(state.details, ui.colors.faint)
        is_known = state.status in (ActivationStatus.ACTIVE, ActivationStatus.BLOCKED)
        for warning in state.warnings if is_known else ():
            ui.wrapped(f"{icons.WARNING}  {ui.t(f'key_warning.{warning.value}')}", ui.colors.warning)
        live = ui.model.live.get(state.account)
        if state.status is ActivationStatus.INACTIVE and live is not None and live.is_ready:
            ui.wrapped(ui.t("activation.by_demo_hint"))
        if state.holds_password:
            ui.text(ui.t("activation.holds"), ui.colors.muted, size=ui.theme.SMALL)

    def _deactivate(self, ui: Ui, name: str) -> None:
        waits = ui.t("form.sending") if ui.commands.pending(DEACTIVATE) else ""
        if widgets.button(ui, DEACTIVATE, ui.t(DEACTIVATE), "danger", why_not=waits):
            imgui.open_popup("activation.confirm")
        title, consequence = (
            ui.t("activation.deactivate_title", account=name),
            ui.t("activation.deactivate_consequence"),
        )
        if widgets.confirmation(ui, "activation.confirm", title, consequence, ui.t(DEACTIVATE)):
            parameters = {"account": name}
            ui.commands.send(BINANCE_API, DeactivateAccount(name), DEACTIVATE, "done.account_deactivated", parameters)

    # --- forms

    def _fields(self, ui: Ui, is_on: bool) -> None:
        room = imgui.get_content_region_avail().x
        width = min(ui.px(360), (room - ui.px(24)) / 3)
        fields = {
            "by_keys": _KEY_FIELDS,
            "by_file": ("password", "path"),
            "make": (*(() if is_on else _KEY_FIELDS), "password", "again", "folder"),
            "rotate": ("password", "new_password", "path"),
        }[self._form]
        for index, name in enumerate(fields):
            if index % 3:
                imgui.same_line(0, ui.px(10))
            self._typed[name] = widgets.text_field(
                ui,
                f"activation.{name}",
                ui.t(f"activation.{name}"),
                self._typed.get(name, ""),
                width=width,
                hint=ui.t("activation.path_hint") if name == "path" else "",
                secret=name not in _OPEN_FIELDS,
            )
        if self._form == "by_file":
            imgui.same_line(0, ui.px(14))
            imgui.set_cursor_pos_y(imgui.get_cursor_pos_y() + imgui.get_text_line_height())
            self._hold = widgets.toggle(ui, "activation.hold", ui.t("activation.hold"), self._hold)

    def _why_not(self, ui: Ui, state: ActivationState, is_on: bool) -> str:
        typed = self._typed
        if not ui.model.activation_key:
            return ui.t("activation.no_manager")
        if state.status is ActivationStatus.ACTIVATING or ui.commands.pending(SEND):
            return ui.t("activation.working")
        needs_keys = self._form == "by_keys" or (self._form == "make" and not is_on)
        if needs_keys and not (typed.get("key") and typed.get("secret")):
            return ui.t("activation.no_keys")
        if self._form != "by_keys" and len(typed.get("password", "")) < LEAST_PASSWORD:
            return ui.t("activation.short_password")
        if self._form == "make" and typed.get("password") != typed.get("again"):
            return ui.t("activation.not_again")
        if self._form == "make" and not typed.get("folder", "").strip():
            return ui.t("activation.no_folder")
        if self._form == "rotate" and len(typed.get("new_password", "")) < LEAST_PASSWORD:
            return ui.t("activation.short_password")
        return ""

    def _send(self, ui: Ui, view: AccountView, is_on: bool) -> None:
        typed = dict(self._typed)
        name, path, uid = view.snapshot.name, typed.get("path", "").strip(), view.setup.uid

        def sealed(what: str, text: str) -> bytes:
            purpose = activation_purpose(what, name, ui.model.endpoint)
            return sealed_for(ui.model.activation_key, text, purpose)

        keys = f"{typed.get('key', '').strip()}\n{typed.get('secret', '').strip()}"
        request: Request
        if self._form == "by_keys":
            request = ActivateAccount(name, sealed(KEYS, keys), uid)
        elif self._form == "by_file":
            request = ActivateByFile(name, sealed(PASSWORD, typed["password"]), path, uid, self._hold)
        elif self._form == "make":
            request = MakeActivationFile(
                name, b"" if is_on else sealed(KEYS, keys), sealed(PASSWORD, typed["password"]), typed["folder"].strip()
            )
        else:
            request = RotateActivationFile(
                name, sealed(PASSWORD, typed["password"]), sealed(NEW_PASSWORD, typed["new_password"]), path
            )
        done = "done.activation_file_written" if self._form in ("make", "rotate") else ""
        ui.commands.send(BINANCE_API, request, SEND, done, {"account": name}, timeout_s=_FILE_S)
        self._forget(_OPEN_FIELDS)

    def _forget(self, but: tuple[str, ...] = ()) -> None:
        """Drop what was typed, and its copies where it was secret."""
        typed, self._typed = self._typed, {kept: self._typed[kept] for kept in but if kept in self._typed}
        passwords = tuple(typed.get(name, "") for name in ("password", "new_password"))
        forget(typed.get("key", "").strip(), typed.get("secret", "").strip(), passwords)


def status_badge(ui: Ui, name: str) -> None:
    """State of the activation of an account; on the demo exchange one that was never activated trades by a key pair of the program's."""
    state = ui.model.activation(name)
    live = ui.model.live.get(name)
    if state.status is ActivationStatus.INACTIVE and live is not None and live.is_ready:
        widgets.badge(ui, ui.t("activation.by_demo"), ui.colors.good, filled=True)
        widgets.tooltip(ui.t("activation.by_demo_hint"))
        return
    widgets.badge(ui, ui.t(f"activation_status.{state.status.value}"), _tone(ui, state.status), filled=True)


def _tone(ui: Ui, status: ActivationStatus) -> Color:
    return {
        ActivationStatus.INACTIVE: ui.colors.faint,
        ActivationStatus.ACTIVATING: ui.colors.info,
        ActivationStatus.ACTIVE: ui.colors.good,
        ActivationStatus.BLOCKED: ui.colors.warning,
        ActivationStatus.FAILED: ui.colors.bad,
    }[status]
