"""Accounts: make virtual accounts, watch them, switch their trading, clear positions, read their trades."""

from __future__ import annotations

from collections.abc import Iterable

from imgui_bundle import ImVec2, imgui

from atm.gui import formats, icons, widgets
from atm.gui.drafts import ASSET, AccountDraft
from atm.gui.pages.account_positions import alarm, position_table
from atm.gui.pages.activation_card import ActivationCard
from atm.gui.pages.live_card import LiveCard
from atm.gui.position_form import draw_positions, error_at, prefill
from atm.gui.read_model import AccountView
from atm.gui.table import Table
from atm.gui.trade_table import trade_table
from atm.gui.ui import PageName, Ui
from atm.ipc.messages import TRADE, Failed, ForceClear, PutAccount, RemoveAccount, SetTrading
from atm.model.account import AccountKind, AssetState, PositionState, TradeRecord
from atm.model.errors import Invalid

CREATE = "accounts.create"


class AccountsPage:
    """See the module. Without a selected account the form of a new one is shown."""

    def __init__(self) -> None:
        self.draft = AccountDraft()
        self._activation = ActivationCard()
        self.selected = ""
        self.creating = False
        self.position = ""
        self._live = LiveCard()
        self._positions: Table[PositionState] | None = None
        self._trades: Table[TradeRecord] | None = None
        self._language = ""
        self._trade_rows: tuple[TradeRecord, ...] = ()
        self._trade_state: tuple[object, ...] = ()

    def draw(self, ui: Ui) -> None:
        if self._language != ui.t.language:
            self._language = ui.t.language
            self._positions = position_table(ui)
            self._trades = trade_table(ui, "accounts.trades")
        wanted = ui.take_selection(PageName.ACCOUNTS)
        if wanted:
            self.selected, self.creating = wanted, False
        if self.selected not in ui.model.accounts:
            self.selected = next(iter(ui.model.accounts), "")
        if ui.commands.succeeded(CREATE):
            self.selected, self.creating = self.draft.name.strip(), False
            self.draft = AccountDraft()
        with widgets.card(ui, "accounts", ui.px(276), 0, ui.t("accounts.list")):
            self._list(ui)
        imgui.same_line(0, ui.px(14))
        imgui.begin_child("account", ImVec2(0, 0))
        view = ui.model.accounts.get(self.selected)
        if self.creating or view is None:
            with widgets.card(ui, "form", min(ui.px(860), imgui.get_content_region_avail().x), -1, ui.t(CREATE)):
                self._form(ui)
        else:
            self._account(ui, view)
        imgui.end_child()

    # --- list

    def _list(self, ui: Ui) -> None:
        if widgets.button(ui, "accounts.new", f"{icons.ADD}  {ui.t('accounts.create')}", "primary", width=-1):
            self.creating = True
        imgui.dummy(ImVec2(0, ui.px(4)))
        for name, view in ui.model.accounts.items():
            chosen = name == self.selected and not self.creating
            low = imgui.get_cursor_pos()
            low = ImVec2(low.x, low.y)
            if imgui.selectable(f"##{name}", chosen, 0, ImVec2(0, ui.px(46)))[0]:
                self.selected, self.creating = name, False
            ui.mark(f"accounts.pick.{name}")
            after = imgui.get_cursor_pos()
            after = ImVec2(after.x, after.y)
            imgui.set_cursor_pos(ImVec2(low.x + ui.px(8), low.y + ui.px(4)))
            ui.text(name, bold=True)
            imgui.set_cursor_pos(ImVec2(low.x + ui.px(8), low.y + ui.px(24)))
            asset = next(iter(view.setup.assets), ASSET)
            tone = ui.colors.good if view.snapshot.trading else ui.colors.faint
            ui.text(icons.CIRCLE, tone, size=9)
            imgui.same_line()
            ui.text(f"{formats.number(view.equity(asset))} {asset}", ui.colors.muted, size=ui.theme.SMALL)
            imgui.set_cursor_pos(after)
            imgui.dummy(ImVec2(0, 0))
        if not ui.model.accounts:
            ui.wrapped(ui.t("accounts.none"))

    # --- one account

    def _account(self, ui: Ui, view: AccountView) -> None:
        with widgets.card(ui, "control", 0, -1):
            self._control(ui, view)
        if view.setup.kind is AccountKind.ACTUAL:
            with widgets.card(ui, "activation", 0, -1):
                self._activation.draw(ui, view)
            with widgets.card(ui, "live", 0, -1, ui.t("live.title")):
                self._live.draw(ui, view)
        with widgets.card(ui, "assets", 0, -1):
            for state in view.snapshot.assets:
                self._asset(ui, view, state)
        height = imgui.get_content_region_avail().y
        with widgets.card(ui, "positions", 0, max(ui.px(210), height * 0.46), ui.t("accounts.positions")):
            self._draw_positions(ui, view)
        with widgets.card(
            ui, "trades", 0, max(ui.px(230), imgui.get_content_region_avail().y), ui.t("accounts.trades")
        ):
            self._draw_trades(ui, view)

    def _control(self, ui: Ui, view: AccountView) -> None:
        name, snapshot = view.snapshot.name, view.snapshot
        ui.text(name, size=ui.theme.TITLE, bold=True)
        imgui.same_line()
        widgets.badge(ui, ui.t(f"account_kind.{snapshot.kind.value}"), ui.colors.info)
        imgui.same_line(0, ui.px(24))
        wanted = widgets.toggle(
            ui, "accounts.trading", ui.t("accounts.trading_on" if snapshot.trading else "accounts.trading_off"),
            snapshot.trading,
        )  # fmt: skip
        if wanted != snapshot.trading and not ui.commands.pending("accounts.trading"):
            key = "done.trading_on" if wanted else "done.trading_off"
            ui.commands.send(TRADE, SetTrading(name, wanted), "accounts.trading", key, {"account": name})
        imgui.same_line(0, ui.px(24))
        self._clear_all(ui, view)
        imgui.same_line()
        self._remove(ui, view)
        ui.text(ui.t("accounts.as_of", time=formats.moment(snapshot.market_ms)), ui.colors.faint, size=ui.theme.SMALL)
        assumed = snapshot.assumed
        if assumed.unmarked_minutes or assumed.constant_stamps:
            unmarked, constant = (formats.percent(each, 1) for each in (assumed.unmarked_share, assumed.constant_share))
            imgui.same_line()
            said = ui.t("accounts.assumed", unmarked=unmarked, constant=constant)
            ui.text(said, ui.colors.faint, size=ui.theme.SMALL)
        if snapshot.reason:
            imgui.same_line()
            ui.text(f"{icons.WARNING}  {snapshot.reason}", ui.colors.warning, size=ui.theme.SMALL)
        for scope in ("accounts.trading", "accounts.clear", "accounts.remove"):
            failed = ui.commands.failure(scope)
            widgets.field_note(ui, failed.message if failed is not None else "")

    def _clear_all(self, ui: Ui, view: AccountView) -> None:
        opened = [position for position in view.snapshot.positions if position.quantity]
        why = "" if opened else ui.t("accounts.nothing_open")
        if widgets.button(ui, "accounts.clear_all", ui.t("accounts.clear_all"), "danger", why_not=why):
            imgui.open_popup("accounts.confirm_all")
        notional = sum(abs(position.quantity) * (position.mark_price or 0.0) for position in opened)
        consequence = ui.t("accounts.clear_all_consequence", count=len(opened), notional=formats.number(notional))
        title = ui.t("accounts.clear_all_title", account=view.snapshot.name)
        if widgets.confirmation(ui, "accounts.confirm_all", title, consequence, ui.t("accounts.clear_all")):
            self._send_clear(ui, view.snapshot.name, "")

    def _remove(self, ui: Ui, view: AccountView) -> None:
        name = view.snapshot.name
        opened = any(position.quantity for position in view.snapshot.positions)
        why = ui.t("accounts.remove_open") if opened else ""
        if widgets.button(ui, "accounts.remove", f"{icons.TRASH}  {ui.t('accounts.remove')}", "danger", why_not=why):
            imgui.open_popup("accounts.confirm_remove")
        title = ui.t("accounts.remove_title", account=name)
        if widgets.confirmation(
            ui, "accounts.confirm_remove", title, ui.t("accounts.remove_consequence"), ui.t("accounts.remove")
        ):
            parameters = {"account": name}
            ui.commands.send(TRADE, RemoveAccount(name), "accounts.remove", "done.account_removed", parameters)

    def _asset(self, ui: Ui, view: AccountView, s: AssetState) -> None:
        today = view.today(s.asset)
        setup = view.setup.assets.get(s.asset)
        initial = setup.initial_balance if setup is not None else None
        total = s.margin_balance / initial - 1 if initial else None
        used = s.initial_margin / s.margin_balance if s.margin_balance else None
        imgui.push_id(s.asset)
        widgets.stats(
            ui,
            [
                (f"{ui.t('account.equity')} ({s.asset})", formats.number(s.margin_balance), None),
                (ui.t("account.total_return"), formats.percent(total, sign=True), ui.signed(total)),
                (ui.t("account.today"), formats.number(today, sign=True), ui.signed(today)),
                (ui.t("account.unrealized"), formats.number(s.unrealized_profit, sign=True),
                 ui.signed(s.unrealized_profit)),
                (ui.t("account.realized"), formats.number(s.realized_profit, sign=True), ui.signed(s.realized_profit)),
                (ui.t("account.wallet"), formats.number(s.wallet_balance), None),
                (ui.t("account.available"), formats.number(s.available_balance), None),
                (ui.t("account.margin"), f"{formats.number(s.initial_margin)} ({formats.percent(used, 1)})", None),
                (ui.t("account.maintenance"), formats.number(s.maintenance_margin), None),
                (ui.t("account.margin_ratio"), formats.percent(s.margin_ratio, 1), alarm(ui, s.margin_ratio)),
                (ui.t("account.commitment"), formats.percent(s.commitment_rate, 1), None),
                (ui.t("account.risk"), formats.percent(s.risk_level, 1), alarm(ui, s.risk_level)),
                (ui.t("account.fees"), formats.number(s.fees_paid), None),
                (ui.t("account.funding"), formats.number(s.funding_paid, sign=True), None),
            ],
            128,
        )  # fmt: skip
        imgui.pop_id()

    # --- positions and trades

    def _draw_positions(self, ui: Ui, view: AccountView) -> None:
        if self._positions is None:
            return
        chosen = next((p for p in view.snapshot.positions if p.symbol == self.position), None)
        room = imgui.get_frame_height_with_spacing()
        self._positions.selected = self.position
        clicked = self._positions.draw(ui, view.snapshot.positions, imgui.get_content_region_avail().y - room)
        if clicked:
            self.position = "" if clicked == self.position else clicked
        why = ui.t("accounts.choose_position")
        if chosen is not None:
            why = "" if chosen.quantity else ui.t("accounts.position_flat")
        label = ui.t("accounts.clear", symbol=self.position) if chosen is not None else ui.t("accounts.clear_position")
        if widgets.button(ui, "accounts.clear", label, "danger", why_not=why):
            imgui.open_popup("accounts.confirm_clear")
        if chosen is None:
            return
        imgui.same_line()
        if widgets.button(ui, "accounts.chart", ui.t("accounts.show_chart")):
            ui.go(PageName.MARKET, chosen.symbol)
        consequence = ui.t(
            "accounts.clear_consequence",
            quantity=formats.quantity(chosen.quantity, ui.model.quantity_decimals(chosen.symbol)),
            symbol=chosen.symbol,
            price=formats.number(chosen.mark_price, ui.model.price_decimals(chosen.symbol)),
            profit=formats.number(chosen.unrealized_profit, sign=True),
        )
        title = ui.t("accounts.clear", symbol=chosen.symbol)
        if widgets.confirmation(ui, "accounts.confirm_clear", title, consequence, title):
            self._send_clear(ui, view.snapshot.name, chosen.symbol)

    def _send_clear(self, ui: Ui, name: str, symbol: str) -> None:
        parameters = {"account": name, "symbol": symbol}
        key = "done.cleared" if symbol else "done.cleared_all"
        ui.commands.send(TRADE, ForceClear(name, symbol), "accounts.clear", key, parameters)

    def _draw_trades(self, ui: Ui, view: AccountView) -> None:
        name = view.snapshot.name
        results = ui.results
        stored = ui.stored.get(("account trades", name), lambda: results.account_trades(name))
        state = (name, stored, len(view.trades), view.trades[-1].index if view.trades else -1)
        if state != self._trade_state:
            self._trade_state = state
            self._trade_rows = newest_first(stored.value or (), view.trades)
        if stored.error:
            ui.wrapped(stored.error, ui.colors.bad)
        if not self._trade_rows:
            ui.wrapped(ui.t("accounts.loading_trades" if stored.loading else "accounts.no_trades"))
        elif self._trades is not None:
            self._trades.draw(ui, self._trade_rows)

    # --- form

    def _form(self, ui: Ui) -> None:
        draft = self.draft
        prefill(ui, draft.positions)
        failed = ui.commands.failure(CREATE)
        ui.wrapped(ui.t("accounts.form_hint" if draft.kind is AccountKind.VIRTUAL else "accounts.actual_hint"))
        third = (imgui.get_content_region_avail().x - ui.px(20)) / 3
        kinds = [(each.value, ui.t(f"account_kind.{each.value}")) for each in AccountKind]
        draft.kind = AccountKind(widgets.segments(ui, "accounts.kind", draft.kind.value, kinds))
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
        imgui.dummy(ImVec2(0, ui.px(6)))
        draw_positions(ui, "accounts.positions", draft.positions, sorted(ui.model.coverage), failed)
        imgui.dummy(ImVec2(0, ui.px(6)))
        self._send(ui, failed)

    def _send(self, ui: Ui, failed: Failed | None) -> None:
        why = ""
        if not (ui.model.analysis_configurations and ui.model.trade_configurations):
            why = ui.t("form.no_configurations")
        elif ui.commands.pending(CREATE):
            why = ui.t("form.sending")
        if widgets.button(ui, CREATE, ui.t("accounts.create"), "primary", why_not=why):
            self._create(ui)
        if ui.model.accounts:
            imgui.same_line()
            if widgets.button(ui, "accounts.cancel", ui.t("action.cancel")):
                self.creating = False
                ui.commands.forget(CREATE)
        widgets.field_note(ui, failed.message if failed is not None else why)

    def _create(self, ui: Ui) -> None:
        model = ui.model
        try:
            setup = self.draft.read(model.analysis_configurations, model.trade_configurations, model.accounts)
        except Invalid as error:
            ui.commands.refuse(CREATE, Failed("Invalid", str(error), error.field))
            return
        ui.commands.send(TRADE, PutAccount(setup), CREATE, "done.account_created", {"account": setup.name})


def newest_first(stored: tuple[TradeRecord, ...], live: Iterable[TradeRecord]) -> tuple[TradeRecord, ...]:
    """Stored and live trades joined by index, each once, newest first."""
    by_index = {record.index: record for record in stored}
    by_index.update((record.index, record) for record in live)
    return tuple(by_index[index] for index in sorted(by_index, reverse=True))
