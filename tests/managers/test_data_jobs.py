"""Jobs, collection and files of the data manager on a bus in one thread, with real stores and a stand-in for the exchange."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest

from atm.ipc.local import LocalBus
from atm.ipc.messages import (
    BINANCE_API,
    DATA,
    CheckIntegrity,
    ClosedBar,
    CollectionUpdated,
    CollectSymbols,
    ControlJob,
    DataJobsUpdated,
    DeleteMinutes,
    DiskUseUpdated,
    Done,
    EnsureBars,
    ExportMinutes,
    Failed,
    FetchBars,
    FetchedBars,
    FindFirstBar,
    FirstBar,
    ImportPath,
    JobStarted,
    NoticeRaised,
    ProcessState,
    RepairGaps,
    Reply,
    Request,
    SetCollection,
    SetRetention,
    StartDownload,
)
from atm.managers.collection_desk import CollectionDesk
from atm.managers.data import DataManager
from atm.managers.data_files import DISK_PERIOD_S, DataFiles
from atm.managers.data_jobs import DataJobs
from atm.model.bars import Bar, Bars, Source, TimeRange
from atm.model.data_job import Collection, DataJob, JobKind, JobStatus, Retention
from atm.model.errors import Invalid
from atm.model.flow import Flow
from atm.model.interval import MINUTE_MS, parse_time
from atm.storage.disk_use import DiskUse, level
from atm.storage.market_store import MarketStore
from tests.storage.test_public_files import public_zip, rows

T0 = parse_time("2023-08-31 12:00")
NOW_MINUTE = 10_000


def at(minute: int) -> int:
    return T0 + minute * MINUTE_MS


def bar(minute: int) -> Bar:
    return Bar(at(minute), 5.0, 6.0, 4.0, 5.0, 10, 50, 3, 4, 20, Flow(0.25, 1.0))


class Later:
    """A background thread that does one thing when told."""

    def __init__(self) -> None:
        self.waiting: deque[Callable[[], None]] = deque()

    def submit(self, function: Callable[[], None], /) -> None:
        self.waiting.append(function)


class Program:
    """The data manager with all its desks; `turn` lets the background do so many things."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.now = 100.0
        self.bus = LocalBus(lambda: self.now)
        self.exchange = self.bus.assistant(BINANCE_API)
        self.gui = self.bus.assistant("gui")
        self.jobs: dict[int, DataJob] = {}
        self.collection: list[CollectionUpdated] = []
        self.disk: list[DiskUseUpdated] = []
        self.collected: list[tuple[str, ...]] = []
        self.fetches: list[tuple[int, int, bool]] = []
        self.listed = range(500, NOW_MINUTE)
        self.holes: set[int] = set()
        self.sample: Path | None = None
        self.gui.subscribe(DataJobsUpdated, self.take)
        self.gui.subscribe(CollectionUpdated, self.collection.append)
        self.gui.subscribe(DiskUseUpdated, self.disk.append)
        self.notices: list[tuple[str, str]] = []
        self.gui.subscribe(NoticeRaised, lambda e: self.notices.append((e.notice.severity.value, e.notice.text)))
        self.exchange.answer(FetchBars, self.fetch)
        self.exchange.answer(FindFirstBar, lambda q: FirstBar(q.symbol, at(self.listed.start), at(NOW_MINUTE) + 5))
        self.exchange.answer(CollectSymbols, self.collect)
        self.start()

    def start(self) -> None:
        self.background = Later()
        self.store = MarketStore(self.home / "market", read_only=False, sample=self.sample)
        assistant = self.bus.assistant(DATA)
        self.desk = CollectionDesk(assistant, self.store.root, ("X", "Y"))
        flow = self.desk.state.stores_flow
        manager = DataManager(
            assistant,
            self.store,
            self.background,
            lambda: self.now,
            lambda: 1,
            lambda s: self.desk.state.stores_flow(s),
        )
        assert flow("X")
        jobs = DataJobs(assistant, manager, self.background, self.desk.keep_downloads, lambda: self.now, lambda: 1)
        manager.damaged = jobs.repair_damage
        files = DataFiles(
            assistant, manager, jobs, self.store, MarketStore(self.store.root), self.background, self.home,
            lambda: self.desk.state.retention, lambda: 1,
        )  # fmt: skip
        self.desk.retained = files.retain
        manager.start()
        self.desk.start()
        jobs.start(self.desk.state.downloads)
        files.start()
        self.bus.pump()

    def restart(self) -> None:
        self.bus.kill(DATA)
        self.store.close()
        self.start()

    def take(self, event: DataJobsUpdated) -> None:
        self.jobs = {job.number: job for job in event.jobs}

    def fetch(self, request: FetchBars) -> Reply:
        self.now += 1.0
        span = range((request.start_ms - T0) // MINUTE_MS, (request.end_ms - T0) // MINUTE_MS)
        self.fetches.append((span.start, span.stop, request.urgent))
        inside = [m for m in span if m in self.listed and m not in self.holes]
        return FetchedBars(request.symbol, tuple(bar(m) for m in inside))

    def collect(self, request: CollectSymbols) -> Reply:
        if "NOSUCH" in request.symbols:
            raise Invalid("symbols", "NOSUCH", "perpetual contracts that the exchange lists")
        self.collected.append(request.symbols)
        self.without_flow = request.without_flow
        return Done()

    def ask(self, request: Request) -> Reply:
        found: list[Reply] = []
        self.gui.request_async(DATA, request, found.append)
        self.bus.pump()
        return found[0]

    def turn(self, times: int = 1) -> None:
        for _ in range(times):
            if self.background.waiting:
                self.background.waiting.popleft()()
            self.bus.pump()

    def quiet(self) -> None:
        while self.background.waiting:
            self.turn()

    def only(self) -> DataJob:
        (job,) = self.jobs.values()
        return job

    def minutes(self, symbol: str = "X") -> list[tuple[int, int]]:
        return [((p.start_ms - T0) // MINUTE_MS, (p.end_ms - T0) // MINUTE_MS) for p in self.store.coverage(symbol)]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


def test_a_download_begins_at_the_first_bar_and_ends_at_the_present_minute(program: Program) -> None:
    program.exchange.publish(ClosedBar("X", bar(9_990), 1), key="X")
    program.bus.pump()
    assert program.ask(StartDownload("X")) == JobStarted(1)
    job = program.only()
    assert (job.status, job.text) == (JobStatus.DONE, "job.downloaded")
    assert job.parameters == {"symbol": "X", "minutes": f"{9_500 - 1:,}", "absent": "0"}
    assert program.minutes() == [(500, 10_000)]
    assert program.fetches[0] == (500, 2_000, False)
    assert {urgent for _, _, urgent in program.fetches} == {False}
    totals = program.store.provenance("X", at(500), at(10_000)).totals()
    assert (totals[Source.STREAM], totals[Source.REST]) == (1, 9_499)


def pause_after(program: Program, pieces: int, action: str) -> None:
    """Have the window send `action` when so many pieces have come."""

    def watch(event: DataJobsUpdated) -> None:
        for job in event.jobs:
            if job.done >= pieces * 1_500 and job.status is JobStatus.RUNNING and not sent:
                sent.append(1)
                program.gui.request_async(DATA, ControlJob(job.number, action), lambda _: None)

    sent: list[int] = []
    watcher = program.bus.assistant("watcher")
    watcher.subscribe(DataJobsUpdated, watch)


def test_a_paused_download_rests_is_kept_over_a_restart_and_goes_on_where_it_was(program: Program) -> None:
    pause_after(program, 2, "pause")
    program.ask(StartDownload("X"))
    job = program.only()
    assert job.status is JobStatus.PAUSED and 0 < job.done < job.total == 9_500
    asked = len(program.fetches)
    program.restart()
    assert (program.only().status, len(program.fetches)) == (JobStatus.PAUSED, asked)
    program.ask(ControlJob(1, "resume"))
    assert program.only().status is JobStatus.DONE
    assert program.minutes() == [(500, 10_000)]
    spans = [(a, b) for a, b, _ in program.fetches]
    assert len(spans) == len(set(spans)) and sum(b - a for a, b in spans) == 9_500
    program.restart()
    assert program.jobs == {}


def test_a_cancelled_download_keeps_what_came_and_is_forgotten(program: Program) -> None:
    pause_after(program, 1, "cancel")
    program.ask(StartDownload("X"))
    assert program.only().status is JobStatus.CANCELLED
    assert program.minutes() != [] and program.minutes() != [(500, 10_000)]
    program.ask(ControlJob(1, "dismiss"))
    assert program.jobs == {}
    program.restart()
    assert program.jobs == {}


def test_what_the_exchange_lacks_is_flagged_and_asked_for_again_only_when_wanted(program: Program) -> None:
    program.holes = set(range(600, 610))
    program.ask(StartDownload("X", at(500), at(700)))
    program.ask(StartDownload("X", at(800), at(900)))
    assert program.jobs[1].parameters["absent"] == "10"
    program.ask(RepairGaps("X"))
    assert program.minutes() == [(500, 600), (610, 900)]
    assert program.store.provenance("X", at(500), at(900)).totals()[Source.ABSENT] == 10
    program.restart()
    asked = len(program.fetches)
    program.ask(RepairGaps("X"))
    assert len(program.fetches) == asked
    program.holes = set()
    program.ask(RepairGaps("X", again=True))
    assert program.minutes() == [(500, 900)]
    assert program.store.provenance("X", at(500), at(900)).totals()[Source.ABSENT] == 0


def test_a_repair_that_somebody_waits_for_does_not_stand_behind_downloads(program: Program) -> None:
    program.ask(StartDownload("X"))
    program.ask(EnsureBars("Y", at(600), at(610)))
    assert program.fetches[-1] == (600, 610, True)


def test_files_are_worked_on_step_by_step_while_bars_are_stored(program: Program, tmp_path: Path) -> None:
    program.quiet()
    folder = tmp_path / "drop"
    folder.mkdir()
    for month in ("2023-06", "2023-07"):
        public_zip(folder, f"X-1m-{month}", rows(f"{month}-01", 100))
    assert program.ask(ImportPath(str(folder))) == JobStarted(1)
    program.turn()
    assert (program.only().done, program.only().total) == (0, 2)
    program.exchange.publish(ClosedBar("X", bar(0), 1), key="X")
    program.bus.pump()
    assert program.minutes()[-1] == (0, 1)
    program.ask(ControlJob(1, "pause"))
    program.turn(3)
    assert (program.only().status, program.only().done) == (JobStatus.PAUSED, 1)
    program.ask(ControlJob(1, "resume"))
    program.quiet()
    assert (program.only().status, program.only().parameters["bars"]) == (JobStatus.DONE, "200")


def damage(path: Path) -> None:
    """Other bytes in its first pages; the footer, which says what is in it, is still right."""
    content = bytearray(path.read_bytes())
    content[4:200] = bytes(196)
    path.write_bytes(bytes(content))


def test_a_month_file_that_is_broken_at_the_start_is_fetched_again_by_a_job(program: Program) -> None:
    program.ask(StartDownload("X", at(500), at(800)))
    program.quiet()
    program.bus.kill(DATA)
    program.store.compact("X")
    program.store.close()
    (program.home / "market" / "X" / "klines_1m" / "2023-08.parquet").write_bytes(b"PAR1 nonsense")
    program.start()
    program.quiet()
    assert ("warning", "notice.broken_file") in program.notices
    repaired = [job for job in program.jobs.values() if job.kind is JobKind.REPAIR]
    assert [(job.status, job.parameters["minutes"]) for job in repaired] == [(JobStatus.DONE, "220")]  # up to midnight
    assert program.minutes() == [(500, 800)]


def test_a_damaged_month_that_a_check_finds_is_put_aside_and_fetched_again(program: Program) -> None:
    program.ask(StartDownload("X", at(500), at(800)))
    program.quiet()
    program.store.compact("X")
    path = program.home / "market" / "X" / "klines_1m" / "2023-08.parquet"
    damage(path)
    program.ask(CheckIntegrity("X"))
    program.quiet()
    by_kind = {job.kind: job for job in program.jobs.values()}
    check, repair = by_kind[JobKind.CHECK], by_kind[JobKind.REPAIR]
    assert [finding.problem for finding in check.findings] == ["unreadable"]
    assert path.with_suffix(".broken").exists()
    assert (repair.status, repair.parameters["minutes"]) == (JobStatus.DONE, "220")
    assert program.minutes() == [(500, 800)]
    MarketStore(program.store.root).read("X", at(0), at(900))  # all of it can be read


def test_a_download_takes_the_sample_beneath_for_not_downloaded_and_nobody_else_does(
    program: Program, tmp_path: Path
) -> None:
    shipped = MarketStore(tmp_path / "sample", read_only=False)
    shipped.put("X", Bars.of([bar(minute) for minute in range(500, 900)], Source.SAMPLE))
    shipped.close()
    program.bus.kill(DATA)
    program.store.close()
    program.sample = tmp_path / "sample"
    program.start()
    program.ask(EnsureBars("X", at(500), at(900)))
    assert program.fetches == []
    program.ask(StartDownload("X", at(500), at(700)))
    program.quiet()
    job = program.only()
    assert (job.status, job.parameters) == (JobStatus.DONE, {"symbol": "X", "minutes": "200", "absent": "0"})
    assert program.store.own_coverage("X") == (TimeRange(at(500), at(700)),)
    assert program.minutes() == [(500, 900)]
    program.ask(StartDownload("X", at(500), at(700)))
    program.quiet()
    assert program.jobs[2].parameters["minutes"] == "0"


def test_without_a_path_the_import_folder_of_the_home_is_taken(program: Program) -> None:
    program.ask(ImportPath(""))
    program.quiet()
    assert program.jobs[1].status is JobStatus.FAILED and "FILUSDT-1m-2023-08.zip" in program.jobs[1].error
    public_zip(program.home / "import", "X-1m-2023-06", rows("2023-06-01", 100))
    program.ask(ImportPath(""))
    program.quiet()
    assert program.jobs[2].status is JobStatus.DONE
    assert program.notices == [("warning", "notice.job_failed"), ("success", "job.imported")]


def test_a_wrong_checksum_fails_the_job_with_a_sentence(program: Program, tmp_path: Path) -> None:
    path = public_zip(tmp_path, "X-1m-2023-06", rows("2023-06-01", 100), checksum="00" * 32)
    program.ask(ImportPath(str(path)))
    program.quiet()
    assert program.only().status is JobStatus.FAILED
    assert "SHA-256" in program.only().error
    assert program.minutes() == []


def test_export_check_and_deletion_are_jobs_too(program: Program) -> None:
    program.ask(StartDownload("X", at(500), at(700)))
    program.ask(ExportMinutes("X", at(500), at(700), "csv"))
    program.ask(CheckIntegrity())
    program.quiet()
    assert [job.text for job in program.jobs.values()] == ["job.downloaded", "job.exported", "job.checked"]
    assert Path(program.jobs[2].parameters["file"]).read_text().count("\n") == 201
    program.ask(DeleteMinutes("X", at(600), at(650)))
    program.quiet()
    assert program.minutes() == [(500, 600), (650, 700)]
    program.ask(DeleteMinutes("X"))
    program.quiet()
    assert program.minutes() == []
    assert program.disk[-1].uses == ()


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (StartDownload("X", 5), "start_ms"),
        (StartDownload("X", at(5), at(4)), "end_ms"),
        (RepairGaps("Z"), "symbol"),
        (ImportPath("/no/such/place"), "path"),
        (CheckIntegrity("Z"), "symbol"),
        (ExportMinutes("X", 0, at(1), "xls"), "form"),
        (DeleteMinutes("Z"), "symbol"),
        (ControlJob(9, "pause"), "number"),
        (SetCollection((Collection(""),)), "symbols"),
    ],
)
def test_what_cannot_be_done_is_refused_by_field(program: Program, request_: Request, field: str) -> None:
    reply = program.ask(request_)
    assert isinstance(reply, Failed) and (reply.kind, reply.field) == ("Invalid", field)
    assert program.jobs == {}


def test_a_collection_is_streamed_at_once_kept_and_told_to_a_new_exchange_manager(program: Program) -> None:
    assert program.collected == []
    assert program.collection[-1].symbols == (Collection("X"), Collection("Y"))
    reply = program.ask(SetCollection((Collection("Y", False, False), Collection("Z", True, False))))
    assert reply == Done()
    assert program.collected == [("X", "Z")]
    program.restart()
    assert program.collected == [("X", "Z")] * 2
    program.gui.publish(ProcessState(BINANCE_API, "running", 77, 1), key=BINANCE_API)
    program.bus.pump()
    assert program.collected == [("X", "Z")] * 3
    refused = program.ask(SetCollection((Collection("NOSUCH"),)))
    assert isinstance(refused, Failed) and "NOSUCH" in refused.message
    assert program.collection[-1].symbols == (
        Collection("X"), Collection("Y", False, False), Collection("Z", True, False),
    )  # fmt: skip


def test_order_flow_is_not_stored_where_it_is_switched_off(program: Program) -> None:
    program.ask(SetCollection((Collection("X", True, False),)))
    for symbol in ("X", "Y"):
        program.exchange.publish(ClosedBar(symbol, bar(0), 1), key=symbol)
    program.bus.pump()
    recorded = [program.store.read(symbol, at(0), at(1), with_flow=True).flow for symbol in ("X", "Y")]
    assert [rows is not None and not bool((rows != rows).any()) for rows in recorded] == [False, True]


def test_streams_of_order_flow_that_is_switched_off_are_stopped_and_a_new_exchange_manager_hears_of_it(
    program: Program,
) -> None:
    assert program.ask(SetCollection((Collection("X", True, False),))) == Done()
    assert (program.collected[-1], program.without_flow) == (("X", "Y"), ("X",))
    program.without_flow = ()
    program.exchange.publish(ProcessState(BINANCE_API, "running", 77, 1), key=BINANCE_API)
    program.bus.pump()
    assert program.without_flow == ("X",)
    program.ask(SetCollection((Collection("X", True, True),)))
    assert program.without_flow == ()


def test_retention_deletes_old_months_when_it_is_set(program: Program) -> None:
    for month in ("2023-05-01", "2023-06-01", "2023-07-01"):
        minute = (parse_time(month) - T0) // MINUTE_MS
        program.store.put("X", Bars.of([bar(minute)], Source.ARCHIVE))
    program.ask(SetRetention(Retention(flow_months=0, bar_months=2)))
    program.quiet()
    assert [piece.start_ms for piece in program.store.coverage("X")] == [
        parse_time("2023-06-01"), parse_time("2023-07-01"),
    ]  # fmt: skip
    assert program.store.coverage("X")[0] == TimeRange(parse_time("2023-06-01"), parse_time("2023-06-01 00:01"))


def test_the_user_is_warned_once_for_each_worse_level_of_the_disk(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    program.quiet()
    for free, expected in ((1 << 30, 1), (1 << 30, 1), (1 << 20, 2), (9 << 30, 2), (1 << 30, 3)):
        monkeypatch.setattr(
            "atm.managers.data_files.disk_use", lambda _, free=free: DiskUse((), free, 1 << 40, level(free, 1 << 40))
        )
        program.now += DISK_PERIOD_S
        program.bus.pump()
        program.quiet()
        assert (
            program.notices.count(("warning", "notice.disk_low"))
            + program.notices.count(("critical", "notice.disk_low"))
            == expected
        )
    assert program.disk[-1].level == "low"
