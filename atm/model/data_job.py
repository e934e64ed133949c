"""Work of the data manager that takes a while, what is collected and kept, and what an integrity check finds."""

from __future__ import annotations

from enum import Enum

import msgspec

from atm.model.errors import Invalid


class JobKind(Enum):
    """What a job does. The first three ask the exchange, the others work on files."""

    DOWNLOAD = "download"
    REPAIR = "repair"
    MARKS = "marks"
    IMPORT = "import"
    CHECK = "check"
    EXPORT = "export"
    DELETE = "delete"

    @property
    def asks_exchange(self) -> bool:
        return self in (JobKind.DOWNLOAD, JobKind.REPAIR, JobKind.MARKS)


class JobStatus(Enum):
    """The last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        return self in (JobStatus.DONE, JobStatus.FAILED, JobStatus.CANCELLED)


class IntegrityFinding(msgspec.Struct, frozen=True):
    """Damage in a file: what kind ("integrity.<problem>" is its text), how many rows, and the first minute (0 = unknown).

    kind: of minutes, the folder's name; file: its name in that folder.
    """

    symbol: str
    kind: str
    file: str
    problem: str
    count: int = 1
    time_ms: int = 0


class DataJob(msgspec.Struct, frozen=True):
    """A job as the window shows it. done, total: in minutes where `kind.asks_exchange`, else in files (total 0 = not known yet).

    rate: per second, lately; left_s: None while it cannot be told; text, parameters: what came of it, as a catalogue text;
    notes: sentences about what was left out; error: why it failed.
    """

    number: int
    kind: JobKind
    symbol: str
    status: JobStatus = JobStatus.QUEUED
    done: int = 0
    total: int = 0
    rate: float = 0.0
    left_s: float | None = None
    text: str = ""
    parameters: dict[str, str] = {}
    notes: tuple[str, ...] = ()
    findings: tuple[IntegrityFinding, ...] = ()
    error: str = ""

    @property
    def progress(self) -> float:
        """0 … 1."""
        if self.status is JobStatus.DONE:
            return 1.0
        return min(1.0, self.done / self.total) if self.total else 0.0


class Collection(msgspec.Struct, frozen=True):
    """What is collected of a symbol from now on. Order flow is recorded with the bars, never without; so are marks: mark prices and
    funding rates."""

    symbol: str
    bars: bool = True
    flow: bool = True
    marks: bool = True

    def __post_init__(self) -> None:
        if self.flow and not self.bars:
            raise Invalid("flow", self.flow, "off where the bars are off: flow is recorded with its minute's bar")


MOST_MONTHS = 1_200


class Retention(msgspec.Struct, frozen=True):
    """How many calendar months are kept, counted back from the newest stored one of each symbol; 0 = all."""

    flow_months: int = 0
    bar_months: int = 0

    def __post_init__(self) -> None:
        for name in ("flow_months", "bar_months"):
            if not 0 <= getattr(self, name) <= MOST_MONTHS:
                raise Invalid(name, getattr(self, name), f"0 (keep all) to {MOST_MONTHS} months")


class KindUse(msgspec.Struct, frozen=True, array_like=True):
    """Bytes of a symbol's files of one kind."""

    symbol: str
    kind: str
    bytes: int
