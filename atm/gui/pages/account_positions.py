"""The positions of an account as a sortable table."""

from __future__ import annotations

from atm.gui import formats
from atm.gui.table import Column, Table
from atm.gui.theme import Color
from atm.gui.ui import Ui
from atm.model.account import PositionState

RISKY, CRITICAL = 0.7, 0.9
"""From here on a risk level or a margin ratio is shown as a warning, as a danger; at 1 comes the liquidation."""


def alarm(ui: Ui, share: float | None) -> Color | None:
    """Colour of a risk level or margin ratio; None = like any figure."""
    if share is None or share < RISKY:
        return None
    return ui.colors.bad if share >= CRITICAL else ui.colors.warning


def position_table(ui: Ui) -> Table[PositionState]:
    """Prices by the instrument's precision; unknown as a dash."""
    t, model = ui.t, ui.model

    def price(symbol: str, value: float | None) -> str:
        return formats.number(value, model.price_decimals(symbol))

    def rate(p: PositionState) -> float:
        """Unrealised profit over initial margin."""
        return p.unrealized_profit / p.initial_margin if p.initial_margin else float("nan")

    return Table(
        "accounts.positions",
        (
            Column(t("field.symbol"), lambda p: p.symbol, lambda p: p.symbol, False, 1.15),
            Column(
                t("field.quantity"),
                lambda p: formats.quantity(p.quantity, model.quantity_decimals(p.symbol)),
                lambda p: p.quantity,
                color=lambda p: ui.signed(p.quantity),
            ),
            Column(t("field.entry_price"), lambda p: price(p.symbol, p.entry_price), lambda p: p.entry_price or 0.0),
            Column(t("field.mark_price"), lambda p: price(p.symbol, p.mark_price), lambda p: p.mark_price or 0.0),
            Column(
                t("field.unrealized"),
                lambda p: formats.number(p.unrealized_profit, sign=True),
                lambda p: p.unrealized_profit,
                color=lambda p: ui.signed(p.unrealized_profit),
            ),
            Column(
                t("field.return_on_margin"),
                lambda p: formats.percent(rate(p), sign=True),
                rate,
                color=lambda p: ui.signed(rate(p)),
            ),
            Column(t("field.leverage"), lambda p: f"{p.leverage}×", lambda p: p.leverage, True, 0.7),
            Column(t("field.margin"), lambda p: formats.number(p.initial_margin), lambda p: p.initial_margin),
            Column(
                t("field.liquidation_price"),
                lambda p: price(p.symbol, p.liquidation_price),
                lambda p: p.liquidation_price or 0.0,
            ),
            Column(
                t("field.commitment_rate"),
                lambda p: formats.percent(p.commitment_rate, 1),
                lambda p: p.commitment_rate or 0.0,
            ),
            Column(
                t("field.risk_level"),
                lambda p: formats.percent(p.risk_level, 1),
                lambda p: p.risk_level or 0.0,
                color=lambda p: alarm(ui, p.risk_level),
            ),
            Column(t("field.stop_price"), lambda p: price(p.symbol, p.stop_price), lambda p: p.stop_price or 0.0),
            Column(
                t("field.exposure"),
                lambda p: formats.percent(p.target_exposure, 1, sign=True),
                lambda p: p.target_exposure,
                color=lambda p: ui.signed(p.target_exposure),
            ),
            Column(
                t("field.state"),
                lambda p: p.reason or t("position.trading" if p.trading else "position.paused"),
                lambda p: p.reason,
                False,
                1.3,
                lambda p: ui.colors.warning if p.reason else ui.colors.muted,
            ),
        ),
        key=lambda p: p.symbol,
    )
