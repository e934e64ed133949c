"""Live = backtest: a week of the demo market, traded by three actual accounts and worked again from what was recorded.

The live side is the trade manager itself with its analyzers, journal and stores on a bus in one thread; behind it the demo exchange's
engine in virtual time (`_week_live.py`, `_week_exchange.py`). Half-way the trade manager is killed and begins anew from its stores. Then
each day is worked again (`atm/simulators/parity`): the decisions by the same core over the stored minutes and the recorded facts of the
exchange, bit for bit; the fills by the execution model of a backtest.

A fill may differ from the backtest's by what the model of the live side says, and by nothing else:

* latency: a closed minute takes 80 ms, every request, answer and event 20 to 120 ms, so that an order is filled within
  `LATEST_MS` of its decision, and a stop at any moment of the minute;
* slippage: an order at market takes the levels of the exchange's book at its arrival, best first, and nothing else;
* rounding: to ticks and steps.

Every difference in money has one of these causes (or follows from an earlier one); nothing is left over.

`--minutes 10080` is the week; it begins at 00:00 UTC of 2023-09-11.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from itertools import groupby
from pathlib import Path
from unittest.mock import patch

import msgspec

from atm.app.bench import BenchRow
from atm.exchange.demo.book import book_at, price_of
from atm.exchange.demo.market import Market
from atm.managers.trade_accounts import AccountState
from atm.model.account import TradeRecord
from atm.model.errors import Refused
from atm.model.interval import DAY_MS, MINUTE_MS, parse_time
from atm.model.parity import TOLERANCE, ParityDay
from atm.model.parity_record import Segment
from atm.simulators.parity import stored_day, worked_again
from atm.storage.database import Database
from benchmarks._week_live import STRATEGIES, Played, Week

SETTINGS = {"minutes": 10_080.0}
BEGIN = "2023-09-11"
LATEST_MS, REST_MS = 1_500, 10_000
"""A bar, settings of leverage and margin mode, an order that closes and one that opens: twelve ways of at most 120 ms; what the book
had not enough of is ordered again once the first order has ended and the account was compared."""
CPU_BUDGET_S = 180.0


class Result(msgspec.Struct):
    """days: worked again; beyond: fills that the model does not explain, in words; late_ms: from decision to fill; costs_bp: what orders
    paid more than the backtest's, in 1e-4 of the price."""

    days: list[ParityDay] = []
    fills: int = 0
    beyond: list[str] = []
    late_ms: list[int] = []
    costs_bp: list[float] = []
    causes: Counter[str] = Counter()
    notices: Counter[str] = Counter()
    failures: list[str] = []
    unexplained: float = 0.0
    cpu_s: float = 0.0


def measure(minutes: int, kill_after: int, folder: Path) -> tuple[Result, Played]:
    """Play and work again."""
    begun = time.process_time()
    begin_ms = parse_time(BEGIN)
    # no machine dies here: waiting for the disk at every minute of the market store would show nothing
    with patch("os.fsync"):
        played = Week(folder, begin_ms, minutes).play(kill_after)
    result = Result(causes=Counter(), notices=Counter(played.notices))
    result.failures = [f"{name}: {reason}" for name, reason in played.failures.items()]
    for name, symbol, _ in STRATEGIES:
        for day_ms in range(begin_ms, begin_ms + minutes * MINUTE_MS, DAY_MS):
            try:
                recorded = stored_day(played.database, name, day_ms, _as_stored(played.database, name))
            except Refused as error:
                result.failures.append(str(error))
                continue
            day = worked_again(recorded, played.store)
            result.days.append(day)
            if day.money is not None:
                result.unexplained += abs(day.money.unexplained)
            result.costs_bp += [cost * 1e4 for cost in day.observations.slippages]
            if day.money is not None:
                for cause, amount in day.money.causes.items():
                    result.causes[cause] += amount  # type: ignore[assignment]
        fills = played.trades[name]
        result.fills += len(fills)
        result.beyond += _beyond(fills, played.exchange.markets[symbol])
        result.late_ms += [fill.time_ms - fill.decision_ms for fill in fills if fill.decision_ms]
    result.cpu_s = time.process_time() - begun
    return result, played


def _as_stored(database: Database, name: str) -> Segment | None:
    """The account at the end, which closes its last day."""
    last = database.parity.last_segment(name)
    stored = next((each for each in database.accounts.load() if each.setup.name == name), None)
    if last is None or stored is None or stored.engine is None:
        return None
    state = AccountState.parse(stored.engine)
    return msgspec.structs.replace(last, begin_ms=stored.market_ms, setup=state.setup, engine=state.engine)


def _beyond(fills: list[TradeRecord], market: Market) -> list[str]:
    """What the model does not explain, in words. fills: of one account and symbol, by time."""
    found, first = [], {}  # type: tuple[list[str], dict[int, int]]
    for time_ms, together in groupby(fills, key=lambda fill: fill.time_ms):
        taken = list(together)
        what = f"{taken[0].symbol} {taken[0].side.value} at {time_ms}: "
        walked = _walked(market, time_ms, taken[0].side.sign, sum(fill.quantity for fill in taken))
        if sorted((fill.price, round(fill.quantity, 6)) for fill in taken) != walked:
            found.append(f"{what}filled {[(fill.price, fill.quantity) for fill in taken]}, the book had {walked}")
        for decision_ms in {fill.decision_ms for fill in taken} - {0}:
            late_ms = time_ms - decision_ms
            most_ms = REST_MS if decision_ms in first else LATEST_MS
            if not 0 <= late_ms <= most_ms:
                found.append(f"{what}{late_ms} ms after its decision")
            first.setdefault(decision_ms, time_ms)
    return found


def _walked(market: Market, time_ms: int, sign: int, quantity: float) -> list[tuple[float, float]]:
    """(price, quantity) of the levels that an order at market takes at a moment."""
    scale, found = 10**market.quantity_decimals, []
    book, rest = book_at(market, time_ms), round(quantity * 10**market.quantity_decimals)
    for ticks, units in book.asks if sign > 0 else book.bids:
        if rest > 0:
            found.append((price_of(market, ticks), round(min(rest, units) / scale, 6)))
        rest -= units
    return sorted(found)


def _quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


def rows(settings: dict[str, float]) -> list[BenchRow]:
    """The table; what was found of causes on the terminal."""
    minutes = int(settings["minutes"])
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        result, _ = measure(minutes, minutes // 2, Path(folder))
    for text in (*result.failures, *result.beyond):
        print(text, file=sys.stderr)
    print(
        f"money by cause, USDT: { {cause: round(amount, 4) for cause, amount in result.causes.items()} }",
        file=sys.stderr,
    )
    print(
        f"verdicts: {dict(Counter(day.verdict.value for day in result.days))}, notices: {dict(result.notices)}",
        file=sys.stderr,
    )
    return _table(result, minutes)


def _table(result: Result, minutes: int) -> list[BenchRow]:
    title = "demo week: "
    compared, differing = sum(day.decisions for day in result.days), sum(day.differing for day in result.days)
    money = [day.money for day in result.days if day.money is not None]
    backtest, paired = sum(each.fills_backtest for each in money), sum(each.pairs for each in money)

    def row(name: str, value: float, unit: str, reference: str, other: float, budget: float | None = None) -> BenchRow:
        ok = budget is None or value <= budget
        return BenchRow(
            title + name, value, unit, reference, other, value / other if other else float("nan"), budget, ok
        )

    late = [float(each) for each in result.late_ms]
    return [
        row("minutes of three accounts", 3 * minutes, "", "one account", minutes),
        row("decisions that differ", differing, "", "compared", compared, 0.0),
        row("days that could not be worked again, accounts that failed", len(result.failures), "", "days", len(result.days), 0.0),
        row("fills", result.fills, "", "of the backtests", backtest),
        row("fills that latency and book do not explain", len(result.beyond), "", "fills", result.fills, 0.0),
        row("orders on both sides", paired, "", "fills", result.fills),
        row("money without a cause", result.unexplained, "USDT", "days", len(money), TOLERANCE),
        row("decision to fill p50", _quantile(late, 0.5), "ms", "p99", _quantile(late, 0.99)),
        row("dearer than the backtest p50", _quantile(result.costs_bp, 0.5), "bp", "p99", _quantile(result.costs_bp, 0.99)),
        row("processor", result.cpu_s, "s", "µs a minute of an account", result.cpu_s / (3 * minutes) * 1e6, CPU_BUDGET_S),
    ]  # fmt: skip
