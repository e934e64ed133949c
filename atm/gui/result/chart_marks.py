"""From the fills of one symbol to what the chart draws of them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from atm.gui.chart_candles import HeldMarks, TradeMarks
from atm.model.account import TradeRecord
from atm.model.order import Side


def trade_marks(trades: Sequence[TradeRecord]) -> TradeMarks:
    """Arrows at the fills, in their order."""
    return TradeMarks(
        np.array([trade.time_ms for trade in trades], np.int64),
        np.array([trade.price for trade in trades]),
        np.array([trade.side is Side.BUY for trade in trades], bool),
    )


def held_marks(trades: Sequence[TradeRecord]) -> HeldMarks:
    """From each fill that leaves a position to the next one; what is open at the end has no end and is left out."""
    pairs = [(one, two) for one, two in pairwise(trades) if one.quantity_after != 0.0]
    entry = np.array([one.entry_price_after for one, _ in pairs])
    leave = np.array([two.price for _, two in pairs])
    held = np.array([one.quantity_after for one, _ in pairs])
    return HeldMarks(
        np.array([one.time_ms for one, _ in pairs], np.int64),
        np.array([two.time_ms for _, two in pairs], np.int64),
        entry,
        leave,
        (leave - entry) * held > 0.0,
    )
