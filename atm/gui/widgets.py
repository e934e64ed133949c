"""The controls that pages are made of. Each takes a `mark`, the name under which tests (and commands) find it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from imgui_bundle import ImVec2, ImVec4, imgui

from atm.gui import icons
from atm.gui.theme import Color, fade
from atm.gui.ui import Ui


def u32(color: Color) -> int:
    """A colour as the draw list wants it."""
    return int(imgui.get_color_u32(ImVec4(*color)))


@contextmanager
def card(ui: Ui, name: str, width: float = 0.0, height: float = 0.0, title: str = "") -> Iterator[None]:
    """A panel with a border. width, height on the screen: 0 = what is left, height −1 = as its content."""
    flags = imgui.ChildFlags_.borders | imgui.ChildFlags_.always_use_window_padding
    if height < 0:
        flags |= imgui.ChildFlags_.auto_resize_y
    imgui.push_style_color(imgui.Col_.child_bg, ImVec4(*ui.colors.panel))
    imgui.begin_child(name, ImVec2(width, max(height, 0.0)), int(flags))
    imgui.pop_style_color()
    try:
        if title:
            heading(ui, title)
        yield
    finally:
        imgui.end_child()


def heading(ui: Ui, title: str) -> None:
    """Title of a card."""
    ui.text(title, ui.colors.text, size=ui.theme.BODY, bold=True)
    imgui.dummy(ImVec2(0, ui.px(2)))


def button(ui: Ui, mark: str, label: str, kind: str = "plain", *, why_not: str = "", width: float = 0.0) -> bool:
    """A push button. kind: "plain", "primary" or "danger"; why_not: disables it and is shown as its tooltip."""
    c = ui.colors
    base, hovered, text = {
        "primary": (c.accent, fade(c.accent, 0.85), c.on_accent),
        "danger": (fade(c.bad, 0.16), fade(c.bad, 0.3), c.bad),
        "plain": (c.raised, c.hovered, c.text),
    }[kind]
    imgui.push_style_color(imgui.Col_.button, ImVec4(*base))
    imgui.push_style_color(imgui.Col_.button_hovered, ImVec4(*hovered))
    imgui.push_style_color(imgui.Col_.button_active, ImVec4(*hovered))
    imgui.push_style_color(imgui.Col_.text, ImVec4(*text))
    imgui.begin_disabled(bool(why_not))
    pressed: bool = imgui.button(f"{label}##{mark}", ImVec2(width, 0))
    imgui.end_disabled()
    imgui.pop_style_color(4)
    ui.mark(mark)
    if why_not:
        tooltip(why_not)
    return pressed and not why_not


def same_line_right(right: float, room: float) -> None:
    """Go on in this line so that what follows, `room` wide, ends at `right` (both in the window); never over what is there."""
    imgui.same_line()
    imgui.set_cursor_pos_x(max(imgui.get_cursor_pos_x(), right - room))


def same_line_if_room(label: str) -> None:
    """Go on in this line when a button with this label still fits in it, else in the next one."""
    style = imgui.get_style()
    imgui.same_line()
    if imgui.get_content_region_avail().x < imgui.calc_text_size(label).x + 2 * style.frame_padding.x:
        imgui.new_line()


def tooltip(text: str) -> None:
    """Shown while the pointer rests on the last item, disabled or not."""
    if imgui.is_item_hovered(int(imgui.HoveredFlags_.allow_when_disabled | imgui.HoveredFlags_.delay_short)):
        imgui.set_tooltip(text)


def badge(ui: Ui, text: str, color: Color, *, filled: bool = False) -> None:
    """A small label in a rounded box."""
    with ui.font(ui.theme.SMALL, bold=True):
        size = imgui.calc_text_size(text)
        room = ImVec2(ui.px(8), ui.px(3))
        low = imgui.get_cursor_screen_pos()
        low = ImVec2(low.x, low.y)
        high = ImVec2(low.x + size.x + 2 * room.x, low.y + size.y + 2 * room.y)
        draw = imgui.get_window_draw_list()
        draw.add_rect_filled(low, high, u32(color if filled else fade(color, 0.16)), ui.px(4))
        ink = ui.colors.panel if filled else color
        draw.add_text(ImVec2(low.x + room.x, low.y + room.y), u32(ink), text)
        imgui.dummy(ImVec2(high.x - low.x, high.y - low.y))


def stat(ui: Ui, label: str, value: str, color: Color | None = None, note: str = "") -> None:
    """A figure under its name."""
    imgui.begin_group()
    ui.text(label, ui.colors.muted, size=ui.theme.SMALL)
    ui.text(value, color or ui.colors.text, size=ui.theme.BODY + 2, bold=True)
    if note:
        ui.text(note, ui.colors.faint, size=ui.theme.SMALL)
    imgui.end_group()


def stats(ui: Ui, figures: Sequence[tuple[str, str, Color | None]], least_width: float = 120.0) -> None:
    """Figures side by side, wrapped into as many rows as the width needs. least_width unscaled."""
    available = imgui.get_content_region_avail().x
    columns = max(1, min(len(figures), int(available // ui.px(least_width))))
    if not figures or not imgui.begin_table("##stats", columns, int(imgui.TableFlags_.sizing_stretch_same)):
        return
    for label, value, color in figures:
        imgui.table_next_column()
        stat(ui, label, value, color)
    imgui.end_table()


def label_above(ui: Ui, label: str) -> None:
    """Name of the field that follows. Drawn, not written: text beside a field would be moved to the field's baseline."""
    with ui.font(ui.theme.SMALL):
        place = imgui.get_cursor_screen_pos()
        imgui.get_window_draw_list().add_text(ImVec2(place.x, place.y), u32(ui.colors.muted), label)
        imgui.dummy(imgui.calc_text_size(label))


def field_note(ui: Ui, error: str, width: float = 0.0) -> None:
    """What is wrong with the field above; nothing when it is right. width on the screen, 0 = what is left."""
    if error:
        with ui.font(ui.theme.SMALL):
            imgui.push_text_wrap_pos(imgui.get_cursor_pos_x() + width if width else 0.0)
            ui.text(ui.t.said(error), ui.colors.bad)
            imgui.pop_text_wrap_pos()


def text_field(
    ui: Ui,
    mark: str,
    label: str,
    value: str,
    *,
    width: float = 0.0,
    hint: str = "",
    error: str = "",
    unit: str = "",
    secret: bool = False,
) -> str:
    """A line of text with its name above and its error below. width on the screen, 0 = what is left; secret: shown as dots."""
    imgui.begin_group()
    if label:
        label_above(ui, f"{label} ({unit})" if unit else label)
    imgui.set_next_item_width(width or -1)
    if error:
        imgui.push_style_color(imgui.Col_.frame_bg, ImVec4(*fade(ui.colors.bad, 0.14)))
    flags = imgui.InputTextFlags_.password if secret else imgui.InputTextFlags_.none
    _, value = imgui.input_text_with_hint(f"##{mark}", hint, value, int(flags))
    ui.mark(mark)
    if error:
        imgui.pop_style_color()
    field_note(ui, error, width)
    imgui.end_group()
    return str(value)


def choice(
    ui: Ui, mark: str, label: str, value: str, options: Sequence[tuple[str, str]], *, width: float = 0.0, hint: str = ""
) -> str:
    """One of (value, shown text). Returns the value chosen."""
    imgui.begin_group()
    if label:
        label_above(ui, label)
    imgui.set_next_item_width(width or -1)
    shown = next((text for key, text in options if key == value), value or hint)
    if imgui.begin_combo(f"##{mark}", shown):
        for key, text in options:
            if imgui.selectable(f"{text}##{key}", key == value)[0]:
                value = key
            ui.mark(f"{mark}.{key}")
        imgui.end_combo()
        ui.mark(f"{mark}.list")
    else:
        ui.mark(mark)
    imgui.end_group()
    return value


def segments(ui: Ui, mark: str, value: str, options: Sequence[tuple[str, str]]) -> str:
    """A row of buttons of which one is pressed."""
    c = ui.colors
    imgui.push_style_var(imgui.StyleVar_.item_spacing, ImVec2(ui.px(2), ui.px(4)))
    imgui.push_style_var(imgui.StyleVar_.frame_padding, ImVec2(ui.px(9), ui.px(5)))
    for index, (key, text) in enumerate(options):
        chosen = key == value
        if index:
            imgui.same_line()
        imgui.push_style_color(imgui.Col_.button, ImVec4(*(fade(c.accent, 0.2) if chosen else c.raised)))
        imgui.push_style_color(imgui.Col_.text, ImVec4(*(c.accent if chosen else c.muted)))
        if imgui.button(f"{text}##{mark}{key}"):
            value = key
        ui.mark(f"{mark}.{key}")
        imgui.pop_style_color(2)
    imgui.pop_style_var(2)
    return value


def toggle(ui: Ui, mark: str, label: str, on: bool) -> bool:
    """A sliding switch with its label. Returns the new state."""
    height = imgui.get_frame_height() * 0.72
    width = height * 1.8
    low = imgui.get_cursor_screen_pos()
    low = ImVec2(low.x, low.y + (imgui.get_frame_height() - height) / 2)
    text = imgui.calc_text_size(label)
    if imgui.invisible_button(f"##{mark}", ImVec2(width + ui.px(8) + text.x, imgui.get_frame_height())):
        on = not on
    ui.mark(mark)
    c = ui.colors
    draw = imgui.get_window_draw_list()
    ground = c.accent if on else (c.hovered if imgui.is_item_hovered() else c.border)
    draw.add_rect_filled(low, ImVec2(low.x + width, low.y + height), u32(ground), height / 2)
    middle = low.x + (width - height / 2 if on else height / 2)
    draw.add_circle_filled(ImVec2(middle, low.y + height / 2), height / 2 - ui.px(2.5), u32(c.panel))
    draw.add_text(ImVec2(low.x + width + ui.px(8), low.y + (height - text.y) / 2), u32(c.text), label)
    return on


def meter(ui: Ui, share: float, color: Color, width: float, height: float = 6.0) -> None:
    """A thin bar filled to `share` (0 … 1). width on the screen, height unscaled."""
    low = imgui.get_cursor_screen_pos()
    low = ImVec2(low.x, low.y)
    tall = ui.px(height)
    draw = imgui.get_window_draw_list()
    draw.add_rect_filled(low, ImVec2(low.x + width, low.y + tall), u32(ui.colors.border), tall / 2)
    filled = width * min(max(share, 0.0), 1.0)
    if filled > 0:
        draw.add_rect_filled(low, ImVec2(low.x + max(filled, tall), low.y + tall), u32(color), tall / 2)
    imgui.dummy(ImVec2(width, tall))


def empty(ui: Ui, icon: str, title: str, body: str) -> None:
    """Says what belongs here and why it is not here yet, in the middle of what is left."""
    available = imgui.get_content_region_avail()
    width = min(ui.px(520), available.x)
    start = imgui.get_cursor_pos()
    left = start.x + (available.x - width) / 2
    imgui.set_cursor_pos(ImVec2(left, start.y + max(0.0, min(available.y * 0.25, ui.px(150)))))
    imgui.begin_group()
    with ui.font(34):
        _centred(icon, left, width, ui.colors.faint)
    with ui.font(ui.theme.BODY + 2, bold=True):
        _centred(title, left, width, ui.colors.text)
    for line in wrap(body, width):
        _centred(line, left, width, ui.colors.muted)
    imgui.end_group()


def centre_next(label: str) -> None:
    """The next button, with this label, stands in the middle of what is left of the width."""
    room = imgui.calc_text_size(label).x + 2 * imgui.get_style().frame_padding.x
    imgui.set_cursor_pos_x(imgui.get_cursor_pos_x() + max(0.0, (imgui.get_content_region_avail().x - room) / 2))


def _centred(text: str, left: float, width: float, color: Color) -> None:
    imgui.set_cursor_pos_x(left + max(0.0, (width - imgui.calc_text_size(text).x) / 2))
    imgui.push_style_color(imgui.Col_.text, ImVec4(*color))
    imgui.text_unformatted(text)
    imgui.pop_style_color()


def wrap(text: str, width: float) -> list[str]:
    """Lines of words, none wider than `width` on the screen unless a single word is."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and imgui.calc_text_size(longer).x <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def confirmation(ui: Ui, mark: str, title: str, consequence: str, action: str) -> bool:
    """The dialog opened by `imgui.open_popup(mark)`: the thing, the consequence; cancel is the default. True = do it."""
    centre = imgui.get_main_viewport().get_center()
    imgui.set_next_window_pos(centre, imgui.Cond_.appearing, ImVec2(0.5, 0.5))
    imgui.set_next_window_size(ImVec2(ui.px(440), 0))
    imgui.push_style_var(imgui.StyleVar_.window_padding, ImVec2(ui.px(22), ui.px(20)))
    confirmed = False
    flags = imgui.WindowFlags_.no_title_bar | imgui.WindowFlags_.no_resize | imgui.WindowFlags_.no_saved_settings
    if imgui.begin_popup_modal(mark, None, int(flags))[0]:
        ui.text(f"{icons.WARNING}  {title}", ui.colors.warning, size=ui.theme.BODY + 2, bold=True)
        ui.wrapped(consequence)
        imgui.dummy(ImVec2(0, ui.px(6)))
        if button(ui, f"{mark}.cancel", ui.t("action.cancel")) or imgui.is_key_pressed(imgui.Key.escape):
            imgui.close_current_popup()
        imgui.set_item_default_focus()
        imgui.same_line()
        if button(ui, f"{mark}.confirm", action, "danger"):
            confirmed = True
            imgui.close_current_popup()
        imgui.end_popup()
    imgui.pop_style_var()
    return confirmed
