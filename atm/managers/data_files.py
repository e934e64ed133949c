"""What the data manager does with files when it is asked: import, check, export, delete, retention and disk use."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol

from atm.ipc.assistant import IPCAssistant
from atm.ipc.messages import (
    DATA,
    CheckIntegrity,
    DeleteMinutes,
    DiskUseUpdated,
    ExportMinutes,
    ImportPath,
    NoticeRaised,
    Reply,
)
from atm.managers.data_jobs import Background, DataJobs
from atm.model.bars import TimeRange
from atm.model.data_job import IntegrityFinding, JobKind, Retention
from atm.model.errors import ATMError, Invalid
from atm.model.interval import MINUTE_MS
from atm.model.notice import Notice, Severity
from atm.storage.disk_use import DiskUse, disk_use
from atm.storage.export_minutes import FORMS, export_minutes
from atm.storage.integrity import UNREADABLE, check
from atm.storage.job_table import Outcome
from atm.storage.market_store import DELETABLE, MarketStore
from atm.storage.minute_columns import FUNDING
from atm.storage.public_files import Progress, import_path

log = logging.getLogger(__name__)

DISK_PERIOD_S = 30.0
RETENTION_PERIOD_S = 86_400.0


class Storing(Protocol):
    """What is needed of the data manager."""

    def touched(self, symbol: str) -> None: ...
    def compact_now(self, symbol: str) -> None: ...
    def forget_absent(self, symbol: str, within: TimeRange) -> None: ...
    def tell_put_aside(self) -> None: ...


class DataFiles:
    """store: the writer; reader: another store on the same files, for the background thread; home: folder in which "exports" gets
    what is exported and "import" is looked through when no other path is named; retention: what is to be kept now; wall_ms: Unix
    ms, for notices."""

    def __init__(
        self,
        assistant: IPCAssistant,
        storing: Storing,
        jobs: DataJobs,
        store: MarketStore,
        reader: MarketStore,
        background: Background,
        home: Path,
        retention: Callable[[], Retention] = Retention,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._assistant = assistant
        self._storing = storing
        self._jobs = jobs
        self._store = store
        self._reader = reader
        self._background = background
        self._exports, self._dropped = home / "exports", home / "import"
        self._retention = retention
        self._wall_ms = wall_ms
        self._level = "ok"
        self._scanning = False

    def start(self) -> None:
        """Answer, tell the disk use now and then, and keep the retention."""
        assistant = self._assistant
        assistant.answer(ImportPath, self._on_import)
        assistant.answer(CheckIntegrity, self._on_check)
        assistant.answer(ExportMinutes, self._on_export)
        assistant.answer(DeleteMinutes, self._on_delete)
        self.look_at_disk()
        self.retain()
        assistant.every(DISK_PERIOD_S, self.look_at_disk)
        assistant.every(RETENTION_PERIOD_S, self.retain)

    # --- jobs -------------------------------------------------------------------------------------------------

    def _on_import(self, request: ImportPath) -> Reply:
        path = Path(request.path).expanduser() if request.path else self._dropped
        if not request.path:
            path.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            raise Invalid("path", request.path, "a file or a folder that exists")
        steps = import_path(path, request.symbol, self._store)
        return self._jobs.add_steps(JobKind.IMPORT, request.symbol or path.name, steps, self._all_touched)

    def _on_check(self, request: CheckIntegrity) -> Reply:
        symbols = [request.symbol] if request.symbol else self._own_symbols()
        if request.symbol and request.symbol not in self._own_symbols():
            raise Invalid("symbol", request.symbol, "a symbol of which files are stored")
        unreadable: list[IntegrityFinding] = []
        steps = _checking(self._store.root, symbols, unreadable)
        return self._jobs.add_steps(JobKind.CHECK, request.symbol, steps, partial(self._checked, unreadable))

    def _checked(self, unreadable: list[IntegrityFinding]) -> None:
        """Month files that cannot be read are put aside, so that their minutes count as missing and are fetched again."""
        for finding in unreadable:
            self._store.look_at(finding.symbol, finding.kind, finding.file)
            self._storing.touched(finding.symbol)
        self._storing.tell_put_aside()

    def _on_export(self, request: ExportMinutes) -> Reply:
        if request.form not in FORMS:
            raise Invalid("form", request.form, " or ".join(FORMS))
        if request.symbol not in self._store.symbols():
            raise Invalid("symbol", request.symbol, "a symbol of which bars are stored")
        if not 0 <= request.start_ms < request.end_ms:
            raise Invalid("end_ms", request.end_ms, "a time after the start")
        dates = "-".join(_date(edge) for edge in (request.start_ms, request.end_ms - MINUTE_MS))
        path = self._exports / f"{request.symbol}-1m-{dates}.{request.form}"
        steps = export_minutes(self._reader, request.symbol, request.start_ms, request.end_ms, path)
        return self._jobs.add_steps(JobKind.EXPORT, request.symbol, steps, lambda: None)

    def _on_delete(self, request: DeleteMinutes) -> Reply:
        covered = self._store.coverage(request.symbol)
        if not covered:
            raise Invalid("symbol", request.symbol, "a symbol of which bars are stored")
        if request.what not in DELETABLE:
            raise Invalid("what", request.what, ", ".join(DELETABLE))
        whole = not request.start_ms and not request.end_ms
        start, end = (0, covered[-1].end_ms) if whole else (request.start_ms, request.end_ms)
        if end <= start or start % MINUTE_MS or end % MINUTE_MS:
            raise Invalid("end_ms", end, "a full minute after the start")
        self._storing.compact_now(request.symbol)
        steps = _deleting(self._store, request.symbol, start, end, request.what)
        ended = partial(self._deleted, request.symbol, TimeRange(start, end))
        return self._jobs.add_steps(JobKind.DELETE, request.symbol, steps, ended)

    def _deleted(self, symbol: str, within: TimeRange) -> None:
        self._store.drop_if_empty(symbol)
        self._storing.forget_absent(symbol, within)
        self._storing.touched(symbol)
        self.look_at_disk()

    def _all_touched(self) -> None:
        for symbol in self._store.symbols():
            self._storing.touched(symbol)
        self.look_at_disk()

    def _own_symbols(self) -> list[str]:
        """Symbols that have files of their own (the sample beneath is nobody's to judge)."""
        kinds = ("*_1m", FUNDING.name)
        return sorted({path.parent.name for kind in kinds for path in self._store.root.glob(f"*/{kind}")})

    # --- retention and disk -----------------------------------------------------------------------------------

    def retain(self) -> None:
        """Delete the months that are too old, beside."""
        wanted = self._retention()
        if wanted != Retention():
            self._background.submit(partial(self._expire, wanted))

    def _expire(self, wanted: Retention) -> None:
        """On the background thread."""
        for symbol in self._own_symbols():
            try:
                gone = self._store.expire(symbol, wanted.flow_months, wanted.bar_months)
            except (ATMError, OSError) as error:
                log.error("old months of %s could not be deleted: %s", symbol, error)
                continue
            if gone:
                log.info("%d month files of %s were older than what is kept", gone, symbol)
                self._assistant.call_soon(partial(self._storing.touched, symbol))
        self._assistant.call_soon(self.look_at_disk)

    def look_at_disk(self) -> None:
        """Measure beside, publish, and warn when the level has become worse."""
        if not self._scanning:
            self._scanning = True
            self._background.submit(self._scan)

    def _scan(self) -> None:
        """On the background thread."""
        try:
            found = disk_use(self._store.root)
        except OSError as error:
            log.warning("the disk use of %s cannot be told: %s", self._store.root, error)
            self._assistant.call_soon(partial(self._scanned, None))
        else:
            self._assistant.call_soon(partial(self._scanned, found))

    def _scanned(self, found: DiskUse | None) -> None:
        self._scanning = False
        if found is None:
            return
        self._assistant.publish(DiskUseUpdated(str(self._store.root), *found))
        levels = ("ok", "low", "critical")
        if levels.index(found.level) > levels.index(self._level):
            severity = Severity.CRITICAL if found.level == "critical" else Severity.WARNING
            what = {"free": f"{found.free / 2**30:.1f} GB", "folder": str(self._store.root)}
            self._assistant.publish(NoticeRaised(Notice(self._wall_ms(), DATA, severity, "notice.disk_low", what)))
        self._level = found.level


def _checking(root: Path, symbols: list[str], unreadable: list[IntegrityFinding]) -> Progress:
    """`unreadable` gets the files that cannot be read."""
    outcome: Outcome = yield from check(root, symbols)
    unreadable += [finding for finding in outcome.findings if finding.problem == UNREADABLE]
    return outcome


def _deleting(store: MarketStore, symbol: str, start_ms: int, end_ms: int, what: str) -> Progress:
    yield from store.delete(symbol, start_ms, end_ms, what)
    return Outcome("job.deleted", {"symbol": symbol})


def _date(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y%m%d")
