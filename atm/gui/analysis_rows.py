"""What runs now, as rows: every analysis with its progress, load and users, every analyzer with what it carries. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from atm.gui.read_model import ReadModel
from atm.ipc.messages import AnalysisReady
from atm.model.bars import TimeRange

STATES = ("running", "preparing", "waiting", "failed")


@dataclass(frozen=True, slots=True)
class AnalyzerRow:
    """minute_us: what a minute of all its analyses takes."""

    name: str
    state: str
    analyses: tuple[str, ...]
    minute_us: float
    memory: int


@dataclass(frozen=True, slots=True)
class AnalysisRow:
    """caught_up: share of the way from its first minute to now; settled: share of the time after which it has forgotten where it began;
    covered: share of its minutes that are stored; None where it is not known. minute_us: what a minute takes, NaN = not known; accounts:
    that use it."""

    analysis: str
    symbol: str
    configuration: str
    analyzer: str
    state: str
    last_close_ms: int
    minute_us: float
    accounts: tuple[str, ...]
    error: str = ""
    caught_up: float | None = None
    settled: float | None = None
    covered: float | None = None

    @property
    def progress(self) -> float | None:
        """Of what it is doing now: catching up, then settling."""
        return self.caught_up if self.state == "preparing" else self.settled


def analyzer_rows(model: ReadModel) -> list[AnalyzerRow]:
    """The analyzers that run, by name."""
    rows = []
    for name in sorted(name for name in model.processes if name.startswith("analyzer-")):
        load, process = model.analyzers.get(name), model.processes[name]
        carried = tuple(each.analysis for each in load.analyses) if load is not None else ()
        rows.append(
            AnalyzerRow(name, process.state, carried, load.minute_us if load is not None else 0.0, process.pss_bytes)
        )
    return rows


def analysis_rows(model: ReadModel, now_ms: int) -> list[AnalysisRow]:
    """Every analysis that is wanted by a position or carried by an analyzer, by symbol and configuration; of one that has ended nothing
    more is told. now_ms: market time."""
    users = _users(model)
    loads = {each.analysis: each.minute_us for load in model.analyzers.values() for each in load.analyses}
    rows = [
        _row(model, ready, loads, users, now_ms)
        for ready in model.analyses.values()
        if (ready.symbol, configuration_of(ready)) in users or ready.analysis in loads
    ]
    known = {(row.symbol, row.configuration) for row in rows}
    for (symbol, code), accounts in users.items():
        if (symbol, code) not in known:
            name = f"{symbol}/{code}"
            rows.append(AnalysisRow(name, symbol, code, "", "waiting", 0, float("nan"), accounts))
    return sorted(rows, key=lambda row: (row.symbol, row.configuration))


def state_of(model: ReadModel, ready: AnalysisReady) -> str:
    """What its analyzer said last, unless that has died, or has begun anew without it: then it waits for an analyzer."""
    process = model.processes.get(ready.analyzer)
    if process is None or ready.state == "failed":
        return ready.state
    carried = ready.analysis in model.carried.get(ready.analyzer, ())
    gone = process.state != "running" or (ready.state == "running" and not carried)
    return "waiting" if gone else ready.state


@dataclass(slots=True)
class RowsOnce:
    """`analysis_rows`, made anew when anything was heard or a second has passed."""

    _of: tuple[int, int, int] = (-1, -1, -1)
    _rows: list[AnalysisRow] = field(default_factory=list)

    def get(self, model: ReadModel, now_ms: int) -> list[AnalysisRow]:
        """The same list while nothing has changed."""
        key = id(model), model.revision, now_ms // 1_000
        if key != self._of:
            self._of, self._rows = key, analysis_rows(model, now_ms)
        return self._rows


def counts(rows: list[AnalysisRow]) -> Counter[str]:
    """How many analyses are in each state."""
    return Counter(row.state for row in rows)


def configuration_of(ready: AnalysisReady) -> str:
    """The code of the configuration, from the id of the analysis (SYMBOL/CODE)."""
    return ready.analysis.removeprefix(ready.symbol).lstrip("/ ")


def _users(model: ReadModel) -> dict[tuple[str, str], tuple[str, ...]]:
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for name, view in model.accounts.items():
        for position in view.setup.positions:
            key = position.symbol, position.analysis
            found[key] = (*found.get(key, ()), name)
    return found


def _row(
    model: ReadModel,
    ready: AnalysisReady,
    loads: dict[str, float],
    users: dict[tuple[str, str], tuple[str, ...]],
    now_ms: int,
) -> AnalysisRow:
    code, start, last = configuration_of(ready), ready.start_ms, ready.last_close_time
    state = state_of(model, ready)
    ranges = model.coverage.get(ready.symbol, ())
    return AnalysisRow(
        analysis=ready.analysis,
        symbol=ready.symbol,
        configuration=code,
        analyzer=ready.analyzer if state == ready.state else "",
        state=state,
        last_close_ms=last,
        minute_us=loads.get(ready.analysis, float("nan")),
        accounts=users.get((ready.symbol, code), ()),
        error=ready.error,
        caught_up=_share(last - start, now_ms - start) if start else None,
        settled=_share(last - start, ready.settle_ms) if start else None,
        covered=_share(_held(ranges, start, last), last - start) if start and last > start else None,
    )


def _held(ranges: tuple[TimeRange, ...], start_ms: int, end_ms: int) -> int:
    """Milliseconds of a stretch that are stored."""
    return sum(max(0, min(each.end_ms, end_ms) - max(each.start_ms, start_ms)) for each in ranges)


def _share(part: int, whole: int) -> float:
    return 1.0 if whole <= 0 else min(1.0, max(0.0, part / whole))
