"""A worked day with a difference of every kind, and an account's list of days."""

from __future__ import annotations

import math

from atm.ipc.messages import ParityHead
from atm.model.account import AccountKind
from atm.model.drift import DriftGauge, DriftSetup, DriftState, DriftTest
from atm.model.interval import DAY_MS
from atm.model.parity import (
    DecisionCause,
    DecisionDifference,
    FillDifference,
    FillSide,
    MoneyReport,
    ParityDay,
    Verdict,
)
from tests.gui.filled import MARKET_MS, SYMBOLS

TODAY = MARKET_MS // DAY_MS * DAY_MS
YESTERDAY = TODAY - DAY_MS
QUARTER = 15 * 60_000


def fills(count: int = 36) -> tuple[FillDifference, ...]:
    """Orders that differ in price, some of them alone."""
    found = []
    for n in range(count):
        at, side = YESTERDAY + n * 37 * 60_000, 1 if n % 2 else -1
        price = 5.0 + 0.01 * (n % 7)
        live = FillSide(at + 350, side * 120.5, price * 1.0002, 0.31)
        other = FillSide(at, side * 120.5, price * 1.00005, 0.31)
        if n == 5:
            other = None
        causes = (
            {"STOP_LEVEL": -3.2841} if n == 5 else {"FILL_PRICE": -0.0904 * side, "ROUNDING": 0.0012, "FEE": -0.0001}
        )
        reason = "STOP_IMMEDIATE" if n == 5 else "EXIT" if n % 2 else "ENTRY"
        found.append(FillDifference(SYMBOLS[n % 3], 0 if n == 5 else at, reason, live, other, causes))
    return tuple(found)


def day(verdict: Verdict = Verdict.EXPLAINED) -> ParityDay:
    differing = fills()
    causes: dict[str, float] = {"SIZE": -0.8215, "FUNDING": -0.0412}
    for each in differing:
        for cause, amount in each.causes.items():
            causes[cause] = causes.get(cause, 0.0) + amount
    if verdict is Verdict.UNEXPLAINED:
        causes["UNEXPLAINED"] = -1.25
    total = math.fsum(causes.values())
    times = tuple(YESTERDAY + (n + 1) * QUARTER for n in range(96))
    backtest = tuple(10_000.0 + 40.0 * math.sin(n / 14) + 0.6 * n for n in range(96))
    live = tuple(value + total * (n + 1) / 96 for n, value in enumerate(backtest))
    late = YESTERDAY + 400 * 60_000
    decisions = tuple(
        DecisionDifference(
            late + n * QUARTER, SYMBOLS[0], DecisionCause.LATE_BAR, late, (0.42, 310.0, 4.9), (0.5, 369.0, 4.9)
        )
        for n in range(1, 4)
    )
    money = MoneyReport(10_000.0, backtest[-1] + total, backtest[-1], causes, differing, 41, 40, 39)
    return ParityDay(
        "paper-1", AccountKind.VIRTUAL, YESTERDAY, YESTERDAY, TODAY, verdict, "4c0d1e7a90ab33f2", "4c0d1e7a90ab33f2",
        288, len(decisions), decisions, {"LATE_BAR": 3}, 4, 2, money, (times, live, backtest),
    )  # fmt: skip


def heads() -> tuple[ParityHead, ...]:
    verdicts = (Verdict.EXPLAINED, Verdict.EQUAL, Verdict.EQUAL, Verdict.UNEXPLAINED, Verdict.EQUAL, Verdict.INCOMPLETE)
    worked = [
        ParityHead(YESTERDAY - n * DAY_MS, verdict, 288, 3 if n in (0, 3) else 0, -4.1 if n in (0, 3) else 0.0, 0.0)
        for n, verdict in enumerate(verdicts)
    ]
    return (ParityHead(TODAY), *worked)


def drift(*, alarmed: bool = False) -> DriftState:
    alarm = YESTERDAY - 2 * DAY_MS if alarmed else 0
    return DriftState(
        "paper-1",
        DriftSetup(since_ms=YESTERDAY - 30 * DAY_MS),
        (
            DriftGauge(DriftTest.RETURNS, 164, 3.4, 11.2, 0, 0.0031, 0.0038),
            DriftGauge(DriftTest.SLIPPAGE, 330, 7.9 if alarmed else 4.1, 5.6, alarm, 0.00016, 0.0),
            DriftGauge(DriftTest.FILL_RATE, 338, 0.4, 5.1, 0, 0.991, 0.98),
        ),
    )
