"""What fills do to the arrays of an account: the ledger's formulas on its rows. Numba kernels.

Arrays as in `atm.trading.phases`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from atm.ledger.fill import average_entry, realized_profit
from atm.ledger.margin import liquidation_price
from atm.model.kernel import lean_kernel
from atm.trading.account_control import exact, wallet_balance
from atm.trading.cross_margin import cross_level
from atm.trading.layout import Asset, Meta, Method, Position, Reason, Setup, Slippage, Trade
from atm.trading.scenario import scenario_levels

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@lean_kernel
def write_trade(
    P: Floats, A: Floats, S: Floats, meta: Ints, T: Floats, i: int, minute: int, decision: float, reason: int,
    quantity: float, price: float, profit: float, fee: float, maker: bool,
) -> None:  # fmt: skip
    """Append one fill to the buffer; quantity is signed (> 0 bought).

    An order is filled before the next decision replaces it, and a level of a scenario sets its target before it is filled, so
    the target in force is the one that a fill is for. What closes the whole position at a price (full stops, a fall,
    liquidation) or by the user's command is for none; a liquidation that leaves a part keeps the target of that.
    """
    row = meta[Meta.BUFFERED]
    if not maker and int(S[i, Setup.SLIPPAGE_MODEL]) == Slippage.BOOK and math.isnan(P[i, Position.SPREAD]):
        P[i, Position.UNRECORDED] += 1.0
    towards = reason < Reason.STOP_IMMEDIATE or reason == Reason.PARTIAL_STOP or reason == Reason.WEIGHT_REDUCE
    after = P[i, Position.TARGET] if towards else 0.0
    if reason == Reason.LIQUIDATION and P[i, Position.QUANTITY] != 0.0:
        after = P[i, Position.TRADED]
    T[row, Trade.TARGET_BEFORE] = P[i, Position.TRADED]
    T[row, Trade.TARGET_AFTER] = after
    P[i, Position.TRADED] = after if P[i, Position.QUANTITY] != 0.0 else 0.0
    T[row, Trade.TIME] = minute
    T[row, Trade.DECISION] = decision
    T[row, Trade.POSITION] = i
    T[row, Trade.REASON] = reason
    T[row, Trade.QUANTITY] = quantity
    T[row, Trade.PRICE] = price
    T[row, Trade.PROFIT] = profit
    T[row, Trade.FEE] = fee
    T[row, Trade.QUANTITY_AFTER] = P[i, Position.QUANTITY]
    T[row, Trade.ENTRY_AFTER] = P[i, Position.ENTRY]
    T[row, Trade.WALLET_AFTER] = wallet_balance(P, A, S, int(S[i, Setup.ASSET]))
    T[row, Trade.INDEX] = meta[Meta.TRADES]
    T[row, Trade.MAKER] = maker
    meta[Meta.BUFFERED] += 1
    meta[Meta.TRADES] += 1


@lean_kernel
def stop_level(p: Floats, s: Floats) -> None:
    """The price at which a stop acts inside the minute: of full stop and protective stop the one that is reached first."""
    side = 1.0 if p[Position.QUANTITY] > 0.0 else -1.0
    stop, protective, distance = 0.0, p[Position.PROTECTIVE], s[Setup.STOP_IMMEDIATE]
    if distance > 0.0:
        units = s[Setup.TICK_UNITS]
        stop = round(p[Position.ENTRY] * (1.0 - side * distance) * units) / units
    if protective > 0.0 and (stop == 0.0 or side * (protective - stop) > 0.0):
        stop = protective
    p[Position.STOP] = stop


@lean_kernel
def refresh_levels(P: Floats, A: Floats, S: Floats, B: Floats, first: Ints, i: int) -> None:
    """Trigger prices of position i after its quantity, entry or margin has changed; 0 = none."""
    q, entry = P[i, Position.QUANTITY], P[i, Position.ENTRY]
    if q == 0.0:
        P[i, Position.LIQUIDATION] = 0.0
        P[i, Position.STOP] = 0.0
        P[i, Position.PROTECTIVE] = 0.0
        P[i, Position.BARS_HELD] = 0.0
    else:
        if S[i, Setup.ISOLATED] > 0.5:
            brackets = B[first[i] : first[i + 1]]
            P[i, Position.LIQUIDATION] = liquidation_price(brackets, q, entry, P[i, Position.ISOLATED])
        else:
            P[i, Position.LIQUIDATION] = cross_level(P, A, S, B, first, i)
        stop_level(P[i], S[i])
    if int(S[i, Setup.FUNCTION_LONG]) == Method.SCENARIO:
        scenario_levels(P[i], S[i])


@lean_kernel
def reduce_position(
    P: Floats, A: Floats, S: Floats, meta: Ints, B: Floats, first: Ints, T: Floats,
    i: int, minute: int, decision: float, reason: int, size: float, price: float, maker: bool,
) -> None:  # fmt: skip
    """Close `size` > 0 of position i at `price` and book profit, fee and released margin."""
    asset = int(S[i, Setup.ASSET])
    q = P[i, Position.QUANTITY]
    side = 1.0 if q > 0.0 else -1.0
    size = min(size, abs(q))
    whole = size >= abs(q)
    profit = realized_profit(size, P[i, Position.ENTRY], price, side)
    fee = size * price * S[i, Setup.MAKER_FEE if maker else Setup.TAKER_FEE]
    released = P[i, Position.ISOLATED] if whole else P[i, Position.ISOLATED] * size / abs(q)
    P[i, Position.ISOLATED] -= released
    A[asset, Asset.CROSS] += released + profit - fee
    A[asset, Asset.FEES] += fee
    A[asset, Asset.REALIZED] += profit
    P[i, Position.QUANTITY] = 0.0 if whole else exact(q - side * size, S[i, Setup.UNITS])
    if whole:
        P[i, Position.ENTRY] = 0.0
        P[i, Position.ISOLATED] = 0.0
        P[i, Position.ALLOCATED] = 0.0
    refresh_levels(P, A, S, B, first, i)
    write_trade(P, A, S, meta, T, i, minute, decision, reason, -side * size, price, profit, fee, maker)


@lean_kernel
def open_position(
    P: Floats, A: Floats, S: Floats, meta: Ints, B: Floats, first: Ints, T: Floats,
    i: int, minute: int, decision: float, quantity: float, price: float, maker: bool,
) -> None:  # fmt: skip
    """Add `quantity` (signed, same side as held or from flat) at `price`: margin to the isolated wallet, if it has one, fee
    from cross."""
    asset = int(S[i, Setup.ASSET])
    q = P[i, Position.QUANTITY]
    size = abs(quantity)
    fee = size * price * S[i, Setup.MAKER_FEE if maker else Setup.TAKER_FEE]
    margin = size * price / S[i, Setup.LEVERAGE] if S[i, Setup.ISOLATED] > 0.5 else 0.0
    if q == 0.0:
        P[i, Position.PROTECTIVE] = P[i, Position.NEXT_PROTECTIVE]
        P[i, Position.NEXT_PROTECTIVE] = 0.0
    P[i, Position.ENTRY] = average_entry(q, P[i, Position.ENTRY], quantity, price)
    P[i, Position.QUANTITY] = exact(q + quantity, S[i, Setup.UNITS])
    P[i, Position.ISOLATED] += margin
    A[asset, Asset.CROSS] -= margin + fee
    A[asset, Asset.FEES] += fee
    refresh_levels(P, A, S, B, first, i)
    write_trade(P, A, S, meta, T, i, minute, decision, Reason.ENTRY, quantity, price, 0.0, fee, maker)
