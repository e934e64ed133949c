"""The chosen symbol of the Database page: its switches and actions, and what is stored of it as pictures and tables."""

from __future__ import annotations

from dataclasses import dataclass

from imgui_bundle import ImVec2, imgui

from atm.gui import formats, icons, widgets
from atm.gui.data import sources
from atm.gui.data.coverage_bar import CoverageBar, draw_coverage
from atm.gui.data.day_strip import draw_day
from atm.gui.data.dialogs import BYTES_A_MONTH, FLOW_BYTES_A_MONTH, MARKS_BYTES_A_MONTH, DataDialogs
from atm.gui.data.heat_map import Calendar, calendar, draw_calendar
from atm.gui.table import Column, Table
from atm.gui.ui import Ui
from atm.ipc.messages import DATA, CheckIntegrity, FillMarks, RepairGaps, SetCollection
from atm.model.bars import Source, TimeRange
from atm.model.data_job import Collection, DataJob, IntegrityFinding, JobKind, JobStatus
from atm.model.interval import DAY_MS, Interval, parse_time
from atm.model.mark import MarksStored
from atm.model.provenance import Provenance

TABS = ("calendar", "gaps", "integrity")
COLLECT, REPAIR, CHECK, MARKS = "database.collect", "database.repair", "database.check", "database.fill_marks"
MOST_GAPS = 1_000
REFRESH_MS = 30 * 60_000
"""The picture is made anew when so much market time has come on top of it, or when there are other gaps."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What is drawn of one symbol."""

    symbol: str
    provenance: Provenance
    calendar: Calendar
    bar: CoverageBar
    totals: dict[Source, int]
    gaps: list[tuple[TimeRange, bool]]
    marks: MarksStored

    @staticmethod
    def of(symbol: str, whole: Provenance, marks: MarksStored) -> Picture:
        days = whole.days()
        bar, gaps = CoverageBar.of(days), whole.gaps(MOST_GAPS)
        return Picture(symbol, whole, calendar(days), bar, whole.totals(), gaps, marks)


class SymbolDetail:
    """Keeps the tab, the chosen day and the newest picture."""

    def __init__(self, dialogs: DataDialogs) -> None:
        self.tab = TABS[0]
        self.picture: Picture | None = None
        self._dialogs = dialogs
        self._day_ms = 0
        self._error = ""
        self._language = ""
        self._gaps: Table[tuple[TimeRange, bool]] | None = None
        self._findings: Table[IntegrityFinding] | None = None
        self._found: list[IntegrityFinding] = []

    def draw(self, ui: Ui, symbol: str) -> None:
        if self._language != ui.t.language:
            self._language, self._gaps, self._findings = ui.t.language, _gap_table(ui), _finding_table(ui)
        self._load(ui, symbol)
        self._head(ui, symbol)
        self._actions(ui, symbol)
        if not ui.model.coverage.get(symbol):
            widgets.empty(ui, icons.DATABASE, ui.t("database.nothing_title", symbol=symbol), ui.t("database.nothing"))
            return
        if self.picture is None or self.picture.symbol != symbol:
            ui.wrapped(self._error or ui.t("database.reading"), ui.colors.bad if self._error else None)
            return
        sources.legend(ui, self.picture.totals)
        draw_coverage(ui, self.picture.bar)
        _edges(ui, self.picture.provenance)
        _marks(ui, self.picture.marks)
        self.tab = widgets.segments(ui, "database.tab", self.tab, [(tab, ui.t(f"database_tab.{tab}")) for tab in TABS])
        {"calendar": self._draw_calendar, "gaps": self._draw_gaps, "integrity": self._draw_integrity}[self.tab](ui)

    def _load(self, ui: Ui, symbol: str) -> None:
        """Ask for a newer picture when there is reason to; the old one stays until it is there."""
        ranges = ui.model.coverage.get(symbol, ())
        if not ranges:
            return
        key = ("provenance", symbol, len(ranges), ranges[0].start_ms, ranges[-1].end_ms // REFRESH_MS, _finished(ui))
        found = ui.stored.get(key, lambda: _picture(ui, symbol))
        self._error = found.error
        if found.value is not None and found.value is not self.picture:
            if self.picture is None or self.picture.symbol != symbol:
                self._day_ms = 0
            self.picture = found.value

    # --- head ---------------------------------------------------------------------------------------------------

    def _head(self, ui: Ui, symbol: str) -> None:
        t = ui.t
        right = imgui.get_content_region_avail().x + imgui.get_cursor_pos_x()
        ui.text(symbol, size=ui.theme.TITLE, bold=True)
        now = ui.model.collection.get(symbol, Collection(symbol, False, False))
        labels = (t("database.collect_bars"), t("database.collect_flow"), t("database.collect_marks"))
        switch = imgui.get_frame_height() * 1.3 + ui.px(8)
        room = sum(imgui.calc_text_size(label).x + switch for label in labels) + ui.px(28)
        widgets.same_line_right(right, room)
        bars = widgets.toggle(ui, "database.bars", labels[0], now.bars)
        imgui.same_line(0, ui.px(14))
        flow = widgets.toggle(ui, "database.flow", labels[1], now.flow)
        imgui.same_line(0, ui.px(14))
        marks = widgets.toggle(ui, "database.marks", labels[2], now.bars and now.marks)
        if (bars, flow, marks) != (now.bars, now.flow, now.bars and now.marks) and not ui.commands.pending(COLLECT):
            wanted = switched(now, bars, flow, marks)
            ui.commands.send(DATA, SetCollection((wanted,)), COLLECT, timeout_s=12.0)
        need = t(
            "database.need", bars=formats.size(BYTES_A_MONTH), flow=formats.size(FLOW_BYTES_A_MONTH),
            marks=formats.size(MARKS_BYTES_A_MONTH),
        )  # fmt: skip
        ui.text(need, ui.colors.muted, size=ui.theme.SMALL)

    def _actions(self, ui: Ui, symbol: str) -> None:
        t, stored = ui.t, ui.model.stored_range(symbol)
        nothing = "" if stored is not None else t("database.nothing_short")
        if widgets.button(ui, "database.open_download", t("database.download_dots"), "primary"):
            self._dialogs.open_download(ui, symbol)
        widgets.same_line_if_room(t("database.repair"))
        whole = nothing or ("" if len(ui.model.coverage[symbol]) > 1 else t("database.no_gaps"))
        if widgets.button(ui, REPAIR, t("database.repair"), why_not=whole):
            ui.commands.send(DATA, RepairGaps(symbol), REPAIR)
        widgets.same_line_if_room(t("database.fill_marks"))
        if widgets.button(ui, MARKS, t("database.fill_marks"), why_not=nothing):
            ui.commands.send(DATA, FillMarks(symbol), MARKS)
        widgets.tooltip(t("database.fill_marks_hint"))
        widgets.same_line_if_room(t("database.check"))
        if widgets.button(ui, CHECK, t("database.check"), why_not=nothing):
            ui.commands.send(DATA, CheckIntegrity(symbol), CHECK)
        widgets.same_line_if_room(t("database.export_dots"))
        if widgets.button(ui, "database.open_export", t("database.export_dots"), why_not=nothing) and stored:
            self._dialogs.open_export(ui, symbol, stored)
        widgets.same_line_if_room(t("database.delete_dots"))
        if widgets.button(ui, "database.open_delete", t("database.delete_dots"), "danger", why_not=nothing):
            self._dialogs.open_delete(ui, symbol)
        for scope in (COLLECT, REPAIR, CHECK, MARKS):
            failed = ui.commands.failure(scope)
            widgets.field_note(ui, failed.message if failed is not None else "")
        imgui.dummy(ImVec2(0, ui.px(2)))

    # --- tabs ---------------------------------------------------------------------------------------------------

    def _draw_calendar(self, ui: Ui) -> None:
        assert self.picture is not None
        below = ui.px(26) + 2 * imgui.get_text_line_height_with_spacing()
        clicked = draw_calendar(ui, self.picture.calendar, self._day_ms, imgui.get_content_region_avail().y - below)
        if clicked:
            self._day_ms = 0 if clicked == self._day_ms else clicked
        if self._day_ms:
            draw_day(ui, self.picture.provenance, self._day_ms)
        else:
            ui.text(ui.t("database.choose_day"), ui.colors.faint, size=ui.theme.SMALL)

    def _draw_gaps(self, ui: Ui) -> None:
        assert self.picture is not None and self._gaps is not None
        gaps = self.picture.gaps
        if not gaps:
            ui.wrapped(ui.t("database.no_gaps"))
            return
        if any(absent for _, absent in gaps):
            if widgets.button(ui, "database.repair_again", ui.t("database.repair_again")):
                ui.commands.send(DATA, RepairGaps(self.picture.symbol, again=True), REPAIR)
            widgets.tooltip(ui.t("database.repair_again_hint"))
        clicked = self._gaps.draw(ui, gaps)
        if clicked:
            self._day_ms, self.tab = int(clicked) // DAY_MS * DAY_MS, "calendar"

    def _draw_integrity(self, ui: Ui) -> None:
        assert self.picture is not None and self._findings is not None
        symbol = self.picture.symbol
        job = newest_check(ui, symbol)
        if job is None:
            ui.wrapped(ui.t("database.not_checked"))
            return
        found = [each for each in job.findings if each.symbol == symbol]
        if found != self._found:
            self._found = found
        if not self._found:
            ui.text(f"{icons.CHECK}  {ui.t('database.sound')}", ui.colors.good)
            return
        ui.wrapped(ui.t("database.damaged"))
        clicked = self._findings.draw(ui, self._found)
        chosen = next((each for each in self._found if finding_key(each) == clicked), None)
        month = None if chosen is None else month_of(chosen)
        if chosen is not None and month is not None:
            self._dialogs.open_delete(ui, symbol, month, deletable(chosen.kind))


def _picture(ui: Ui, symbol: str) -> Picture:
    """On the reader thread."""
    return Picture.of(symbol, ui.results.provenance(symbol), ui.results.marks_stored(symbol))


def newest_check(ui: Ui, symbol: str) -> DataJob | None:
    """The newest finished check that looked at the symbol."""
    done = [
        job
        for job in ui.model.data_jobs.values()
        if job.kind is JobKind.CHECK and job.status is JobStatus.DONE and job.symbol in ("", symbol)
    ]
    return max(done, key=lambda job: job.number, default=None)


def switched(now: Collection, bars: bool, flow: bool, marks: bool) -> Collection:
    """What is collected after a switch has been turned. Flow and marks stand with bars alone; whether marks are wanted is remembered."""
    wanted = now.marks if marks == (now.bars and now.marks) else marks
    if bars != now.bars:
        return Collection(now.symbol, bars, bars and now.flow, wanted)
    return Collection(now.symbol, bars or flow or marks, flow, wanted)


def deletable(kind: str) -> str:
    """What is to be deleted with a damaged file of a kind, see `DELETABLE`."""
    return {"flow_1m": "flow", "mark_1m": "marks", "funding": "marks"}.get(kind, "bars")


def finding_key(finding: IntegrityFinding) -> str:
    """Of its row."""
    return f"{finding.kind}/{finding.file}/{finding.problem}"


def month_of(finding: IntegrityFinding) -> TimeRange | None:
    """The month that its file holds; None for a log and for what was put aside already."""
    month, _, ending = finding.file.partition(".")
    if ending != "parquet":
        return None
    start = parse_time(f"{month}-01")
    return TimeRange(start, Interval.MONTH.next_open(start))


def _finished(ui: Ui) -> int:
    """Changes whenever a job has ended."""
    return max((job.number for job in ui.model.data_jobs.values() if job.status is JobStatus.DONE), default=0)


def _edges(ui: Ui, whole: Provenance) -> None:
    """First and last minute under the ends of the bar."""
    right = imgui.get_content_region_avail().x + imgui.get_cursor_pos_x()
    with ui.font(ui.theme.SMALL):
        ui.text(formats.moment(whole.start_ms), ui.colors.muted)
        text = formats.moment(whole.end_ms)
        widgets.same_line_right(right, imgui.calc_text_size(text).x)
        ui.text(text, ui.colors.muted)


def _marks(ui: Ui, stored: MarksStored) -> None:
    share = stored.with_mark / stored.minutes if stored.minutes else 0.0
    text = ui.t("database.marks_stored", share=f"{share:.2%}", rates=f"{stored.rates:,}")
    ui.text(text, ui.colors.muted, size=ui.theme.SMALL)


def _gap_table(ui: Ui) -> Table[tuple[TimeRange, bool]]:
    t, c = ui.t, ui.colors
    return Table(
        "database.gaps",
        (
            Column(t("field.start"), lambda r: formats.moment(r[0].start_ms), lambda r: r[0].start_ms, False, 1.4),
            Column(t("field.end"), lambda r: formats.moment(r[0].end_ms), lambda r: r[0].end_ms, False, 1.4),
            Column(t("field.minutes"), lambda r: f"{r[0].minutes:,}", lambda r: r[0].minutes),
            Column(
                t("database.reason"),
                lambda r: t("source.absent" if r[1] else "source.missing"), lambda r: int(r[1]), False, 2.0,
                lambda r: c.warning if r[1] else c.bad,
            ),
        ),
        key=lambda r: str(r[0].start_ms),
    )  # fmt: skip


def _finding_table(ui: Ui) -> Table[IntegrityFinding]:
    t = ui.t
    return Table(
        "database.findings",
        (
            Column(t("database.file"), lambda r: f"{r.kind}/{r.file}", lambda r: f"{r.kind}/{r.file}", False, 1.8),
            Column(t("database.problem"), lambda r: t(f"integrity.{r.problem}"), lambda r: r.problem, False, 3.0),
            Column(t("database.rows"), lambda r: f"{r.count:,}", lambda r: r.count, True, 0.7),
            Column(t("database.first_at"), lambda r: formats.moment(r.time_ms), lambda r: r.time_ms, True, 1.3),
        ),
        key=finding_key,
    )  # fmt: skip
