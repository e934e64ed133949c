"""The drift alarm: one gauge a test, what it is measured by, and how it is reset."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atm.gui import formats, icons, widgets
from atm.gui.parity.parity_client import ParityClient
from atm.gui.theme import Color
from atm.gui.ui import Ui
from atm.model.drift import FALSE_ALARMS, HORIZON, DriftGauge, DriftState, DriftTest

_BASELINE_WIDTH = 330.0
_GAP = 22.0


def draw_drift(ui: Ui, client: ParityClient, drift: DriftState) -> None:
    """Three gauges side by side, then the baseline."""
    t = ui.t
    room = imgui.get_content_region_avail().x - ui.px(_BASELINE_WIDTH)
    width = room / max(len(drift.gauges), 1) - ui.px(_GAP)
    for gauge in drift.gauges:
        imgui.begin_child(f"gauge.{gauge.test.value}", ImVec2(width, ui.px(62)))
        _gauge(ui, gauge, width)
        imgui.end_child()
        imgui.same_line(0, ui.px(_GAP))
    imgui.begin_group()
    options = [("", t("drift.own_backtests"))]
    options += [(state.code, state.code) for state in ui.model.completed_simulations()]
    now = drift.setup.simulation
    chosen = widgets.choice(ui, "drift.baseline", t("drift.baseline"), now, options, width=ui.px(200))
    if chosen != now:
        client.set_drift(ui, chosen)
    imgui.end_group()
    imgui.same_line(0, ui.px(10))
    imgui.begin_group()
    widgets.label_above(ui, " ")
    if widgets.button(ui, "drift.reset", t("drift.reset")):
        client.set_drift(ui, now, reset=True)
    widgets.tooltip(t("drift.reset_hint"))
    imgui.end_group()
    since = (
        t("drift.since", time=formats.moment(drift.setup.since_ms)) if drift.setup.since_ms else t("drift.from_begin")
    )
    note = t("drift.hint", share=formats.percent(FALSE_ALARMS, 0), count=HORIZON)
    ui.text(f"{since}  ·  {note}", ui.colors.faint, size=ui.theme.SMALL)
    if client.error:
        ui.text(f"{icons.WARNING}  {client.error}", ui.colors.warning, size=ui.theme.SMALL)


def _gauge(ui: Ui, gauge: DriftGauge, width: float) -> None:
    t = ui.t
    text, color = state_of(ui, gauge)
    ui.text(t(f"drift_test.{gauge.test.value}"), bold=True)
    imgui.same_line(0, ui.px(8))
    ui.text(text, color, size=ui.theme.SMALL)
    share = gauge.level / gauge.threshold if gauge.threshold > 0.0 else 0.0
    imgui.dummy(ImVec2(width, ui.px(2)))
    widgets.meter(ui, share, color, width, 8)
    live, expected = (_value(gauge.test, value) for value in (gauge.live, gauge.expected))
    ui.text(
        t("drift.means", live=live, expected=expected, count=f"{gauge.observations:,}"),
        ui.colors.muted,
        size=ui.theme.SMALL,
    )


def state_of(ui: Ui, gauge: DriftGauge) -> tuple[str, Color]:
    """In a word, and its colour."""
    if gauge.alarm_ms:
        return ui.t("drift.alarm", day=formats.moment(gauge.alarm_ms)[:10]), ui.colors.bad
    if gauge.why:
        return ui.texts(gauge.why), ui.colors.faint
    if gauge.threshold > 0.0 and gauge.level > gauge.threshold / 2:
        return ui.t("drift.rising"), ui.colors.warning
    return ui.t("drift.quiet"), ui.colors.good


def _value(test: DriftTest, value: float | None) -> str:
    if value is None:
        return formats.UNKNOWN
    return formats.percent(value, 3 if test is DriftTest.SLIPPAGE else 2, sign=test is not DriftTest.FILL_RATE)
