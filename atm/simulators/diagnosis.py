"""The doctor of a result: what a careful reader would ask of it, answered from the result and the bars. Pure.

Every finding is a text key with parameters, the number that it rests on, and a severity; the worst come first. The limits are
the constants below; docs/statistics.md explains each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from atm.model.interval import format_time
from atm.model.notice import Severity
from atm.model.simulation import SimulationSpec, SimulationSummary
from atm.model.statistics import Finding, RoundTrip, SimulationStatistics
from atm.simulators.statistics.fill_table import FillTable, summed
from atm.simulators.statistics.path import PathFacts

COST_SHARE = 0.5
BEST_SHARE = 0.25
ROOM_CRITICAL, ROOM_LOW = 0.02, 0.05
TRIPS_PER_PARAMETER, TRIPS_PER_PARAMETER_CRITICAL = 10.0, 3.0
MISSING_SHARE = 0.01
STALE_SHARE = 0.05
VOLUME_SHARE = 0.1
THIN_FILLS = 0.1
ALPHA = 0.05

_ORDER = (Severity.CRITICAL, Severity.WARNING, Severity.INFO, Severity.SUCCESS)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is examined. room: smallest distance to liquidation of all positions, a fraction of the price."""

    spec: SimulationSpec
    summary: SimulationSummary
    statistics: SimulationStatistics
    trips: Sequence[RoundTrip]
    fills: FillTable
    seen: Mapping[str, PathFacts]
    room: float


def findings(evidence: Evidence) -> tuple[Finding, ...]:
    """All findings, worst first; of a result without trades only what its bars say."""
    found = [*_bars(evidence), *_sources(evidence)]
    if not len(evidence.fills):
        found.append(Finding(Severity.WARNING, "finding.no_trades", 0.0))
    else:
        for examine in (
            _ruin,
            _assumptions,
            _costs,
            _concentration,
            _parameters,
            _significance,
            _holding,
            _regimes,
            _thin_fills,
        ):
            found += examine(evidence)
    return tuple(sorted(found, key=lambda finding: _ORDER.index(finding.severity)))


def percent(value: float) -> str:
    """A fraction for a sentence: in percent, a large one as a multiple."""
    if abs(value) >= 10.0:
        return f"{value:,.0f}×"
    return f"{value:.2%}" if abs(value) < 0.01 else f"{value:.1%}"


def money(value: float) -> str:
    """An amount for a sentence."""
    return f"{value:,.2f}"


def _ruin(e: Evidence) -> Iterator[Finding]:
    if e.statistics.ruined:
        yield Finding(Severity.CRITICAL, "finding.ruined", 1.0)
    if e.summary.liquidations:
        count = e.summary.liquidations
        yield Finding(Severity.CRITICAL, "finding.liquidated", float(count), {"count": str(count)})
    elif e.room < 1.0:
        severity = Severity.CRITICAL if e.room < ROOM_CRITICAL else Severity.INFO
        if ROOM_CRITICAL <= e.room < ROOM_LOW:
            severity = Severity.WARNING
        yield Finding(severity, "finding.liquidation_distance", e.room, {"distance": percent(e.room)})


def _assumptions(e: Evidence) -> Iterator[Finding]:
    """What stood in for mark prices, where a liquidation was near or happened, and for funding rates."""
    unmarked, constant = e.statistics.unmarked_share, e.statistics.constant_share
    if unmarked and (e.summary.liquidations or e.room < ROOM_LOW):
        said = {"share": percent(unmarked), "distance": percent(0.0 if e.summary.liquidations else e.room)}
        yield Finding(Severity.WARNING, "finding.liquidation_unmarked", unmarked, said)
    if constant:
        said = {
            "share": percent(constant),
            "rate": f"{e.spec.costs.funding_rate:.4%}",
            "paid": money(e.summary.funding),
        }
        yield Finding(Severity.INFO, "finding.constant_funding", constant, said)


def _costs(e: Evidence) -> Iterator[Finding]:
    gross = summed(e.fills.profit)
    costs = e.summary.fees + e.summary.funding
    said = {"costs": money(costs), "gross": money(gross)}
    if gross <= 0.0:
        yield Finding(Severity.CRITICAL, "finding.gross_loss", gross, said)
    elif costs >= gross:
        yield Finding(Severity.CRITICAL, "finding.costs_exceed", costs / gross, said)
    else:
        share = costs / gross
        severity = Severity.WARNING if share >= COST_SHARE else Severity.INFO
        yield Finding(severity, "finding.costs_share", share, {**said, "share": percent(share)})


def _concentration(e: Evidence) -> Iterator[Finding]:
    """How much of a profit hangs on the best trade, the best five, the best month."""
    profits = sorted((trip.profit for trip in e.trips), reverse=True)
    total = sum(profits)
    if total > 0.0:
        for text, best in (("finding.best_trade", profits[0]), ("finding.best_five", sum(profits[:5]))):
            rest = total - best
            if rest <= 0.0 or best / total >= BEST_SHARE:
                severity = Severity.WARNING if rest <= 0.0 else Severity.INFO
                said = {"share": percent(best / total), "rest": money(rest)}
                yield Finding(severity, text, best / total, said)
    months = e.statistics.months
    if len(months) > 1 and e.summary.total_return > 0.0:
        best_month = max(months, key=lambda month: month.value)
        rest = (1.0 + e.summary.total_return) / (1.0 + best_month.value) - 1.0
        name = f"{best_month.year}-{best_month.month:02d}"
        said = {"month": name, "value": percent(best_month.value), "rest": percent(rest)}
        severity = Severity.WARNING if rest <= 0.0 else Severity.INFO
        yield Finding(severity, "finding.best_month", best_month.value, said)


def parameters(spec: SimulationSpec) -> int:
    """Numbers that could have been fitted: numeric settings of the configurations that the positions use, each once."""
    used = {position.analysis for position in spec.positions} | {position.trade for position in spec.positions}
    analyses = [msgspec.to_builtins(one) for one in spec.analysis if one.code in used]
    trades = [msgspec.to_builtins(one) for one in spec.trade if one.code in used]
    return sum(_numbers(raw) for raw in (*analyses, *trades))


def _numbers(raw: Any) -> int:
    if isinstance(raw, Mapping):
        return sum(_numbers(value) for value in raw.values())
    if isinstance(raw, list | tuple):
        return sum(_numbers(value) for value in raw)
    return int(isinstance(raw, int | float) and not isinstance(raw, bool))


def _parameters(e: Evidence) -> Iterator[Finding]:
    count = parameters(e.spec)
    each = len(e.trips) / max(1, count)
    severity = Severity.INFO
    if each < TRIPS_PER_PARAMETER:
        severity = Severity.CRITICAL if each < TRIPS_PER_PARAMETER_CRITICAL else Severity.WARNING
    said = {"trips": f"{len(e.trips):,}", "parameters": str(count), "each": f"{each:.1f}"}
    yield Finding(severity, "finding.parameters", each, said)


def _significance(e: Evidence) -> Iterator[Finding]:
    tested = e.statistics.significance
    if tested is None:
        days = f"{e.statistics.days:.0f}"
        yield Finding(Severity.WARNING, "finding.too_short", e.statistics.days, {"days": days})
        return
    said = {
        "t": f"{tested.t:.2f}",
        "p": f"= {tested.p:.3f}" if tested.p >= 0.001 else "< 0.001",
        "days": str(tested.days),
    }
    if tested.p >= ALPHA:
        yield Finding(Severity.WARNING, "finding.not_significant", tested.p, said)
    elif tested.t < 0.0:
        yield Finding(Severity.CRITICAL, "finding.significant_loss", tested.p, said)
    else:
        yield Finding(Severity.SUCCESS, "finding.significant", tested.p, said)
    interval = {"low": f"{tested.sharpe_low:.2f}", "high": f"{tested.sharpe_high:.2f}"}
    text, severity = "finding.interval_positive", Severity.SUCCESS
    if tested.sharpe_high < 0.0:
        text, severity = "finding.interval_negative", Severity.CRITICAL
    elif tested.sharpe_low <= 0.0:
        text, severity = "finding.interval_zero", Severity.WARNING
    yield Finding(severity, text, tested.sharpe_low, interval)


def _holding(e: Evidence) -> Iterator[Finding]:
    s = e.statistics
    said = {
        "result": percent(e.summary.total_return),
        "held": percent(s.benchmark_return),
        "fall": percent(e.summary.max_drawdown),
        "held_fall": percent(s.benchmark_drawdown),
    }
    number = e.summary.total_return - s.benchmark_return
    better = number > 0.0
    text = "finding.better_than_holding" if better else "finding.worse_than_holding"
    severity = Severity.WARNING
    if better:
        severity = Severity.SUCCESS if e.summary.total_return > 0.0 else Severity.INFO
    yield Finding(severity, text, number, said)


def _regimes(e: Evidence) -> Iterator[Finding]:
    for kind, text in (("trend", "finding.regime_trend"), ("volatility", "finding.regime_volatility")):
        profits = [regime.profit for regime in e.statistics.regimes if regime.kind == kind]
        if not profits:
            continue
        total = sum(profits)
        alone = total > 0.0 and max(profits) >= total and sorted(profits)[1] <= 0.0
        low, middle, high = (f"{profit:+,.2f}" for profit in profits)
        said = {"low": low, "middle": middle, "high": high}
        yield Finding(Severity.WARNING if alone else Severity.INFO, text, max(profits), said)


def _bars(e: Evidence) -> Iterator[Finding]:
    """Missing minutes, those among them in which something was held, and minutes in which nobody traded."""
    for symbol, path in e.seen.items():
        minutes, gaps = path.minutes, path.missing
        if len(gaps):
            share = len(gaps) / minutes
            said = {"symbol": symbol, "count": f"{len(gaps):,}", "share": percent(share)}
            severity = Severity.WARNING if share >= MISSING_SHARE else Severity.INFO
            yield Finding(severity, "finding.missing_bars", share, said)
            mine = [trip for trip in e.trips if trip.symbol == symbol]
            begins, ends = ([path.minute(getattr(t, name)) for t in mine] for name in ("start_ms", "end_ms"))
            blind = np.searchsorted(gaps, ends) - np.searchsorted(gaps, begins) if mine else np.zeros(1, np.int64)
            if blind.any():
                said = {"symbol": symbol, "count": f"{int(blind.sum()):,}", "trips": str(int((blind > 0).sum()))}
                yield Finding(Severity.WARNING, "finding.held_through_gap", float(blind.sum()), said)
        if path.silent >= STALE_SHARE * minutes:
            said = {"symbol": symbol, "share": percent(path.silent / minutes)}
            yield Finding(Severity.WARNING, "finding.stale_bars", path.silent / minutes, said)


def _sources(e: Evidence) -> Iterator[Finding]:
    """Where the minutes came from, of all symbols together; its number is the share that was repaired or is missing."""
    total = sum(sum(path.sources.values()) for path in e.seen.values())
    if not total:
        return
    shares = {
        name: sum(path.sources.get(name, 0) for path in e.seen.values()) / total
        for name in ("stream", "rest", "archive", "sample", "missing")
    }
    said = {name: percent(share) if share else "0%" for name, share in shares.items()}
    yield Finding(Severity.INFO, "finding.sources", shares["rest"] + shares["missing"], said)


def _thin_fills(e: Evidence) -> Iterator[Finding]:
    """Fills against the volume of the minute that they happened in; where nobody traded at all is said apart."""
    sizes, volumes = e.fills.quantity, np.zeros(len(e.fills))
    for symbol, path in e.seen.items():
        volumes[e.fills.places(symbol)] = path.volumes
    shares = np.divide(sizes, volumes, out=np.zeros(len(sizes)), where=volumes > 0.0)
    worst = int(np.argmax(shares))
    silent = int((volumes <= 0.0).sum())
    count = int((shares > VOLUME_SHARE).sum()) + silent
    said = {
        "count": f"{count:,}",
        "silent": f"{silent:,}",
        "fills": f"{len(shares):,}",
        "limit": percent(VOLUME_SHARE),
        "worst": percent(float(shares[worst])),
        "symbol": e.fills.names[e.fills.symbol[worst]],
        "time": format_time(int(e.fills.time_ms[worst])),
    }
    if not count:
        yield Finding(Severity.INFO, "finding.thick_fills", float(shares[worst]), said)
        return
    severity = Severity.CRITICAL if count > THIN_FILLS * len(shares) else Severity.WARNING
    yield Finding(severity, "finding.thin_fills", count / len(shares), said)
