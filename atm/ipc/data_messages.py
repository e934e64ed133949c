"""Messages about stored market data: collection, jobs, disk. See `atm.ipc.messages`, through which all are imported."""

from __future__ import annotations

from typing import ClassVar

from atm.ipc.message_forms import Delivery, Event, Reply, Request
from atm.model.data_job import Collection, DataJob, KindUse, Retention


class CollectionUpdated(Event, frozen=True):
    """What is collected and how much is kept, whole. Key: ""."""

    delivery: ClassVar[Delivery] = "latest"
    symbols: tuple[Collection, ...]
    retention: Retention


class DataJobsUpdated(Event, frozen=True):
    """All jobs of the data manager's list, oldest first: whole, so that those of one that was killed vanish. Key: ""."""

    delivery: ClassVar[Delivery] = "latest"
    jobs: tuple[DataJob, ...]


class DiskUseUpdated(Event, frozen=True):
    """Bytes of the market store by symbol and kind, and of the disk it lies on. Key: "".

    level: "ok", "low" or "critical" (see `atm.storage.disk_use`).
    """

    delivery: ClassVar[Delivery] = "latest"
    root: str
    uses: tuple[KindUse, ...]
    free: int
    total: int
    level: str


class SetCollection(Request, frozen=True):
    """To data: switch the collection of symbols on or off, at once. → Done, or Failed when the exchange lists no such symbol"""

    symbols: tuple[Collection, ...]


class SetRetention(Request, frozen=True):
    """To data: keep so many months; what is older is deleted at once and from then on daily. → Done"""

    retention: Retention


class StartDownload(Request, frozen=True):
    """To data: fetch what is missing of the range. start_ms 0: from the symbol's first bar on; end_ms 0: up to now. → JobStarted"""

    symbol: str
    start_ms: int = 0
    end_ms: int = 0


class RepairGaps(Request, frozen=True):
    """To data: fetch what is missing between the first and the last stored minute. again: also what the exchange lacked when
    it was asked before. → JobStarted"""

    symbol: str
    again: bool = False


class FillMarks(Request, frozen=True):
    """To data: fetch the mark prices and funding rates that are missing beside stored bars. → JobStarted"""

    symbol: str


class ImportPath(Request, frozen=True):
    """To data: import a file, or every file of the exchange's public data in a folder. → JobStarted

    path "": the folder "import" of the program's data. symbol: of a file whose name does not tell it.
    """

    path: str
    symbol: str = ""


class CheckIntegrity(Request, frozen=True):
    """To data: read and judge every file of a symbol, of all symbols if it is "". → JobStarted"""

    symbol: str = ""


class ExportMinutes(Request, frozen=True):
    """To data: write stored bars to a file below the home folder. form: "parquet" or "csv" (the exchange's columns). → JobStarted"""

    symbol: str
    start_ms: int
    end_ms: int
    form: str


class DeleteMinutes(Request, frozen=True):
    """To data: delete what is stored of the range; both times 0: all of the symbol. what: "all", "bars", "flow" or
    "marks" (mark prices and funding rates). → JobStarted"""

    symbol: str
    start_ms: int = 0
    end_ms: int = 0
    what: str = "all"


class JobStarted(Reply, frozen=True):
    number: int


class ControlJob(Request, frozen=True):
    """To data. action: "pause", "resume", "cancel" or "dismiss" (a finished one, from the list). → Done"""

    number: int
    action: str


class FindFirstBar(Request, frozen=True):
    """To binance_api: open time of the first one-minute bar of a symbol. → FirstBar"""

    symbol: str


class FirstBar(Reply, frozen=True):
    """market_ms: the exchange's clock."""

    symbol: str
    open_time: int
    market_ms: int
