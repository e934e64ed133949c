"""The position of a symbol as it is now, above its chart."""

from __future__ import annotations

from atm.gui import formats, widgets
from atm.gui.pages.account_positions import alarm
from atm.gui.ui import Ui
from atm.model.account import PositionState


def draw_position(ui: Ui, p: PositionState) -> None:
    """Figures side by side; what is not defined while it is flat is a dash."""
    t, model = ui.t, ui.model
    decimals = model.price_decimals(p.symbol)
    side = float(p.quantity)
    widgets.stats(
        ui,
        [
            (t("field.quantity"), formats.quantity(p.quantity, model.quantity_decimals(p.symbol)), ui.signed(side)),
            (t("field.entry_price"), formats.number(p.entry_price, decimals), None),
            (t("field.mark_price"), formats.number(p.mark_price, decimals), None),
            (
                t("field.unrealized"),
                formats.number(p.unrealized_profit, sign=True) if p.quantity else formats.UNKNOWN,
                ui.signed(p.unrealized_profit),
            ),
            (t("field.leverage"), f"{p.leverage}×", None),
            (t("field.liquidation_price"), formats.number(p.liquidation_price, decimals), None),
            (t("field.stop_price"), formats.number(p.stop_price, decimals), None),
            (t("field.commitment_rate"), formats.percent(p.commitment_rate, 1), None),
            (t("field.risk_level"), formats.percent(p.risk_level, 1), alarm(ui, p.risk_level)),
            (t("field.state"), p.reason or t("position.trading" if p.trading else "position.paused"), None),
        ],
        86,
    )
