"""One strategy in the words of vectorbt, of backtesting.py and of a plain loop: what `peers` measures and a test compares.

Hold the side that is wanted at the close of a bar, from the open of the next bar on; a quantity is fixed when a position is
entered; a fee on every notional, nothing else: no funding, no slippage, no stop, leverage 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from atm.model.account import TradeRecord

Floats = NDArray[np.float64]


class Trip(NamedTuple):
    """A closed position. Times Unix ms UTC of the fills; side 1 long, −1 short; quantity in the base asset."""

    entry_ms: int
    exit_ms: int
    side: int
    quantity: float
    entry_price: float
    exit_price: float


class Account(NamedTuple):
    """trips in the order in which they ended; equity at the last close, what is still open included."""

    trips: list[Trip]
    equity: float


class Wanted(NamedTuple):
    """At each bar's close: side 1, 0 or −1, and the quantity of an entry that is decided there. Both (n,)."""

    side: Floats
    quantity: Floats


def fixed_value(side: Floats, closes: Floats, value: float) -> Wanted:
    """Entries of whole units worth at most `value` at the close that decides."""
    return Wanted(side, np.floor(value / closes))


def allowed(side: Floats, long: bool, short: bool) -> Floats:
    """Sides that may not be held become 0."""
    return np.where(side > 0, side * long, side * short)


def coarse(open_ms: NDArray[np.int64], prices: Floats, minutes: int) -> pd.DataFrame:
    """Bars of so many minutes by pandas, from one-minute prices (4, n) without holes: Open, High, Low, Close by open time."""
    columns = dict(zip(("Open", "High", "Low", "Close"), prices, strict=True))
    table = pd.DataFrame(columns, pd.to_datetime(open_ms, unit="ms"))
    return table.resample(f"{minutes}min").agg({"Open": "first", "High": "max", "Low": "min", "Close": "last"})


def open_times(bars: pd.DataFrame) -> NDArray[np.int64]:
    return bars.index.to_numpy().astype("M8[ms]").astype(np.int64)


def of_fills(fills: Sequence[TradeRecord], equity: float) -> Account:
    """Our own fills of one symbol as trips; every position must have been opened and closed by one fill each."""
    trips = []
    for entry, leave in zip(fills[::2], fills[1::2], strict=False):
        side = 1 if entry.quantity_after > 0 else -1
        if leave.quantity_after != 0.0 or leave.quantity != entry.quantity:
            raise ValueError(f"fill {leave.index} does not close what fill {entry.index} has opened")
        trips.append(Trip(entry.time_ms, leave.time_ms, side, entry.quantity, entry.price, leave.price))
    return Account(trips, equity)


def by_vectorbt(bars: pd.DataFrame, wanted: Wanted, cash: float, fee: float) -> Account:
    import vectorbt as vbt

    side, quantity = _next(wanted.side, 0.0), _next(wanted.quantity, np.nan)
    portfolio = vbt.Portfolio.from_signals(
        bars["Close"],
        entries=side > 0,
        exits=side == 0,
        short_entries=side < 0,
        short_exits=side == 0,
        size=quantity,
        price=bars["Open"],
        fees=fee,
        init_cash=cash,
        upon_opposite_entry="reverse",
        freq=bars.index[1] - bars.index[0],
    )
    records, times = portfolio.trades.records, open_times(bars)
    closed = records[records["status"] == 1]
    trips = [
        Trip(int(times[row.entry_idx]), int(times[row.exit_idx]), 1 - 2 * row.direction, row.size,
             row.entry_price, row.exit_price)
        for row in closed.itertuples()
    ]  # fmt: skip
    return Account(trips, float(portfolio.value().iloc[-1]))


def by_backtesting(bars: pd.DataFrame, wanted: Wanted, cash: float, fee: float) -> Account:
    from backtesting import Backtest, Strategy

    sides, quantities = wanted

    class Follow(Strategy):  # type: ignore[misc]  # the library is not typed
        def init(self) -> None:
            pass

        def next(self) -> None:
            bar = len(self.data) - 1
            held = (self.position.size > 0) - (self.position.size < 0)
            if held == sides[bar]:
                return
            if held:
                self.position.close()
            if sides[bar] > 0:
                self.buy(size=int(quantities[bar]))
            elif sides[bar] < 0:
                self.sell(size=int(quantities[bar]))

    test = Backtest(bars, Follow, cash=cash, commission=fee, margin=1.0, finalize_trades=False)
    stats = test.run()
    times = open_times(bars)
    trips = [
        Trip(int(times[row.EntryBar]), int(times[row.ExitBar]), 1 if row.Size > 0 else -1, float(abs(row.Size)),
             row.EntryPrice, row.ExitPrice)
        for row in stats["_trades"].itertuples()
    ]  # fmt: skip
    return Account(trips, float(stats["_equity_curve"]["Equity"].iloc[-1]))


def by_hand(bars: pd.DataFrame, wanted: Wanted, cash: float, fee: float) -> Account:
    """The same as a loop over the bars that a reader can check."""
    times, opens = open_times(bars), bars["Open"].to_numpy()
    trips: list[Trip] = []
    held, entry_ms, entry, size = 0, 0, 0.0, 0.0
    for bar in range(1, len(bars)):
        want = int(wanted.side[bar - 1])
        if want == held:
            continue
        if held:
            cash += held * size * (opens[bar] - entry) - size * opens[bar] * fee
            trips.append(
                Trip(int(times[bar]), int(times[bar]), held, size, entry, opens[bar])._replace(entry_ms=entry_ms)
            )
        held = want
        if held:
            entry_ms, entry, size = int(times[bar]), opens[bar], wanted.quantity[bar - 1]
            cash -= size * entry * fee
    return Account(trips, cash + held * size * (bars["Close"].iloc[-1] - entry))


def differences(one: Account, other: Account) -> list[str]:
    """What tells two accounts apart, in words: each trip's times, side, quantity and prices, and the equity to the cent."""
    found = []
    if len(one.trips) != len(other.trips):
        found.append(f"{len(one.trips)} trips against {len(other.trips)}")
    for number, (mine, theirs) in enumerate(zip(one.trips, other.trips, strict=False)):
        same = mine[:3] == theirs[:3] and all(
            math.isclose(a, b, rel_tol=1e-12) for a, b in zip(mine[3:], theirs[3:], strict=True)
        )
        if not same:
            found.append(f"trip {number}: {mine} against {theirs}")
    if not abs(one.equity - other.equity) < 0.005:
        found.append(f"equity {one.equity:.6f} against {other.equity:.6f}")
    return found


def _next(values: Floats, first: float) -> Floats:
    """What was decided at one close acts on the next bar."""
    return np.concatenate(([first], values[:-1]))
