"""The trade log as a sortable table, for accounts and simulations."""

from __future__ import annotations

from atm.gui import formats
from atm.gui.table import Column, Table
from atm.gui.ui import Ui
from atm.model.account import TradeReason, TradeRecord
from atm.model.order import Side


def trade_table(ui: Ui, name: str) -> Table[TradeRecord]:
    """Newest or oldest first as the rows come."""
    return Table(name, trade_columns(ui), key=lambda r: str(r.index))


def trade_columns(ui: Ui) -> tuple[Column[TradeRecord], ...]:
    """Columns of a fill."""
    t, model = ui.t, ui.model

    def price(record: TradeRecord, value: float) -> str:
        return formats.number(value, model.price_decimals(record.symbol)) if value else formats.UNKNOWN

    def quantity(record: TradeRecord, value: float) -> str:
        return formats.quantity(value, model.quantity_decimals(record.symbol))

    stops = (TradeReason.LIQUIDATION, TradeReason.STOP_CLOSE, TradeReason.STOP_IMMEDIATE, TradeReason.PARTIAL_STOP)
    return (
        Column("#", lambda r: str(r.index), lambda r: r.index, True, 0.45),
        Column(f"{t('field.time')} (UTC)", lambda r: formats.moment(r.time_ms), lambda r: r.time_ms, False, 1.35),
        Column(t("field.symbol"), lambda r: r.symbol, lambda r: r.symbol, False, 0.95),
        Column(
            t("field.reason"),
            lambda r: t(f"trade_reason.{r.reason.value}"),
            lambda r: r.reason.value,
            False,
            1.1,
            lambda r: ui.colors.warning if r.reason in stops else None,
        ),
        Column(
            t("field.side"),
            lambda r: t(f"side.{r.side.value}"),
            lambda r: r.side.value,
            False,
            0.6,
            lambda r: ui.colors.up if r.side is Side.BUY else ui.colors.down,
        ),
        Column(t("field.quantity"), lambda r: quantity(r, r.quantity), lambda r: r.quantity),
        Column(t("field.price"), lambda r: price(r, r.price), lambda r: r.price),
        Column(
            t("field.profit"),
            lambda r: formats.number(r.profit, sign=True),
            lambda r: r.profit,
            color=lambda r: ui.signed(r.profit),
        ),
        Column(t("field.fee"), _fee, lambda r: r.fee, True, 0.75),
        Column(t("field.quantity_after"), lambda r: quantity(r, r.quantity_after), lambda r: r.quantity_after),
        Column(t("field.entry_after"), lambda r: price(r, r.entry_price_after), lambda r: r.entry_price_after),
        Column(t("field.wallet_after"), lambda r: formats.number(r.wallet_after), lambda r: r.wallet_after),
    )


def _fee(record: TradeRecord) -> str:
    """In the quote asset, or in the asset that it was paid in."""
    if record.other_fee_asset:
        return f"{formats.number(record.other_fee, 8)} {record.other_fee_asset}"
    return formats.number(record.fee, 4)
