"""What an account has been stopped by, above everything else of it: the kill switch and other halts, each with the way on."""

from __future__ import annotations

from imgui_bundle import ImVec4, imgui

from atm.gui import formats, icons, widgets
from atm.gui.accounts.wording import reason_of
from atm.gui.read_model import AccountView
from atm.gui.theme import fade
from atm.gui.ui import Ui
from atm.ipc.messages import TRADE, ResumeLive
from atm.model.account import AccountKind
from atm.model.journal import KILLED, WHOLE_ACCOUNT, Halted

RESUME = "live.resume"


def draw_banner(ui: Ui, view: AccountView) -> None:
    """Nothing while the account is stopped by nothing."""
    halts = view.snapshot.halts
    killed_ms = ui.model.killed.get(view.snapshot.name, 0)
    is_virtual = view.setup.kind is AccountKind.VIRTUAL
    if not halts and not (is_virtual and killed_ms and not view.snapshot.trading):
        return
    imgui.push_style_color(imgui.Col_.child_bg, ImVec4(*fade(ui.colors.bad, 0.1)))
    flags = imgui.ChildFlags_.borders | imgui.ChildFlags_.always_use_window_padding | imgui.ChildFlags_.auto_resize_y
    imgui.begin_child("halts", (0.0, 0.0), int(flags))
    imgui.pop_style_color()
    if is_virtual:
        _killed(ui, view, killed_ms, ui.t("kill.resume_virtual"))
    for halt in halts:
        _halt(ui, view, halt)
    failed = ui.commands.failure(RESUME)
    widgets.field_note(ui, failed.message if failed is not None else "")
    imgui.end_child()


def _killed(ui: Ui, view: AccountView, time_ms: int, how: str) -> None:
    """That the kill switch was pressed, what is still open, and how trading begins again."""
    ui.text(
        f"{icons.STOP}  {ui.t('kill.pressed', time=formats.moment(time_ms, seconds=True))}", ui.colors.bad, bold=True
    )
    live = ui.model.live.get(view.snapshot.name)
    working = {order.symbol for order in live.orders if not order.is_final} if live is not None else set()
    left = sorted({position.symbol for position in view.snapshot.positions if position.quantity} | working)
    if left:
        ui.text(f"{icons.WAITING}  {ui.t('kill.closing', symbols=', '.join(left))}", ui.colors.warning)
    else:
        ui.text(f"{icons.SUCCESS}  {ui.t('kill.flat')}", ui.colors.good)
    ui.wrapped(how)


def _halt(ui: Ui, view: AccountView, halt: Halted) -> None:
    name, scope = view.snapshot.name, halt.scope or ui.t("live.whole_account")
    if halt.reason == KILLED:
        _killed(ui, view, halt.time_ms, ui.t("kill.resume_actual"))
    else:
        said = ui.t("live.halted", scope=scope, reason=reason_of(ui, halt.reason))
        imgui.align_text_to_frame_padding()
        ui.text(f"{icons.WARNING}  {said}", ui.colors.warning)
        imgui.same_line()
        since = ui.t("live.since", time=formats.moment(halt.time_ms))
        until = ui.t("live.until", time=formats.moment(halt.until_ms)) if halt.until_ms else ""
        ui.text(f"{since} {until}", ui.colors.muted, size=ui.theme.SMALL)
        imgui.same_line()
    mark = f"{RESUME}.{halt.scope or 'account'}"
    if widgets.button(ui, mark, ui.t("live.resume")):
        imgui.open_popup(f"{mark}.confirm")
    key = "live.resume_account" if halt.scope == WHOLE_ACCOUNT else "live.resume_symbol"
    consequence = ui.texts(key, scope=halt.scope, account=name)
    title = ui.t("live.resume_title", scope=scope)
    if widgets.confirmation(ui, f"{mark}.confirm", title, consequence, ui.t("live.resume")):
        ui.commands.send(TRADE, ResumeLive(name, halt.scope), RESUME, "done.resumed", {"scope": scope})
