"""The jobs of the data manager, newest first: what, how far, how fast, how long still, and their buttons."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atm.gui import formats, icons, widgets
from atm.gui.theme import Color
from atm.gui.ui import Ui
from atm.ipc.messages import DATA, ControlJob
from atm.model.data_job import DataJob, JobStatus

CONTROL = "database.job"


def draw_jobs(ui: Ui) -> None:
    """Heading and jobs, into the present card; what there is to say where there are none."""
    right = imgui.get_content_region_avail().x + imgui.get_cursor_pos_x()
    ui.text(ui.t("database.jobs"), size=ui.theme.BODY, bold=True)
    _draw_pause_all(ui, right)
    jobs = sorted(ui.model.data_jobs.values(), key=lambda job: (job.status.final, -job.number))
    if not jobs:
        ui.wrapped(ui.t("database.no_jobs"))
        return
    flags = imgui.TableFlags_.scroll_y | imgui.TableFlags_.row_bg | imgui.TableFlags_.sizing_stretch_prop
    if not imgui.begin_table("##jobs", 5, int(flags)):
        return
    for width in (2.2, 0.9, 1.6, 3.6, 1.9):
        imgui.table_setup_column("", int(imgui.TableColumnFlags_.width_stretch), width)
    clipper = imgui.ListClipper()
    clipper.begin(len(jobs))
    while clipper.step():
        for job in jobs[clipper.display_start : clipper.display_end]:
            _row(ui, job)
    imgui.end_table()
    failed = ui.commands.failure(CONTROL)
    widgets.field_note(ui, failed.message if failed is not None else "")


def _draw_pause_all(ui: Ui, right: float) -> None:
    going = [job for job in ui.model.data_jobs.values() if job.status in (JobStatus.QUEUED, JobStatus.RUNNING)]
    if not going:
        return
    label = ui.t("database.pause_all")
    widgets.same_line_right(right, imgui.calc_text_size(label).x + ui.px(18))
    imgui.push_style_var(imgui.StyleVar_.frame_padding, ImVec2(ui.px(7), ui.px(1)))
    if widgets.button(ui, "database.pause_all", label):
        for job in going:
            ui.commands.send(DATA, ControlJob(job.number, "pause"), CONTROL)
    imgui.pop_style_var()


def _row(ui: Ui, job: DataJob) -> None:
    c = ui.colors
    imgui.table_next_row()
    imgui.table_next_column()
    ui.text(title(ui, job))
    imgui.table_next_column()
    ui.text(ui.t(f"job_status.{job.status.value}"), status_color(ui, job))
    imgui.table_next_column()
    place = imgui.get_cursor_pos_y()
    imgui.set_cursor_pos_y(place + imgui.get_text_line_height() / 2 - ui.px(3))
    widgets.meter(ui, job.progress, status_color(ui, job), imgui.get_content_region_avail().x - ui.px(8))
    imgui.table_next_column()
    text, color = told(ui, job)
    ui.text(text, color or c.muted)
    if job.notes or job.error:
        widgets.tooltip("\n".join((*([job.error] if job.error else []), *job.notes)))
    imgui.table_next_column()
    _buttons(ui, job)


def title(ui: Ui, job: DataJob) -> str:
    """What it does, and for which symbol."""
    return f"{ui.t(f'job_kind.{job.kind.value}')}  {job.symbol}".rstrip()


def told(ui: Ui, job: DataJob) -> tuple[str, Color | None]:
    """One line about where it stands, or what came of it."""
    if job.error:
        return job.error, ui.colors.bad
    if job.text:
        return ui.t(job.text, **job.parameters), ui.colors.warning if job.findings or job.notes else None
    parts = []
    if job.total:
        unit = "database.of_minutes" if job.kind.asks_exchange else "database.of_files"
        parts.append(ui.t(unit, done=f"{job.done:,}", total=f"{job.total:,}"))
    if job.rate and job.kind.asks_exchange:
        parts.append(ui.t("database.rate", rate=formats.compact(job.rate)))
    if job.left_s is not None and job.status is JobStatus.RUNNING:
        parts.append(ui.t("database.left", time=formats.countdown(int(1000 * job.left_s))))
    return "  ·  ".join(parts), None


def status_color(ui: Ui, job: DataJob) -> Color:
    """Of its word and its bar."""
    c = ui.colors
    return {
        JobStatus.RUNNING: c.accent,
        JobStatus.PAUSED: c.warning,
        JobStatus.DONE: c.good,
        JobStatus.FAILED: c.bad,
    }.get(job.status, c.muted)


def _buttons(ui: Ui, job: DataJob) -> None:
    actions = {
        JobStatus.RUNNING: ("pause", "cancel"),
        JobStatus.QUEUED: ("pause", "cancel"),
        JobStatus.PAUSED: ("resume", "cancel"),
    }.get(job.status, ("dismiss",))
    imgui.push_style_var(imgui.StyleVar_.frame_padding, ImVec2(ui.px(7), ui.px(1)))
    for index, action in enumerate(actions):
        if index:
            imgui.same_line(0, ui.px(4))
        icon = {"resume": f"{icons.PLAY} ", "cancel": f"{icons.STOP} ", "dismiss": f"{icons.CLOSE} "}.get(action, "")
        if widgets.button(ui, f"{CONTROL}.{job.number}.{action}", f"{icon}{ui.t(f'job_action.{action}')}"):
            ui.commands.send(DATA, ControlJob(job.number, action), CONTROL)
    imgui.pop_style_var()
