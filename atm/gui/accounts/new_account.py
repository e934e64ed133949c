"""The form of a new account."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atm.gui import widgets
from atm.gui.drafts import ASSET, AccountDraft
from atm.gui.pages.live_card import RulesForm
from atm.gui.position_form import draw_positions, error_at, prefill
from atm.gui.ui import Ui
from atm.ipc.messages import TRADE, Failed, PutAccount
from atm.model.account import AccountKind
from atm.model.errors import Invalid
from atm.model.risk import LiveRules

CREATE = "accounts.create"


class NewAccount:
    """Keeps the draft until the account was made."""

    def __init__(self) -> None:
        self.draft = AccountDraft()
        self._rules = RulesForm("accounts.rule", LiveRules())
        self._wrong_rules = False

    def settle(self, ui: Ui) -> str:
        """The name of the account that was just made, "" else; once in every frame."""
        if not ui.commands.succeeded(CREATE):
            return ""
        name = self.draft.name.strip()
        self.draft = AccountDraft()
        self._rules.show(LiveRules())
        return name

    def draw(self, ui: Ui, *, may_cancel: bool) -> bool:
        """The inside of the card; whether the user gives it up."""
        draft, failed = self.draft, ui.commands.failure(CREATE)
        prefill(ui, draft.positions)
        ui.wrapped(ui.t("accounts.form_hint" if draft.kind is AccountKind.VIRTUAL else "accounts.actual_hint"))
        kinds = [(each.value, ui.texts(f"account_kind.{each.value}")) for each in AccountKind]
        draft.kind = AccountKind(widgets.segments(ui, "accounts.kind", draft.kind.value, kinds))
        self._head(ui, failed)
        imgui.dummy(ImVec2(0, ui.px(6)))
        draw_positions(ui, "accounts.positions", draft.positions, sorted(ui.model.coverage), failed)
        self._wrong_rules = False
        if draft.kind is AccountKind.ACTUAL:
            self._draw_rules(ui)
        imgui.dummy(ImVec2(0, ui.px(6)))
        return self._send(ui, failed, may_cancel)

    def _head(self, ui: Ui, failed: Failed | None) -> None:
        draft, third = self.draft, (imgui.get_content_region_avail().x - ui.px(20)) / 3
        draft.name = widgets.text_field(
            ui, "accounts.name", ui.t("field.name"), draft.name, width=third, hint=ui.t("accounts.name_hint"),
            error=error_at(failed, "name"),
        )  # fmt: skip
        imgui.same_line()
        if draft.kind is AccountKind.ACTUAL:
            draft.uid = widgets.text_field(
                ui, "accounts.uid", ui.t("field.uid"), draft.uid, width=third, hint=ui.t("accounts.uid_hint"),
                error=error_at(failed, "uid"),
            )  # fmt: skip
        else:
            draft.balance = widgets.text_field(
                ui, "accounts.balance", ui.t("field.initial_balance"), draft.balance, width=third, unit=ASSET,
                error=error_at(failed, "balance"),
            )  # fmt: skip
        imgui.same_line()
        draft.allocation = widgets.text_field(
            ui, "accounts.allocation", ui.t("field.allocation"), draft.allocation, width=third, unit="%",
            error=error_at(failed, "allocation"),
        )  # fmt: skip

    def _draw_rules(self, ui: Ui) -> None:
        """Limits, stops and policy hold from the first order on; the defaults are shown when the header is opened."""
        imgui.dummy(ImVec2(0, ui.px(6)))
        is_open = imgui.collapsing_header(f"{ui.t('live.rules')}##accounts.rules")
        ui.mark("accounts.rules")
        if not is_open:
            return
        rules = self._rules.draw(ui)
        self._wrong_rules = rules is None
        if rules is not None:
            self.draft.rules = rules

    def _send(self, ui: Ui, failed: Failed | None, may_cancel: bool) -> bool:
        why, cancelled = "", False
        if not (ui.model.analysis_configurations and ui.model.trade_configurations):
            why = ui.t("form.no_configurations")
        elif ui.commands.pending(CREATE):
            why = ui.t("form.sending")
        elif self._wrong_rules:
            why = ui.t("live.wrong")
        if widgets.button(ui, CREATE, ui.t("accounts.create"), "primary", why_not=why):
            self._create(ui)
        if may_cancel:
            imgui.same_line()
            cancelled = widgets.button(ui, "accounts.cancel", ui.t("action.cancel"))
            if cancelled:
                ui.commands.forget(CREATE)
        widgets.field_note(ui, failed.message if failed is not None else why)
        return cancelled

    def _create(self, ui: Ui) -> None:
        model = ui.model
        try:
            setup = self.draft.read(model.analysis_configurations, model.trade_configurations, model.accounts)
        except Invalid as error:
            ui.commands.refuse(CREATE, Failed("Invalid", str(error), error.field))
            return
        ui.commands.send(TRADE, PutAccount(setup), CREATE, "done.account_created", {"account": setup.name})
