"""What was paid into a virtual account and out of it, and what each asset's wallet is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from atm.gui import formats, widgets
from atm.gui.history.income_tab import money
from atm.gui.read_model import AccountView
from atm.gui.table import Column, Table
from atm.gui.theme import Color
from atm.gui.ui import Ui
from atm.model.income import IncomeRecord


@dataclass(frozen=True, slots=True)
class Row:
    """A transfer, and what had been paid in of its asset after it."""

    record: IncomeRecord
    total: Decimal


@dataclass(slots=True)
class TransfersTab:
    """See the module."""

    _made: tuple[object, ...] = ()
    _rows: Sequence[Row] = ()
    _table: Table[Row] | None = None

    def draw(self, ui: Ui, view: AccountView, transfers: Sequence[IncomeRecord]) -> None:
        """transfers: oldest first."""
        made = (id(transfers), ui.t.language)
        if made != self._made:
            self._made, self._rows, self._table = made, rows(transfers), _table(ui)
        with widgets.card(ui, "wallets", 0, -1, ui.t("transfers.wallets")):
            for state in view.snapshot.assets:
                initial = view.setup.assets[state.asset].initial_balance if state.asset in view.setup.assets else 0.0
                figures: list[tuple[str, str, Color | None]] = [
                    (f"{ui.t('field.initial_balance')} ({state.asset})", formats.number(initial), None),
                    (ui.t("account.transferred"), formats.number(state.transferred, sign=True), None),
                    (ui.t("account.realized"), formats.number(state.realized_profit, sign=True), None),
                    (ui.t("account.fees"), formats.number(state.fees_paid), None),
                    (ui.t("account.funding"), formats.number(state.funding_paid, sign=True), None),
                    (ui.t("account.wallet"), formats.number(state.wallet_balance), None),
                ]
                widgets.stats(ui, figures, 150)
        with widgets.card(ui, "transfers", 0, 0, ui.t("transfers.title")):
            if not self._rows:
                ui.wrapped(ui.t("transfers.none"))
            elif self._table is not None:
                self._table.draw(ui, self._rows)


def rows(transfers: Sequence[IncomeRecord]) -> tuple[Row, ...]:
    """Newest first, of transfers that are oldest first."""
    totals: dict[str, Decimal] = {}
    found = []
    for record in transfers:
        totals[record.asset] = totals.get(record.asset, Decimal(0)) + record.amount
        found.append(Row(record, totals[record.asset]))
    return tuple(reversed(found))


def _table(ui: Ui) -> Table[Row]:
    t = ui.t
    columns: tuple[Column[Row], ...] = (
        Column(
            t("income.time"), lambda r: formats.moment(r.record.time_ms), lambda r: r.record.time_ms, right=False, width=1.4
        ),
        Column(
            t("income.kind"), lambda r: ui.t(f"transfer.{'deposit' if r.record.amount > 0 else 'withdraw'}"),
            lambda r: r.record.amount > 0, right=False,
        ),
        Column(
            t("income.amount"), lambda r: money(r.record.amount), lambda r: float(r.record.amount), width=1.5,
            color=lambda r: ui.signed(float(r.record.amount)),
        ),
        Column(t("income.asset"), lambda r: r.record.asset, lambda r: r.record.asset, right=False, width=0.7),
        Column(t("transfers.total"), lambda r: money(r.total), lambda r: float(r.total), width=1.5),
    )  # fmt: skip
    return Table("transfers", columns, lambda r: str(r.record.transaction_id), descending_first=True)
