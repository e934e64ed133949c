"""How far an actual account is from its limits, whether its positions are protected, and in what it differs from the exchange."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atm.gui import formats, icons, widgets
from atm.gui.accounts.order_types import draw_order_types
from atm.gui.accounts.wording import protection_word
from atm.gui.form_fields import label_of
from atm.gui.pages.live_card import LiveCard
from atm.gui.read_model import AccountView
from atm.gui.result.tables import Cell, plain_table
from atm.gui.ui import Ui
from atm.model.live_view import LiveView
from atm.model.risk import RiskLimits

NEAR, CLOSE = 0.7, 0.9
"""Shares of a limit from which on its meter is a warning, a danger."""


class RiskTab:
    """The rules themselves are edited below the figures."""

    def __init__(self) -> None:
        self._rules = LiveCard()

    def draw(self, ui: Ui, view: AccountView) -> None:
        """The inside of the card."""
        live = ui.model.live.get(view.snapshot.name)
        if live is None:
            ui.wrapped(ui.t("risk.waiting"))
        else:
            self._figures(ui, live, view.setup.live.limits)
            self._protection(ui, view, live)
            self._differences(ui, view, live)
        draw_order_types(ui, ui.model.order_types.get(view.snapshot.name))
        imgui.dummy(ImVec2(0, ui.px(6)))
        self._rules.draw(ui, view)

    def _figures(self, ui: Ui, live: LiveView, limits: RiskLimits) -> None:
        risk = live.risk
        ui.text(ui.t("risk.limits"), bold=True)
        meters = (
            ("daily_loss", risk.day_loss, limits.daily_loss, formats.percent),
            ("drawdown", risk.drawdown, limits.drawdown, formats.percent),
            ("max_leverage", risk.leverage, limits.max_leverage, _times),
            ("max_notional", risk.largest, limits.max_notional, formats.number),
            ("orders_per_minute", float(risk.orders), limits.orders_per_minute, _whole),
        )
        columns = max(1, min(len(meters), int(imgui.get_content_region_avail().x // ui.px(180))))
        if imgui.begin_table("##risk", columns, int(imgui.TableFlags_.sizing_stretch_same)):
            for name, value, most, written in meters:
                imgui.table_next_column()
                _meter(ui, name, value, most, written)
            imgui.end_table()
        equity, day, peak = (formats.number(each or None) for each in (risk.equity, risk.day_equity, risk.peak_equity))
        ui.text(ui.t("risk.equity", equity=equity, day=day, peak=peak), ui.colors.muted, size=ui.theme.SMALL)

    def _protection(self, ui: Ui, view: AccountView, live: LiveView) -> None:
        imgui.dummy(ImVec2(0, ui.px(4)))
        ui.text(ui.t("protection.heading"), bold=True)
        with ui.font(ui.theme.SMALL):
            ui.wrapped(ui.t("protection.invariant", seconds=f"{view.setup.live.unprotected_s:g}"))
        if not live.stops:
            ui.text(ui.t("protection.flat"), ui.colors.muted)
            return
        rows: list[list[Cell]] = []
        for stop in live.stops:
            decimals, (word, color) = ui.model.price_decimals(stop.symbol), protection_word(ui, stop)
            since = ui.t("protection.since", time=formats.moment(stop.unprotected_ms, seconds=True))
            rows.append(
                [
                    (stop.symbol, None),
                    (word, color),
                    (formats.number(stop.trigger, decimals), None),
                    (formats.number(stop.wanted, decimals), ui.colors.muted),
                    (since if stop.unprotected_ms else "", ui.colors.bad),
                ]
            )
        titles = (
            ui.t("field.symbol"),
            ui.t("protection.title"),
            ui.t("protection.trigger"),
            ui.t("protection.wanted"),
            "",
        )
        plain_table(ui, "protection", titles, rows, left=2)

    def _differences(self, ui: Ui, view: AccountView, live: LiveView) -> None:
        imgui.dummy(ImVec2(0, ui.px(4)))
        ui.text(ui.t("differences.title"), bold=True)
        imgui.same_line(0, ui.px(12))
        compared = formats.moment(live.compared_ms, seconds=True)
        state = (
            ui.t("differences.as_of", time=compared) if live.is_ready else ui.t("differences.pending", time=compared)
        )
        ui.text(state, ui.colors.muted if live.is_ready else ui.colors.warning, size=ui.theme.SMALL)
        if not live.differences:
            if live.compared_ms:
                ui.text(f"{icons.SUCCESS}  {ui.t('differences.none')}", ui.colors.good)
            return
        rows: list[list[Cell]] = [
            [
                (ui.texts(f"difference.{each.kind}"), ui.colors.warning),
                (each.symbol, None),
                (each.ours or formats.UNKNOWN, None),
                (each.theirs or formats.UNKNOWN, None),
                (ui.texts(f"difference.{each.kind}_does"), ui.colors.muted),
            ]
            for each in live.differences
        ]
        titles = (
            "",
            ui.t("field.symbol"),
            ui.t("differences.ours"),
            ui.t("differences.theirs"),
            ui.t("differences.does"),
        )
        plain_table(ui, "differences", titles, rows, left=5)
        policy = ui.texts(f"option.{view.setup.live.policy.value.lower()}")
        ui.text(ui.t("differences.policy", policy=policy), ui.colors.muted, size=ui.theme.SMALL)


def _times(value: float | None) -> str:
    return f"{formats.number(value)}×"


def _whole(value: float | None) -> str:
    return formats.number(value, 0)


def _meter(ui: Ui, name: str, value: float | None, most: float | None, written: object) -> None:
    """A figure, its limit and how much of it is used."""
    assert callable(written)
    said = f"{written(value)} / {written(most) if most is not None else ui.t('risk.no_limit')}"
    share = 0.0 if value is None or not most else value / most
    tone = ui.colors.bad if share >= CLOSE else ui.colors.warning if share >= NEAR else ui.colors.good
    imgui.begin_group()
    ui.text(label_of(ui.t, name), ui.colors.muted, size=ui.theme.SMALL)
    ui.text(said, tone if share >= NEAR else ui.colors.text, bold=True)
    widgets.meter(ui, share, tone, max(ui.px(60), imgui.get_content_region_avail().x - ui.px(18)))
    imgui.dummy(ImVec2(0, ui.px(4)))
    imgui.end_group()
