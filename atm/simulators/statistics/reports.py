"""Balance reports: what an account did in each hour or day, and monthly and yearly returns. Definitions: docs/statistics.md.

Reports derive from fills and the minute equity alone; a longer one is the sum of the shorter ones in it. Entries count as
neither gain nor loss; the open of an interval is the close of the one before.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from atm.model.account import TradeReason
from atm.model.interval import MINUTE_MS
from atm.model.statistics import BalanceReport, PeriodReturn
from atm.simulators.statistics.fill_table import FillTable

if TYPE_CHECKING:
    from atm.simulators.statistics.path import PathFacts

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HOUR_MS = 3_600_000
DAY_MS = 86_400_000
REASONS = tuple(reason.value.lower() for reason in TradeReason)
SUMS = ("fills", "buys", "sells", *REASONS, "gains", "losses", "profit", "fees")
LEVELS = ("equity", "wallet")
COLUMNS = (
    *SUMS, *(f"{level}_{which}" for level in LEVELS for which in ("open", "low", "high", "close")), "notional", "benchmark"
)  # fmt: skip


def hourly(
    fills: FillTable, seen: Mapping[str, PathFacts], equity: Floats, initial: float, benchmark: Floats
) -> BalanceReport:
    """A row per UTC hour that the minutes touch. `benchmark`: equity of buy-and-hold at each hour's end (`hour_ends`), which
    are the moments that `seen` holds the closes of.

    notional: of all positions, at the close of the hour; wallet: equity without what is not realised, at fills and at the
    ends of hours (funding changes it at full hours).
    """
    start = next(iter(seen.values())).start_ms
    ends = hour_ends(start, len(equity))
    starts = np.concatenate(([0], ends[:-1]))
    first = start // HOUR_MS * HOUR_MS
    values = np.zeros((len(COLUMNS), len(ends)))
    at = {name: values[COLUMNS.index(name)] for name in COLUMNS}
    hours = (fills.time_ms - first) // HOUR_MS
    _count(at, hours, fills)
    unrealised, at["notional"][:] = held(fills, seen, ends)
    _levels(at, "equity", equity[ends - 1], initial)
    at["equity_low"][:] = np.minimum(at["equity_open"], np.minimum.reduceat(equity, starts))
    at["equity_high"][:] = np.maximum(at["equity_open"], np.maximum.reduceat(equity, starts))
    _levels(at, "wallet", equity[ends - 1] - unrealised, initial)
    at["wallet_low"][:] = np.minimum(at["wallet_open"], at["wallet_close"])
    at["wallet_high"][:] = np.maximum(at["wallet_open"], at["wallet_close"])
    np.minimum.at(at["wallet_low"], hours, fills.wallet_after)
    np.maximum.at(at["wallet_high"], hours, fills.wallet_after)
    at["benchmark"][:] = benchmark
    return BalanceReport(HOUR_MS, COLUMNS, first + HOUR_MS * np.arange(len(ends), dtype=np.int64), values)


def _count(at: Mapping[str, Floats], hours: Ints, fills: FillTable) -> None:
    weights = {"fills": np.ones(len(fills)), "profit": fills.profit, "fees": fills.fee}
    chosen = {"buys": fills.bought, "sells": ~fills.bought, "gains": fills.profit > 0, "losses": fills.profit < 0}
    chosen |= {reason: fills.reason == place for place, reason in enumerate(REASONS)}
    for name, weight in (weights | chosen).items():
        at[name][:] = np.bincount(hours, weight, len(at[name]))


def _levels(at: Mapping[str, Floats], level: str, closes: Floats, initial: float) -> None:
    at[f"{level}_close"][:] = closes
    at[f"{level}_open"][:] = np.concatenate(([initial], closes[:-1]))


def hour_ends(start_ms: int, minutes: int) -> Ints:
    """Number of minutes up to the end of each UTC hour that the range touches, the last being all of them."""
    lead = -start_ms // MINUTE_MS % 60 or 60
    ends = np.arange(lead, minutes + 60, 60, dtype=np.int64)
    ends = ends[: int(np.searchsorted(ends, minutes)) + 1]
    return np.minimum(ends, minutes)


def held(fills: FillTable, seen: Mapping[str, PathFacts], ends: Ints) -> tuple[Floats, Floats]:
    """(unrealised profit, notional) of all positions after the first `ends` minutes."""
    unrealised, notional = np.zeros(len(ends)), np.zeros(len(ends))
    for symbol, path in seen.items():
        mine = fills.of_symbol(symbol)
        if not len(mine):
            continue
        last = np.searchsorted((mine.time_ms - path.start_ms) // MINUTE_MS, ends - 1, "right")
        quantity = np.concatenate(([0.0], mine.quantity_after))[last]
        entry = np.concatenate(([0.0], np.nan_to_num(mine.entry_price_after)))[last]
        price = np.where(quantity != 0.0, path.marks, 0.0)
        unrealised += quantity * (price - entry)
        notional += np.abs(quantity) * price
    return unrealised, notional


def daily(report: BalanceReport) -> BalanceReport:
    """The same per UTC day."""
    days = report.open_time // DAY_MS
    starts = np.flatnonzero(np.diff(days, prepend=days[:1] - 1))
    stops = np.append(starts[1:], len(days)) - 1
    rows = []
    for name, row in zip(report.columns, report.values, strict=True):
        if name in SUMS:
            rows.append(np.add.reduceat(row, starts))
        elif name.endswith("_low"):
            rows.append(np.minimum.reduceat(row, starts))
        elif name.endswith("_high"):
            rows.append(np.maximum.reduceat(row, starts))
        else:
            rows.append(row[starts] if name.endswith("_open") else row[stops])
    return BalanceReport(DAY_MS, report.columns, days[starts] * DAY_MS, np.array(rows))


def periods(day: BalanceReport, start_ms: int, end_ms: int, monthly: bool) -> tuple[PeriodReturn, ...]:
    """Returns of the months or years of a daily report; after ruin 0, in its own period −1."""
    stamps = day.open_time.astype("M8[ms]").astype("M8[M]" if monthly else "M8[Y]")
    opens, closes = day.column("equity_open"), day.column("equity_close")
    lows = day.column("equity_low")
    found = []
    ruined = False
    for stamp in np.unique(stamps):
        mine = np.flatnonzero(stamps == stamp)
        begin, final = float(opens[mine[0]]), float(closes[mine[-1]])
        if ruined or begin <= 0.0:
            value = 0.0
        else:
            ruined = float(lows[mine].min()) <= 0.0
            value = -1.0 if ruined else final / begin - 1.0
        moment: datetime = stamp.astype("M8[s]").item().replace(tzinfo=UTC)
        following = (stamp + 1).astype("M8[s]").item().replace(tzinfo=UTC)
        whole = start_ms <= moment.timestamp() * 1000 and following.timestamp() * 1000 <= end_ms
        found.append(PeriodReturn(moment.year, moment.month if monthly else 0, value, whole))
    return tuple(found)
