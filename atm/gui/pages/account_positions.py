"""The positions of an account as sortable tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from atm.gui import formats
from atm.gui.accounts.suspension import Suspension
from atm.gui.accounts.wording import protection_word, short
from atm.gui.read_model import AccountView
from atm.gui.table import Column, Table
from atm.gui.theme import Color
from atm.gui.ui import Ui
from atm.model.account import PositionSetup, PositionState
from atm.model.live_view import StopView

RISKY, CRITICAL = 0.7, 0.9
"""From here on a risk level or a margin ratio is shown as a warning, as a danger; at 1 comes the liquidation."""
WIDTHS = {"basic": 960.0, "trader": 960.0, "detail": 1_980.0}
"""Of all columns of a set; in a narrower window they are scrolled."""
ON_PAPER = ".paper"
BASIC = (
    "symbol",
    "quantity",
    "entry",
    "mark",
    "profit",
    "rate",
    "leverage",
    "liquidation",
    "stop",
    "protection",
    "exposure",
    "state",
)
TRADER = ("symbol", "state", "exposure", "analysis", "trade", "ratio", "most", "allocated", "committed", "risk")
DETAIL = (
    *BASIC[:-2], "mode", "margin", "maintenance", "wallet", "margin_ratio", "exposure", "analysis", "trade", "ratio", "most",
    "allocated", "committed", "risk", "state",
)  # fmt: skip


def alarm(ui: Ui, share: float | None) -> Color | None:
    """Colour of a risk level or margin ratio; None = like any figure."""
    if share is None or share < RISKY:
        return None
    return ui.colors.bad if share >= CRITICAL else ui.colors.warning


@dataclass(slots=True)
class Shown:
    """What stands beside the states of the positions of the account that is shown: set-up, stop on the exchange, reasons."""

    setups: Mapping[str, PositionSetup] = field(default_factory=dict)
    stops: Mapping[str, StopView] = field(default_factory=dict)
    why: Mapping[str, Sequence[Suspension]] = field(default_factory=dict)

    def take(self, ui: Ui, view: AccountView, why: Mapping[str, Sequence[Suspension]]) -> None:
        """Bring it up to date for a frame."""
        live = ui.model.live.get(view.snapshot.name)
        self.setups = {each.symbol: each for each in view.setup.positions}
        self.stops = {} if live is None else {stop.symbol: stop for stop in live.stops}
        self.why = why


def position_tables(ui: Ui, shown: Shown) -> dict[str, Table[PositionState]]:
    """A table for each set of columns; those of virtual accounts, which have no stop on an exchange, by names with `ON_PAPER`."""
    columns = {**_figures(ui), **_set_up(ui, shown)}
    found = {}
    for name, names in (("basic", BASIC), ("trader", TRADER), ("detail", DETAIL)):
        mark = f"accounts.positions.{name}" if name != "basic" else "accounts.positions"
        for ending, left_out in (("", ""), (ON_PAPER, "protection")):
            chosen = tuple(columns[each] for each in names if each != left_out)
            found[f"{name}{ending}"] = Table(mark, chosen, key=lambda p: p.symbol, inner_width=WIDTHS[name])
    return found


def _figures(ui: Ui) -> dict[str, Column[PositionState]]:
    """Prices by the instrument's precision; unknown as a dash."""
    t, model = ui.t, ui.model

    def price(symbol: str, value: float | None) -> str:
        return formats.number(value, model.price_decimals(symbol))

    def rate(p: PositionState) -> float:
        """Unrealised profit over initial margin."""
        return p.unrealized_profit / p.initial_margin if p.initial_margin else float("nan")

    return {
        "symbol": Column(t("field.symbol"), lambda p: p.symbol, lambda p: p.symbol, False, 1.15),
        "quantity": Column(
            t("field.quantity"), lambda p: formats.quantity(p.quantity, model.quantity_decimals(p.symbol)),
            lambda p: p.quantity, color=lambda p: ui.signed(p.quantity),
        ),
        "entry": Column(
            t("field.entry_price"), lambda p: price(p.symbol, p.entry_price), lambda p: p.entry_price or 0.0
        ),
        "mark": Column(t("field.mark_price"), lambda p: price(p.symbol, p.mark_price), lambda p: p.mark_price or 0.0),
        "profit": Column(
            t("field.unrealized"), lambda p: formats.number(p.unrealized_profit, sign=True),
            lambda p: p.unrealized_profit, color=lambda p: ui.signed(p.unrealized_profit),
        ),
        "rate": Column(
            t("field.return_on_margin"), lambda p: formats.percent(rate(p), sign=True), rate,
            color=lambda p: ui.signed(rate(p)),
        ),
        "leverage": Column(t("field.leverage"), lambda p: f"{p.leverage}×", lambda p: p.leverage, True, 0.75),
        "margin": Column(t("field.margin"), lambda p: formats.number(p.initial_margin), lambda p: p.initial_margin),
        "maintenance": Column(
            t("account.maintenance"), lambda p: formats.number(p.maintenance_margin), lambda p: p.maintenance_margin,
            width=1.3,
        ),
        "mode": Column(
            t("field.margin_mode"), lambda p: t("margin.isolated" if p.isolated else "margin.cross"),
            lambda p: p.isolated, False,
        ),
        "wallet": Column(
            t("field.isolated_wallet"), lambda p: formats.number(p.isolated_wallet) if p.isolated else formats.UNKNOWN,
            lambda p: p.isolated_wallet, width=1.2,
        ),
        "margin_ratio": Column(
            t("account.margin_ratio"), lambda p: formats.percent(p.margin_ratio, 1), lambda p: p.margin_ratio or 0.0,
            width=1.3, color=lambda p: alarm(ui, p.margin_ratio),
        ),
        "liquidation": Column(
            t("field.liquidation_price"), lambda p: price(p.symbol, p.liquidation_price),
            lambda p: p.liquidation_price or 0.0,
        ),
        "committed": Column(
            t("field.commitment_rate"), lambda p: formats.percent(p.commitment_rate, 1),
            lambda p: p.commitment_rate or 0.0,
        ),
        "risk": Column(
            t("field.risk_level"), lambda p: formats.percent(p.risk_level, 1), lambda p: p.risk_level or 0.0,
            color=lambda p: alarm(ui, p.risk_level),
        ),
        "stop": Column(t("field.stop_price"), lambda p: price(p.symbol, p.stop_price), lambda p: p.stop_price or 0.0),
        "allocated": Column(
            t("field.allocated"), lambda p: formats.number(p.allocated_balance), lambda p: p.allocated_balance
        ),
        "exposure": Column(
            t("field.exposure"), lambda p: formats.percent(p.target_exposure, 1, sign=True), lambda p: p.target_exposure,
            width=1.1, color=lambda p: ui.signed(p.target_exposure),
        ),
    }  # fmt: skip


def _set_up(ui: Ui, shown: Shown) -> dict[str, Column[PositionState]]:
    """What stands beside the state: configurations, the exchange's stop, reasons."""
    t = ui.t

    def setup(p: PositionState) -> PositionSetup | None:
        return shown.setups.get(p.symbol)

    def analysis(p: PositionState) -> str:
        found = setup(p)
        return formats.UNKNOWN if found is None else found.analysis

    def trade(p: PositionState) -> str:
        found = setup(p)
        return formats.UNKNOWN if found is None else found.trade

    def ratio(p: PositionState) -> float:
        found = setup(p)
        return 0.0 if found is None else found.assumed_ratio

    def most(p: PositionState) -> float | None:
        found = setup(p)
        return None if found is None else found.max_allocated

    def state(p: PositionState) -> str:
        why = shown.why.get(p.symbol, ())
        return t("position.trading") if not why else short(ui, why[0])

    def tone(p: PositionState) -> Color:
        why = shown.why.get(p.symbol, ())
        return ui.colors.good if not why else ui.colors.bad if why[0].grave else ui.colors.warning

    def stop(p: PositionState) -> tuple[str, Color]:
        return protection_word(ui, shown.stops.get(p.symbol) if p.quantity else None)

    return {
        "analysis": Column(t("field.analysis"), analysis, analysis, False, 1.3),
        "trade": Column(t("field.trade"), trade, trade, False, 1.7),
        "ratio": Column(t("field.assumed_ratio"), lambda p: formats.percent(ratio(p), 1), ratio),
        "most": Column(
            t("field.max_allocated"), lambda p: formats.number(most(p)), lambda p: most(p) or 0.0, width=1.2
        ),
        "protection": Column(
            t("protection.title"), lambda p: stop(p)[0], lambda p: stop(p)[0], False, 1.2, lambda p: stop(p)[1]
        ),
        "state": Column(t("field.state"), state, state, False, 1.5, tone),
    }
