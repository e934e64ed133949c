"""Account History: what an account did, looked at with the eyes of a simulation, while it goes on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from pathlib import Path

from imgui_bundle import ImVec2, imgui

from atm.gui import formats, icons, widgets
from atm.gui.history.account_course import Point, laid_out
from atm.gui.history.account_list import draw_list
from atm.gui.history.income_tab import IncomeTab
from atm.gui.history.position_strip import draw_position
from atm.gui.history.reconciliation import draw_badge, draw_checks
from atm.gui.history.review_client import ReviewClient
from atm.gui.history.trades_tab import HistoryTrades
from atm.gui.history.transfers_tab import TransfersTab
from atm.gui.pages.accounts import newest_first
from atm.gui.parity.parity_tab import ParityTab
from atm.gui.read_model import AccountView
from atm.gui.result.chart_tab import ChartTab
from atm.gui.result.doctor import draw_doctor
from atm.gui.result.export_bar import KINDS, ExportBar
from atm.gui.result.overview import Overview
from atm.gui.result.reports import ReportsTab
from atm.gui.result.statistics_tab import StatisticsTab
from atm.gui.result.view import ShownResult
from atm.gui.results import AccountRecords, SimulationResult
from atm.gui.stored import Loaded
from atm.gui.ui import PageName, Ui
from atm.model.account import AccountKind, TradeRecord
from atm.model.interval import HOUR_MS, MINUTE_MS

TABS = ("balance", "trades", "chart", "reports", "statistics", "doctor", "income", "records", "parity")
_REVIEWED = ("reports", "statistics", "doctor", "records")
"""Tabs that show nothing before the account has been reviewed."""
LIST_WIDTH = 276.0
MOST_SEEN = 1_500
"""Equity points kept since the page was opened; what is older is stored by then."""


class AccountHistoryPage:
    """See the module. selected: name of the account; tab: one of `TABS`."""

    def __init__(self) -> None:
        self.selected = ""
        self.tab = "balance"
        self.review = ReviewClient()
        self.overview = Overview(label="history.of_account", share=0.66)
        self.trades = HistoryTrades()
        self.chart = ChartTab()
        self.reports = ReportsTab()
        self.statistics = StatisticsTab()
        self.income = IncomeTab()
        self.transfers = TransfersTab()
        self.parity = ParityTab()
        self._export = ExportBar()
        self._of = ""
        self._records: AccountRecords | None = None
        self._seen: deque[Point] = deque(maxlen=MOST_SEEN)
        self._trades: tuple[TradeRecord, ...] = ()
        self._sums: tuple[float, float] | None = None
        self._joined: Hashable = None
        self._made: Hashable = None
        self._making: tuple[Hashable, Callable[[], tuple[SimulationResult, ShownResult]]] | None = None
        self._serial = 0
        self._unmade = ""
        self._result: SimulationResult | None = None
        self._shown: ShownResult | None = None

    def draw(self, ui: Ui) -> None:
        self.selected = ui.take_selection(PageName.HISTORY) or self.selected
        if self.selected not in ui.model.accounts:
            self.selected = next(iter(ui.model.accounts), "")
        view = ui.model.accounts.get(self.selected)
        if view is None:
            widgets.empty(ui, icons.HISTORY, ui.t("history.empty_title"), ui.t("history.empty"))
            if _middle(ui, "history.to_accounts", ui.t("page.accounts"), "primary"):
                ui.go(PageName.ACCOUNTS)
            return
        with widgets.card(ui, "list", ui.px(LIST_WIDTH), 0, ui.t("accounts.list")):
            self.selected = draw_list(ui, self.selected)
        imgui.same_line(0, ui.px(12))
        imgui.begin_child("right", ImVec2(0, 0))
        self._account(ui, view)
        imgui.end_child()

    def _account(self, ui: Ui, view: AccountView) -> None:
        loaded = self._load(ui, view)
        self._head(ui, view)
        options = [(tab, ui.t(f"history_tab.{tab}")) for tab in TABS]
        self.tab = widgets.segments(ui, "history.tab", self.tab, options)
        if self.tab == "parity":
            self.parity.draw(ui, view)
        elif self._records is None or self._shown is None:
            self._missing(ui, Loaded(error=self._unmade) if self._unmade else loaded)
        elif self.tab in _REVIEWED and self.review.review is None:
            self._unreviewed(ui)
        else:
            self._tab(ui, view, self._shown)

    # --- what is shown

    def _load(self, ui: Ui, view: AccountView) -> Loaded[AccountRecords]:
        """Bring everything that is shown up to date; what there was before stays until there is something newer."""
        name, market_ms = view.snapshot.name, view.snapshot.market_ms
        if name != self._of:
            self._of, self._joined, self._made, self._making = name, None, None, None
            self._records = self._result = self._shown = None
            self._unmade = ""
            self._seen.clear()
            self.trades.clear()
        self._see(view)
        results = ui.results
        loaded = ui.stored.get(_key(view), lambda: results.account_records(name))
        if loaded.value is not None:
            self._records = loaded.value
        if self._records is None:
            return loaded
        joined = (id(self._records), len(view.trades), view.trades[-1].index if view.trades else -1)
        if joined != self._joined:
            self._joined = joined
            self._trades = tuple(reversed(newest_first(self._records.trades, view.trades)))
            self._sums = _summed(self._trades) if len(self._records.trades) == self._records.total else None
        self.review.follow(ui, name, (len(self._trades), market_ms // HOUR_MS, _paid_in(view)))
        self._make(ui, view, self._records)
        return loaded

    def _see(self, view: AccountView) -> None:
        """Remember the equity of this minute."""
        minute = view.snapshot.market_ms // MINUTE_MS * MINUTE_MS
        known = {state.asset: state.margin_balance for state in view.snapshot.assets}
        if view.snapshot.transfer_ms == minute:
            return  # the equity before the transfer is stored with it
        if minute and known and (not self._seen or minute > self._seen[-1][0]):
            self._seen.append((minute, sum(known.values())))

    def _make(self, ui: Ui, view: AccountView, records: AccountRecords) -> None:
        newest = self._seen[-1][0] if self._seen else 0
        made = (self._joined, self.review.number, newest, id(view.setup), len(ui.model.analysis_configurations))
        if made == self._made and self._making is None:
            return
        if self._making is None:
            analyses, trade = dict(ui.model.analysis_configurations), dict(ui.model.trade_configurations)
            parts = view.setup, records, self._trades, tuple(self._seen), self.review.review
            self._serial += 1
            self._making = made, lambda: laid_out(analyses, trade, *parts)
        key = ("account course", id(self), self._serial)
        loaded = ui.stored.get(key, self._making[1])
        if loaded.loading:
            return
        ui.stored.forget(key)
        self._made, self._making, self._unmade = self._making[0], None, loaded.error
        if loaded.value is not None:
            self._result, self._shown = loaded.value

    # --- parts

    def _head(self, ui: Ui, view: AccountView) -> None:
        ui.text(view.snapshot.name, size=ui.theme.BODY + 2, bold=True)
        imgui.same_line(0, ui.px(12))
        widgets.badge(ui, ui.t(f"account_kind.{view.snapshot.kind.value}"), ui.colors.info)
        imgui.same_line(0, ui.px(12))
        if self.review.review is not None:
            draw_badge(ui, self.review.review.checks)
            imgui.same_line(0, ui.px(12))
        ui.text(ui.t("accounts.as_of", time=formats.moment(view.snapshot.market_ms)), ui.colors.muted)
        note = ui.t("history.reviewing") if self.review.pending else self.review.error
        if note and self.review.review is not None:
            imgui.same_line(0, ui.px(12))
            ui.text(note, ui.colors.faint if self.review.pending else ui.colors.warning, size=ui.theme.SMALL)
        result, review, results, texts = self._result, self.review.review, ui.results, ui.texts
        if result is None:
            return
        if self.tab == "income":
            if view.snapshot.kind is AccountKind.ACTUAL:
                name = view.snapshot.name
                self._export.draw(ui, f"{name} income", lambda kind: results.export_income(name, kind), KINDS[:2])
            return

        def write(kind: str) -> Path:
            return results.export_account(result, None if review is None else review.summary, kind, texts)

        self._export.draw(ui, view.snapshot.name, write, KINDS if review is not None else KINDS[:2])

    def _missing(self, ui: Ui, loaded: Loaded[AccountRecords]) -> None:
        with widgets.card(ui, "state", 0, 0):
            title = ui.t("history.loading" if loaded.loading else "history.unreadable")
            widgets.empty(ui, icons.WAITING if loaded.loading else icons.WARNING, title, loaded.error)
            if loaded.error and _middle(ui, "history.retry", ui.t("action.retry")):
                ui.stored.forget(_key(ui.model.accounts[self.selected]))

    def _unreviewed(self, ui: Ui) -> None:
        with widgets.card(ui, "state", 0, 0):
            failed = bool(self.review.error) and not self.review.pending
            title = ui.t("history.no_review" if failed else "history.reviewing")
            body = self.review.error if failed else ui.t("history.reviewing_hint")
            widgets.empty(ui, icons.WARNING if failed else icons.WAITING, title, body)
            if failed and _middle(ui, "history.again", ui.t("action.retry")):
                self.review.again()

    def _tab(self, ui: Ui, view: AccountView, result: ShownResult) -> None:
        review = self.review.review
        if self.tab == "balance":
            self._balance(ui, view, result)
        elif self.tab == "trades":
            trade = self.trades.draw(ui, self._trades, tuple(view.setup.assets))
            if trade is not None and any(each.symbol == trade.symbol for each in result.spec.positions):
                self.chart.show(trade)
                self.tab = "chart"
        elif self.tab == "chart":
            self._chart(ui, view, result)
        elif self.tab == "income":
            if view.snapshot.kind is AccountKind.VIRTUAL:
                self.transfers.draw(ui, view, () if self._records is None else self._records.transfers)
            else:
                self.income.draw(ui, view.snapshot.name, view.snapshot.market_ms)
        elif self.tab == "reports":
            self.reports.draw(ui, result)
        elif review is not None:
            match self.tab:
                case "statistics":
                    self.statistics.draw(ui, review.summary, result)
                case "doctor":
                    draw_doctor(ui, review.summary)
                case "records":
                    draw_checks(ui, review.checks)

    def _balance(self, ui: Ui, view: AccountView, result: ShownResult) -> None:
        with widgets.card(ui, "figures", 0, -1):
            self._figures(ui, view, result)
        review = self.review.review
        if review is not None:
            self.overview.draw(ui, review.summary, result)
            return
        with widgets.card(ui, "curve", 0, 0, ui.t("result.equity")):
            if not self.review.pending and self.review.error:
                ui.wrapped(f"{icons.WARNING}  {ui.t('history.no_review')}: {self.review.error}", ui.colors.warning)
            self.overview.draw_curve(ui, result)

    def _figures(self, ui: Ui, view: AccountView, result: ShownResult) -> None:
        """What the account has come to by now."""
        states, curve = view.snapshot.assets, result.curve
        equity = sum(state.margin_balance for state in states) if states else None
        first = result.initial if view.snapshot.reference is None else view.snapshot.reference
        total = equity / first - 1 if equity is not None and first > 0 else None
        today = [view.today(state.asset) for state in states]
        change = sum(each for each in today if each is not None) if any(each is not None for each in today) else None
        fall = float(curve.drawdown.min()) if len(curve.drawdown) else None
        now = float(curve.drawdown[-1]) if len(curve.drawdown) else None
        t = ui.t
        realized, fees, funding = self._booked(view)
        widgets.stats(
            ui,
            [
                (t("account.equity"), formats.number(equity), None),
                (t("account.total_return"), formats.percent(total, sign=True), ui.signed(total)),
                (t("account.today"), formats.number(change, sign=True), ui.signed(change)),
                (t("statistic.max_drawdown"), formats.percent(fall), ui.colors.down if fall else None),
                (t("history.drawdown_now"), formats.percent(now), ui.colors.down if now else None),
                (t("account.realized"), formats.number(realized, sign=True), None),
                (t("account.fees"), formats.number(fees), None),
                (t("account.funding"), formats.number(funding, sign=True), None),
                (t("history.fills"), f"{len(self._trades):,}", None),
            ],
            92,
        )

    def _booked(self, view: AccountView) -> tuple[float | None, float | None, float | None]:
        """Realised profit, fees, funding. An actual account's engine books nothing: its fills do, unknown where not all of them were read,
        and its income holds the funding."""
        states = view.snapshot.assets
        if view.snapshot.kind is AccountKind.ACTUAL:
            funding = None if self._records is None else self._records.funding
            return *(self._sums or (None, None)), funding
        realized, fees = sum(s.realized_profit for s in states), sum(s.fees_paid for s in states)
        return realized, fees, sum(s.funding_paid for s in states)

    def _chart(self, ui: Ui, view: AccountView, result: ShownResult) -> None:
        if not result.spec.positions:
            widgets.empty(ui, icons.MARKET, ui.t("history.no_positions_title"), ui.t("history.no_positions"))
            return
        held = next((each for each in view.snapshot.positions if each.symbol == self.chart.symbol), None)
        if held is not None:
            with widgets.card(ui, "position", 0, -1):
                draw_position(ui, view, held)
        clicked = self.chart.draw(ui, result)
        if clicked is not None:
            self.trades.select(clicked)
            self.tab = "trades"


def _middle(ui: Ui, mark: str, label: str, kind: str = "plain") -> bool:
    """A button below what says why there is nothing."""
    imgui.dummy(ImVec2(0, ui.px(8)))
    widgets.centre_next(label)
    return widgets.button(ui, mark, label, kind)


def _key(view: AccountView) -> tuple[str, str, int, Hashable]:
    """What is kept of an account: read anew every market hour and after a transfer; fills are heard as well, at once."""
    return "account records", view.snapshot.name, view.snapshot.market_ms // HOUR_MS, _paid_in(view)


def _paid_in(view: AccountView) -> Hashable:
    """Another value after each transfer."""
    return view.snapshot.transfer_ms, tuple(state.transferred for state in view.snapshot.assets)


def _summed(trades: tuple[TradeRecord, ...]) -> tuple[float, float]:
    """Profit and fees."""
    return sum(trade.profit for trade in trades), sum(trade.fee for trade in trades)
