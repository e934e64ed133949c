"""What a draft of a simulation comes to before it is queued: which positions take part, on which data, with how much balance,
how long it takes, and everything that is wrong. Pure."""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from atm.gui.drafts import number, percentage
from atm.gui.simulation_draft import COSTS, PositionRow, SimulationDraft, settled_in
from atm.gui.struct_draft import Wrong, read_tree
from atm.model.account import ALLOCATABLE_SHARE, AssetSetup, CostModel, PositionSetup
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.bars import TimeRange
from atm.model.errors import Invalid
from atm.model.instrument import Instrument
from atm.model.interval import MINUTE_MS, format_time, parse_time
from atm.model.simulation import SimulationSpec, SimulationState
from atm.model.trade_configuration import TradeConfiguration
from atm.model.validation import mistakes

MOST_BALANCE = 1e15
RATE = 700_000.0
"""Minutes of one position a second, analyses included, where none has been measured here (two shared cores)."""
BYTES_A_MINUTE = 180
"""Measured on one position (225 in all): bars and rows that live only while a position is analysed or evaluated."""
BYTES_A_MINUTE_OF_EACH = 45
"""What stays of every position: four prices, volume, the row of its analysis."""
BYTES_AT_LEAST = 200 << 20
"""A simulator with its libraries."""
MEASURED_FROM = 10
"""Completed simulations that the rate is taken from, the newest ones."""
_CODE = re.compile(r"^[\w .-]{1,64}$")


@dataclass(frozen=True, slots=True)
class Known:
    """What the window knows of the world."""

    analyses: Mapping[str, AnalysisConfiguration]
    trades: Mapping[str, TradeConfiguration]
    coverage: Mapping[str, tuple[TimeRange, ...]]
    instruments: Mapping[str, Instrument]
    simulations: Mapping[str, SimulationState]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong at a field. allowed: key of the text that says what is allowed, with its parameters."""

    value: object
    allowed: str
    parameters: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PositionPlan:
    """A row as it would run. reason: key of the text that says why it does not take part, "" when it does; minutes: of the
    range; missing: of them without bars; stored: from the first to the last bar; weighted: assumed ratio · leverage;
    allocated: if all others ahead of it had asked before, None where that cannot be said."""

    row: PositionRow
    asset: str
    reason: str
    minutes: int
    missing: int
    stored: TimeRange | None
    leverage: int
    isolated: bool
    ratio: float
    weighted: float
    allocated: float | None
    cap: float | None
    minimum_notional: float | None

    @property
    def tradable(self) -> bool:
        return not self.reason


@dataclass(frozen=True, slots=True)
class AssetPlan:
    """Sums over the tradable positions of an asset. None: the balance cannot be read; max_allocated None: no cap on one of
    them."""

    allocatable: float | None
    assumed: float
    weighted: float
    allocated: float | None
    max_allocated: float | None


@dataclass(frozen=True, slots=True)
class Plan:
    """positions: of every row, by symbol; tradable: those that take part, by priority; configured: number of rows with both
    configurations; spec: None while anything is wrong or nothing is tradable; seconds, size (bytes): estimated."""

    positions: Mapping[str, PositionPlan]
    tradable: tuple[PositionPlan, ...]
    configured: int
    assets: Mapping[str, AssetPlan]
    problems: Mapping[str, Problem]
    wrong_costs: Wrong
    spec: SimulationSpec | None
    minutes: int
    missing: int
    seconds: float
    size: int


def plan(draft: SimulationDraft, known: Known, now_ms: int) -> Plan:
    """See `Plan`. now_ms: from which a blank code is made."""
    problems: dict[str, Problem] = {}
    code = _code(draft, known, now_ms, problems)
    span = _span(draft, problems)
    assets = {name: _asset(draft, name, problems) for name in draft.assets}
    positions = _positions(draft, known, span, assets, problems)
    wrong: Wrong = {}
    costs = _costs(draft, wrong, problems)
    taking_part = tuple(each for each in positions.values() if each.tradable)
    used = {each.asset for each in taking_part}
    for name in sorted(used):
        setup = assets.get(name)
        if setup is not None and setup.initial_balance <= 0:
            problems.setdefault(f"assets.{name}.balance", Problem(draft.assets[name].balance, "allowed.above_0"))
    minutes = sum(each.minutes for each in taking_part)
    spec = None
    if not problems and not wrong and span is not None and costs is not None and taking_part:
        spec = _spec(code, span, taking_part, {name: assets[name] for name in sorted(used)}, costs, known)
    each_minutes = max((each.minutes for each in taking_part), default=0)
    return Plan(
        positions,
        taking_part,
        sum(row.configured for row in draft.rows.values()),
        {name: _asset_plan(positions, name, setup) for name, setup in assets.items()},
        problems,
        wrong,
        spec,
        minutes,
        sum(each.missing for each in taking_part),
        minutes / measured_rate(known.simulations),
        BYTES_AT_LEAST + each_minutes * BYTES_A_MINUTE + minutes * BYTES_A_MINUTE_OF_EACH,
    )


def measured_rate(simulations: Mapping[str, SimulationState]) -> float:
    """Minutes of single positions a second, from the newest completed simulations; `RATE` without any."""
    done = [state for state in simulations.values() if state.summary is not None and state.summary.wall_seconds > 0]
    done.sort(key=lambda state: -state.created_ms)
    rates = [state.summary.bars / state.summary.wall_seconds for state in done[:MEASURED_FROM] if state.summary]
    return statistics.median(rates) if rates and min(rates) > 0 else RATE


# --- fields ---------------------------------------------------------------------------------------------------------


def _code(draft: SimulationDraft, known: Known, now_ms: int, problems: dict[str, Problem]) -> str:
    code = draft.free_code(known.simulations, now_ms)
    if not _CODE.match(code):
        problems["code"] = Problem(draft.code, "allowed.code")
    elif code in known.simulations:
        problems["code"] = Problem(code, "allowed.free_code")
    return code


def _span(draft: SimulationDraft, problems: dict[str, Problem]) -> TimeRange | None:
    found = {}
    for name, text in (("start", draft.start), ("end", draft.end)):
        try:
            found[name] = parse_time(text)
        except ValueError:
            problems[name] = Problem(text, "allowed.time")
    if len(found) < 2:
        return None
    start, end = (found[name] // MINUTE_MS * MINUTE_MS for name in ("start", "end"))
    if start >= end:
        problems["end"] = Problem(draft.end, "allowed.after", {"start": draft.start})
        return None
    return TimeRange(start, end)


def _read(text: str, path: str, least: float, most: float, problems: dict[str, Problem]) -> float | None:
    try:
        return number(path, text, least, most)
    except Invalid:
        problems[path] = Problem(text, "allowed.number", {"least": f"{least:,g}", "most": f"{most:,g}"})
        return None


def _share(text: str, path: str, problems: dict[str, Problem]) -> float | None:
    try:
        return percentage(path, text, 0, 100)
    except Invalid:
        problems[path] = Problem(text, "allowed.number", {"least": "0%", "most": "100%"})
        return None


def _asset(draft: SimulationDraft, name: str, problems: dict[str, Problem]) -> AssetSetup | None:
    typed = draft.assets[name]
    balance = _read(typed.balance, f"assets.{name}.balance", 0, MOST_BALANCE, problems)
    share = _share(typed.allocation, f"assets.{name}.allocation", problems)
    return None if balance is None or share is None else AssetSetup(balance, share)


def _costs(draft: SimulationDraft, wrong: Wrong, problems: dict[str, Problem]) -> CostModel | None:
    raw: dict[str, Any] = read_tree(COSTS, draft.costs, "costs", wrong)
    if wrong:
        return None
    for mistake in mistakes(raw, CostModel, "costs"):
        problems[mistake.field] = Problem(mistake.value, "allowed.as_said", {"allowed": mistake.allowed})
    return None if any(path.startswith("costs") for path in problems) else msgspec.convert(raw, CostModel)


# --- positions ------------------------------------------------------------------------------------------------------


def _positions(
    draft: SimulationDraft,
    known: Known,
    span: TimeRange | None,
    assets: Mapping[str, AssetSetup | None],
    problems: dict[str, Problem],
) -> dict[str, PositionPlan]:
    """By priority, since what is allocated to one is no longer there for the next."""
    left = {name: _allocatable(setup) for name, setup in assets.items()}
    whole_balance = dict(left)
    minutes = 0 if span is None else span.minutes
    shares: dict[str, float] = {}  # most rows have the same
    found: dict[str, PositionPlan] = {}
    for row in sorted(draft.rows.values(), key=lambda each: each.priority):
        place = f"positions.{row.symbol}"
        ratio = shares.get(row.ratio)
        if ratio is None:
            ratio = _share(row.ratio, f"{place}.ratio", problems if row.configured else {})
            if ratio is not None:
                shares[row.ratio] = ratio
        cap = _cap(row, place, problems)
        instrument = known.instruments.get(row.symbol)
        asset = settled_in(row.symbol, None if instrument is None else instrument.quote_asset)
        trade = known.trades.get(row.trade)
        ranges = known.coverage.get(row.symbol, ())
        covered = _covered(ranges, span)
        reason = _reason(row, known, span, covered)
        allocated = None
        whole, allocatable = left.get(asset), whole_balance.get(asset)
        if not reason and whole is not None and allocatable is not None and ratio is not None:
            wanted = allocatable * ratio
            allocated = max(0.0, min(whole, wanted, cap if cap is not None else wanted))
            left[asset] = whole - allocated
        leverage = 1 if trade is None else trade.leverage
        found[row.symbol] = PositionPlan(
            row, asset, reason, minutes, minutes - covered,
            TimeRange(ranges[0].start_ms, ranges[-1].end_ms) if ranges else None,
            leverage, trade is None or trade.isolated, ratio or 0.0, (ratio or 0.0) * leverage, allocated, cap,
            None if instrument is None else float(instrument.min_notional),
        )  # fmt: skip
    return found


def _cap(row: PositionRow, place: str, problems: dict[str, Problem]) -> float | None:
    if not row.cap.strip():
        return None
    cap = _read(row.cap, f"{place}.cap", 0, MOST_BALANCE, problems if row.configured else {})
    if cap == 0 and row.configured:
        problems[f"{place}.cap"] = Problem(row.cap, "allowed.above_0")
    return cap


def _covered(ranges: Sequence[TimeRange], span: TimeRange | None) -> int:
    """Minutes of the range that are stored."""
    if span is None:
        return 0
    start, end, stored = span.start_ms, span.end_ms, 0
    for each in ranges:
        # comparisons instead of min and max: hundreds of symbols in a frame
        begins = each.start_ms if each.start_ms > start else start
        ends = each.end_ms if each.end_ms < end else end
        if ends > begins:
            stored += ends - begins
    return stored // MINUTE_MS


def _reason(row: PositionRow, known: Known, span: TimeRange | None, covered: int) -> str:
    if row.analysis not in known.analyses:
        return "untradable.analysis"
    if row.trade not in known.trades:
        return "untradable.trade"
    if not known.coverage.get(row.symbol):
        return "untradable.not_stored"
    if span is None:
        return "untradable.range"
    return "" if covered else "untradable.no_overlap"


def _allocatable(setup: AssetSetup | None) -> float | None:
    return None if setup is None else setup.initial_balance * setup.allocation_ratio * ALLOCATABLE_SHARE


def _asset_plan(positions: Mapping[str, PositionPlan], name: str, setup: AssetSetup | None) -> AssetPlan:
    own = [each for each in positions.values() if each.asset == name and each.tradable]
    caps = [each.cap for each in own]
    return AssetPlan(
        _allocatable(setup),
        sum(each.ratio for each in own),
        sum(each.weighted for each in own),
        None if setup is None else sum(each.allocated or 0.0 for each in own),
        None if None in caps or not caps else sum(cap for cap in caps if cap is not None),
    )


def _spec(
    code: str,
    span: TimeRange,
    taking_part: Sequence[PositionPlan],
    assets: Mapping[str, AssetSetup | None],
    costs: CostModel,
    known: Known,
) -> SimulationSpec:
    positions = tuple(
        PositionSetup(each.row.symbol, each.row.analysis, each.row.trade, each.ratio, number, each.cap)
        for number, each in enumerate(taking_part, 1)
    )
    return SimulationSpec(
        code=code,
        start=format_time(span.start_ms),
        end=format_time(span.end_ms),
        assets={name: setup for name, setup in assets.items() if setup is not None},
        positions=positions,
        analysis=tuple(known.analyses[name] for name in sorted({position.analysis for position in positions})),
        trade=tuple(known.trades[name] for name in sorted({position.trade for position in positions})),
        costs=costs,
    )
