"""Tables of what differs on a day: orders with what they are worth, decisions, and the money by cause."""

from __future__ import annotations

from collections.abc import Callable

from imgui_bundle import ImVec2, imgui

from atm.gui import formats, widgets
from atm.gui.result.tables import Cell, plain_table
from atm.gui.table import Column, Table
from atm.gui.ui import Ui
from atm.model.parity import DecisionDifference, FillDifference, FillSide, MoneyReport

DECIMALS = 4
"""Of money: cents of cents count here."""


def fill_differences(ui: Ui) -> Table[FillDifference]:
    """Columns of the orders that differ."""
    t, model = ui.t, ui.model

    def side(title: str, of: str, live: bool, decimals: Callable[[str], int]) -> Column[FillDifference]:
        def value(row: FillDifference) -> float | None:
            fill: FillSide | None = row.live if live else row.backtest
            return None if fill is None else float(getattr(fill, of))

        return Column(title, lambda r: formats.number(value(r), decimals(r.symbol)), lambda r: value(r) or 0.0)

    def mean(symbol: str) -> int:
        return model.price_decimals(symbol) + 2

    columns: tuple[Column[FillDifference], ...] = (
        Column(
            t("field.time"), lambda r: formats.moment(r.time_ms, seconds=True)[11:], lambda r: r.time_ms, False, 0.9
        ),
        Column(t("field.symbol"), lambda r: r.symbol, lambda r: r.symbol, False, 1.1),
        Column(t("field.reason"), lambda r: t(f"trade_reason.{r.reason}"), lambda r: r.reason, False, 1.1),
        side(t("parity.live_quantity"), "quantity", True, model.quantity_decimals),
        side(t("parity.backtest_quantity"), "quantity", False, model.quantity_decimals),
        side(t("parity.live_price"), "price", True, mean),
        side(t("parity.backtest_price"), "price", False, mean),
        Column(
            t("parity.worth"),
            lambda r: formats.number(worth(r), DECIMALS, sign=True),
            worth,
            color=lambda r: ui.signed(worth(r)),
        ),
        Column(t("parity.cause"), lambda r: causes_of(ui, r), lambda r: causes_of(ui, r), False, 2.6),
    )
    return Table("parity.fills", columns, key=lambda r: f"{r.time_ms} {r.symbol} {r.reason} {r.decision_ms}")


def decision_differences(ui: Ui) -> Table[DecisionDifference]:
    """Columns of the decisions that differ."""
    t, quantity = ui.t, ui.model.quantity_decimals

    def number(title: str, live: bool, at: int, decimals: Callable[[str], int]) -> Column[DecisionDifference]:
        def value(row: DecisionDifference) -> float:
            return (row.live if live else row.again)[at]

        return Column(title, lambda r: formats.number(value(r), decimals(r.symbol)), value)

    columns: tuple[Column[DecisionDifference], ...] = (
        Column(t("field.time"), lambda r: formats.moment(r.time_ms), lambda r: r.time_ms, False, 1.5),
        Column(t("field.symbol"), lambda r: r.symbol, lambda r: r.symbol, False, 1.1),
        number(t("parity.live_exposure"), True, 0, lambda _: DECIMALS),
        number(t("parity.again_exposure"), False, 0, lambda _: DECIMALS),
        number(t("parity.live_quantity"), True, 1, quantity),
        number(t("parity.again_quantity"), False, 1, quantity),
        Column(t("parity.cause"), lambda r: t(f"decision_cause.{r.cause.value}"), lambda r: r.cause.value, False, 2.0),
        Column(
            t("parity.since"),
            lambda r: formats.moment(r.since_ms) if r.since_ms else formats.UNKNOWN,
            lambda r: r.since_ms,
            False,
            1.5,
        ),
    )
    return Table("parity.decisions", columns, key=lambda r: f"{r.time_ms} {r.symbol}")


def worth(difference: FillDifference) -> float:
    """What an order made live, beyond the backtest."""
    return sum(difference.causes.values())


def causes_of(ui: Ui, difference: FillDifference) -> str:
    """Its causes, the largest first."""
    ordered = sorted(difference.causes.items(), key=lambda each: -abs(each[1]))
    return ", ".join(
        f"{ui.t(f'money_cause.{cause}')} {formats.number(amount, 2, sign=True)}" for cause, amount in ordered
    )


def draw_money(ui: Ui, money: MoneyReport) -> None:
    """By cause, the largest first, with the sum below."""
    rows: list[list[Cell]] = []
    for cause, amount in sorted(money.causes.items(), key=lambda each: -abs(each[1])):
        color = ui.colors.bad if cause == "UNEXPLAINED" else None
        shown = formats.number(amount, DECIMALS, sign=True)
        rows.append([(ui.t(f"money_cause.{cause}"), color), (shown, ui.signed(amount))])
    if "UNEXPLAINED" not in money.causes:
        rows.append(
            [(ui.t("money_cause.UNEXPLAINED"), ui.colors.muted), (formats.number(0.0, DECIMALS), ui.colors.good)]
        )
    total = formats.number(money.difference, DECIMALS, sign=True)
    rows.append([(ui.t("parity.sum"), None), (total, ui.signed(money.difference))])
    plain_table(ui, "parity.money", ("", ""), rows)
    imgui.dummy(ImVec2(0, ui.px(2)))
    widgets.tooltip(ui.t("parity.money_hint"))
