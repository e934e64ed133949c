"""The position of a symbol as it is now, above its chart."""

from __future__ import annotations

from atm.gui import formats, widgets
from atm.gui.accounts.suspension import suspensions
from atm.gui.accounts.wording import sentence
from atm.gui.pages.account_positions import alarm
from atm.gui.read_model import AccountView
from atm.gui.ui import Ui
from atm.model.account import PositionState


def draw_position(ui: Ui, view: AccountView, p: PositionState) -> None:
    """Figures side by side; what is not defined while it is flat is a dash."""
    t, model = ui.t, ui.model
    decimals = model.price_decimals(p.symbol)
    side = float(p.quantity)
    why = suspensions(ui.model, view, p)
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
            (t("field.state"), t("position.trading" if not why else "position.paused"), None),
        ],
        86,
    )
    if why:
        ui.wrapped(sentence(ui, why[0]), ui.colors.bad if why[0].grave else ui.colors.warning)
