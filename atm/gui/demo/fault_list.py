"""The faults that were set: what each strikes, where it stands and what it has done."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atm.gui import form_fields, formats, icons, widgets
from atm.gui.theme import Color
from atm.gui.ui import Ui
from atm.model.fault import FORMS, FaultCommand, FaultRecord, FaultReport

OPEN = ("waiting", "active")


def draw_faults(ui: Ui, report: FaultReport, now_ms: int, busy: bool) -> FaultCommand | None:
    """What the user clears in this frame. now_ms: wall clock."""
    right = imgui.get_content_region_avail().x + imgui.get_cursor_pos_x()
    open_now = [record for record in report.faults if record.phase in OPEN]
    ui.text(ui.t("fault_list.title", open=len(open_now), all=len(report.faults)), bold=True)
    label = ui.t("fault_action.clear_all")
    widgets.same_line_right(right, imgui.calc_text_size(label).x + ui.px(20))
    why = ui.t("form.sending") if busy else "" if open_now else ui.t("fault_list.none_open")
    command = None
    if widgets.button(ui, "fault.clear_all", label, "danger", why_not=why):
        command = FaultCommand(clear_faults=True)
    if not report.faults:
        widgets.empty(ui, icons.BOLT, ui.t("fault_list.empty_title"), ui.t("fault_list.empty"))
        return command
    flags = imgui.TableFlags_.scroll_y | imgui.TableFlags_.row_bg | imgui.TableFlags_.sizing_stretch_prop
    if not imgui.begin_table("##faults", 5, int(flags)):
        return command
    for width in (2.2, 2.2, 1.5, 2.6, 0.7):
        imgui.table_setup_column("", int(imgui.TableColumnFlags_.width_stretch), width)
    ordered = sorted(report.faults, key=_place)
    clipper = imgui.ListClipper()
    clipper.begin(len(ordered))
    while clipper.step():
        for record in ordered[clipper.display_start : clipper.display_end]:
            command = _row(ui, record, now_ms, busy) or command
    imgui.end_table()
    return command


def _place(record: FaultRecord) -> tuple[int, int]:
    """What is active comes first, then what begins next, then what ended last."""
    if record.phase == "active":
        return 0, record.begin_ms
    return (1, record.begin_ms) if record.phase == "waiting" else (2, -record.end_ms)


def _row(ui: Ui, record: FaultRecord, now_ms: int, busy: bool) -> FaultCommand | None:
    imgui.table_next_row()
    imgui.table_next_column()
    imgui.align_text_to_frame_padding()
    ui.text(f"{record.number}  {ui.t(f'fault.{record.fault.kind.value}')}")
    widgets.tooltip(ui.t(f"fault_about.{record.fault.kind.value}"))
    imgui.table_next_column()
    ui.text(details(ui, record), ui.colors.muted)
    imgui.table_next_column()
    ui.text(stands(ui, record, now_ms), _color(ui, record))
    imgui.table_next_column()
    did = ", ".join(f"{_deed(ui, what)} {count:,}" for what, count in record.did.items())
    ui.text(did or formats.UNKNOWN, None if did else ui.colors.faint)
    widgets.tooltip(did)
    imgui.table_next_column()
    if record.phase not in OPEN:
        return None
    imgui.push_style_var(imgui.StyleVar_.frame_padding, ImVec2(ui.px(7), ui.px(2)))
    why = ui.t("form.sending") if busy else ""
    cleared = widgets.button(ui, f"fault.clear.{record.number}", ui.t("fault_action.clear"), why_not=why)
    imgui.pop_style_var()
    return FaultCommand(clear=(record.number,)) if cleared else None


def details(ui: Ui, record: FaultRecord) -> str:
    """Target, variant, amount and probability, as far as the kind has them."""
    fault, form = record.fault, FORMS[record.fault.kind]
    parts = [fault.target] if fault.target else []
    if fault.variant:
        parts.append(form_fields.option_of(ui.t, fault.variant))
    if form.amount is not None:
        parts.append(f"{formats.quantity(fault.amount, 3)} {form.amount.unit}".rstrip())
    if form.chance and fault.probability < 1:
        parts.append(formats.percent(fault.probability, 0))
    return " · ".join(parts)


def stands(ui: Ui, record: FaultRecord, now_ms: int) -> str:
    """Where it stands in time."""
    if record.phase == "waiting":
        return ui.t("fault_phase.waiting", left=formats.countdown(record.begin_ms - now_ms))
    if record.phase == "active" and record.end_ms:
        return ui.t("fault_phase.active_for", left=formats.countdown(record.end_ms - now_ms))
    return ui.t(f"fault_phase.{record.phase}")


def _deed(ui: Ui, what: str) -> str:
    key = f"fault_did.{what}"
    return ui.t(key) if ui.t.has(key) else what.replace("_", " ")


def _color(ui: Ui, record: FaultRecord) -> Color:
    return {"active": ui.colors.bad, "waiting": ui.colors.warning}.get(record.phase, ui.colors.muted)
