"""The form of one analysis configuration: its intervals, and every analysis of each with its lines."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from imgui_bundle import ImVec2, ImVec4, imgui

from atm.gui import formats, icons, widgets
from atm.gui.analysis_draft import AnalysisDraft, Group, IntervalDraft, Reading, unknown_groups
from atm.gui.form_fields import Values, allowed, draw_fields, fields_width, fresh, label_of, refusal
from atm.gui.texts import Texts
from atm.gui.theme import Color, fade
from atm.gui.ui import Ui
from atm.ipc.messages import AnalysesDescription, FieldProblem, IntervalDescription
from atm.model.interval import DAY_MS, MINUTE_MS

ROOM_FOR_NUMBER = 26.0
REVEAL_FRAMES = 3
"""It takes ImGui some frames to know how long the page has become."""
_DAY_MINUTES = DAY_MS // MINUTE_MS
_INTERVAL = re.compile(r"intervals\[(\d+)\]\.(.+)")


def sentences(ui: Ui, reading: Reading, remote: Sequence[FieldProblem]) -> dict[str, str]:
    """Everything that is wrong, by the path of its field: what cannot be read, what is out of bounds, what the trade
    manager found. The first one at a path stays."""
    found = {path: refusal(ui.t, typed, allowed(ui.t, what)) for path, (typed, what) in reading.wrong.items()}
    for local in reading.mistakes:
        found.setdefault(local.field, refusal(ui.t, local.value, local.allowed))
    for each in remote:
        found.setdefault(each.field, refusal(ui.t, each.value, each.allowed))
    return found


class AnalysisEditor:
    """Draws a draft and edits it in place. Keeps which interval is shown, and what was added, to bring it into view."""

    def __init__(self) -> None:
        self.shown = ""
        self._added, self._revealing = "", 0

    def draw(
        self,
        ui: Ui,
        draft: AnalysisDraft,
        groups: Sequence[Group],
        errors: Mapping[str, str],
        description: AnalysesDescription | None,
    ) -> None:
        interval = draft.interval(self.shown)
        if interval is None:
            interval = draft.intervals[0]
            self.shown = interval.interval
        with widgets.card(ui, "intervals", 0, -1):
            self._intervals(ui, draft, groups, errors)
            self._described(ui, draft, description)
        interval = draft.interval(self.shown) or draft.intervals[0]
        imgui.begin_child("analyses", ImVec2(0, 0))
        path = f"intervals[{draft.intervals.index(interval)}]."
        inside = {place.removeprefix(path): text for place, text in errors.items() if place.startswith(path)}
        every = (*groups, *unknown_groups(interval, groups))
        self._add(ui, interval, every)
        for group in every:
            if interval.lines.get(group.key):
                self._group(ui, interval, group, inside)
            if self._revealing and group.key == self._added:
                imgui.set_scroll_here_y(0.8)
                self._revealing -= 1
        imgui.end_child()

    # --- intervals

    def _intervals(self, ui: Ui, draft: AnalysisDraft, groups: Sequence[Group], errors: Mapping[str, str]) -> None:
        marked = [any(place.startswith(f"intervals[{n}]") for place in errors) for n in range(len(draft.intervals))]
        options = [
            (each.interval, f"{each.interval} {icons.WARNING}" if wrong else each.interval)
            for each, wrong in zip(draft.intervals, marked, strict=True)
        ]
        self.shown = widgets.segments(ui, "analysis.interval", self.shown, options)
        free = draft.free_intervals()
        if free:
            imgui.same_line(0, ui.px(16))
            offered = [(name, name) for name in free]
            add = f"{icons.ADD} {ui.t('analysis.add_interval')}"
            added = widgets.choice(ui, "analysis.add", "", "", offered, width=ui.px(170), hint=add)
            if added:
                draft.add_interval(added, groups, draft.interval(self.shown) if imgui.get_io().key_shift else None)
                self.shown = added
            widgets.tooltip(ui.t("analysis.add_interval_hint"))
        imgui.same_line(0, ui.px(8))
        why = ui.t("analysis.one_interval") if len(draft.intervals) == 1 else ""
        label = f"{icons.TRASH} {ui.t('analysis.remove_interval', interval=self.shown)}"
        if widgets.button(ui, "analysis.remove_interval", label, why_not=why):
            draft.remove_interval(self.shown)
            self.shown = draft.intervals[0].interval

    def _described(self, ui: Ui, draft: AnalysisDraft, description: AnalysesDescription | None) -> None:
        one = (
            next((each for each in description.intervals if each.interval.value == self.shown), None)
            if description
            else None
        )
        options = [("", ui.t("analysis.shortest")), *((each.interval, each.interval) for each in draft.intervals)]
        imgui.begin_group()
        draft.decision = widgets.choice(
            ui, "analysis.decision", ui.t("analysis.decision"), draft.decision, options, width=ui.px(170)
        )
        imgui.end_group()
        widgets.tooltip(ui.t("analysis.decision_hint"))
        whole = description.intervals if description is not None else ()
        figures = [
            ("warm_up", _span(ui, one.look_back_minutes) if one else formats.UNKNOWN),
            ("settle", _span(ui, one.settle_minutes) if one else formats.UNKNOWN),
            ("columns", f"{one.columns} / {sum(each.columns for each in whole)}" if one else formats.UNKNOWN),
        ]
        for name, value in figures:
            imgui.same_line(0, ui.px(24))
            imgui.begin_group()
            widgets.label_above(ui, ui.t(f"analysis.{name}"))
            ui.text(value, size=ui.theme.BODY + 2, bold=True)
            imgui.end_group()
            widgets.tooltip(ui.t(f"analysis.{name}_hint"))
        _warn_unrecorded(ui, one)

    # --- analyses

    def _add(self, ui: Ui, interval: IntervalDraft, groups: Sequence[Group]) -> None:
        absent = [group for group in groups if not interval.lines.get(group.key)]
        if not absent:
            return
        with widgets.card(ui, "add", 0, -1):
            ui.text(ui.t("analysis.add"), ui.colors.muted, size=ui.theme.SMALL)
            right = imgui.get_cursor_screen_pos().x + imgui.get_content_region_avail().x
            for number, group in enumerate(absent):
                label = f"{icons.ADD} {group.name}"
                room = imgui.calc_text_size(label).x + 2 * imgui.get_style().frame_padding.x
                if number and imgui.get_item_rect_max().x + ui.px(8) + room < right:
                    imgui.same_line(0, ui.px(8))
                if widgets.button(ui, f"analysis.add.{group.key}", label):
                    interval.lines[group.key] = [fresh(group.parameters)]
                    self._added, self._revealing = group.key, REVEAL_FRAMES
                widgets.tooltip(_tip(ui, group))

    def _group(self, ui: Ui, interval: IntervalDraft, group: Group, errors: Mapping[str, str]) -> None:
        lines = interval.lines[group.key]
        with widgets.card(ui, f"group {group.key}", 0, -1):
            self._head(ui, group, lines)
            whole = imgui.get_content_region_avail().x
            number_room = ui.px(ROOM_FOR_NUMBER) if group.many else 0.0
            wide = min(fields_width(ui, len(group.parameters)), whole - 2 * number_room)
            line_room = wide + 2 * number_room + ui.px(26)
            per_row = max(1, int((whole + ui.px(26)) // line_room)) if group.many else 1
            removed = -1
            for number, values in enumerate(lines):
                if number % per_row:
                    imgui.same_line(0, ui.px(26))
                if self._line(ui, group, number, values, errors, wide):
                    removed = number
            _left_over(ui, group, len(lines), errors)
        if removed >= 0:
            del lines[removed]
        if not lines:
            interval.lines.pop(group.key, None)

    def _head(self, ui: Ui, group: Group, lines: list[Values]) -> None:
        right, top = imgui.get_cursor_pos_x() + imgui.get_content_region_avail().x, imgui.get_cursor_pos_y()
        imgui.align_text_to_frame_padding()
        ui.text(group.name, bold=True)
        title = f"analysis_title.{group.key}"
        imgui.same_line()
        if ui.t.has(title):
            imgui.align_text_to_frame_padding()
            ui.text(ui.t(title), ui.colors.muted)
            imgui.same_line()
        imgui.set_cursor_pos_y(imgui.get_cursor_pos_y() + ui.px(4))
        badge_of(ui, group)
        if not group.always:
            self._tools(ui, group, lines, right, top)
        if group.known is not None and group.known.sentence:
            widgets.field_note(ui, group.known.sentence)

    def _tools(self, ui: Ui, group: Group, lines: list[Values], right: float, top: float) -> None:
        """At the right end of the heading, whose height is `top`."""
        add, more = f"{icons.ADD} {ui.t('analysis.line')}", f"analysis.more.{group.key}"
        widths = [imgui.calc_text_size(text).x + 2 * imgui.get_style().frame_padding.x for text in (add, icons.TRASH)]
        room = (sum(widths) + ui.px(8)) if group.many else widths[1]
        widgets.same_line_right(right, room)
        imgui.set_cursor_pos_y(top)
        if group.many:
            why = ui.t("analysis.most_lines", most=group.most) if len(lines) >= group.most else ""
            if widgets.button(ui, more, add, why_not=why):
                lines.append(_next(group, lines))
            imgui.same_line(0, ui.px(8))
            imgui.set_cursor_pos_y(top)
        if widgets.button(ui, f"analysis.drop.{group.key}", icons.TRASH):
            lines.clear()
        widgets.tooltip(ui.t("analysis.drop", name=group.name))

    def _line(
        self,
        ui: Ui,
        group: Group,
        number: int,
        values: Values,
        errors: Mapping[str, str],
        wide: float,
    ) -> bool:
        """One line; whether it is to be removed."""
        mark = f"analysis.{group.key}.{number}"
        imgui.begin_group()
        if group.many:
            _beside(ui, str(number + 1))
        imgui.begin_group()
        draw_fields(ui, mark, group.parameters, values, errors, lambda name: group.path(number, name), wide)
        imgui.end_group()
        removed = False
        if group.many:
            imgui.same_line(0, ui.px(4))
            imgui.begin_group()
            widgets.label_above(ui, " ")
            imgui.push_style_color(imgui.Col_.button, ImVec4(*fade(ui.colors.panel, 0)))
            imgui.push_style_color(imgui.Col_.text, ImVec4(*ui.colors.muted))
            imgui.push_style_var(imgui.StyleVar_.frame_padding, ImVec2(ui.px(4), ui.px(6)))
            removed = imgui.button(f"{icons.CLOSE}##{mark}")
            imgui.pop_style_var()
            imgui.pop_style_color(2)
            ui.mark(f"{mark}.remove")
            imgui.end_group()
        imgui.end_group()
        return removed


def places(t: Texts, draft: AnalysisDraft, groups: Sequence[Group], errors: Mapping[str, str]) -> list[str]:
    """Where in the form something is wrong, in words: "15m SMA 1 window"."""
    names = {group.key: group.name for group in groups}
    found = []
    for path in errors:
        part = _INTERVAL.match(path)
        if part is None or int(part[1]) >= len(draft.intervals):
            continue
        key, _, name = part[2].partition(".")
        if key == "user":
            key, _, name = name.partition(".")
        key, _, line = key.rstrip("]").partition("[")
        words = [draft.intervals[int(part[1])].interval, names.get(key, key)]
        words += [str(int(line) + 1)] if line.isdigit() else []
        found.append(" ".join([*words, label_of(t, name.partition("[")[0])] if name else words))
    return found


def badge_of(ui: Ui, group: Group) -> None:
    """What the checker found, and whose the indicator is."""
    c, known = ui.colors, group.known
    top = imgui.get_cursor_pos_y()
    state = known.state if known is not None else "unknown" if group.is_user else "waiting"
    tone: dict[str, Color] = {"passed": c.good, "failed": c.bad, "waiting": c.muted}
    icon = {"passed": icons.CHECK, "waiting": icons.WAITING}.get(state, icons.WARNING)
    widgets.badge(ui, f"{icon} {ui.t(f'verdict.{state}')}", tone.get(state, c.bad))
    ui.mark(f"analysis.badge.{group.key}.{state}")
    sentence = known.sentence if known is not None else ""
    widgets.tooltip(sentence or ui.t(f"verdict.{state}_hint"))
    if group.is_user:
        imgui.same_line(0, ui.px(6))
        imgui.set_cursor_pos_y(top)
        widgets.badge(ui, ui.t("analysis.yours"), c.info)


def _beside(ui: Ui, text: str) -> None:
    """A number beside the fields, at the height of their frames."""
    imgui.begin_group()
    widgets.label_above(ui, " ")
    imgui.dummy(ImVec2(ui.px(ROOM_FOR_NUMBER - 8), imgui.get_frame_height()))
    low, high = imgui.get_item_rect_min(), imgui.get_item_rect_max()
    size = imgui.calc_text_size(text)
    place = ImVec2(low.x, (low.y + high.y - size.y) / 2)
    imgui.get_window_draw_list().add_text(place, widgets.u32(ui.colors.faint), text)
    imgui.end_group()
    imgui.same_line(0, ui.px(4))


def _left_over(ui: Ui, group: Group, count: int, errors: Mapping[str, str]) -> None:
    """What is wrong with the analysis as a whole, or with a line, and not with one of its fields."""
    fields = {group.path(number, each.name) for number in range(count) for each in group.parameters}
    for place, text in errors.items():
        own = place == group.key or place.startswith((f"{group.key}[", f"{group.key}."))
        if own and not any(place == field or place.startswith(f"{field}[") for field in fields):
            widgets.field_note(ui, text)


def _next(group: Group, lines: list[Values]) -> Values:
    """A further line: the defaults, or the last one once more."""
    first = fresh(group.parameters)
    return first if first not in lines else dict(lines[-1])


def _tip(ui: Ui, group: Group) -> str:
    lines = [ui.t(f"analysis_title.{group.key}")] if ui.t.has(f"analysis_title.{group.key}") else []
    if group.known is not None:
        lines.append(ui.t("analysis.gives", columns=", ".join(group.known.columns)))
    return "\n".join(lines)


def _span(ui: Ui, minutes: int) -> str:
    """Minutes in the unit that a person would say."""
    if minutes >= 2 * _DAY_MINUTES:
        return ui.t("span.days", number=formats.number(minutes / _DAY_MINUTES, 1))
    if minutes >= 120:
        return ui.t("span.hours", number=formats.number(minutes / 60, 1))
    return ui.t("span.minutes", number=minutes)


def _warn_unrecorded(ui: Ui, one: IntervalDescription | None) -> None:
    if one is None or not one.unrecorded:
        return
    imgui.dummy(ImVec2(0, 0))
    with ui.font(ui.theme.SMALL):
        ui.wrapped(
            f"{icons.WARNING}  {ui.t('analysis.unrecorded', names=', '.join(one.unrecorded))}", ui.colors.warning
        )
