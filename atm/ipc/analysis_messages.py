"""Messages about analyses, their configurations and their indicators. Import them from `atm.ipc.messages`."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from atm.ipc.message_forms import Delivery, Event, FieldProblem, Reply, Request
from atm.ipc.shared_array import ArrayReference
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.bars import Bar
from atm.model.indicator_style import IndicatorStyle
from atm.model.interval import Interval
from atm.model.parameter import Parameter
from atm.model.trade_configuration import TradeConfiguration


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


class ProvisionalRow(Event, frozen=True):
    """Results of an analysis at a minute inside of a bar of its interval, as if the bar ended with it; only of an analysis that was
    started with `every_minute`. Key: analysis id.

    open_time of the interval bar; close_time: end of the minute; values as in `AnalysisRow`.
    """

    analysis: str
    symbol: str
    open_time: int
    close_time: int
    values: tuple[float, ...]


class AnalysisReady(Event, frozen=True):
    """State of an analysis. Key: analysis id. state: "preparing", "running", "waiting" or "failed". start_ms: its first minute; settle_ms:
    how long after that it has forgotten where it began."""

    delivery: ClassVar[Delivery] = "latest"
    analysis: str
    symbol: str
    analyzer: str
    state: str
    columns: tuple[str, ...] = ()
    last_close_time: int = 0
    update_us: float = 0.0
    error: str = ""
    start_ms: int = 0
    settle_ms: int = 0


class ConfigurationsUpdated(Event, frozen=True):
    """All stored analysis and trade configurations. Key: ""."""

    delivery: ClassVar[Delivery] = "latest"
    analysis: tuple[AnalysisConfiguration, ...]
    trade: tuple[TradeConfiguration, ...]


class StartAnalysis(Request, frozen=True):
    """To an analyzer: run this analysis from `start_ms` (first minute) through the store and then live. → Done

    Rows of closes after `rows_from_ms` are published; every_minute: those of every minute, in `ProvisionalRow` inside of a bar.
    """

    analysis: str
    symbol: str
    configuration: AnalysisConfiguration
    start_ms: int
    rows_from_ms: int
    every_minute: bool = False


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
    """To trade: write a configuration of kind "analysis" or "trade" to a .toml or .json file, replacing it. → Done"""

    code: str
    path: str
    kind: str = "analysis"


class ImportConfiguration(Request, frozen=True):
    """To trade: a configuration of kind "analysis" or "trade" from a .toml or .json file; the code must be free unless
    `replace`.

    → Done, or Failed whose message has one line for everything that is wrong in the file.
    """

    path: str
    replace: bool = False
    kind: str = "analysis"


class IndicatorBadge(msgspec.Struct, frozen=True):
    """What examining a user's file showed. names: its indicators and methods in use; sentence: what is wrong, "" when it passed."""

    path: str
    names: tuple[str, ...]
    passed: bool
    sentence: str = ""


class ListIndicators(Request, frozen=True):
    """To trade: load users' files that are new or have changed. → UserIndicatorList"""


class UserIndicatorList(Reply, frozen=True):
    badges: tuple[IndicatorBadge, ...]


class KnownIndicator(msgspec.Struct, frozen=True):
    """An indicator that configurations may name.

    analyses: the field of `IntervalAnalyses` that holds its lines, "" for a user's, whose lines stand under its name in
    `user` and have these `parameters`. columns: its output fields. state: "passed", "failed" or, while it is being examined
    in the background, "waiting"; sentence: what is wrong. style: how it is drawn, None: its fields as lines.
    """

    name: str
    columns: tuple[str, ...]
    analyses: str = ""
    parameters: tuple[Parameter, ...] = ()
    state: str = "waiting"
    sentence: str = ""
    style: IndicatorStyle | None = None


class IndicatorsUpdated(Event, frozen=True):
    """All indicators, and what became of users' files, as of the last `ListIndicators`. Key: ""."""

    delivery: ClassVar[Delivery] = "latest"
    indicators: tuple[KnownIndicator, ...]
    files: tuple[IndicatorBadge, ...]


class KnownMethod(msgspec.Struct, frozen=True):
    """A user's trade-control method in use, which configurations name in `UserMethod`.

    columns: of the analysis, as it reads them with default parameters; version: hash of its file; verdict: "passed", or
    "outdated" where a newer version of its file was refused, and problem says why.
    """

    name: str
    parameters: tuple[Parameter, ...]
    description: str = ""
    columns: tuple[str, ...] = ()
    version: str = ""
    verdict: str = "passed"
    problem: str = ""


class MethodsUpdated(Event, frozen=True):
    """All users' methods, as of the last `ListIndicators`; what became of their files is in `IndicatorsUpdated`. Key: ""."""

    delivery: ClassVar[Delivery] = "latest"
    methods: tuple[KnownMethod, ...]


class DescribeAnalyses(Request, frozen=True):
    """To trade: what a configuration, stored or not, would mean. → AnalysesDescription"""

    configuration: AnalysisConfiguration


class IntervalDescription(msgspec.Struct, frozen=True):
    """columns: number of its columns; look_back_minutes: warm-up; settle_minutes: until the start is forgotten; unrecorded:
    names of its analyses that have values only where something beside bars was recorded (order book, network)."""

    interval: Interval
    columns: int
    look_back_minutes: int
    settle_minutes: int
    unrecorded: tuple[str, ...] = ()


class AnalysesDescription(Reply, frozen=True):
    """problems: everything that is wrong; then there are no intervals."""

    intervals: tuple[IntervalDescription, ...] = ()
    problems: tuple[FieldProblem, ...] = ()


class RestartAnalysis(Request, frozen=True):
    """To trade: begin an analysis that an account needs again, on the analyzer that has it or another. → Done"""

    analysis: str
