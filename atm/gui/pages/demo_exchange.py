"""Demo exchange: its market's time and pace, its accounts and keys, and faults on demand. There on the demo endpoint only."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atm.gui import icons, widgets
from atm.gui.demo.accounts_card import AccountsCard
from atm.gui.demo.fault_form import FaultForm
from atm.gui.demo.fault_list import draw_faults
from atm.gui.demo.market_card import MarketCard
from atm.gui.ui import Ui
from atm.ipc.messages import BINANCE_API, ControlFaults, DemoUpdated, DescribeDemo, Failed, FaultsTold, Reply
from atm.model.endpoint import Endpoint
from atm.model.fault import FaultCommand, FaultReport

PERIOD_MS = 1_000
"""While the page is shown it asks so often."""
ASK_S = 5.0
LEFT = 408.0


class DemoExchangePage:
    """See the module. faults: as they were told last."""

    def __init__(self) -> None:
        self.faults = FaultReport(0)
        self._market = MarketCard()
        self._accounts = AccountsCard()
        self._form = FaultForm()
        self._asked_ms = 0
        self._waiting = 0
        self._controlling = False
        self._failed = ""
        self._unreachable = ""

    def draw(self, ui: Ui) -> None:
        if ui.model.endpoint is not Endpoint.DEMO:
            widgets.empty(ui, icons.SERVER, ui.t("demo.elsewhere_title"), ui.t("demo.elsewhere"))
            return
        self._ask(ui)
        told = ui.model.demo
        if told is None:
            reason = self._unreachable or ui.t("demo.starting")
            widgets.empty(ui, icons.SERVER, ui.t("demo.starting_title"), reason)
            return
        imgui.begin_child("demo.left", ImVec2(ui.px(LEFT), 0))
        with widgets.card(ui, "demo.market", 0, -1, ui.t("demo.market")):
            self._market.draw(ui, told.state, ui.model.market_ms(ui.now_ms))
            self._draw_address(ui, told)
        with widgets.card(ui, "demo.accounts", 0, 0):
            self._accounts.draw(ui, told.state)
        imgui.end_child()
        imgui.same_line()
        with widgets.card(ui, "demo.faults", 0, 0, ui.t("demo.faults")):
            self._draw_faults(ui, tuple(account.name for account in told.state.accounts))

    def left(self, ui: Ui) -> None:
        """Another page is shown: a secret is no longer."""
        self._accounts.forget()

    def _draw_address(self, ui: Ui, told: DemoUpdated) -> None:
        if self._unreachable:
            ui.wrapped(self._unreachable, ui.colors.bad)
        ui.text(ui.t("demo.address"), ui.colors.muted, size=ui.theme.SMALL)
        imgui.same_line(0, ui.px(8))
        ui.text(told.rest, size=ui.theme.SMALL)
        imgui.same_line(0, ui.px(16))
        ui.text(ui.t("demo.sockets", count=told.state.sockets), ui.colors.muted, size=ui.theme.SMALL)

    def _draw_faults(self, ui: Ui, accounts: tuple[str, ...]) -> None:
        if self._failed:
            ui.wrapped(self._failed, ui.colors.bad)
        started = self._form.draw(ui, self.faults, accounts, self._controlling)
        imgui.separator()
        cleared = draw_faults(ui, self.faults, ui.now_ms, self._controlling)
        command = started or cleared
        if command is not None:
            self._control(ui, command)

    # --- asking

    def _ask(self, ui: Ui) -> None:
        """Have state and faults told, once a second while the page is shown."""
        if self._waiting or 0 <= ui.now_ms - self._asked_ms < PERIOD_MS:
            return
        self._asked_ms, self._waiting = ui.now_ms, 2

        def described(reply: Reply) -> None:
            self._waiting -= 1
            self._unreachable = reply.message if isinstance(reply, Failed) else ""

        def told(reply: Reply) -> None:
            self._waiting -= 1
            if isinstance(reply, FaultsTold):
                self.faults = reply.report

        ui.ask(BINANCE_API, DescribeDemo(), described, ASK_S)
        ui.ask(BINANCE_API, ControlFaults(), told, ASK_S)

    def _control(self, ui: Ui, command: FaultCommand) -> None:
        self._controlling, self._failed = True, ""

        def told(reply: Reply) -> None:
            self._controlling = False
            if isinstance(reply, FaultsTold):
                self.faults = reply.report
            elif isinstance(reply, Failed):
                self._failed = reply.message

        ui.ask(BINANCE_API, ControlFaults(command), told, ASK_S)
