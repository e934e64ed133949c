"""Forms made from what parameter structs say of themselves (`atm.model.parameter`): one field each, of its kind.

What the user types stays as typed (`Typed`) until it is read, so that a wrong value can stand in its field beside what is
allowed. Whoever shows a struct needs nothing but its parameters: no form knows any analysis, strategy or network.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from imgui_bundle import ImVec2, ImVec4, imgui

from atm.gui import formats, widgets
from atm.gui.texts import Texts
from atm.gui.theme import fade
from atm.gui.ui import Ui
from atm.model.errors import Invalid
from atm.model.parameter import Parameter

Typed = str | bool
Values = dict[str, Typed]
Label = Callable[[Texts, Parameter], str]
CELL = 158.0
"""Width of one field, unscaled."""
_GAP = 14.0
_STEPPER = 24.0


# --- typed and read -----------------------------------------------------------------------------------------------


def as_typed(parameter: Parameter, value: Any) -> Typed:
    """A value as it stands in its field."""
    if parameter.kind == "switch":
        return bool(value)
    if value is None:
        return ""
    if parameter.kind in ("whole", "number"):
        return _number_text(value * 100 if parameter.unit == "%" else value)
    if parameter.kind == "list" and parameter.member is not None:
        return ", ".join(str(as_typed(parameter.member, one)) for one in value)
    return msgspec.json.encode(value).decode() if parameter.kind == "data" else str(value)


def fresh(parameters: Sequence[Parameter]) -> Values:
    """The defaults, as typed."""
    return {parameter.name: as_typed(parameter, parameter.default) for parameter in parameters}


def read(parameter: Parameter, typed: Typed) -> Any:
    """The value that was typed. Raises Invalid with the text as its value."""
    if isinstance(typed, bool):
        return typed
    text = typed.strip()
    if not text and parameter.optional:
        return None
    try:
        value = _value(parameter, text)
        return parameter.check(value)
    except (ValueError, Invalid):
        raise Invalid(parameter.name, typed, parameter.allowed) from None


def _value(parameter: Parameter, text: str) -> Any:
    if parameter.kind == "list" and parameter.member is not None:
        return [read(parameter.member, part) for part in text.split(",") if part.strip()]
    if parameter.kind not in ("whole", "number"):
        return msgspec.json.decode(text) if parameter.kind == "data" else text
    plain = text.rstrip("%").replace("−", "-").replace(" ", "")
    if parameter.kind == "whole":
        return int(plain.replace(",", "").replace("_", ""))
    value = float(plain)
    return round(value / 100, 12) if parameter.unit == "%" else value


def nudged(parameter: Parameter, typed: Typed, direction: int) -> Typed:
    """One step up (1) or down (−1), within the bounds; what is no number becomes the default."""
    try:
        value = read(parameter, typed)
    except Invalid:
        return as_typed(parameter, parameter.default)
    step = _step(parameter)
    moved = round(value + direction * step, 12)
    moved = int(moved) if parameter.kind == "whole" else moved
    try:
        return as_typed(parameter, parameter.check(moved))
    except Invalid:
        return typed


def _step(parameter: Parameter) -> float:
    """1 of whole numbers, else a tenth of the default's decade, or of the bound's when the default is 0."""
    if parameter.kind == "whole":
        return 1
    scale = abs(parameter.default or parameter.most or 1.0)
    return float(10.0 ** (math.floor(math.log10(scale)) - 1))


def _number_text(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    return f"{value:.12f}".rstrip("0").rstrip(".") if 1e-9 < abs(value) < 1e12 else f"{value:g}"


# --- words --------------------------------------------------------------------------------------------------------


def label_of(t: Texts, name: str) -> str:
    """The name of a field in the language of the window; of one that the catalogue does not know, its own."""
    key = f"parameter.{name}"
    return t(key) if t.has(key) else name.replace("_", " ")


def described(t: Texts, parameter: Parameter) -> str:
    """The name of a field in the language of the window; of one that the catalogue does not know, what its struct says of it."""
    return (
        label_of(t, parameter.name)
        if t.has(f"parameter.{parameter.name}")
        else (parameter.description or label_of(t, parameter.name))
    )


def named(t: Texts, parameter: Parameter) -> str:
    """`label_of` a parameter."""
    return label_of(t, parameter.name)


def option_of(t: Texts, value: str) -> str:
    """One of the values of a choice in the language of the window; its own name where the catalogue has none."""
    key = f"option.{value.lower()}"
    return t(key) if t.has(key) else value


def allowed(t: Texts, parameter: Parameter) -> str:
    """What is allowed, in the language of the window."""
    if parameter.kind in ("whole", "number"):
        return t(f"form.{parameter.kind}", range=_range(parameter))
    if parameter.kind == "list" and parameter.member is not None:
        bounds = formats.quantity(parameter.least or 0, 0), formats.quantity(parameter.most or math.inf, 0)
        return t("form.list", least=bounds[0], most=bounds[1], member=allowed(t, parameter.member))
    if parameter.kind == "choice":
        return ", ".join(option_of(t, choice) for choice in parameter.choices)
    if parameter.kind == "text":
        return t("form.text", least=int(parameter.least or 0), most=int(parameter.most or 0))
    return parameter.allowed


def _range(parameter: Parameter) -> str:
    """ "(0 … 10]": a round bracket where the bound itself is not allowed."""
    unit = parameter.unit
    scale = 100 if unit == "%" else 1
    low = "−∞" if parameter.least is None else formats.quantity(parameter.least * scale, 6)
    high = "∞" if parameter.most is None else formats.quantity(parameter.most * scale, 6)
    if parameter.above:
        low = f"> {low}"
    if parameter.below:
        high = f"< {high}"
    return f"{low} … {high}{unit}"


def refusal(t: Texts, value: object, what: str) -> str:
    """The sentence at a field: its value, and what is allowed."""
    shown = value if str(value) else "—"
    return t("form.refused", value=shown, allowed=what)


def hint(t: Texts, parameter: Parameter) -> str:
    """The tooltip of a field: what it is, what is allowed, its default."""
    lines = [t(parameter.description)] if parameter.description else []
    lines.append(t("form.allowed", allowed=allowed(t, parameter)))
    if not parameter.required and parameter.default is not None:
        default = as_typed(parameter, parameter.default)
        shown = t("form.on" if default else "form.off") if isinstance(default, bool) else default
        lines.append(t("form.default", default=f"{shown}{parameter.unit}"))
    return "\n".join(lines)


# --- drawing ------------------------------------------------------------------------------------------------------


def draw_field(
    ui: Ui, mark: str, parameter: Parameter, typed: Typed, error: str, width: float, label: Label | None = named
) -> Typed:
    """One field under its name (None: the row above has it), its refusal beneath. width on the screen. Returns what stands in
    it now."""
    imgui.begin_group()
    if label is not None:
        name = label(ui.t, parameter)
        widgets.label_above(ui, f"{name} ({parameter.unit})" if parameter.unit else name)
        widgets.tooltip(hint(ui.t, parameter))
    if parameter.kind == "switch":
        on = bool(typed)
        typed = widgets.toggle(ui, mark, ui.t("form.on" if on else "form.off"), on)
    elif parameter.kind == "choice":
        options = [(choice, option_of(ui.t, choice)) for choice in parameter.choices]
        typed = widgets.choice(ui, mark, "", str(typed), options, width=width)
    else:
        typed = _text(ui, mark, parameter, str(typed), error, width)
    if imgui.is_item_hovered():
        widgets.tooltip(hint(ui.t, parameter))
    _note(ui, error, width)
    imgui.end_group()
    return typed


def _text(ui: Ui, mark: str, parameter: Parameter, typed: str, error: str, width: float) -> Typed:
    stepped = parameter.kind in ("whole", "number")
    room = 2 * (ui.px(_STEPPER) + ui.px(3)) if stepped else 0.0
    imgui.set_next_item_width(width - room)
    if error:
        imgui.push_style_color(imgui.Col_.frame_bg, ImVec4(*fade(ui.colors.bad, 0.16)))
        imgui.push_style_color(imgui.Col_.border, ImVec4(*ui.colors.bad))
        imgui.push_style_var(imgui.StyleVar_.frame_border_size, 1.0)
    off = ui.t("form.off") if parameter.optional else ""
    _, shown = imgui.input_text_with_hint(f"##{mark}", off, typed)
    text: Typed = str(shown)
    ui.mark(mark)
    widgets.tooltip(hint(ui.t, parameter))
    if error:
        imgui.pop_style_var()
        imgui.pop_style_color(2)
    if not stepped:
        return text
    for sign, direction in (("−", -1), ("+", 1)):
        imgui.same_line(0, ui.px(3))
        imgui.push_style_var(imgui.StyleVar_.frame_padding, ImVec2(0, ui.px(6)))
        imgui.push_item_flag(imgui.ItemFlags_.no_tab_stop, True)
        if imgui.button(f"{sign}##{mark}", ImVec2(ui.px(_STEPPER), 0)):
            text = nudged(parameter, text, direction)
        imgui.pop_item_flag()
        imgui.pop_style_var()
        ui.mark(f"{mark}.{'up' if direction > 0 else 'down'}")
    return text


def _note(ui: Ui, error: str, width: float) -> None:
    if not error:
        return
    with ui.font(ui.theme.SMALL):
        imgui.push_text_wrap_pos(imgui.get_cursor_pos_x() + width)
        ui.text(error, ui.colors.bad)
        imgui.pop_text_wrap_pos()


def draw_fields(
    ui: Ui,
    mark: str,
    parameters: Sequence[Parameter],
    values: Values,
    errors: Mapping[str, str],
    place: Callable[[str], str],
    width: float,
    label: Label = named,
) -> None:
    """All fields of a struct side by side, in as many rows as `width` (on the screen) needs; `values` is edited in place.

    errors: sentences by the path of a field, which `place` gives for its name.
    """
    gap, cell = ui.px(_GAP), ui.px(CELL)
    per_row = max(1, int((width + gap) // (cell + gap)))
    for index, parameter in enumerate(parameters):
        if index % per_row:
            imgui.same_line(0, gap)
        path = place(parameter.name)
        typed = values.get(parameter.name, as_typed(parameter, parameter.default))
        now = draw_field(ui, f"{mark}.{parameter.name}", parameter, typed, error_at(errors, path), cell, label)
        if now != typed:
            values[parameter.name] = now


def fields_width(ui: Ui, count: int) -> float:
    """Room on the screen for so many fields side by side."""
    return count * ui.px(CELL) + (count - 1) * ui.px(_GAP)


def error_at(errors: Mapping[str, str], path: str) -> str:
    """What is wrong with a field or with a member of its list."""
    return next((text for place, text in errors.items() if place == path or place.startswith(f"{path}[")), "")
