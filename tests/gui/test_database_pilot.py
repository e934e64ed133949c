"""The Database page, driven as a user drives it."""

from __future__ import annotations

import numpy as np
import pytest
from imgui_bundle import imgui

from atm.gui.data.coverage_bar import CoverageBar
from atm.gui.data.heat_map import Hole, Run, calendar
from atm.gui.pages.database import DatabasePage
from atm.gui.ui import PageName
from atm.ipc.messages import (
    DATA,
    CheckIntegrity,
    ControlJob,
    DataJobsUpdated,
    DeleteMinutes,
    Done,
    ExportMinutes,
    Failed,
    FillMarks,
    ImportPath,
    JobStarted,
    RepairGaps,
    SetCollection,
    SetRetention,
    StartDownload,
)
from atm.model.bars import Source
from atm.model.data_job import Collection, DataJob, JobKind, JobStatus, Retention
from atm.model.interval import DAY_MS, MINUTE_MS, parse_time
from atm.model.provenance import Provenance
from tests.gui.filled import START_MS
from tests.gui.pilot import Pilot


def page(pilot: Pilot) -> DatabasePage:
    found = pilot.shell.pages[PageName.DATABASE]
    assert isinstance(found, DatabasePage)
    return found


@pytest.fixture
def database(pilot: Pilot) -> Pilot:
    pilot.ui.model.toasts.clear()
    pilot.show(PageName.DATABASE)
    return pilot


def test_the_collection_is_switched_and_flow_never_stays_without_bars(database: Pilot) -> None:
    database.click("database.symbols.row.AVAXUSDT")
    database.click("database.bars")
    assert database.sent[-1].to == DATA
    assert database.sent[-1].request == SetCollection((Collection("AVAXUSDT", False, False),))
    database.answer(Done())
    database.click("database.symbols.row.NEARUSDT")
    database.click("database.flow")
    assert database.sent[-1].request == SetCollection((Collection("NEARUSDT", True, True),))
    database.answer(Failed("Invalid", "symbols: 'NEARUSDT' is not allowed; allowed: those that are listed", "symbols"))
    assert database.ui.commands.failure("database.collect") is not None


def test_mark_prices_are_switched_fetched_and_told(database: Pilot) -> None:
    database.click("database.symbols.row.AVAXUSDT")
    database.click("database.marks")
    assert database.sent[-1].request == SetCollection((Collection("AVAXUSDT", True, True, False),))
    database.answer(Done())
    database.click("database.fill_marks")
    assert database.sent[-1].request == FillMarks("AVAXUSDT")
    database.answer(JobStarted(9))
    database.click("database.symbols.row.NEARUSDT")
    database.click("database.marks")
    assert database.sent[-1].request == SetCollection((Collection("NEARUSDT", True, False, True),))


def test_all_that_are_shown_are_collected_after_a_confirmation(database: Pilot) -> None:
    database.click("database.filter.all")
    database.type("database.search", "eth")
    database.click("database.collect_shown")
    database.click("database.shown.confirm.cancel")
    assert database.sent == []
    database.click("database.collect_shown")
    database.click("database.shown.confirm.confirm")
    assert database.sent[-1].request == SetCollection((Collection("ETHUSDT"),))


def test_a_listed_symbol_without_data_is_offered_its_history(database: Pilot) -> None:
    database.click("database.filter.all")
    database.click("database.symbols.row.BTCUSDT")
    database.click("database.open_delete")
    assert not database.sees("database.delete.send")
    database.click("database.open_download")
    database.type("database.download.start", "last week")
    database.click("database.download.send")
    failed = database.ui.commands.failure("database.download")
    assert database.sent == [] and failed is not None and failed.field == "start"
    database.type("database.download.start", "2023-01-01")
    database.type("database.download.end", "")
    database.click("database.download.send")
    assert database.sent[-1].request == StartDownload("BTCUSDT", parse_time("2023-01-01"), 0)
    assert database.sent[-1].timeout_s > 60
    database.answer(Failed("Refused", "the exchange has no bars of BTCUSDT in this range"))
    assert database.sees("database.download.send")
    database.click("database.download.send")
    database.answer(JobStarted(9))
    database.frames(2)
    assert not database.sees("database.download.send")


def test_nothing_is_deleted_without_a_dialog_and_escape_leaves_it(database: Pilot) -> None:
    database.click("database.symbols.row.FILUSDT")
    database.click("database.open_delete")
    database.key(imgui.Key.escape)
    assert database.sent == [] and not database.sees("database.delete.send")
    database.click("database.open_delete")
    database.type("database.delete.start", "2023-09-02")
    database.click("database.delete.send")
    assert database.sent == []
    database.type("database.delete.end", "2023-09-03 12:00")
    database.click("database.delete.send")
    wanted = DeleteMinutes("FILUSDT", parse_time("2023-09-02"), parse_time("2023-09-03 12:00"))
    assert database.sent[-1].request == wanted
    database.answer(JobStarted(9))
    database.click("database.open_delete")
    database.click("database.delete.send")
    assert database.sent[-1].request == DeleteMinutes("FILUSDT", 0, 0)


def test_a_damaged_month_is_offered_for_deletion_without_its_order_flow(database: Pilot) -> None:
    database.click("database.symbols.row.FILUSDT")
    database.click("database.tab.integrity")
    database.click("database.findings.row.klines_1m/2022-04.parquet/prices")
    database.click("database.delete.send")
    start, end = parse_time("2022-04-01"), parse_time("2022-05-01")
    assert database.sent[-1].request == DeleteMinutes("FILUSDT", start, end, "bars")


def test_import_export_retention_and_checks_are_asked_for(database: Pilot) -> None:
    database.click("database.open_import")
    database.type("database.import.path", "/data/drop")
    database.click("database.import.send")
    assert database.sent[-1].request == ImportPath("/data/drop")
    database.answer(Failed("Invalid", "path: '/data/drop' is not allowed; allowed: a folder that exists", "path"))
    assert database.sees("database.import.send")
    database.click("database.import.cancel")
    database.click("database.symbols.row.AVAXUSDT")
    database.click("database.open_export")
    database.choose("database.export.export_form", "csv")
    database.click("database.export.send")
    request = database.sent[-1].request
    assert isinstance(request, ExportMinutes)
    assert (request.symbol, request.start_ms, request.form) == ("AVAXUSDT", START_MS, "csv")
    database.answer(JobStarted(3))
    database.click("database.open_retention")
    database.type("database.retention.flow_months", "-3")
    database.click("database.retention.send")
    assert len(database.sent) == 2
    database.type("database.retention.flow_months", "12")
    database.click("database.retention.send")
    assert database.sent[-1].request == SetRetention(Retention(12, 0))
    database.answer(Done())
    database.click("database.check_all")
    assert database.sent[-1].request == CheckIntegrity()
    database.click("database.check")
    assert database.sent[-1].request == CheckIntegrity("AVAXUSDT")


def test_jobs_are_paused_resumed_cancelled_and_taken_from_the_list(database: Pilot) -> None:
    for number, action in ((2, "pause"), (3, "resume"), (3, "cancel"), (4, "dismiss")):
        database.click(f"database.job.{number}.{action}")
        assert database.sent[-1].request == ControlJob(number, action)
    database.ui.model.apply(DataJobsUpdated((DataJob(3, JobKind.DOWNLOAD, "ETHUSDT", JobStatus.DONE),)))
    database.frames(2)
    assert not database.sees("database.job.2.pause")


def test_all_jobs_are_paused_at_once_and_what_is_used_is_collected(database: Pilot) -> None:
    database.click("database.pause_all")
    assert [command.request for command in database.sent] == [ControlJob(2, "pause"), ControlJob(5, "pause")]
    database.click("database.collect_used")
    database.click("database.shown.confirm.confirm")
    assert database.sent[-1].request == SetCollection((Collection("NEARUSDT"),))


def test_a_day_of_the_calendar_opens_its_minutes_and_a_gap_leads_to_its_day(database: Pilot) -> None:
    database.click("database.symbols.row.AVAXUSDT")
    assert not database.sees("database.day")
    database.click("database.calendar")
    assert database.sees("database.day")
    database.click("database.calendar")
    assert not database.sees("database.day")
    database.click("database.tab.gaps")
    picture = page(database)._detail.picture
    assert picture is not None
    gap = picture.gaps[0][0]
    database.click(f"database.gaps.row.{gap.start_ms}")
    assert database.sees("database.day")
    assert page(database)._detail._day_ms == gap.start_ms // DAY_MS * DAY_MS
    database.click("database.tab.gaps")
    database.click("database.repair_again")
    assert database.sent[-1].request == RepairGaps("AVAXUSDT", again=True)


def test_a_newcomer_is_told_what_to_do_and_can_do_it(newcomer: Pilot) -> None:
    newcomer.show(PageName.DATABASE)
    assert newcomer.sees("database.open_import")
    newcomer.click("database.check_all")
    assert newcomer.sent == []


def test_the_calendar_joins_days_of_one_source_and_keeps_holes_apart() -> None:
    start = parse_time("2023-01-30")
    source = np.full(4 * 1440, Source.STREAM, np.uint8)
    source[1440 * 3 :] = Source.REST
    source[1440 : 1440 + 720] = Source.ABSENT
    picture = calendar(Provenance(start, source).days())
    assert (picture.first, picture.columns) == ((2023, 1), 2)
    assert picture.runs == (Run(0, 29, 30, Source.STREAM), Run(1, 0, 0, Source.STREAM), Run(1, 1, 1, Source.REST))
    assert picture.holes == (Hole(0, 30, 0.5, True),)
    assert [picture.day_at(0, 28), picture.day_at(0, 29), picture.day_at(1, 1), picture.day_at(1, 30)] == [
        None,
        0,
        3,
        None,
    ]
    bar = CoverageBar.of(Provenance(start, source).days())
    assert (bar.blocks, bar.pieces, bar.holes) == (4, ((0, 3, Source.STREAM), (3, 4, Source.REST)), ((1, 0.5),))
    nothing = Provenance(0, np.empty(0, np.uint8)).days()
    assert (calendar(nothing).columns, CoverageBar.of(nothing).blocks) == (0, 0)


def test_five_years_are_a_few_hundred_pieces() -> None:
    source = np.full(1826 * 1440, Source.ARCHIVE, np.uint8)
    source[np.random.default_rng(1).integers(0, len(source), 50)] = Source.MISSING
    picture = calendar(Provenance(MINUTE_MS, source).days())
    assert len(picture.runs) + len(picture.holes) < 200
