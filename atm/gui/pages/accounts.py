"""Accounts: make virtual and actual accounts, watch them, switch their trading, see what stops them and why, close positions."""

from __future__ import annotations

from collections.abc import Iterable

from imgui_bundle import ImVec2, imgui

from atm.gui import formats, icons, widgets
from atm.gui.accounts.banner import draw_banner
from atm.gui.accounts.new_account import NewAccount
from atm.gui.accounts.orders_tab import OrdersTab
from atm.gui.accounts.positions_tab import PositionsTab, send_clear
from atm.gui.accounts.risk_tab import RiskTab
from atm.gui.accounts.setup_tab import SetupTab
from atm.gui.accounts.transfer_dialog import TransferDialog
from atm.gui.history.account_list import draw_list
from atm.gui.pages.account_positions import alarm
from atm.gui.pages.activation_card import ActivationCard, status_badge
from atm.gui.pages.incident_card import IncidentCard
from atm.gui.read_model import AccountView
from atm.gui.results import MOST_TRADES
from atm.gui.stored import Loaded
from atm.gui.table import Table
from atm.gui.trade_table import trade_table
from atm.gui.ui import PageName, Ui
from atm.ipc.messages import TRADE, RemoveAccount, SetTrading
from atm.model.account import AccountKind, AssetState, TradeRecord
from atm.model.account_review import asset_of

TABS = ("positions", "orders", "risk", "activation", "trades", "setup", "incident")
_OF_ACTUAL = ("orders", "risk", "activation")
LEAST_TAB = 330.0


class AccountsPage:
    """See the module. Without a selected account the form of a new one is shown."""

    def __init__(self) -> None:
        self.selected = ""
        self.creating = False
        self.tab = TABS[0]
        self.new = NewAccount()
        self.positions = PositionsTab()
        self.orders = OrdersTab()
        self._risk = RiskTab()
        self._activation = ActivationCard()
        self._setup = SetupTab()
        self._transfer = TransferDialog()
        self._incident = IncidentCard()
        self._trades: Table[TradeRecord] | None = None
        self._language = ""
        self._trade_rows: tuple[TradeRecord, ...] = ()
        self._trade_state: tuple[object, ...] = ()
        self._sums: dict[str, tuple[float, float]] = {}

    def draw(self, ui: Ui) -> None:
        if self._language != ui.t.language:
            self._language, self._trades = ui.t.language, trade_table(ui, "accounts.trades")
        made = self.new.settle(ui)
        wanted = ui.take_selection(PageName.ACCOUNTS) or made
        if wanted:
            self.selected, self.creating = wanted, False
        if self.selected not in ui.model.accounts:
            self.selected = next(iter(ui.model.accounts), "")
        with widgets.card(ui, "accounts", ui.px(276), 0, ui.t("accounts.list")):
            self._list(ui)
        imgui.same_line(0, ui.px(14))
        imgui.begin_child("account", ImVec2(0, 0))
        view = ui.model.accounts.get(self.selected)
        if self.creating or view is None:
            with widgets.card(
                ui, "form", min(ui.px(980), imgui.get_content_region_avail().x), -1, ui.t("accounts.create")
            ):
                if self.new.draw(ui, may_cancel=bool(ui.model.accounts)):
                    self.creating = False
        else:
            self._account(ui, view)
        imgui.end_child()

    def _list(self, ui: Ui) -> None:
        if widgets.button(ui, "accounts.new", f"{icons.ADD}  {ui.t('accounts.create')}", "primary", width=-1):
            self.creating = True
        imgui.dummy(ImVec2(0, ui.px(4)))
        if not ui.model.accounts:
            ui.wrapped(ui.t("accounts.none"))
        clicked = draw_list(ui, "" if self.creating else self.selected, "accounts")
        if clicked:
            self.selected, self.creating = clicked, False

    # --- one account

    def _account(self, ui: Ui, view: AccountView) -> None:
        with widgets.card(ui, "control", 0, -1):
            self._control(ui, view)
        draw_banner(ui, view)
        with widgets.card(ui, "assets", 0, -1):
            for state in view.snapshot.assets:
                self._asset(ui, view, state)
            if not view.snapshot.assets:
                ui.wrapped(ui.t("accounts.no_assets"))
        is_actual = view.setup.kind is AccountKind.ACTUAL
        tabs = [each for each in TABS if is_actual or each not in _OF_ACTUAL]
        tab = self.tab if self.tab in tabs else TABS[0]
        self.tab = widgets.segments(ui, "accounts.tab", tab, [(each, ui.texts(f"account_tab.{each}")) for each in tabs])
        with widgets.card(ui, tab, 0, max(ui.px(LEAST_TAB), imgui.get_content_region_avail().y)):
            self._tab(ui, view, tab)

    def _tab(self, ui: Ui, view: AccountView, tab: str) -> None:
        match tab:
            case "positions":
                self.positions.draw(ui, view)
            case "orders":
                self.orders.draw(ui, view)
            case "risk":
                self._risk.draw(ui, view)
            case "activation":
                self._activation.draw(ui, view)
            case "trades":
                self._draw_trades(ui, view)
            case "incident":
                self._incident.draw(ui, view.snapshot.name)
            case _:
                self._setup.draw(ui, view)

    def _control(self, ui: Ui, view: AccountView) -> None:
        name, snapshot = view.snapshot.name, view.snapshot
        ui.text(name, size=ui.theme.TITLE, bold=True)
        imgui.same_line()
        widgets.badge(ui, ui.t(f"account_kind.{snapshot.kind.value}"), ui.colors.info)
        if snapshot.kind is AccountKind.ACTUAL:
            imgui.same_line()
            status_badge(ui, name)
        imgui.same_line(0, ui.px(24))
        self._trading(ui, view)
        imgui.same_line(0, ui.px(24))
        if snapshot.kind is AccountKind.VIRTUAL:
            self._transfer.buttons(ui, view)
            self._transfer.draw(ui, view)
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
            ui.text(f"{icons.WARNING}  {ui.t.said(snapshot.reason)}", ui.colors.warning, size=ui.theme.SMALL)
        for scope in ("accounts.trading", "accounts.clear", "accounts.remove"):
            failed = ui.commands.failure(scope)
            widgets.field_note(ui, failed.message if failed is not None else "")

    def _trading(self, ui: Ui, view: AccountView) -> None:
        """The switch. An actual account is asked about before it sends orders; to stop never needs a second click."""
        name, is_on = view.snapshot.name, view.snapshot.trading
        label = ui.t("accounts.trading_on" if is_on else "accounts.trading_off")
        wanted = widgets.toggle(ui, "accounts.trading", label, is_on)
        is_clicked = wanted != is_on and not ui.commands.pending("accounts.trading")
        if is_clicked and wanted and view.setup.kind is AccountKind.ACTUAL:
            imgui.open_popup("accounts.confirm_trading")
            is_clicked = False
        title, consequence = ui.t("accounts.switch_on_title", account=name), ui.t("accounts.switch_on_consequence")
        confirmed = widgets.confirmation(ui, "accounts.confirm_trading", title, consequence, ui.t("accounts.switch_on"))
        if is_clicked or confirmed:
            key = "done.trading_off" if is_on else "done.trading_on"
            ui.commands.send(TRADE, SetTrading(name, not is_on), "accounts.trading", key, {"account": name})

    def _clear_all(self, ui: Ui, view: AccountView) -> None:
        opened = [position for position in view.snapshot.positions if position.quantity]
        why = "" if opened else ui.t("accounts.nothing_open")
        if widgets.button(ui, "accounts.clear_all", ui.t("accounts.clear_all"), "danger", why_not=why):
            imgui.open_popup("accounts.confirm_all")
        notional = sum(abs(position.quantity) * (position.mark_price or 0.0) for position in opened)
        consequence = ui.t("accounts.clear_all_consequence", count=len(opened), notional=formats.number(notional))
        title = ui.t("accounts.clear_all_title", account=view.snapshot.name)
        if widgets.confirmation(ui, "accounts.confirm_all", title, consequence, ui.t("accounts.clear_all")):
            send_clear(ui, view.snapshot.name, "")

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
        equity = view.equity(s.asset)
        total = equity / s.reference - 1 if s.reference and equity is not None else None
        used = s.initial_margin / s.margin_balance if s.margin_balance else None
        realized, fees, funding = self._booked(ui, view, s)
        imgui.push_id(s.asset)
        widgets.stats(
            ui,
            [
                (f"{ui.t('account.equity')} ({s.asset})", formats.number(equity), None),
                (ui.t("account.total_return"), formats.percent(total, sign=True), ui.signed(total)),
                (ui.t("account.today"), formats.number(today, sign=True), ui.signed(today)),
                (ui.t("account.unrealized"), formats.number(s.unrealized_profit, sign=True),
                 ui.signed(s.unrealized_profit)),
                (ui.t("account.realized"), formats.number(realized, sign=True), ui.signed(realized)),
                (ui.t("account.wallet"), formats.number(s.wallet_balance), None),
                (ui.t("account.available"), formats.number(s.available_balance), None),
                *self._paid_in(ui, view, s),
                (ui.t("account.margin"), f"{formats.number(s.initial_margin)} ({formats.percent(used, 1)})", None),
                (ui.t("account.maintenance"), formats.number(s.maintenance_margin), None),
                (ui.t("account.margin_ratio"), formats.percent(s.margin_ratio, 1), alarm(ui, s.margin_ratio)),
                (ui.t("account.commitment"), formats.percent(s.commitment_rate, 1), None),
                (ui.t("account.risk"), formats.percent(s.risk_level, 1), alarm(ui, s.risk_level)),
                (ui.t("account.fees"), formats.number(fees), None),
                (ui.t("account.funding"), formats.number(funding, sign=True), None),
            ],
            128,
        )  # fmt: skip
        imgui.pop_id()

    def _paid_in(self, ui: Ui, view: AccountView, s: AssetState) -> list[tuple[str, str, None]]:
        if view.setup.kind is not AccountKind.VIRTUAL:
            return []
        return [
            (ui.t("account.withdrawable"), formats.number(s.withdrawable), None),
            (ui.t("account.transferred"), formats.number(s.transferred, sign=True), None),
        ]

    def _booked(self, ui: Ui, view: AccountView, s: AssetState) -> tuple[float | None, float | None, float | None]:
        """Realised profit, fees and funding. Those of an actual account are the exchange's: the sums of its trade log, unknown where that
        was not read whole, and no funding, which the log does not hold."""
        if view.setup.kind is AccountKind.VIRTUAL:
            return s.realized_profit, s.fees_paid, s.funding_paid
        stored = self._read_trades(ui, view).value
        if stored is None or len(stored) >= MOST_TRADES or len(view.trades) == view.trades.maxlen:
            return None, None, None
        if s.asset not in self._sums:
            assets = tuple(view.setup.assets)
            rows = [row for row in self._trade_rows if asset_of(row.symbol, assets) == s.asset]
            self._sums[s.asset] = sum(row.profit for row in rows), sum(row.fee for row in rows)
        return *self._sums[s.asset], None

    # --- trades

    def _read_trades(self, ui: Ui, view: AccountView) -> Loaded[tuple[TradeRecord, ...]]:
        """The newest trades, stored and heard of since."""
        name, results = view.snapshot.name, ui.results
        stored = ui.stored.get(("account trades", name), lambda: results.account_trades(name))
        state = (name, stored, len(view.trades), view.trades[-1].index if view.trades else -1)
        if state != self._trade_state:
            self._trade_state = state
            self._sums.clear()
            self._trade_rows = newest_first(stored.value or (), view.trades)
        return stored

    def _draw_trades(self, ui: Ui, view: AccountView) -> None:
        stored = self._read_trades(ui, view)
        if stored.error:
            ui.wrapped(stored.error, ui.colors.bad)
        if not self._trade_rows:
            ui.wrapped(ui.t("accounts.loading_trades" if stored.loading else "accounts.no_trades"))
        elif self._trades is not None:
            self._trades.draw(ui, self._trade_rows)


def newest_first(stored: tuple[TradeRecord, ...], live: Iterable[TradeRecord]) -> tuple[TradeRecord, ...]:
    """Stored and live trades joined by index, each once, newest first."""
    by_index = {record.index: record for record in stored}
    by_index.update((record.index, record) for record in live)
    return tuple(by_index[index] for index in sorted(by_index, reverse=True))
