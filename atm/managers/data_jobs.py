"""The jobs of the data manager: the shell around `JobTable`.

Downloads go through the data manager's own fetching (mark prices beside stored bars through its `MarksDesk`), one piece at a
time, so that a pause or a cancellation acts with the next piece and what has come is stored. Work on files is a generator whose
steps run on the background thread one by one; between two steps the dispatch thread decides whether it goes on, so the data
manager stores bars all the while.

After a restart downloads and repairs go on where they were, since what is missing is read from the store. Everything else is
forgotten: an import, an export and a deletion leave whole files, whatever moment they were broken off in.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from atm.ipc.assistant import Deferred, IPCAssistant, error_of
from atm.ipc.messages import (
    BINANCE_API,
    DATA,
    ControlJob,
    DataJobsUpdated,
    Done,
    Failed,
    FillMarks,
    FindFirstBar,
    FirstBar,
    JobStarted,
    NoticeRaised,
    RepairGaps,
    Reply,
    StartDownload,
)
from atm.model.bars import TimeRange
from atm.model.data_job import DataJob, JobKind, JobStatus
from atm.model.errors import ATMError, Invalid, Refused
from atm.model.interval import MINUTE_MS
from atm.model.notice import Notice, Severity
from atm.storage.collection_file import OpenDownload
from atm.storage.coverage import missing, union
from atm.storage.download import Download
from atm.storage.job_table import Begin, Drop, Instruction, JobTable, Outcome, Show
from atm.storage.public_files import Progress

log = logging.getLogger(__name__)

FIRST_BAR_TIMEOUT_S = 90.0


class Background(Protocol):
    """Runs work beside the dispatch thread, one after the other."""

    def submit(self, function: Callable[[], None], /) -> object: ...


class MarkFetching(Protocol):
    """What the jobs need for mark prices and funding rates."""

    def coverage(self, symbol: str) -> tuple[TimeRange, ...]: ...
    def want(self, symbol: str, piece: TimeRange, settled: Callable[[ATMError | None], None]) -> None: ...
    def want_rates(self, symbol: str, wanted: TimeRange, settled: Callable[[ATMError | None], None]) -> None: ...


class Fetching(Protocol):
    """What the jobs need of the data manager."""

    @property
    def marks(self) -> MarkFetching: ...

    def coverage(self, symbol: str) -> tuple[TimeRange, ...]: ...
    def own_coverage(self, symbol: str) -> tuple[TimeRange, ...]: ...
    def absent(self, symbol: str) -> tuple[TimeRange, ...]: ...
    def forget_absent(self, symbol: str, within: TimeRange) -> None: ...
    def want(
        self,
        symbol: str,
        wanted: TimeRange,
        settled: Callable[[ATMError | None], None] | None,
        urgent: bool = True,
        own: bool = False,
    ) -> None: ...


@dataclass(slots=True)
class _Work:
    """Of one open job. stepping: a step, or a piece, is under way."""

    order: OpenDownload | None = None
    download: Download | None = None
    steps: Progress | None = None
    ended: Callable[[], None] = lambda: None
    stepping: bool = False


class DataJobs:
    """keep: gets the open downloads whenever they have changed. clock: monotonic seconds; wall_ms: Unix ms, for notices."""

    def __init__(
        self,
        assistant: IPCAssistant,
        fetching: Fetching,
        background: Background,
        keep: Callable[[tuple[OpenDownload, ...]], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._assistant = assistant
        self._fetching = fetching
        self._background = background
        self._keep = keep
        self._clock = clock
        self._wall_ms = wall_ms
        self.table = JobTable()
        self._work: dict[int, _Work] = {}
        self._publishing = False

    def start(self, resumed: tuple[OpenDownload, ...] = ()) -> None:
        """Answer, and go on with the downloads that were open."""
        self._assistant.answer(StartDownload, self._on_download)
        self._assistant.answer(RepairGaps, self._on_repair)
        self._assistant.answer(FillMarks, self._on_fill_marks)
        self._assistant.answer(ControlJob, self._on_control)
        self._plan_to_publish()
        for order in resumed:
            self._add_download(order)

    def add_steps(self, kind: JobKind, symbol: str, steps: Progress, ended: Callable[[], None]) -> Reply:
        """Queue work on files; `ended` is called on the dispatch thread when it has come to an end, whatever end."""
        number, instructions = self.table.add(kind, symbol)
        self._work[number] = _Work(steps=steps, ended=ended)
        self._carry_out(instructions)
        return JobStarted(number)

    # --- requests ---------------------------------------------------------------------------------------------

    def _on_download(self, request: StartDownload) -> Reply | Deferred:
        for name, value in (("start_ms", request.start_ms), ("end_ms", request.end_ms)):
            if value < 0 or value % MINUTE_MS:
                raise Invalid(name, value, f"a full minute: a multiple of {MINUTE_MS} ms")
        if request.end_ms and request.end_ms <= request.start_ms:
            raise Invalid("end_ms", request.end_ms, "a time after the start")
        answer = Deferred()

        def found(reply: Reply) -> None:
            if isinstance(reply, Failed):
                answer.fail(error_of(reply))
                return
            assert isinstance(reply, FirstBar)
            start = max(reply.open_time, request.start_ms)
            now = reply.market_ms // MINUTE_MS * MINUTE_MS
            end = min(request.end_ms or now, now)
            if end <= start:
                answer.fail(Refused(f"the exchange has no bars of {request.symbol} in this range"))
                return
            try:
                answer.reply(self._add_download(OpenDownload(JobKind.DOWNLOAD.value, request.symbol, start, end)))
            except ATMError as error:
                answer.fail(error)

        self._assistant.request_async(BINANCE_API, FindFirstBar(request.symbol), found, timeout=FIRST_BAR_TIMEOUT_S)
        return answer

    def _stored(self, symbol: str) -> TimeRange:
        covered = self._fetching.coverage(symbol)
        if not covered:
            raise Invalid("symbol", symbol, "a symbol of which bars are stored")
        return TimeRange(covered[0].start_ms, covered[-1].end_ms)

    def _on_fill_marks(self, request: FillMarks) -> Reply:
        whole, own = self._stored(request.symbol), self._fetching.own_coverage(request.symbol)
        end_ms = own[-1].end_ms if own else whole.end_ms  # the sample may reach into a replayed market's future
        return self._add_download(OpenDownload(JobKind.MARKS.value, request.symbol, whole.start_ms, end_ms))

    def _on_repair(self, request: RepairGaps) -> Reply:
        whole = self._stored(request.symbol)
        if request.again:
            self._fetching.forget_absent(request.symbol, whole)
        return self._add_download(OpenDownload(JobKind.REPAIR.value, request.symbol, whole.start_ms, whole.end_ms))

    def repair_damage(self, symbol: str, within: TimeRange, is_marks: bool) -> None:
        """Have what a damaged file held fetched again, after what this turn has still to do."""
        kind = JobKind.MARKS if is_marks else JobKind.REPAIR
        order = OpenDownload(kind.value, symbol, within.start_ms, within.end_ms)

        def begin() -> None:
            self._add_download(order)

        self._assistant.call_soon(begin)

    def _on_control(self, request: ControlJob) -> Reply:
        self._carry_out(self.table.command(request.number, request.action))
        self._keep_downloads()
        return Done()

    def _add_download(self, order: OpenDownload) -> Reply:
        number, instructions = self.table.add(JobKind(order.kind), order.symbol, order.paused)
        self._work[number] = _Work(order=order)
        self._keep_downloads()
        self._carry_out(instructions)
        return JobStarted(number)

    # --- carrying out -----------------------------------------------------------------------------------------

    def _carry_out(self, instructions: list[Instruction]) -> None:
        for instruction in instructions:
            if isinstance(instruction, Show):
                job = instruction.job
                self._plan_to_publish()
                if not instruction.gone:
                    self._notify(job)
                if job.status.final and not self._work.get(job.number, _Work()).stepping:
                    self._forget(job.number)
            elif isinstance(instruction, Begin):
                self._go_on(instruction.number)
            elif isinstance(instruction, Drop):
                self._drop(instruction.number)

    def _plan_to_publish(self) -> None:
        """Once for all that changes in this turn."""
        if not self._publishing:
            self._publishing = True
            self._assistant.call_soon(self._publish)

    def _notify(self, job: DataJob) -> None:
        """What came of a job that has ended by itself, since the user may look at another page by now."""
        if job.status is JobStatus.DONE:
            severity, text = (Severity.WARNING if job.findings or job.notes else Severity.SUCCESS), job.text
            parameters = job.parameters
        elif job.status is JobStatus.FAILED:
            severity, text = Severity.WARNING, "notice.job_failed"
            parameters = {"symbol": job.symbol, "reason": job.error}
        else:
            return
        self._assistant.publish(NoticeRaised(Notice(self._wall_ms(), DATA, severity, text, parameters, job.symbol)))

    def _publish(self) -> None:
        self._publishing = False
        self._assistant.publish(DataJobsUpdated(tuple(self.table.jobs.values())))

    def _drop(self, number: int) -> None:
        """Cancelled. A generator can only be closed between its steps; one that is under way closes it afterwards."""
        work = self._work.get(number)
        if work is not None and work.steps is not None and not work.stepping:
            work.stepping = True
            self._background.submit(partial(self._close, number, work.steps))

    def _close(self, number: int, steps: Progress) -> None:
        """On the background thread."""
        steps.close()
        self._assistant.call_soon(partial(self._forget, number))

    def _forget(self, number: int) -> None:
        work = self._work.pop(number, None)
        if work is not None:
            work.ended()
            self._keep_downloads()

    def _go_on(self, number: int) -> None:
        """The next step of a job, if it is to run and none is under way."""
        work = self._work.get(number)
        if work is None or work.stepping or not self.table.running(number):
            return
        if work.steps is not None:
            work.stepping = True
            self._background.submit(partial(self._step, number, work.steps))
        else:
            self._fetch_piece(number, work)

    # --- work on files ----------------------------------------------------------------------------------------

    def _step(self, number: int, steps: Progress) -> None:
        """On the background thread: one step of the generator."""
        result: tuple[int, int] | Outcome | str
        try:
            result = next(steps)
        except StopIteration as over:
            result = over.value
        except ATMError as error:
            result = str(error)
        except Exception as error:
            # The thread has nobody else to tell: the job fails with a sentence, the trace goes to the log.
            log.exception("job %d failed", number)
            result = f"{type(error).__name__}: {error}"
        self._assistant.call_soon(partial(self._stepped, number, result))

    def _stepped(self, number: int, result: tuple[int, int] | Outcome | str) -> None:
        work = self._work.get(number)
        if work is None:
            return
        work.stepping = False
        if isinstance(result, Outcome):
            self._carry_out(self.table.finish(number, result))
        elif isinstance(result, str):
            self._carry_out(self.table.fail(number, result))
        else:
            self._carry_out(self.table.progress(number, *result, self._clock()))
        job = self.table.jobs.get(number)
        if number in self._work and (job is None or job.status.final):
            if isinstance(result, tuple):
                self._drop(number)
            else:
                self._forget(number)
            return
        self._go_on(number)

    # --- downloads --------------------------------------------------------------------------------------------

    def _fetch_piece(self, number: int, work: _Work) -> None:
        assert work.order is not None
        order = work.order
        if work.download is None:
            work.download = Download(self._lacking(order, TimeRange(order.start_ms, order.end_ms)))
            self._carry_out(self.table.progress(number, 0, work.download.total, self._clock()))
            if order.kind == JobKind.MARKS.value:
                work.stepping = True
                self._fetching.marks.want_rates(
                    order.symbol, TimeRange(order.start_ms, order.end_ms), partial(self._rates_settled, number, work)
                )
                return
        piece = work.download.next()
        if piece is None:
            parameters = {
                "symbol": order.symbol,
                "minutes": f"{work.download.done - work.download.absent:,}",
                "absent": f"{work.download.absent:,}",
            }
            text = "job.filled_marks" if order.kind == JobKind.MARKS.value else "job.downloaded"
            self._carry_out(self.table.finish(number, Outcome(text, parameters)))
            return
        work.stepping = True
        settled = partial(self._piece_settled, number, work, piece)
        try:
            if order.kind == JobKind.MARKS.value:
                self._fetching.marks.want(order.symbol, piece, settled)
            else:
                own = order.kind == JobKind.DOWNLOAD.value
                self._fetching.want(order.symbol, piece, settled, urgent=False, own=own)
        except ATMError as error:
            settled(error)

    def _lacking(self, order: OpenDownload, within: TimeRange) -> tuple[TimeRange, ...]:
        """The minutes that a download is for and the exchange has not been asked for."""
        covered = self._covered(order)
        if order.kind == JobKind.MARKS.value:
            no_bars = missing(covered, within)
            return missing(union((*self._fetching.marks.coverage(order.symbol), *no_bars)), within)
        return missing(union((*covered, *self._fetching.absent(order.symbol))), within)

    def _covered(self, order: OpenDownload) -> tuple[TimeRange, ...]:
        """What needs no fetching. The sample that is shipped beneath the demo market was not downloaded from it."""
        if order.kind == JobKind.DOWNLOAD.value:
            return self._fetching.own_coverage(order.symbol)
        return self._fetching.coverage(order.symbol)

    def _rates_settled(self, number: int, work: _Work, error: ATMError | None) -> None:
        if self._survives(number, work, error):
            self._assistant.call_soon(partial(self._go_on, number))

    def _survives(self, number: int, work: _Work, error: ATMError | None) -> bool:
        """Whether a job goes on after what it waited for."""
        work.stepping = False
        job = self.table.jobs.get(number)
        if job is None or job.status.final:
            self._forget(number)
            return False
        if error is not None and not isinstance(error, Refused):
            self._carry_out(self.table.fail(number, str(error)))
            return False
        return True

    def _piece_settled(self, number: int, work: _Work, piece: TimeRange, error: ATMError | None) -> None:
        if not self._survives(number, work, error):
            return
        assert work.download is not None and work.order is not None
        order = work.order
        is_marks = order.kind == JobKind.MARKS.value
        lacking = self._lacking(order, piece) if is_marks else missing(self._covered(order), piece)
        work.download.settled(sum(hole.minutes for hole in lacking))
        done, total = work.download.done, work.download.total
        self._carry_out(self.table.progress(number, done, total, self._clock()))
        self._assistant.call_soon(partial(self._go_on, number))

    def _keep_downloads(self) -> None:
        """All that are open, with what is paused among them."""
        kept = []
        for number, work in self._work.items():
            job = self.table.jobs.get(number)
            if work.order is not None and job is not None and not job.status.final:
                paused = job.status is JobStatus.PAUSED
                order = work.order
                kept.append(OpenDownload(order.kind, order.symbol, order.start_ms, order.end_ms, paused))
        self._keep(tuple(kept))
