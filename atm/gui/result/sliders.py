"""A slider, switch or choice for one adjustable value: its range about the value it began with, its decimals."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from imgui_bundle import ImVec2, ImVec4, imgui

from atm.gui import icons, widgets
from atm.gui.form_fields import label_of
from atm.gui.texts import Texts
from atm.gui.ui import Ui
from atm.model.adjustable import Adjustable
from atm.model.parameter import Parameter

NEAR = 10.0
"""The whole range of a parameter is offered where its end is within so many times the value …"""
FAR = 4.0
"""… else so many times the value: the ends of a wide range are of no use to a hand. Typed (Ctrl and click) is everything."""
_STARTS = (0.05, 1.0, 1_000.0)
"""What an optional value begins with when it is switched on: the last of these that is allowed and not the bound itself."""


@dataclass(frozen=True, slots=True)
class Range:
    """Of a slider. decimals: that its values are rounded to; 0 for whole numbers."""

    low: float
    high: float
    decimals: int


def range_of(parameter: Parameter, value: float) -> Range:
    """The range that is offered about a value."""
    least = 0.0 if parameter.least is None else parameter.least
    most = math.inf if parameter.most is None else parameter.most
    size = abs(value)
    high = most if most <= NEAR * size or (size == 0.0 and most < math.inf) else FAR * size or _STARTS[1]
    if parameter.kind == "whole":
        return Range(least, max(high, min(most, least + FAR)), 0)
    low = max(least, -high) if least < 0 else least
    decimals = max(0, 3 - math.floor(math.log10(high - low))) if high > low else 3
    step = 10.0**-decimals
    return Range(
        low + step if parameter.above else low, high - step if parameter.below and high == most else high, decimals
    )


def start_of(parameter: Parameter) -> float:
    """What an optional value begins with when it is switched on."""
    most = math.inf if parameter.most is None else parameter.most
    if most <= 1.0:
        return _STARTS[0] if most > _STARTS[0] else most
    return _STARTS[2] if most == math.inf and parameter.name == "max_allocated" else min(_STARTS[1], most)


def name_of(t: Texts, each: Adjustable, root: str) -> str:
    """The last parts of a path in words: "long · alpha", "exit 2 · target"."""
    path = each.path.removeprefix(root).lstrip(".").removeprefix("method.")
    words = []
    for part in path.split("."):
        name, *places = part.replace("]", "").split("[")
        numbers = " ".join(str(int(place) + 1) for place in places if place.isdigit())
        words.append(f"{label_of(t, name)} {numbers}".strip())
    return " · ".join(words)


def draw_slider(ui: Ui, each: Adjustable, name: str, value: Any, width: float) -> Any:
    """Draw with its name; returns the value that stands there now. width on the screen."""
    changed = value != each.value
    mark = f"trial.{each.path}"
    with ui.font(ui.theme.SMALL):
        ui.text(name, ui.colors.accent if changed else ui.colors.muted)
        if changed:
            imgui.same_line(0, ui.px(6))
            imgui.push_style_color(imgui.Col_.button, ImVec4(0, 0, 0, 0))
            imgui.push_style_var(imgui.StyleVar_.frame_padding, ImVec2(ui.px(4), 0))
            if imgui.button(f"{icons.CLOSE}##{mark}.reset"):
                value = each.value
            imgui.pop_style_var()
            imgui.pop_style_color()
            ui.mark(f"{mark}.reset")
            widgets.tooltip(ui.t("trial.reset_one", value=_text(each.value)))
    kind = each.parameter.kind
    if kind == "switch":
        return widgets.toggle(ui, mark, ui.t("form.on" if value else "form.off"), bool(value))
    if kind == "choice":
        options = [(choice, choice) for choice in each.parameter.choices]
        return widgets.segments(ui, mark, str(value), options)
    return _number(ui, each, mark, value, width)


def _number(ui: Ui, each: Adjustable, mark: str, value: Any, width: float) -> Any:
    parameter = each.parameter
    if parameter.optional:
        on = widgets.toggle(ui, f"{mark}.on", "", value is not None)
        if not on:
            imgui.same_line()
            ui.text(ui.t("form.off"), ui.colors.faint)
            return None
        if value is None:
            value = each.value if each.value is not None else start_of(parameter)
        imgui.same_line()
        width -= imgui.get_frame_height() * 1.3 + ui.px(26)
    about = each.value if each.value is not None else start_of(parameter)
    room = range_of(parameter, float(about))
    imgui.set_next_item_width(width)
    if parameter.kind == "whole":
        _, whole = imgui.slider_int(f"##{mark}", int(value), int(room.low), int(room.high))
        ui.mark(mark)
        return int(whole)
    _, moved = imgui.slider_float(f"##{mark}", float(value), room.low, room.high, f"%.{room.decimals}f")
    ui.mark(mark)
    # the slider calculates with 32 bits: what was not moved stays the value that it was
    return value if abs(moved - value) <= 1e-6 * max(abs(value), 1e-9) else round(float(moved), room.decimals)


def _text(value: Any) -> str:
    return "–" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
