"""Paying into a virtual account and out of it: two buttons, and a dialog that says what there is, what is free and what comes of it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from decimal import Decimal

from imgui_bundle import imgui

from atm.gui import formats, widgets
from atm.gui.data.fields_dialog import FieldsDialog
from atm.gui.read_model import AccountView
from atm.gui.ui import Ui
from atm.ipc.messages import TRADE, Deposit, Withdraw
from atm.model.account import AssetState
from atm.model.errors import Invalid
from atm.model.transfer import parse_amount

SCOPE = "accounts.transfer"
WAYS = ("deposit", "withdraw")
_DONE = {"deposit": "done.deposit", "withdraw": "done.withdraw"}
_ID_BITS = 62


class TransferDialog:
    """See the module. way: one of `WAYS`; a wish keeps its number until it was fulfilled, so that one that is sent again after an answer
    was lost is carried out once."""

    def __init__(self) -> None:
        self.way = WAYS[0]
        self._account = ""
        self._dialog: FieldsDialog | None = None
        self._sent: tuple[str, str, str, Decimal] | None = None
        self._number = 0

    def buttons(self, ui: Ui, view: AccountView) -> None:
        """Into the present line; what they open is drawn by `draw`."""
        why = "" if view.snapshot.state == "ACTIVE" else ui.t("transfer.not_begun")
        for place, way in enumerate(WAYS):
            if place:
                imgui.same_line()
            if widgets.button(ui, f"accounts.{way}", ui.t(f"transfer.{way}_dots"), why_not=why):
                self._open(ui, view, way)

    def _open(self, ui: Ui, view: AccountView, way: str) -> None:
        assets = tuple(view.setup.assets)
        self.way, self._account = way, view.snapshot.name
        self._dialog = FieldsDialog(SCOPE, ("asset", "amount"), {"asset": assets}, named=False)
        self._dialog.open(ui, asset=assets[0], amount="")

    def draw(self, ui: Ui, view: AccountView) -> None:
        """Once a frame."""
        if self._dialog is None or view.snapshot.name != self._account:
            return
        t, values = ui.t, self._dialog.values
        state = _state(view.snapshot.assets, values["asset"])
        free = 0.0 if state is None else state.withdrawable
        lines = [t(f"transfer.{self.way}_about")]
        if state is not None:
            lines.append(
                t(
                    "transfer.there",
                    wallet=formats.number(state.wallet_balance),
                    free=formats.number(free),
                    asset=state.asset,
                )
            )
            lines.append(self._after(ui, state, values["amount"]))
        title = t(f"transfer.{self.way}_title", account=self._account)
        kind = "primary" if self.way == "deposit" else "danger"
        if self._dialog.draw(ui, title, "\n".join(lines), t(f"transfer.{self.way}"), kind=kind):
            self._send(ui, self._dialog)

    def _after(self, ui: Ui, state: AssetState, text: str) -> str:
        """What the wallet will be, as far as the amount is one."""
        try:
            amount = float(parse_amount(text))
        except Invalid:
            return ui.t("transfer.after", wallet=formats.UNKNOWN, asset=state.asset)
        wallet = state.wallet_balance + (amount if self.way == "deposit" else -amount)
        return ui.t("transfer.after", wallet=formats.number(wallet), asset=state.asset)

    def _send(self, ui: Ui, dialog: FieldsDialog) -> None:
        asset, text = dialog.values["asset"], dialog.values["amount"].strip()
        try:
            wish = (self.way, self._account, asset, parse_amount(text))
        except Invalid as error:
            dialog.refuse(ui, error)
            return
        failed = ui.commands.failure(SCOPE)
        if wish != self._sent or failed is None or failed.kind == "Invalid":
            self._sent, self._number = wish, 1 + secrets.randbits(_ID_BITS)
        request = (Deposit if self.way == "deposit" else Withdraw)(self._account, asset, text, self._number)
        parameters = {"account": self._account, "amount": f"{wish[3]:f} {asset}"}
        ui.commands.send(TRADE, request, SCOPE, _DONE[self.way], parameters)


def _state(states: Sequence[AssetState], asset: str) -> AssetState | None:
    return next((state for state in states if state.asset == asset), None)
