"""Every message that crosses a process boundary.

Three forms. An *event* is published under its own type and a key; who has subscribed gets it. A *request* goes to one
process by name and is answered by one reply (its own type, named in `Request` classes' docstrings) or by a failure.
An event type is delivered in one of two ways (`delivery`):

* "ordered": every one, in order, to every subscriber. Closed bars, analysis rows, fills, notices.
* "latest":  only the newest per key counts; an unread older one is overwritten, and the newest is kept by the router
  and handed to whoever subscribes later (so a restarted process or a late window knows the state at once).

Those about the activation of accounts stand in `activation_messages`, those about analyses and their configurations in
`analysis_messages`, those about whole order books and recordings in `book_messages`, those about stored data in `data_messages`,
those about the demo exchange in `demo_messages`, those of its faults in `fault_messages`, those about incidents in `incident_messages`,
those about simulations in `simulation_messages`, those of trials in `trial_messages`; all are imported from here.
"""

from __future__ import annotations

from typing import ClassVar

from atm.ipc.activation_messages import (
    ActivateAccount as ActivateAccount,
    ActivateByFile as ActivateByFile,
    ActivationFileWritten as ActivationFileWritten,
    ActivationKey as ActivationKey,
    ActivationState as ActivationState,
    DeactivateAccount as DeactivateAccount,
    MakeActivationFile as MakeActivationFile,
    RotateActivationFile as RotateActivationFile,
)
from atm.ipc.analysis_messages import (
    AnalyseBars as AnalyseBars,
    AnalysedBars as AnalysedBars,
    AnalysesDescription as AnalysesDescription,
    AnalysisLoad as AnalysisLoad,
    AnalysisReady as AnalysisReady,
    AnalysisRow as AnalysisRow,
    AnalyzerLoad as AnalyzerLoad,
    ConfigurationsUpdated as ConfigurationsUpdated,
    CopyConfiguration as CopyConfiguration,
    DescribeAnalyses as DescribeAnalyses,
    ExportConfiguration as ExportConfiguration,
    ImportConfiguration as ImportConfiguration,
    IndicatorBadge as IndicatorBadge,
    IndicatorsUpdated as IndicatorsUpdated,
    IntervalDescription as IntervalDescription,
    KnownIndicator as KnownIndicator,
    KnownMethod as KnownMethod,
    ListIndicators as ListIndicators,
    MethodsUpdated as MethodsUpdated,
    ProvisionalRow as ProvisionalRow,
    PutAnalysisConfiguration as PutAnalysisConfiguration,
    PutTradeConfiguration as PutTradeConfiguration,
    RemoveConfiguration as RemoveConfiguration,
    RenameConfiguration as RenameConfiguration,
    RestartAnalysis as RestartAnalysis,
    StartAnalysis as StartAnalysis,
    StopAnalysis as StopAnalysis,
    UserIndicatorList as UserIndicatorList,
)
from atm.ipc.book_messages import (
    FollowBooks as FollowBooks,
    RecordSession as RecordSession,
    SessionRecording as SessionRecording,
    WholeBook as WholeBook,
)
from atm.ipc.data_messages import (
    CheckIntegrity as CheckIntegrity,
    CollectionUpdated as CollectionUpdated,
    ControlJob as ControlJob,
    DataJobsUpdated as DataJobsUpdated,
    DeleteMinutes as DeleteMinutes,
    DiskUseUpdated as DiskUseUpdated,
    ExportMinutes as ExportMinutes,
    FillMarks as FillMarks,
    FindFirstBar as FindFirstBar,
    FirstBar as FirstBar,
    ImportPath as ImportPath,
    JobStarted as JobStarted,
    RepairGaps as RepairGaps,
    SetCollection as SetCollection,
    SetRetention as SetRetention,
    StartDownload as StartDownload,
)
from atm.ipc.demo_messages import (
    ControlDemo as ControlDemo,
    DemoKeyMade as DemoKeyMade,
    DemoUpdated as DemoUpdated,
    DescribeDemo as DescribeDemo,
    MakeDemoKey as MakeDemoKey,
)
from atm.ipc.fault_messages import ControlFaults as ControlFaults, FaultsTold as FaultsTold
from atm.ipc.incident_messages import (
    LONGEST_EXPORT_S as LONGEST_EXPORT_S,
    ExportIncident as ExportIncident,
)
from atm.ipc.live_messages import (
    AccountIncome as AccountIncome,
    CarriedOut as CarriedOut,
    CarryOut as CarryOut,
    KILL_SECONDS as KILL_SECONDS,
    CloseLiveAccount as CloseLiveAccount,
    KillSwitch as KillSwitch,
    LiveClock as LiveClock,
    LiveHeard as LiveHeard,
    LiveMissed as LiveMissed,
    LiveShown as LiveShown,
    OpenLiveAccount as OpenLiveAccount,
    OrdersProbed as OrdersProbed,
    OrderTypesShown as OrderTypesShown,
    ProbeOrders as ProbeOrders,
    ReadAccountIncome as ReadAccountIncome,
    ReconcileIncome as ReconcileIncome,
    ResumeLive as ResumeLive,
    SetLiveRules as SetLiveRules,
)
from atm.ipc.market_messages import (
    DayTicker as DayTicker,
    DayTickers as DayTickers,
    Liquidation as Liquidation,
    LookAtMarket as LookAtMarket,
    OpenInterest as OpenInterest,
)
from atm.ipc.message_forms import (
    Delivery as Delivery,
    Done as Done,
    Event as Event,
    Failed as Failed,
    FieldProblem as FieldProblem,
    Message as Message,
    Reply as Reply,
    Request as Request,
    message_types as message_types,
)
from atm.ipc.notification_messages import (
    NOTIFIER as NOTIFIER,
    ChannelsSet as ChannelsSet,
    NotificationsUpdated as NotificationsUpdated,
    SetChannels as SetChannels,
    SetNotifications as SetNotifications,
    TestNotification as TestNotification,
)
from atm.ipc.parity_messages import (
    DayOfParity as DayOfParity,
    LookAtParity as LookAtParity,
    ParityHead as ParityHead,
    ParityShown as ParityShown,
    ParityUpdated as ParityUpdated,
    ParityWorked as ParityWorked,
    SetDrift as SetDrift,
)
from atm.ipc.review_messages import AccountReviewed as AccountReviewed, ReviewAccount as ReviewAccount
from atm.ipc.simulation_messages import (
    AddSimulation as AddSimulation,
    AdvanceSimulation as AdvanceSimulation,
    CancelSimulation as CancelSimulation,
    PauseSimulation as PauseSimulation,
    RemoveSimulation as RemoveSimulation,
    RequeueSimulation as RequeueSimulation,
    ResumeSimulation as ResumeSimulation,
    RunSimulation as RunSimulation,
    SimulationProgress as SimulationProgress,
    SimulationUpdated as SimulationUpdated,
    SimulatorPool as SimulatorPool,
)
from atm.ipc.transfer_messages import Deposit as Deposit
from atm.ipc.transfer_messages import Withdraw as Withdraw
from atm.ipc.trial_messages import (
    CloseTrial as CloseTrial,
    OpenTrial as OpenTrial,
    RunTrial as RunTrial,
    TrialLoading as TrialLoading,
    TrialOpened as TrialOpened,
    TrialOvertaken as TrialOvertaken,
    TrialRun as TrialRun,
    TrialServed as TrialServed,
)
from atm.model.account import AccountSetup, AccountSnapshot, TradeRecord
from atm.model.bars import Bar, TimeRange
from atm.model.mark import Mark
from atm.model.instrument import Instrument
from atm.model.notice import Notice

MAIN = "main"
GUI = "gui"
BINANCE_API = "binance_api"
DATA = "data"
TRADE = "trade"
SIMULATION = "simulation"
NEURAL_NETWORK = "neural_network"


# --- events -----------------------------------------------------------------------------------------------------


class OpenBar(Event, frozen=True):
    """The running minute of a symbol. Key: symbol."""

    delivery: ClassVar[Delivery] = "latest"
    symbol: str
    bar: Bar


class ClosedBar(Event, frozen=True):
    """A finished minute, each exactly once per symbol and in order without holes unless `gap`. Key: symbol.

    source: `atm.model.bars.Source`; gap: minutes directly before this one could not be repaired. `bar.flow`: the order
    flow recorded in the minute, None where there is none. It is final, whatever repairs the bar afterwards.
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
    market_offset_ms: exchange clock minus wall clock; weight and orders: used and limit of the running minute, *_10s: of the
    running ten seconds; message_age_ms: age of the newest stream message when this was made. waiting: requests that wait for
    the rate budget, by class ("orders", "account", "repair", "history", "housekeeping"); restraint: "throttled" or "banned" by
    the exchange for restraint_s seconds more, or "".
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
    used_orders_10s: int = 0
    order_limit_10s: int = 0
    waiting: dict[str, int] = {}
    restraint: str = ""
    restraint_s: float = 0.0


class Instruments(Event, frozen=True):
    """All instruments of the endpoint with filters (and brackets where known). Key: ""."""

    delivery: ClassVar[Delivery] = "latest"
    instruments: tuple[Instrument, ...]


class Coverage(Event, frozen=True):
    """What the market store holds of one symbol's minutes. Key: symbol."""

    delivery: ClassVar[Delivery] = "latest"
    symbol: str
    ranges: tuple[TimeRange, ...]


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
    """To binance_api: the set of symbols to stream. → Done

    by: "collection" (what the user has switched on) or "accounts" (what accounts trade); the union of both is streamed.
    without_flow: those of `symbols` whose order flow is not wanted; their books are not streamed unless somebody else wants them.
    """

    symbols: tuple[str, ...]
    by: str = "collection"
    without_flow: tuple[str, ...] = ()


class FetchBars(Request, frozen=True):
    """To binance_api: closed one-minute bars with start_ms <= open time < end_ms by REST (≤ 1,500 a call). → FetchedBars

    Bars of the last hour carry the order flow that was published with them. urgent: a repair that somebody waits for; it may use
    more of the rate budget than a download of history. marks: with their mark prices and funding rates, where the exchange has them.
    """

    symbol: str
    start_ms: int
    end_ms: int
    urgent: bool = True
    marks: bool = False


class FetchedBars(Reply, frozen=True):
    symbol: str
    bars: tuple[Bar, ...]


class FetchMarks(Request, frozen=True):
    """To binance_api: mark prices and funding rates of minutes with start_ms <= open time < end_ms by REST (≤ 1,500 a call); those that
    are not over for certain are left out. → FetchedMarks"""

    symbol: str
    start_ms: int
    end_ms: int


class FetchFunding(Request, frozen=True):
    """To binance_api: funding rates settled at stamps with start_ms <= stamp < end_ms, of any range. → FetchedMarks, rates alone"""

    symbol: str
    start_ms: int
    end_ms: int


class FetchedMarks(Reply, frozen=True):
    """Ascending by open time; minutes of which the exchange has nothing are absent."""

    symbol: str
    open_time: tuple[int, ...]
    marks: tuple[Mark, ...]


class LastStored(Request, frozen=True):
    """To data: newest stored minute of each symbol. → LastStoredReply"""


class LastStoredReply(Reply, frozen=True):
    open_time: dict[str, int]


class EnsureBars(Request, frozen=True):
    """To data: make the range available in the store, fetching what is missing. → Done when it is, else Failed

    own: what only the sample beneath the demo market has counts as missing, for whoever needs marks and flow beside the bars.
    """

    symbol: str
    start_ms: int
    end_ms: int
    own: bool = False


class ImportBars(Request, frozen=True):
    """To data: import files into the store. → Done with parameters {"bars": n}"""

    files: tuple[str, ...]
    symbol: str
    interval: str


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


class DescribeDevice(Request, frozen=True):
    """To neural_network: the device on which networks would run; loads torch. → DeviceDescription, or Failed"""


class DeviceDescription(Reply, frozen=True):
    """kind: "cuda", "mps" or "cpu"; name: of the hardware, "" for the CPU."""

    kind: str
    name: str
    threads: int
    torch_version: str
