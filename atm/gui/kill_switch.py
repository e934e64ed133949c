"""The kill switch in the top bar: seen while an account trades or holds something, pressed by button or Ctrl Shift K, confirmed once."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atm.gui import icons, widgets
from atm.gui.read_model import AccountView
from atm.gui.ui import PageName, Ui
from atm.ipc.messages import BINANCE_API, KILL_SECONDS, TRADE, KillSwitch
from atm.model.journal import KILLED

SCOPE = "kill"
_CONFIRM = "kill.confirm"


def draw_kill_switch(ui: Ui, right: float) -> None:
    """Right-aligned at `right` of the present window."""
    busy = [view for view in ui.model.accounts.values() if _is_busy(view)]
    if not busy:
        _draw_pressed(ui, right)
        return
    label = f"{icons.STOP}  {ui.t('kill.button')}"
    width = imgui.calc_text_size(label).x + ui.px(28)
    imgui.set_cursor_pos(ImVec2(right - width - ui.px(12), ui.px(11)))
    why = ui.t("form.sending") if ui.commands.pending(SCOPE) else ""
    pressed = widgets.button(ui, SCOPE, label, "danger", width=width, why_not=why)
    if not why:
        widgets.tooltip(ui.t("kill.tip"))
    if pressed or (not why and _is_key_pressed()):
        imgui.open_popup(_CONFIRM)
    names = ", ".join(view.snapshot.name for view in busy)
    opened = sum(bool(position.quantity) for view in busy for position in view.snapshot.positions)
    consequence = ui.t("kill.consequence", accounts=names, open=opened)
    if widgets.confirmation(ui, _CONFIRM, ui.t("kill.title"), consequence, ui.t("kill.action")):
        # Both, so that either may be dead: trade knows virtual accounts, binance_api can do without trade.
        ui.commands.send(TRADE, KillSwitch(), "kill.trade")
        ui.commands.send(BINANCE_API, KillSwitch(), SCOPE, "done.killed", timeout_s=KILL_SECONDS)


def _draw_pressed(ui: Ui, right: float) -> None:
    """After it, until something trades again: that it was pressed, and the way to where trading is resumed."""
    stopped = [name for name, view in ui.model.accounts.items() if name in ui.model.killed or _is_killed(view)]
    if not stopped:
        return
    label = f"{icons.STOP}  {ui.t('kill.badge')}"
    width = imgui.calc_text_size(label).x + ui.px(28)
    imgui.set_cursor_pos(ImVec2(right - width - ui.px(12), ui.px(11)))
    if widgets.button(ui, f"{SCOPE}.pressed", label, "danger", width=width):
        ui.go(PageName.ACCOUNTS, stopped[0])
    widgets.tooltip(ui.t("kill.badge_tip", accounts=", ".join(stopped)))


def _is_killed(view: AccountView) -> bool:
    return any(halt.reason == KILLED for halt in view.snapshot.halts)


def _is_busy(view: AccountView) -> bool:
    return view.snapshot.trading or any(position.quantity for position in view.snapshot.positions)


def _is_key_pressed() -> bool:
    io = imgui.get_io()
    return io.key_ctrl and io.key_shift and imgui.is_key_pressed(imgui.Key.k, False)
