"""What an account engine wants after a minute, as numbers that can be kept and compared bit for bit; and digests of what it was given."""

from __future__ import annotations

import math
import struct
import zlib

import msgspec
import numpy as np
from numpy.typing import NDArray

from atm.model.bars import Bar
from atm.trading.engine import AccountEngine
from atm.trading.layout import Position

Floats = NDArray[np.float64]

TRACED = (
    Position.QUANTITY,
    Position.TARGET,
    Position.PENDING_CLOSE,
    Position.FORCE,
    Position.PENDING_OPEN,
    Position.OPEN_LIMIT,
    Position.OPEN_TRIGGER,
    Position.CLOSE_LIMIT,
    Position.STOP,
    Position.NEXT_PROTECTIVE,
)
"""Columns of a position's state that say what it holds and wants."""
_COLUMNS = list(TRACED)
_SMALLEST = 2
"""Smaller digests mean something else (`NOT_WORKED`, `MISSING`)."""


class Wanted(msgspec.Struct, frozen=True):
    """A decision in words: signed quantity held, target exposure −1 … 1, signed quantity wanted, limit and trigger price of the
    entry, limit of the exit, stop; prices 0 = none."""

    quantity: float
    exposure: float
    wanted: float
    limit: float
    trigger: float
    exit_limit: float
    stop: float


def traced(engine: AccountEngine) -> Floats:
    """float64 (positions, len(TRACED)), a copy, in the order of the engine's symbols."""
    positions, _, _ = engine.tables()
    found: Floats = positions[:, _COLUMNS]
    return found


def wanted(row: bytes) -> Wanted:
    """What a stored row of `traced` says."""
    quantity, exposure, close, force, entry, limit, trigger, exit_limit, stop, following = np.frombuffer(row).tolist()
    side = math.copysign(1.0, quantity) if quantity else 0.0
    kept = 0.0 if force > 0.5 else quantity - side * close
    return Wanted(quantity, exposure, kept + entry, limit, trigger, exit_limit, stop or following)


_BAR = struct.Struct("<9d")
_MARK = struct.Struct("<5d")


def bar_digest(bar: Bar) -> int:
    """uint32 above 1 of the nine values of a bar with its mark price and funding rate; NaN is NaN, whatever its bits."""
    found = zlib.crc32(_BAR.pack(*bar.row()))
    if bar.mark is not None:
        mark = bar.mark
        values = (mark.open, mark.high, mark.low, mark.close, mark.funding_rate)
        found = zlib.crc32(_MARK.pack(*(each if each == each else math.nan for each in values)), found)
    return max(found, _SMALLEST)


def row_digest(row: Floats) -> int:
    """uint32 above 1 of a row of decision inputs; NaN is NaN, whatever its bits."""
    return max(zlib.crc32(np.where(np.isnan(row), np.nan, row).tobytes()), _SMALLEST)
