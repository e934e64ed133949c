"""Fills and round trips. Definitions: docs/statistics.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

import numpy as np

from atm.model.account import TradeRecord
from atm.model.interval import MINUTE_MS
from atm.model.order import Side
from atm.model.statistics import RoundTrip, SideStatistics
from atm.simulators.statistics.fill_table import REASONS, FillTable


def split(trades: Iterable[TradeRecord]) -> list[list[TradeRecord]]:
    """Fills of each round trip, from flat to flat of one symbol, in the order they ended; then those still open."""
    running: dict[str, list[TradeRecord]] = {}
    done = []
    for t in trades:
        running.setdefault(t.symbol, []).append(t)
        if t.quantity_after == 0.0:
            done.append(running.pop(t.symbol))
    return done + list(running.values())


def round_trip(
    fills: Sequence[TradeRecord],
    funding: float = 0.0,
    adverse: float = 0.0,
    favourable: float = 0.0,
    liquidation_room: float = 1.0,
) -> RoundTrip:
    """The round trip that these fills are; the rest is what happened between them (see `RoundTrip`)."""
    first, last = fills[0], fills[-1]
    fees = sum(t.fee for t in fills)
    return RoundTrip(
        symbol=first.symbol,
        side=first.side,
        start_ms=first.time_ms,
        end_ms=last.time_ms,
        fills=len(fills),
        notional=sum(t.quantity * t.price for t in fills if t.side is first.side),
        profit=sum(t.profit for t in fills) - fees - funding,
        fees=fees,
        funding=funding,
        exit_reason=last.reason,
        adverse=adverse,
        favourable=favourable,
        liquidation_room=liquidation_room,
    )


def round_trips(trades: Iterable[TradeRecord]) -> list[RoundTrip]:
    """Closed round trips in the order they ended, without what only the path between the fills tells."""
    return [round_trip(fills) for fills in split(trades) if fills[-1].quantity_after == 0.0]


def win_rate(trips: Sequence[RoundTrip]) -> float:
    """Share of round trips with a profit."""
    return sum(trip.profit > 0 for trip in trips) / len(trips) if trips else 0.0


def profit_factor(trips: Sequence[RoundTrip]) -> float | None:
    """Gains / losses over round trips; None where nothing was lost."""
    losses = -sum(trip.profit for trip in trips if trip.profit < 0)
    return sum(trip.profit for trip in trips if trip.profit > 0) / losses if losses > 0 else None


def streak(trips: Sequence[RoundTrip], won: bool) -> int:
    """Longest run of round trips with (or without) a profit, in the order they ended."""
    runs = groupby(trip.profit > 0 for trip in trips)
    return max((sum(1 for _ in run) for outcome, run in runs if outcome is won), default=0)


def outcome(trips: Sequence[RoundTrip]) -> dict[str, float | None]:
    """expectancy, average_win, average_loss (<= 0), payoff, best and worst of the profits; payoff None without losses."""
    profits = np.array([trip.profit for trip in trips])
    wins, losses = profits[profits > 0], profits[profits < 0]
    average_win = float(wins.mean()) if len(wins) else 0.0
    average_loss = float(losses.mean()) if len(losses) else 0.0
    return {
        "expectancy": float(profits.mean()) if len(profits) else 0.0,
        "average_win": average_win,
        "average_loss": average_loss,
        "payoff": average_win / -average_loss if average_loss else None,
        "best": float(profits.max(initial=-np.inf)) if len(profits) else 0.0,
        "worst": float(profits.min(initial=np.inf)) if len(profits) else 0.0,
    }


def holding_minutes(trips: Sequence[RoundTrip]) -> tuple[float, float, float]:
    """(mean, median, longest) time from the first to the last fill."""
    minutes = np.array([(trip.end_ms - trip.start_ms) / MINUTE_MS for trip in trips])
    return (float(minutes.mean()), float(np.median(minutes)), float(minutes.max())) if len(minutes) else (0.0, 0.0, 0.0)


def by_side(trips: Sequence[RoundTrip], side: Side) -> SideStatistics:
    """The round trips of one side."""
    mine = [trip for trip in trips if trip.side is side]
    profit = sum(trip.profit for trip in mine)
    return SideStatistics(len(mine), win_rate(mine), profit, profit / len(mine) if mine else 0.0, profit_factor(mine))


def fills_by_reason(fills: FillTable) -> dict[str, int]:
    """Number of fills by `TradeReason`, all of them."""
    counted = np.bincount(fills.reason, minlength=len(REASONS)).tolist()
    return {reason.value: count for reason, count in zip(REASONS, counted, strict=True)}


def exposure(fills: FillTable, start_ms: int, end_ms: int) -> float:
    """Share of the time in which any position was open."""
    now, before = fills.quantity_after != 0.0, fills.quantity_before != 0.0
    any_open = np.cumsum(now.astype(np.int64) - before) > 0
    stays = np.diff(fills.time_ms, append=end_ms)
    return int(stays[any_open].sum()) / (end_ms - start_ms)
