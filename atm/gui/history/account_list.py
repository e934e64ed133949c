"""The accounts with kind, state, equity and the change of the day."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atm.gui import formats, icons
from atm.gui.read_model import AccountView
from atm.gui.theme import Color
from atm.gui.ui import Ui
from atm.model.account import AccountKind
from atm.model.activation import ActivationStatus
from atm.model.journal import KILLED

_HEIGHT = 64.0


def draw_list(ui: Ui, selected: str, mark: str = "history") -> str:
    """mark: of the page. Returns the name of the account that is selected now."""
    for name, view in ui.model.accounts.items():
        start = imgui.get_cursor_pos()
        start = ImVec2(start.x, start.y)
        if imgui.selectable(f"##{name}", name == selected, 0, ImVec2(0, ui.px(_HEIGHT)))[0]:
            selected = name
        ui.mark(f"{mark}.pick.{name}")
        after = imgui.get_cursor_pos()
        after = ImVec2(after.x, after.y)
        _entry(ui, name, view, start)
        imgui.set_cursor_pos(after)
        imgui.dummy(ImVec2(0, 0))
    return selected


def _entry(ui: Ui, name: str, view: AccountView, start: ImVec2) -> None:
    left, right = start.x + ui.px(8), start.x + imgui.get_content_region_avail().x - ui.px(8)
    kind = ui.t(f"account_kind.{view.snapshot.kind.value}")
    _pair(ui, left, right, start.y + ui.px(4), (name, None), (kind, ui.colors.info), bold=True)
    asset = next(iter(view.setup.assets), "USDT")
    equity, today = view.equity(asset), view.today(asset)
    amount = f"{formats.number(equity)} {asset}"
    change = formats.number(today, sign=True)
    _pair(ui, left, right, start.y + ui.px(24), (amount, ui.colors.text), (change, ui.signed(today)))
    text, color = state_of(ui, view)
    imgui.set_cursor_pos(ImVec2(left, start.y + ui.px(48)))
    ui.text(icons.CIRCLE, color, size=8)
    imgui.set_cursor_pos(ImVec2(left + ui.px(16), start.y + ui.px(44)))
    ui.text(text, ui.colors.muted, size=ui.theme.SMALL)


def state_of(ui: Ui, view: AccountView) -> tuple[str, Color]:
    """What the account does, in a word, and the colour of it."""
    snapshot = view.snapshot
    if snapshot.state == "FAILED":
        return ui.t("history.failed"), ui.colors.bad
    if snapshot.state == "STARTING":
        return ui.t("history.starting"), ui.colors.warning
    if any(halt.reason == KILLED for halt in snapshot.halts) or snapshot.name in ui.model.killed:
        return ui.t("kill.button"), ui.colors.bad
    if snapshot.halts:
        return ui.t("history.halted"), ui.colors.bad
    activation = ui.model.activation(snapshot.name).status
    if view.setup.kind is AccountKind.ACTUAL and activation in (ActivationStatus.FAILED, ActivationStatus.BLOCKED):
        return ui.t(f"activation_status.{activation.value}"), ui.colors.bad
    if view.setup.kind is AccountKind.ACTUAL and snapshot.reason:
        return ui.t.said(snapshot.reason), ui.colors.warning
    if snapshot.trading:
        return ui.t("accounts.trading_on"), ui.colors.good
    return ui.t("accounts.trading_off"), ui.colors.faint


def _pair(
    ui: Ui,
    left: float,
    right: float,
    top: float,
    one: tuple[str, Color | None],
    other: tuple[str, Color | None],
    *,
    bold: bool = False,
) -> None:
    """Two texts in a line, one at each end."""
    imgui.set_cursor_pos(ImVec2(left, top))
    ui.text(*one, bold=bold, size=0 if bold else ui.theme.SMALL)
    with ui.font(ui.theme.SMALL):
        width = imgui.calc_text_size(other[0]).x
        imgui.set_cursor_pos(ImVec2(right - width, top))
        ui.text(*other)
