"""Equity, wallets and funding of every minute, from the fills and the minutes of the market alone. Pure.

equity = initial balance + profit − fees − funding + Σ quantity · (mark price − entry price), after each minute. At a funding stamp
funding comes before the fills of its minute; the mark price of a minute without a bar is that of the one before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atm.model.interval import MINUTE_MS
from atm.simulators.statistics.fill_table import FillTable
from atm.simulators.statistics.path import SymbolPath, stamps
from atm.trading.mark_path import CLOSE

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Derived:
    """equity, wallet float64 (minutes,): after each minute, without the initial balance; funding: paid so far (minutes,)."""

    equity: Floats
    wallet: Floats
    funding: Floats


def derive(fills: FillTable, paths: Mapping[str, SymbolPath], minutes: int) -> Derived:
    """Of the symbols of `paths` together; fills of others are left out. All fills lie in the minutes of the paths."""
    unrealised, wallet, funding = np.zeros(minutes), np.zeros(minutes), np.zeros(minutes)
    for symbol, path in paths.items():
        mine = fills.of_symbol(symbol)
        if not len(mine):
            continue
        at = (mine.time_ms - path.start_ms) // MINUTE_MS
        last = np.searchsorted(at, np.arange(minutes), "right")
        quantity = np.concatenate(([0.0], mine.quantity_after))
        entry = np.concatenate(([0.0], np.nan_to_num(mine.entry_price_after)))
        price = filled_forward(path.marked(CLOSE, path.closes))
        held = quantity[last]
        unrealised += np.where(held != 0.0, held * (price - entry[last]), 0.0)
        np.add.at(wallet, at, mine.profit - mine.fee)
        stamp, owed = stamps(path)
        funding[stamp] += owed * quantity[np.searchsorted(at, stamp, "left")]
    paid = np.cumsum(funding)
    money = np.cumsum(wallet) - paid
    return Derived(money + unrealised, money, paid)


def filled_forward(prices: Floats) -> Floats:
    """The newest known price at every minute, NaN before the first."""
    known = np.where(np.isnan(prices), 0, np.arange(len(prices)))
    return prices[np.maximum.accumulate(known)] if len(prices) else prices
