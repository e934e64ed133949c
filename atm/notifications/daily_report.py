"""The daily report: what each account did in its last 24 hours, as plain sentences. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from atm.gui.texts import Texts
from atm.model.account import AccountSnapshot, TradeReason, TradeRecord
from atm.simulators.statistics.time_weighted import flows_between, time_weighted

DAY_MS = 86_400_000
_STOPS = (TradeReason.STOP_IMMEDIATE, TradeReason.STOP_CLOSE, TradeReason.PARTIAL_STOP)


@dataclass(frozen=True, slots=True)
class AccountDay:
    """Of the 24 hours up to `snapshot.market_ms`. equity: (Unix ms, amount) ascending, the first at the day's beginning or
    at the account's; trades ascending; transfers: (Unix ms, paid in, out below 0), from the first point on."""

    snapshot: AccountSnapshot
    equity: Sequence[tuple[int, float]]
    trades: Sequence[TradeRecord]
    transfers: Sequence[tuple[int, float]] = ()


def next_report_ms(hour: int, now_ms: int) -> int:
    """The next time after `now_ms` at which the clock shows `hour` UTC."""
    today = now_ms - now_ms % DAY_MS + hour * 3_600_000
    return today if today > now_ms else today + DAY_MS


def deepest_fall(equity: Sequence[tuple[int, float]]) -> float:
    """Largest fall from an earlier high, as a share of it (0 … 1; 0 without points or without a high above zero)."""
    high, deepest = 0.0, 0.0
    for _, amount in equity:
        high = max(high, amount)
        if high > 0:
            deepest = max(deepest, 1 - amount / high)
    return deepest


def weighted(day: AccountDay, now: float) -> list[tuple[int, float]]:
    """The points and the present equity as if nothing had been paid in or out."""
    times = [time_ms for time_ms, _ in day.equity]
    stamps = np.array([*times, max([day.snapshot.market_ms, *times]) + 1], np.int64)
    values = np.array([*(amount for _, amount in day.equity), now])
    flows = flows_between(stamps, tuple(day.transfers))
    curve, _ = time_weighted(values[1:], float(values[0]), flows[1:])
    return list(zip(stamps.tolist(), [float(values[0]), *curve.tolist()], strict=True))


def report(days: Sequence[AccountDay], t: Texts) -> str:
    """The body of the message; a sentence of its own when there is no account."""
    if not days:
        return t("report.no_accounts")
    return "\n\n".join(_account(day, t) for day in days)


def _account(day: AccountDay, t: Texts) -> str:
    now = sum(asset.margin_balance for asset in day.snapshot.assets)
    begin = day.equity[0][1] if day.equity else now
    change = now - begin - math.fsum(amount for _, amount in day.transfers)
    points = weighted(day, now)
    share = points[-1][1] / begin - 1 if begin else None
    stops = sum(each.reason in _STOPS for each in day.trades)
    liquidations = sum(each.reason is TradeReason.LIQUIDATION for each in day.trades)
    lines = [
        t("report.account", account=day.snapshot.name, state=t("report.on" if day.snapshot.trading else "report.off")),
        t(
            "report.equity",
            equity=f"{now:,.2f}",
            change=f"{change:+,.2f}",
            share="–" if share is None else f"{share:+.2%}",
        ),
        t(
            "report.trades",
            trades=len(day.trades),
            profit=f"{sum(each.profit for each in day.trades):+,.2f}",
            fees=f"{sum(each.fee for each in day.trades):,.2f}",
        ),
        t("report.fall", fall=f"{deepest_fall(points):.2%}"),
    ]
    if stops or liquidations:
        lines.append(t("report.stops", stops=stops, liquidations=liquidations))
    lines += [
        t(
            "report.position",
            symbol=each.symbol,
            quantity=f"{each.quantity:+,.10g}",
            profit=f"{each.unrealized_profit:+,.2f}",
        )
        for each in day.snapshot.positions
        if each.quantity
    ]
    return "\n".join(lines)
