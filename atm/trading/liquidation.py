"""What a liquidation does to the arrays of an account (see `atm.trading.phases`). Numba kernels."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from atm.ledger.fill import realized_profit, unrealized_profit
from atm.ledger.liquidation import Pool, cross_reductions, cross_remainder, liquidation_remainder
from atm.model.kernel import lean_kernel
from atm.trading.account_control import exact
from atm.trading.cross_margin import cross_level, in_pool
from atm.trading.execution import taker_price
from atm.trading.fills import refresh_levels, write_trade
from atm.trading.layout import Asset, Meta, Method, Position, Reason, ScenarioMemory, Setup, Stage
from atm.trading.mark_path import mark_on_path
from atm.trading.resting_orders import withdraw_entry, withdraw_exit
from atm.trading.scenario import leave_scenario

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

assert (Position.WORST - Position.POOL_QUANTITY, Position.POOL_TAKEN - Position.POOL_QUANTITY) == (
    Pool.FILL,
    Pool.TAKEN,
)


@lean_kernel
def assume_worst(P: Floats, S: Floats, opens: Floats, highs: Floats, lows: Floats, t: int) -> None:
    """WORST of every cross position: the adverse extreme of its mark price in minute t, or the fill of its immediate stop where that
    is reached and no volume limits it; its last mark price where the minute is missing. The minute must have been seen
    (`see_minute`, `see_mark`)."""
    for i in range(P.shape[0]):
        p, s = P[i], S[i]
        if s[Setup.ISOLATED] > 0.5:
            continue
        if math.isnan(opens[t, i]):
            p[Position.WORST] = p[Position.MARK]
            continue
        held = p[Position.QUANTITY]
        towards = held if held != 0.0 else p[Position.PENDING_OPEN]
        if towards == 0.0:
            towards = p[Position.CYCLE_SIDE]
        side = 1.0 if towards > 0.0 else -1.0
        worst, stop = lows[t, i] if side > 0.0 else highs[t, i], p[Position.STOP]
        if stop > 0.0 and side * (worst - stop) <= 0.0 and math.isinf(s[Setup.PARTICIPATION]):
            reached = opens[t, i] if side * (opens[t, i] - stop) <= 0.0 else stop
            worst = taker_price(p, s, -held, reached)
            if p[Position.MARK_OPEN] > 0.0:  # until then the mark price may have been worse
                worst = side * min(side * worst, side * mark_on_path(p, side, reached))
        elif p[Position.MARK_OPEN] > 0.0:
            worst = p[Position.MARK_LOW] if side > 0.0 else p[Position.MARK_HIGH]
        p[Position.WORST] = worst


@lean_kernel
def liquidate(
    P: Floats, A: Floats, S: Floats, meta: Ints, B: Floats, first: Ints, T: Floats, i: int, minute: int, price: float
) -> None:
    """The exchange takes over what the requirement of position i asks for, whose mark price is `price`, bracket by bracket: of an
    isolated position by itself, in cross margin of the whole pool."""
    if S[i, Setup.ISOLATED] > 0.5:
        liquidate_isolated(P, A, S, meta, B, first, T, i, minute, price)
    else:
        liquidate_pool(P, A, S, meta, B, first, T, i, minute, price)


@lean_kernel
def liquidate_isolated(
    P: Floats, A: Floats, S: Floats, meta: Ints, B: Floats, first: Ints, T: Floats, i: int, minute: int, price: float
) -> None:
    """Reduce an isolated position to the bracket in which the requirement holds; in the lowest all of it is taken over, and then the
    isolated wallet is lost, and nothing beyond it."""
    asset = int(S[i, Setup.ASSET])
    pool = P[:, Position.POOL_QUANTITY : Position.POOL_TAKEN + 1]
    pool[:, Pool.QUANTITY] = 0.0
    pool[:, Pool.TAKEN] = 0.0
    pool[i, Pool.QUANTITY], pool[i, Pool.ENTRY] = P[i, Position.QUANTITY], P[i, Position.ENTRY]
    pool[i, Pool.FILL], pool[i, Pool.TEST] = price, price
    pool[i, Pool.FEE], pool[i, Pool.UNITS] = S[i, Setup.LIQUIDATION_FEE], S[i, Setup.UNITS]
    cross_reductions(P[i, Position.ISOLATED], pool, B, first)
    if pool[i, Pool.TAKEN] < abs(P[i, Position.QUANTITY]):
        reduce_isolated(P, A, S, meta, B, first, T, i, minute, pool[i, Pool.TAKEN], price)
        return
    q = P[i, Position.QUANTITY]
    side = 1.0 if q > 0.0 else -1.0
    profit = realized_profit(abs(q), P[i, Position.ENTRY], price, side)
    clearance = abs(q) * price * S[i, Setup.LIQUIDATION_FEE]
    fee, lost = liquidation_remainder(P[i, Position.ISOLATED], profit, clearance)
    A[asset, Asset.FEES] += fee
    A[asset, Asset.REALIZED] -= lost - fee
    leave_position(P, S, i, side)
    meta[Meta.LIQUIDATIONS] += 1
    refresh_levels(P, A, S, B, first, i)
    write_trade(P, A, S, meta, T, i, minute, 0.0, Reason.LIQUIDATION, -q, price, -(lost - fee), fee, False)
    leave_scenario(P[i], S[i])


@lean_kernel
def reduce_isolated(
    P: Floats, A: Floats, S: Floats, meta: Ints, B: Floats, first: Ints, T: Floats,
    i: int, minute: int, size: float, price: float,
) -> None:  # fmt: skip
    """Take `size` > 0 of an isolated position over; loss and clearance fee leave its wallet, which backs the rest."""
    asset, q = int(S[i, Setup.ASSET]), P[i, Position.QUANTITY]
    side = 1.0 if q > 0.0 else -1.0
    profit = realized_profit(size, P[i, Position.ENTRY], price, side)
    fee = size * price * S[i, Setup.LIQUIDATION_FEE]
    P[i, Position.ISOLATED] += profit - fee
    A[asset, Asset.FEES] += fee
    A[asset, Asset.REALIZED] += profit
    keep_rest(P, S, i, side, size)
    meta[Meta.LIQUIDATIONS] += 1
    refresh_levels(P, A, S, B, first, i)
    write_trade(P, A, S, meta, T, i, minute, 0.0, Reason.LIQUIDATION, -side * size, price, profit, fee, False)


@lean_kernel
def keep_rest(P: Floats, S: Floats, i: int, side: float, size: float) -> None:
    """What a liquidation has left of position i after taking `size`."""
    P[i, Position.QUANTITY] = exact(P[i, Position.QUANTITY] - side * size, S[i, Setup.UNITS])
    P[i, Position.STOP_MARK] = side
    if int(S[i, Setup.FUNCTION_LONG]) == Method.SCENARIO:
        P[i, ScenarioMemory.STAGE] = Stage.REDUCING


@lean_kernel
def leave_position(P: Floats, S: Floats, i: int, side: float) -> None:
    """Position i is flat after a liquidation of this side."""
    P[i, Position.QUANTITY] = 0.0
    P[i, Position.ENTRY] = 0.0
    P[i, Position.ISOLATED] = 0.0
    P[i, Position.ALLOCATED] = 0.0
    P[i, Position.STOP_MARK] = side


@lean_kernel
def liquidate_pool(
    P: Floats, A: Floats, S: Floats, meta: Ints, B: Floats, first: Ints, T: Floats, i: int, minute: int, price: float
) -> None:
    """Reduce the cross positions of the asset of position i until the requirement holds even at the worst of this minute.

    Position i is taken over at `price`, the others at their WORST. Entries that wait are cancelled.
    """
    asset, n, worst = int(S[i, Setup.ASSET]), P.shape[0], P[i, Position.WORST]
    pool = P[:, Position.POOL_QUANTITY : Position.POOL_TAKEN + 1]
    for j in range(n):
        pool[j, Pool.QUANTITY] = P[j, Position.QUANTITY] if in_pool(P, S, j, asset) else 0.0
        pool[j, Pool.ENTRY] = P[j, Position.ENTRY]
        pool[j, Pool.TEST] = pool[j, Pool.FILL]
        pool[j, Pool.FEE] = S[j, Setup.LIQUIDATION_FEE]
        pool[j, Pool.UNITS] = S[j, Setup.UNITS]
        pool[j, Pool.TAKEN] = 0.0
        if S[j, Setup.ISOLATED] < 0.5 and int(S[j, Setup.ASSET]) == asset:
            withdraw_entry(P[j])
    worst = min(price, worst) if P[i, Position.QUANTITY] > 0.0 else max(price, worst)
    pool[i, Pool.FILL], pool[i, Pool.TEST] = price, worst
    cross_reductions(A[asset, Asset.CROSS], pool, B, first)
    for j in range(n):
        if pool[j, Pool.TAKEN] > 0.0:
            take_over(P, A, S, meta, B, first, T, j, minute)
    P[i, Position.WORST] = worst
    empty = True
    for j in range(n):
        if in_pool(P, S, j, asset):
            P[j, Position.LIQUIDATION] = cross_level(P, A, S, B, first, j)
            empty = False
    if empty:
        A[asset, Asset.CROSS] = max(0.0, A[asset, Asset.CROSS])  # the binary rest of the sums


@lean_kernel
def take_over(
    P: Floats, A: Floats, S: Floats, meta: Ints, B: Floats, first: Ints, T: Floats, i: int, minute: int
) -> None:
    """Close what is taken of cross position i: profit, clearance fee, and what the insurance fund has to add."""
    asset, q = int(S[i, Setup.ASSET]), P[i, Position.QUANTITY]
    size, price = P[i, Position.POOL_TAKEN], P[i, Position.WORST]
    side = 1.0 if q > 0.0 else -1.0
    profit = realized_profit(size, P[i, Position.ENTRY], price, side)
    others = -profit
    for j in range(P.shape[0]):
        if in_pool(P, S, j, asset):
            others += unrealized_profit(P[j, Position.QUANTITY], P[j, Position.ENTRY], P[j, Position.WORST])
    fee, covered = cross_remainder(A[asset, Asset.CROSS], others, profit, size * price * S[i, Setup.LIQUIDATION_FEE])
    A[asset, Asset.CROSS] += profit + covered - fee
    A[asset, Asset.FEES] += fee
    A[asset, Asset.REALIZED] += profit + covered
    A[asset, Asset.INSURANCE] += covered
    if size >= abs(q):
        leave_position(P, S, i, side)
    else:
        keep_rest(P, S, i, side, size)
    meta[Meta.LIQUIDATIONS] += 1
    refresh_levels(P, A, S, B, first, i)
    write_trade(
        P, A, S, meta, T, i, minute, 0.0, Reason.LIQUIDATION, -side * size, price, profit + covered, fee, False
    )  # fmt: skip
    if P[i, Position.QUANTITY] == 0.0:
        withdraw_exit(P[i])
        leave_scenario(P[i], S[i])
