"""The market of the demo exchange: its time, its pace, and moving it forward."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atm.gui import formats, icons, widgets
from atm.gui.calendar import MomentField
from atm.gui.ui import Ui
from atm.ipc.messages import BINANCE_API, ControlDemo
from atm.model.demo_state import FASTEST, SLOWEST, DemoCommand, DemoState
from atm.model.interval import MINUTE_MS, format_time

SCOPE = "demo.market"
JUMP = "demo.jump"
SPEEDS = (1, 10, 60, 300, 1000)
STEPS = (1, 5, 60)
JUMP_TIMEOUT_S = 65.0
"""A jump over months lets everything between happen before it is answered."""


class MarketCard:
    """Keeps what is being typed and dragged."""

    def __init__(self) -> None:
        self.jump = MomentField("demo.jump.time")
        self._dragged: float | None = None

    def draw(self, ui: Ui, state: DemoState, now_ms: int) -> None:
        """now_ms: market time of this frame."""
        self._draw_time(ui, state, now_ms)
        imgui.dummy(ImVec2(0, ui.px(2)))
        self._draw_pace(ui, state)
        imgui.dummy(ImVec2(0, ui.px(2)))
        self._draw_jump(ui, state, now_ms)

    def _draw_time(self, ui: Ui, state: DemoState, now_ms: int) -> None:
        ui.text(formats.moment(now_ms, seconds=True), size=ui.theme.FIGURE, bold=True)
        imgui.same_line(0, ui.px(12))
        imgui.set_cursor_pos_y(imgui.get_cursor_pos_y() + ui.px(6))
        if state.paused:
            widgets.badge(ui, ui.t("demo.held"), ui.colors.warning)
        else:
            widgets.badge(ui, f"{state.speed:g}×", ui.colors.good)
        busy = ui.t("form.sending") if ui.commands.pending(SCOPE) or ui.commands.pending(JUMP) else ""
        label = (icons.PLAY, ui.t("demo.resume")) if state.paused else (icons.PAUSE, ui.t("demo.pause"))
        if widgets.button(ui, "demo.pause", "  ".join(label), "primary" if state.paused else "plain", why_not=busy):
            _send(ui, DemoCommand(pause=not state.paused))
        for minutes in STEPS:
            imgui.same_line()
            if widgets.button(ui, f"demo.step.{minutes}", ui.t("demo.step", minutes=minutes), why_not=busy):
                _send(ui, DemoCommand(step=minutes))
            widgets.tooltip(ui.t("demo.step_hint"))

    def _draw_pace(self, ui: Ui, state: DemoState) -> None:
        widgets.label_above(ui, ui.t("demo.speed"))
        imgui.set_next_item_width(-1)
        shown = self._dragged if self._dragged is not None else state.speed
        flags = int(imgui.SliderFlags_.logarithmic | imgui.SliderFlags_.always_clamp)
        moved, value = imgui.slider_float("##demo.speed", shown, SLOWEST, FASTEST, "%.0f×", flags)
        ui.mark("demo.speed")
        if moved:
            self._dragged = float(round(value))
        if imgui.is_item_deactivated() and self._dragged is not None:
            _send(ui, DemoCommand(speed=self._dragged))
            self._dragged = None
        chosen = widgets.segments(ui, "demo.speed", f"{state.speed:g}", [(str(each), f"{each}×") for each in SPEEDS])
        if chosen != f"{state.speed:g}":
            _send(ui, DemoCommand(speed=float(chosen)))
        failed = ui.commands.failure(SCOPE)
        widgets.field_note(ui, failed.message if failed is not None else "")

    def _draw_jump(self, ui: Ui, state: DemoState, now_ms: int) -> None:
        label = ui.t("demo.jump")
        room = imgui.calc_text_size(label).x + ui.px(32)
        width = imgui.get_content_region_avail().x - room
        self.jump.draw(ui, ui.t("demo.jump_to"), now_ms, state.last_ms, width=width)
        imgui.same_line(0, ui.px(10))
        imgui.begin_group()
        widgets.label_above(ui, "")
        if widgets.button(ui, "demo.jump", label, "primary", why_not=self._why_not(ui, state, now_ms)):
            there = self.jump.moment()
            ui.commands.send(BINANCE_API, ControlDemo(DemoCommand(jump=there)), JUMP, timeout_s=JUMP_TIMEOUT_S)
        imgui.end_group()
        failed = ui.commands.failure(JUMP)
        widgets.field_note(ui, failed.message if failed is not None else "")
        first, last = format_time(state.first_ms), format_time(state.last_ms)
        ui.wrapped(ui.t("demo.jump_hint", first=first, last=last))

    def _why_not(self, ui: Ui, state: DemoState, now_ms: int) -> str:
        if ui.commands.pending(JUMP):
            return ui.t("form.sending")
        there = self.jump.moment()
        if there is None:
            return ui.t("demo.no_time")
        if not now_ms < there <= state.last_ms:
            return ui.t("demo.jump_range", now=format_time(now_ms + MINUTE_MS), last=format_time(state.last_ms))
        return ""


def _send(ui: Ui, command: DemoCommand) -> None:
    ui.commands.send(BINANCE_API, ControlDemo(command), SCOPE)
