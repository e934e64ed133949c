"""From fills and equity to everything that is said about a simulation. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from atm.model.account import TradeReason, TradeRecord
from atm.model.interval import format_time
from atm.model.mark import Assumptions
from atm.model.order import Side
from atm.model.simulation import SimulationSpec, SimulationSummary
from atm.model.statistics import BalanceReport, RoundTrip, SimulationDetails, SimulationStatistics
from atm.model.trade_configuration import cautions
from atm.simulators import diagnosis
from atm.simulators.statistics import benchmark, equity, reports, trips
from atm.simulators.statistics.fill_table import FillTable, summed
from atm.simulators.statistics.path import PathFacts, SymbolPath, facts, measured_trips
from atm.simulators.statistics.significance import significance
from atm.simulators.statistics.time_weighted import time_weighted

Floats = NDArray[np.float64]

FEW_TRIPS = 30


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the engine made: fills, equity per minute, the path of each symbol, money paid, seconds it took; market orders
    whose book was not recorded although slippage should have followed it; what stood in for marks and rates; flows: float64, one a
    minute: what the user paid in (out: below 0) just before it, None = nothing."""

    trades: list[TradeRecord]
    equity: Floats
    paths: Mapping[str, SymbolPath]
    fees: float
    funding: float
    wall_seconds: float
    unrecorded: int = 0
    assumed: Assumptions = field(default_factory=Assumptions)
    flows: Floats | None = None


def conclude(
    spec: SimulationSpec, start: int, end: int, outcome: Outcome
) -> tuple[SimulationSummary, SimulationDetails]:
    """Summary with statistics and findings, and what is kept beside it."""
    initial = sum(asset.initial_balance for asset in spec.assets.values())
    fills = FillTable.of(outcome.trades)
    ends = reports.hour_ends(start, len(outcome.equity))
    # the minutes of one symbol after another, each once: all at once may be more than the memory holds
    seen = {symbol: facts(path, fills.of_symbol(symbol), ends) for symbol, path in outcome.paths.items()}
    done, room = measured_trips(fills, seen)
    weights = {position.symbol: position.assumed_ratio for position in spec.positions}
    held = benchmark.buy_and_hold(seen, weights, initial)
    hourly = reports.hourly(fills, seen, outcome.equity, initial, held)
    curve, begin = time_weighted(outcome.equity, initial, outcome.flows)
    weighted = hourly if curve is outcome.equity else reports.hourly(fills, seen, curve, begin, held)
    course = Course(start, end, begin, outcome, curve, fills, seen, done, hourly, reports.daily(weighted))
    fall = equity.drawdown(curve, begin)
    figures = statistics(course, fall)
    summary = summarise(spec, course, fall, figures)
    evidence = diagnosis.Evidence(spec, summary, figures, done, fills, seen, room)
    findings = diagnosis.findings(evidence)
    return msgspec.structs.replace(summary, findings=findings), SimulationDetails(tuple(done), hourly)


@dataclass(frozen=True, slots=True)
class Course:
    """What the figures are made of: a range (Unix ms), the money at its start, and what happened in it. curve, day: the equity and the
    daily report of it as if nothing had been paid in or out (`time_weighted`)."""

    start: int
    end: int
    initial: float
    outcome: Outcome
    curve: Floats
    fills: FillTable
    seen: Mapping[str, PathFacts]
    done: list[RoundTrip]
    hourly: BalanceReport
    day: BalanceReport


def statistics(c: Course, fall: equity.Drawdown) -> SimulationStatistics:
    """All figures beyond the summary's."""
    curve, done, outcome = c.curve, c.done, c.outcome
    returns = equity.daily_returns(curve, c.initial, c.start)
    cagr = equity.annual_growth(curve, c.initial)
    growth, deviation = equity.growth_fit(curve, c.initial, c.start)
    mean, median, longest = trips.holding_minutes(done)
    gross = summed(c.fills.profit)
    per_day = equity.MINUTES_PER_DAY
    return SimulationStatistics(
        days=len(curve) / per_day,
        ruined=bool(len(curve)) and float(curve.min()) <= 0.0,
        cagr=cagr,
        volatility=equity.volatility(returns),
        sharpe=equity.sharpe_ratio(returns),
        sortino=equity.sortino_ratio(returns),
        calmar=cagr / fall.largest if fall.largest > 0.0 else None,
        ulcer=fall.ulcer,
        max_drawdown_days=fall.minutes / per_day,
        longest_under_water_days=fall.longest_minutes / per_day,
        profit_factor=trips.profit_factor(done),
        win_streak=trips.streak(done, True),
        loss_streak=trips.streak(done, False),
        mean_minutes=mean,
        median_minutes=median,
        longest_minutes=longest,
        cost_share=(outcome.fees + outcome.funding) / gross if gross > 0.0 else None,
        growth_per_day=growth,
        growth_deviation=deviation,
        long=trips.by_side(done, Side.BUY),
        short=trips.by_side(done, Side.SELL),
        fills_by_reason=trips.fills_by_reason(c.fills),
        months=reports.periods(c.day, c.start, c.end, True),
        years=reports.periods(c.day, c.start, c.end, False),
        significance=significance(returns),
        unmarked_share=outcome.assumed.unmarked_share,
        constant_share=outcome.assumed.constant_share,
        **trips.outcome(done),  # type: ignore[arg-type]  # the keys are names of fields
        **_excursions(done),  # type: ignore[arg-type]
        **_size(c),  # type: ignore[arg-type]
        **_market(c, returns),  # type: ignore[arg-type]
    )


def _excursions(done: list[RoundTrip]) -> dict[str, float]:
    if not done:
        return {}
    adverse, favourable = (np.array([getattr(trip, name) for trip in done]) for name in ("adverse", "favourable"))
    return {
        "average_adverse": float(adverse.mean()),
        "worst_adverse": float(adverse.min()),
        "average_favourable": float(favourable.mean()),
        "best_favourable": float(favourable.max()),
    }


def _size(c: Course) -> dict[str, float]:
    """Notional against equity at the ends of hours, and what was traded in a year."""
    balance = c.hourly.column("equity_close")
    leverage = np.divide(c.hourly.column("notional"), balance, out=np.zeros(len(balance)), where=balance > 0.0)
    traded = summed(c.fills.quantity * c.fills.price)
    mean = float(np.mean(np.maximum(balance, 0.0)))
    years = len(c.outcome.equity) / equity.MINUTES_PER_YEAR
    return {
        "mean_leverage": float(leverage.mean()),
        "peak_leverage": float(leverage.max()),
        "traded_notional": traded,
        "turnover": traded / mean / years if mean > 0.0 else 0.0,
    }


def _market(c: Course, returns: Floats) -> dict[str, object]:
    """Buy-and-hold over the same days, and the result by regime."""
    initial, hourly, day = c.initial, c.hourly, c.day
    held = hourly.column("benchmark")
    lead = int(-hourly.open_time[0] % reports.DAY_MS // reports.HOUR_MS)
    midnights = np.concatenate(([initial], held))[lead::24] if initial > 0.0 else np.ones(1)
    market = midnights[1:] / midnights[:-1] - 1.0
    alpha, beta = benchmark.alpha_beta(returns, market, equity.DAYS_PER_YEAR)
    whole = (hourly.open_time[-1] + reports.HOUR_MS - hourly.open_time[0]) // reports.HOUR_MS - lead
    days = max(0, int(whole) // 24)
    first = 1 if lead else 0
    gains = (day.column("equity_close") - day.column("equity_open"))[first : first + days]
    return {
        "benchmark_return": float(held[-1] / initial - 1.0) if initial > 0.0 else 0.0,
        "benchmark_drawdown": equity.drawdown(held, initial).largest,
        "benchmark_sharpe": equity.sharpe_ratio(market),
        "alpha": alpha,
        "beta": beta,
        "regimes": benchmark.regimes(c.seen, gains, lead),
    }


def summarise(
    spec: SimulationSpec, c: Course, fall: equity.Drawdown, figures: SimulationStatistics
) -> SimulationSummary:
    """The summary; what to be careful about whatever the figures are is in `warnings`, in plain sentences."""
    curve, done, outcome = c.curve, c.done, c.outcome
    first = sum(asset.initial_balance for asset in spec.assets.values())
    final = float(outcome.equity[-1]) if len(curve) else first
    paid_in = 0.0 if outcome.flows is None else float(outcome.flows.sum())
    grown = float(curve[-1]) - c.initial if len(curve) else 0.0
    liquidated = figures.fills_by_reason[TradeReason.LIQUIDATION.value]
    missing = sum(len(path.missing) for path in c.seen.values())
    warnings = [caution for configuration in spec.trade for caution in cautions(configuration)]
    if missing:
        share = missing / max(1, len(curve) * len(c.seen))
        warnings.append(f"{missing:,} minutes ({share:.2%}) without bars: nothing was decided or filled in them")
    if len(done) < FEW_TRIPS:
        warnings.append(f"only {len(done)} round trips: the figures say little about the future")
    if liquidated:
        warnings.append(f"{liquidated} positions were liquidated")
    if outcome.unrecorded:
        warnings.append(
            f"{outcome.unrecorded:,} of {len(c.fills):,} fills fell into minutes without a recorded book: "
            "they paid the fixed half spread and slippage"
        )
    warnings += _assumptions(spec, outcome.assumed)
    return SimulationSummary(
        code=spec.code,
        symbols=tuple(c.seen),
        start=format_time(c.start),
        end=format_time(c.end),
        bars=len(curve) * len(c.seen) - missing,
        missing_bars=missing,
        sources=_sources(c.seen.values()),
        trades=len(c.fills),
        round_trips=len(done),
        win_rate=trips.win_rate(done),
        net_profit=final - first - paid_in,
        total_return=grown / c.initial if c.initial else 0.0,
        fees=outcome.fees,
        funding=outcome.funding,
        profit_factor=figures.profit_factor or 0.0,
        max_drawdown=fall.largest,
        sharpe=figures.sharpe or 0.0,
        exposure=trips.exposure(c.fills, c.start, c.end),
        final_equity=final,
        liquidations=liquidated,
        wall_seconds=outcome.wall_seconds,
        trade_hash=c.fills.hash,
        warnings=tuple(warnings),
        statistics=figures,
    )


def _assumptions(spec: SimulationSpec, assumed: Assumptions) -> list[str]:
    """What stood in for mark prices and funding rates that are not recorded."""
    said = []
    if assumed.unmarked_minutes:
        share = f"{assumed.unmarked_share:.2%}"
        said.append(f"no mark price is recorded of {share} of the minutes held: the trade price stood for it")
    if assumed.constant_stamps:
        rate, share = f"{spec.costs.funding_rate:.4%}", f"{assumed.constant_share:.2%}"
        said.append(f"funding was charged at the constant rate of {rate} at {share} of the stamps: no recorded rate")
    return said


def _sources(seen: Iterable[PathFacts]) -> dict[str, int]:
    """Minutes of all symbols by where they came from."""
    total: Counter[str] = Counter()
    for path in seen:
        total.update(path.sources)
    return dict(total)
