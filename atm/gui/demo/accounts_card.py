"""The accounts of the demo exchange with the beginnings of their keys. A pair is shown once, when it is made, and then
forgotten."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atm.gui import formats, icons, widgets
from atm.gui.data.fields_dialog import FieldsDialog
from atm.gui.ui import Ui
from atm.ipc.messages import BINANCE_API, ControlDemo, DemoKeyMade, Failed, MakeDemoKey, Reply
from atm.model.demo_state import DemoAccount, DemoCommand, DemoDeposit, DemoKeyPair, DemoState
from atm.model.errors import Invalid

ASK_S = 5.0
RESET = "demo.reset"


class AccountsCard:
    """Keeps the pair that was just made until the user closes it."""

    def __init__(self) -> None:
        self.made: DemoKeyPair | None = None
        self._making = False
        self._failed = ""
        self._account = ""
        self._ask_reset = False
        self._new = FieldsDialog("demo.account", ("name",))
        self._deposit = FieldsDialog("demo.deposit", ("amount",))

    def draw(self, ui: Ui, state: DemoState) -> None:
        right = imgui.get_content_region_avail().x + imgui.get_cursor_pos_x()
        ui.text(ui.t("demo.accounts"), size=ui.theme.BODY, bold=True)
        label = ui.t("demo.new_account")
        widgets.same_line_right(right, imgui.calc_text_size(label).x + ui.px(20))
        why = ui.t("form.sending") if self._making else ""
        if widgets.button(ui, "demo.account.new", label, why_not=why):
            self._new.open(ui, name="")
        if self._failed:
            ui.wrapped(self._failed, ui.colors.bad)
        if self.made is not None:
            self._draw_made(ui, self.made)
        for account in state.accounts:
            self._draw_account(ui, account)
        self._draw_dialogs(ui)

    def forget(self) -> None:
        """A secret is not kept for a page that was left."""
        self.made = None

    # --- one account

    def _draw_account(self, ui: Ui, account: DemoAccount) -> None:
        imgui.separator()
        right = imgui.get_content_region_avail().x + imgui.get_cursor_pos_x()
        ui.text(account.name, bold=True)
        balance = f"{formats.number(account.balance)} USDT"
        widgets.same_line_right(right, imgui.calc_text_size(balance).x)
        ui.text(balance)
        holdings = ui.t("demo.holdings", positions=account.positions, orders=account.open_orders)
        ui.text(holdings, ui.colors.muted, size=ui.theme.SMALL)
        for key in account.keys:
            ui.text(f"{ui.t('demo.api_key')}  {key}", ui.colors.muted, size=ui.theme.SMALL)
        actions = (
            ("key", ui.t("demo.make_key"), ui.t("form.sending") if self._making else ""),
            ("deposit", ui.t("demo.deposit_dots"), ""),
            ("reset", ui.t("demo.reset_dots"), ""),
        )
        imgui.push_style_var(imgui.StyleVar_.frame_padding, ImVec2(ui.px(8), ui.px(3)))
        for number, (name, label, why) in enumerate(actions):
            if number:
                imgui.same_line()
            if widgets.button(ui, f"demo.{name}.{account.name}", label, why_not=why):
                self._act(ui, name, account.name)
        imgui.pop_style_var()

    def _act(self, ui: Ui, name: str, account: str) -> None:
        self._account = account
        if name == "key":
            self._make_key(ui, account)
        elif name == "deposit":
            self._deposit.open(ui, amount="")
        else:
            self._ask_reset = True

    # --- a new pair

    def _make_key(self, ui: Ui, account: str) -> None:
        self._making, self._failed, self.made = True, "", None

        def answered(reply: Reply) -> None:
            self._making = False
            if isinstance(reply, DemoKeyMade):
                self.made = reply.pair
            elif isinstance(reply, Failed):
                self._failed = reply.message

        ui.ask(BINANCE_API, MakeDemoKey(account), answered, ASK_S)

    def _draw_made(self, ui: Ui, made: DemoKeyPair) -> None:
        with widgets.card(ui, "demo.made", 0, -1):
            ui.text(f"{icons.SUCCESS}  {ui.t('demo.made', account=made.account)}", ui.colors.good, bold=True)
            ui.wrapped(ui.t("demo.made_once"))
            for name, value in (("api_key", made.key), ("secret", made.secret)):
                imgui.align_text_to_frame_padding()
                ui.text(ui.t(f"demo.{name}"), ui.colors.muted, size=ui.theme.SMALL)
                imgui.same_line(ui.px(90))
                room = ui.px(34)
                imgui.set_next_item_width(imgui.get_content_region_avail().x - room)
                imgui.input_text(f"##demo.made.{name}", value, int(imgui.InputTextFlags_.read_only))
                imgui.same_line()
                _copy_button(ui, f"demo.made.{name}", value)
            if widgets.button(ui, "demo.made.close", ui.t("demo.made_close")):
                self.forget()

    # --- dialogs

    def _draw_dialogs(self, ui: Ui) -> None:
        t = ui.t
        if self._new.draw(ui, t("demo.new_title"), t("demo.new_body"), t("demo.make_key")):
            name = self._new.values["name"].strip()
            if name:
                self._make_key(ui, name)
                self._new.close()
        title = t("demo.deposit_title", account=self._account)
        if self._deposit.draw(ui, title, t("demo.deposit_body"), t("demo.deposit")):
            self._send_deposit(ui)
        if self._ask_reset:
            imgui.open_popup(RESET)
            self._ask_reset = False
        title = t("demo.reset_title", account=self._account)
        if widgets.confirmation(ui, RESET, title, t("demo.reset_body"), t("demo.reset")):
            ui.commands.send(BINANCE_API, ControlDemo(DemoCommand(reset=self._account)), RESET)

    def _send_deposit(self, ui: Ui) -> None:
        text = self._deposit.values["amount"].strip().replace(",", "").replace("−", "-")
        try:
            amount = float(text)
        except ValueError:
            self._deposit.refuse(ui, Invalid("amount", text, "an amount in USDT, below 0 to pay out"))
            return
        command = DemoCommand(deposit=DemoDeposit(self._account, amount))
        ui.commands.send(BINANCE_API, ControlDemo(command), self._deposit.scope)


def _copy_button(ui: Ui, mark: str, text: str) -> None:
    imgui.push_style_var(imgui.StyleVar_.frame_padding, ImVec2(ui.px(6), ui.px(3)))
    if imgui.button(f"{icons.COPY}##{mark}"):
        imgui.set_clipboard_text(text)
    imgui.pop_style_var()
    ui.mark(f"{mark}.copy")
    widgets.tooltip(ui.t("demo.copy"))
