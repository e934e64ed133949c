"""Every message that crosses a process boundary.

Three forms. An *event* is published under its own type and a key; who has subscribed gets it. A *request* goes to one
process by name and is answered by one reply (its own type, named in `Request` classes' docstrings) or by a failure.
An event type is delivered in one of two ways (`delivery`):

* "ordered": every one, in order, to every subscriber. Closed bars, analysis rows, fills, notices.
* "latest":  only the newest per key counts; an unread older one is overwritten, and the newest is kept by the router
  and handed to whoever subscribes later (so a restarted process or a late window knows the state at once).
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import msgspec

from atm.ipc.shared_array import ArrayReference
from atm.model.account import AccountSetup, AccountSnapshot, TradeRecord
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.bars import Bar, TimeRange
from atm.model.indicator_style import IndicatorStyle
from atm.model.instrument import Instrument
from atm.model.notice import Notice
from atm.model.parameter import Parameter
from atm.model.simulation import SimulationSpec, SimulationState
from atm.model.trade_configuration import TradeConfiguration

Delivery = Literal["ordered", "latest"]

MAIN = "main"
GUI = "gui"
BINANCE_API = "binance_api"
DATA = "data"
TRADE = "trade"
SIMULATION = "simulation"
NEURAL_NETWORK = "neural_network"


class Message(msgspec.Struct, frozen=True, tag=True):
    """Base of all messages; the tag is the class name."""


# --- events -----------------------------------------------------------------------------------------------------


class Event(Message, frozen=True):
    delivery: ClassVar[Delivery] = "ordered"


class OpenBar(Event, frozen=True):
    """The running minute of a symbol. Key: symbol."""

    delivery: ClassVar[Delivery] = "latest"
    symbol: str
    bar: Bar


class ClosedBar(Event, frozen=True):
    """A finished minute, each exactly once per symbol and in order without holes unless `gap`. Key: symbol.

    source: `atm.model.bars.Source`; gap: minutes directly before this one could not be repaired.
    """

    symbol: str
    bar: Bar
    source: int
    gap: bool = False


class MarkPrice(Event, frozen=True):
    """Key: symbol. funding_rate of the coming settlement at next_funding_ms."""

    delivery: ClassVar[Delivery] = "latest"
    symbol: str
    time_ms: int
    mark_price: float
    index_price: float
    funding_rate: float
    next_funding_ms: int


class BookTop(Event, frozen=True):
    """Best levels of the book as (price, quantity), best first. Key: symbol."""

    delivery: ClassVar[Delivery] = "latest"
    symbol: str
    time_ms: int
    bids: tuple[tuple[float, float], ...]
    asks: tuple[tuple[float, float], ...]


class LastTrade(Event, frozen=True):
    """The newest aggregate trade. buyer_is_maker: the aggressor sold. Key: symbol."""

    delivery: ClassVar[Delivery] = "latest"
    symbol: str
    time_ms: int
    price: float
    quantity: float
    buyer_is_maker: bool


class ConnectionState(Event, frozen=True):
    """State of the exchange connection. Key: endpoint.

    state: "connecting", "connected", "degraded", "disconnected" or "banned"; latency_ms of the last REST round trip;
    market_offset_ms: exchange clock minus wall clock; weight and orders: used and limit of the running window;
    message_age_ms: age of the newest stream message when this was made.
    """

    delivery: ClassVar[Delivery] = "latest"
    endpoint: str
    state: str
    latency_ms: float
    market_offset_ms: int
    used_weight: int
    weight_limit: int
    used_orders: int
    order_limit: int
    streams: int
    message_age_ms: float
    reconnects: int
    reason: str = ""


class Instruments(Event, frozen=True):
    """All instruments of the endpoint with filters (and brackets where known). Key: ""."""

    delivery: ClassVar[Delivery] = "latest"
    instruments: tuple[Instrument, ...]


class Coverage(Event, frozen=True):
    """What the market store holds of one symbol's minutes. Key: symbol."""

    delivery: ClassVar[Delivery] = "latest"
    symbol: str
    ranges: tuple[TimeRange, ...]


class AnalysisRow(Event, frozen=True):
    """Results of an analysis for one closed bar of its interval. Key: analysis id.

    open_time of the interval bar; close_time: its last millisecond + 1; values in the order of the columns that
    `AnalysisReady` announced (NaN = no value).
    """

    analysis: str
    symbol: str
    open_time: int
    close_time: int
    values: tuple[float, ...]


class AnalysisReady(Event, frozen=True):
    """State of an analysis. Key: analysis id. state: "preparing", "running", "waiting" or "failed"."""

    delivery: ClassVar[Delivery] = "latest"
    analysis: str
    symbol: str
    analyzer: str
    state: str
    columns: tuple[str, ...] = ()
    last_close_time: int = 0
    update_us: float = 0.0
    error: str = ""


class AccountUpdated(Event, frozen=True):
    """Key: account name. removed: the account is gone and `snapshot` is its last."""

    delivery: ClassVar[Delivery] = "latest"
    snapshot: AccountSnapshot
    setup: AccountSetup
    removed: bool = False


class TradeLogged(Event, frozen=True):
    """A fill of an account, in order. Key: account name."""

    account: str
    record: TradeRecord


class ConfigurationsUpdated(Event, frozen=True):
    """All stored analysis and trade configurations. Key: ""."""

    delivery: ClassVar[Delivery] = "latest"
    analysis: tuple[AnalysisConfiguration, ...]
    trade: tuple[TradeConfiguration, ...]


class SimulationUpdated(Event, frozen=True):
    """Key: simulation code. removed: it is gone."""

    delivery: ClassVar[Delivery] = "latest"
    state: SimulationState
    removed: bool = False


class ProcessState(Event, frozen=True):
    """Published by main. Key: process name. state: "starting", "running", "dead", "stopped"."""

    delivery: ClassVar[Delivery] = "latest"
    name: str
    state: str
    pid: int
    restarts: int
    pss_bytes: int = 0


class NoticeRaised(Event, frozen=True):
    """A notice for the user. Key: ""."""

    notice: Notice


# --- requests ---------------------------------------------------------------------------------------------------


class Request(Message, frozen=True):
    pass


class Reply(Message, frozen=True):
    pass


class Done(Reply, frozen=True):
    """The plain yes. `text`/`parameters`: an optional catalogue text for the user."""

    text: str = ""
    parameters: dict[str, str] = {}


class Failed(Reply, frozen=True):
    """A refused or failed request. kind: class name of the error (atm.model.errors); field: of an `Invalid`."""

    kind: str
    message: str
    field: str = ""


class Shutdown(Request, frozen=True):
    """To main: end the whole program in order. → Done"""


class CloseWindow(Request, frozen=True):
    """To main: the user closed the window. Ends the program unless it runs headless with an attached window. → Done"""


class AttachWindow(Request, frozen=True):
    """To main: open a window of this headless program on the display described by `environment`. → Done"""

    environment: dict[str, str]


class StartWorker(Request, frozen=True):
    """To main: kind "analyzer" or "simulator". → WorkerStarted, or Failed(kind="Refused") when the pool is full."""

    kind: str


class WorkerStarted(Reply, frozen=True):
    name: str


class RetireWorker(Request, frozen=True):
    """To main: stop an idle analyzer or simulator by name. → Done"""

    name: str


class Stop(Request, frozen=True):
    """From main to any child: finish in order and exit. → Done"""


class Ping(Request, frozen=True):
    """Liveness. → Done"""


class CollectSymbols(Request, frozen=True):
    """To binance_api: the set of symbols to stream. → Done"""

    symbols: tuple[str, ...]


class FetchBars(Request, frozen=True):
    """To binance_api: closed one-minute bars with start_ms <= open time < end_ms by REST (≤ 1,500 a call). → FetchedBars"""

    symbol: str
    start_ms: int
    end_ms: int


class FetchedBars(Reply, frozen=True):
    symbol: str
    bars: tuple[Bar, ...]


class LastStored(Request, frozen=True):
    """To data: newest stored minute of each symbol. → LastStoredReply"""


class LastStoredReply(Reply, frozen=True):
    open_time: dict[str, int]


class EnsureBars(Request, frozen=True):
    """To data: make the range available in the store, fetching what is missing. → Done when it is, else Failed"""

    symbol: str
    start_ms: int
    end_ms: int


class ImportBars(Request, frozen=True):
    """To data: import files into the store. → Done with parameters {"bars": n}"""

    files: tuple[str, ...]
    symbol: str
    interval: str


class StartAnalysis(Request, frozen=True):
    """To an analyzer: run this analysis from `start_ms` (first minute) through the store and then live. → Done"""

    analysis: str
    symbol: str
    configuration: AnalysisConfiguration
    start_ms: int
    rows_from_ms: int


class StopAnalysis(Request, frozen=True):
    """To an analyzer. → Done"""

    analysis: str


class AnalyseBars(Request, frozen=True):
    """To an analyzer: rows of an analysis over the stored minutes start_ms ≤ open time < end_ms. → AnalysedBars

    The stored minutes before `start_ms` are read as far as the analysis needs them to settle. columns: the wanted ones, all
    when empty; running: the open minute at `end_ms`, which the last row then takes into account.
    """

    symbol: str
    configuration: AnalysisConfiguration
    start_ms: int
    end_ms: int
    columns: tuple[str, ...] = ()
    running: Bar | None = None


class AnalysedBars(Reply, frozen=True):
    """open_time int64 (n,); values float64 (len(columns), n); the last row may be that of a bar still running.

    next_ms: the minute after the newest one that is in it. profile: of the decision interval's volume profile as after its
    last closed bar, float64 (3, bins): lower edge of each bin, its volume, its smoothed volume; None without one. The
    arrays are the asker's (see `atm.ipc.shared_array`).
    """

    columns: tuple[str, ...]
    open_time: ArrayReference
    values: ArrayReference
    next_ms: int
    profile: ArrayReference | None = None


class PutAnalysisConfiguration(Request, frozen=True):
    """To trade: create or replace. → Done"""

    configuration: AnalysisConfiguration


class PutTradeConfiguration(Request, frozen=True):
    """To trade: create or replace (refused while a position that uses it is open). → Done"""

    configuration: TradeConfiguration


class RemoveConfiguration(Request, frozen=True):
    """To trade: kind "analysis" or "trade"; refused while used, naming the uses. → Done"""

    kind: str
    code: str


class PutAccount(Request, frozen=True):
    """To trade: create an account, or change its positions (a position's set-up only while it is flat). → Done"""

    setup: AccountSetup


class RemoveAccount(Request, frozen=True):
    """To trade: refused while a position is open. → Done"""

    name: str


class SetTrading(Request, frozen=True):
    """To trade: switch an account's automated trading on or off. → Done"""

    name: str
    trading: bool


class ForceClear(Request, frozen=True):
    """To trade: close one position at market, or all of the account when symbol is "". → Done"""

    name: str
    symbol: str = ""


class AddSimulation(Request, frozen=True):
    """To simulation. → Done, or Failed with the field that is wrong"""

    spec: SimulationSpec


class CancelSimulation(Request, frozen=True):
    """To simulation: dequeue or stop. → Done"""

    code: str


class RemoveSimulation(Request, frozen=True):
    """To simulation: delete with its results. → Done"""

    code: str


class RunSimulation(Request, frozen=True):
    """To a simulator. → Done at once; progress and result follow as SimulationProgress to the simulation manager."""

    spec: SimulationSpec


class SimulationProgress(Event, frozen=True):
    """From a simulator. Key: code."""

    code: str
    state: SimulationState


class DescribeDevice(Request, frozen=True):
    """To neural_network: the device on which networks would run; loads torch. → DeviceDescription, or Failed"""


class DeviceDescription(Reply, frozen=True):
    """kind: "cuda", "mps" or "cpu"; name: of the hardware, "" for the CPU."""

    kind: str
    name: str
    threads: int
    torch_version: str


class AnalysisLoad(msgspec.Struct, frozen=True, array_like=True):
    """minute_us: mean time that a live minute takes; update_us: that the last one which closed a decision bar took."""

    analysis: str
    minute_us: float
    update_us: float


class AnalyzerLoad(Event, frozen=True):
    """What an analyzer carries, and what it costs; published when it can be asked, then when that has changed, at most every
    few seconds. serving: it was asked for analyses of stored minutes just now. Key: analyzer."""

    delivery: ClassVar[Delivery] = "latest"
    analyzer: str
    analyses: tuple[AnalysisLoad, ...]
    serving: bool = False

    @property
    def minute_us(self) -> float:
        """Time for one minute of all its analyses."""
        return sum(load.minute_us for load in self.analyses)


class CopyConfiguration(Request, frozen=True):
    """To trade: kind "analysis" or "trade"; new_code must be free. → Done"""

    kind: str
    code: str
    new_code: str


class RenameConfiguration(Request, frozen=True):
    """To trade: as a copy, and the old one is gone; refused while used, naming the uses. → Done"""

    kind: str
    code: str
    new_code: str


class ExportConfiguration(Request, frozen=True):
    """To trade: write an analysis configuration to a .toml or .json file, replacing it. → Done"""

    code: str
    path: str


class ImportConfiguration(Request, frozen=True):
    """To trade: an analysis configuration from a .toml or .json file; the code must be free unless `replace`.

    → Done, or Failed whose message has one line for everything that is wrong in the file.
    """

    path: str
    replace: bool = False


class IndicatorBadge(msgspec.Struct, frozen=True):
    """What examining a user's file showed. names: its indicators in use; sentence: what is wrong, "" when it passed."""

    path: str
    names: tuple[str, ...]
    passed: bool
    sentence: str = ""


class ListIndicators(Request, frozen=True):
    """To trade: load users' files that are new or have changed. → UserIndicatorList"""


class IndicatorDescription(msgspec.Struct, frozen=True):
    """A user's indicator in use, for whoever has not loaded its file. style: None = its fields as lines."""

    name: str
    fields: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    style: IndicatorStyle | None = None


class UserIndicatorList(Reply, frozen=True):
    badges: tuple[IndicatorBadge, ...]
    indicators: tuple[IndicatorDescription, ...] = ()


def message_types() -> tuple[type[Message], ...]:
    """All concrete messages, for the one decoder of the program."""
    found: list[type[Message]] = []
    stack: list[type[Any]] = [Message]
    while stack:
        for child in stack.pop().__subclasses__():
            stack.append(child)
            if child not in (Event, Request, Reply):
                found.append(child)
    return tuple(found)
