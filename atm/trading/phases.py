"""The three phases of a minute, for one account (see ARCHITECTURE.md, "The one core"). Numba kernels.

Shared by the backtest's loop over years and by the virtual account's single minutes, so that both are the same bits.
Arrays: P positions (n, Position), A assets (m, Asset), S set-ups (n, Setup), R allocation ratios (m,), meta (Meta), B brackets
(rows of all positions joined; `first` (n + 1,) says where each begins), T trade buffer (k, Trade).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from atm.ledger.fill import average_entry, funding_payment, liquidation_remainder, realized_profit
from atm.ledger.margin import liquidation_price
from atm.model.kernel import kernel
from atm.trading.account_control import (
    allocation,
    decrease_quantity,
    exact,
    increase_quantity,
    wallet_balance,
)
from atm.trading.layout import Asset, Input, Meta, Position, Reason, Setup, Trade
from atm.trading.rqpm import exit_allowed, target_exposure

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@kernel
def write_trade(
    P: Floats, A: Floats, S: Floats, meta: Ints, T: Floats, i: int, minute: int, decision: float, reason: int,
    quantity: float, price: float, profit: float, fee: float,
) -> None:  # fmt: skip
    """Append one fill to the buffer; quantity is signed (> 0 bought).

    An order is filled before the next decision replaces it, so the target in force is the one that it is for; what closes
    against the decision (stops, liquidation, the user) is for none.
    """
    row = meta[Meta.BUFFERED]
    after = 0.0 if reason >= Reason.STOP_IMMEDIATE else P[i, Position.TARGET]
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
    meta[Meta.BUFFERED] += 1
    meta[Meta.TRADES] += 1


@kernel
def refresh_levels(P: Floats, S: Floats, B: Floats, first: Ints, i: int) -> None:
    """Liquidation price and immediate stop of position i after its quantity, entry or margin has changed; 0 = none."""
    q, entry = P[i, Position.QUANTITY], P[i, Position.ENTRY]
    if q == 0.0:
        P[i, Position.LIQUIDATION] = 0.0
        P[i, Position.STOP] = 0.0
        return
    brackets = B[first[i] : first[i + 1]]
    P[i, Position.LIQUIDATION] = liquidation_price(brackets, q, entry, P[i, Position.ISOLATED])
    distance = S[i, Setup.STOP_IMMEDIATE]
    if distance > 0.0:
        side = 1.0 if q > 0.0 else -1.0
        units = S[i, Setup.TICK_UNITS]
        P[i, Position.STOP] = round(entry * (1.0 - side * distance) * units) / units


@kernel
def reduce_position(
    P: Floats, A: Floats, S: Floats, meta: Ints, B: Floats, first: Ints, T: Floats,
    i: int, minute: int, decision: float, reason: int, size: float, price: float,
) -> None:  # fmt: skip
    """Close `size` > 0 of position i at `price` and book profit, fee and released margin."""
    asset = int(S[i, Setup.ASSET])
    q = P[i, Position.QUANTITY]
    side = 1.0 if q > 0.0 else -1.0
    size = min(size, abs(q))
    whole = size >= abs(q)
    profit = realized_profit(size, P[i, Position.ENTRY], price, side)
    fee = size * price * S[i, Setup.TAKER_FEE]
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
    refresh_levels(P, S, B, first, i)
    write_trade(P, A, S, meta, T, i, minute, decision, reason, -side * size, price, profit, fee)


@kernel
def open_position(
    P: Floats, A: Floats, S: Floats, meta: Ints, B: Floats, first: Ints, T: Floats,
    i: int, minute: int, decision: float, quantity: float, price: float,
) -> None:  # fmt: skip
    """Add `quantity` (signed, same side as held or from flat) at `price`: margin to the isolated wallet, fee from cross."""
    asset = int(S[i, Setup.ASSET])
    q = P[i, Position.QUANTITY]
    size = abs(quantity)
    fee = size * price * S[i, Setup.TAKER_FEE]
    margin = size * price / S[i, Setup.LEVERAGE]
    P[i, Position.ENTRY] = average_entry(q, P[i, Position.ENTRY], quantity, price)
    P[i, Position.QUANTITY] = exact(q + quantity, S[i, Setup.UNITS])
    P[i, Position.ISOLATED] += margin
    A[asset, Asset.CROSS] -= margin + fee
    A[asset, Asset.FEES] += fee
    refresh_levels(P, S, B, first, i)
    write_trade(P, A, S, meta, T, i, minute, decision, Reason.ENTRY, quantity, price, 0.0, fee)


@kernel
def on_open(
    P: Floats,
    A: Floats,
    S: Floats,
    R: Floats,
    meta: Ints,
    B: Floats,
    first: Ints,
    T: Floats,
    minute: int,
    opens: Floats,
    t: int,
) -> None:
    """Funding of the stamp, then the orders decided before, filled at this open ± costs. NaN = missing."""
    for i in range(P.shape[0]):
        price = opens[t, i]
        if math.isnan(price):
            continue
        q = P[i, Position.QUANTITY]
        if q != 0.0 and minute % int(S[i, Setup.FUNDING_MS]) == 0:
            payment = funding_payment(q, price, S[i, Setup.FUNDING_RATE])
            P[i, Position.ISOLATED] -= payment
            A[int(S[i, Setup.ASSET]), Asset.FUNDING] += payment
            refresh_levels(P, S, B, first, i)
        cost = S[i, Setup.SLIPPAGE]
        side = 1.0 if q > 0.0 else -1.0
        decision = P[i, Position.PENDING_MS]
        if P[i, Position.FORCE] > 0.5 and q != 0.0:
            reduce_position(
                P, A, S, meta, B, first, T, i, minute, 0.0, Reason.FORCE_CLEAR, abs(q), price * (1.0 - side * cost)
            )
            P[i, Position.PENDING_OPEN] = 0.0
            P[i, Position.STOP_MARK] = side
        elif P[i, Position.PENDING_CLOSE] > 0.0 and q != 0.0:
            reason = int(P[i, Position.PENDING_CLOSE_REASON])
            size = P[i, Position.PENDING_CLOSE]
            fill = price * (1.0 - side * cost)
            reduce_position(P, A, S, meta, B, first, T, i, minute, decision, reason, size, fill)
        quantity = P[i, Position.PENDING_OPEN]
        if quantity != 0.0:
            if P[i, Position.ALLOCATED] == 0.0:
                P[i, Position.ALLOCATED] = P[i, Position.PENDING_ALLOCATED]
            towards = 1.0 if quantity > 0.0 else -1.0
            open_position(P, A, S, meta, B, first, T, i, minute, decision, quantity, price * (1.0 + towards * cost))
        P[i, Position.FORCE] = 0.0
        P[i, Position.PENDING_CLOSE] = 0.0
        P[i, Position.PENDING_OPEN] = 0.0


@kernel
def on_path(
    P: Floats, A: Floats, S: Floats, R: Floats, meta: Ints, B: Floats, first: Ints, T: Floats, minute: int,
    opens: Floats, highs: Floats, lows: Floats, t: int,
) -> None:  # fmt: skip
    """Immediate stops and liquidation inside the minute, the level nearer to the open first; a gap fills at the open."""
    for i in range(P.shape[0]):
        q = P[i, Position.QUANTITY]
        if q == 0.0 or math.isnan(opens[t, i]):
            continue
        side = 1.0 if q > 0.0 else -1.0
        worst = lows[t, i] if side > 0.0 else highs[t, i]
        stop, liquidation = P[i, Position.STOP], P[i, Position.LIQUIDATION]
        stopped = stop > 0.0 and side * (worst - stop) <= 0.0
        liquidated = liquidation > 0.0 and side * (worst - liquidation) <= 0.0
        if liquidated and stopped and side * (opens[t, i] - liquidation) > 0.0:
            liquidated = side * (liquidation - stop) >= 0.0
        if liquidated:
            price = opens[t, i] if side * (opens[t, i] - liquidation) <= 0.0 else liquidation
            liquidate(P, A, S, meta, B, first, T, i, minute, price)
        elif stopped:
            price = opens[t, i] if side * (opens[t, i] - stop) <= 0.0 else stop
            fill = price * (1.0 - side * S[i, Setup.SLIPPAGE])
            reduce_position(P, A, S, meta, B, first, T, i, minute, 0.0, Reason.STOP_IMMEDIATE, abs(q), fill)
            P[i, Position.STOP_MARK] = side


@kernel
def liquidate(
    P: Floats, A: Floats, S: Floats, meta: Ints, B: Floats, first: Ints, T: Floats, i: int, minute: int, price: float
) -> None:
    """The exchange takes position i over at `price`: the isolated wallet is lost, and nothing beyond it."""
    asset = int(S[i, Setup.ASSET])
    q = P[i, Position.QUANTITY]
    side = 1.0 if q > 0.0 else -1.0
    profit = realized_profit(abs(q), P[i, Position.ENTRY], price, side)
    clearance = abs(q) * price * S[i, Setup.LIQUIDATION_FEE]
    fee, lost = liquidation_remainder(P[i, Position.ISOLATED], profit, clearance)
    A[asset, Asset.FEES] += fee
    A[asset, Asset.REALIZED] -= lost - fee
    P[i, Position.QUANTITY] = 0.0
    P[i, Position.ENTRY] = 0.0
    P[i, Position.ISOLATED] = 0.0
    P[i, Position.ALLOCATED] = 0.0
    P[i, Position.STOP_MARK] = side
    meta[Meta.LIQUIDATIONS] += 1
    refresh_levels(P, S, B, first, i)
    write_trade(P, A, S, meta, T, i, minute, 0.0, Reason.LIQUIDATION, -q, price, -(lost - fee), fee)


@kernel
def on_close(
    P: Floats, A: Floats, S: Floats, R: Floats, meta: Ints, minute: int, rows: Floats, row_at: Ints, t: int
) -> None:
    """Where a decision row closes with this minute (row_at[t, i] >= 0): decides the order of the next open."""
    for asset in range(A.shape[0]):
        A[asset, Asset.RESERVED] = 0.0
    for i in range(P.shape[0]):
        if row_at[t, i] >= 0:
            decide(P, A, S, R, meta, i, minute + 60_000, rows[row_at[t, i]])


@kernel
def decide(P: Floats, A: Floats, S: Floats, R: Floats, meta: Ints, i: int, now: int, row: Floats) -> None:
    """Trade control of position i for a closed decision bar: stop on close, target exposure, account control, order."""
    close = row[Input.CLOSE]
    if math.isnan(close):
        return
    p, s = P[i], S[i]
    q, entry = p[Position.QUANTITY], p[Position.ENTRY]
    side = 1.0 if q > 0.0 else -1.0
    p[Position.PENDING_CLOSE] = 0.0
    p[Position.PENDING_OPEN] = 0.0
    p[Position.PENDING_MS] = now
    distance = s[Setup.STOP_CLOSE]
    stop = round(entry * (1.0 - side * distance) * s[Setup.TICK_UNITS]) / s[Setup.TICK_UNITS]
    if q != 0.0 and distance > 0.0 and side * (close - stop) < 0.0:
        p[Position.PENDING_CLOSE] = abs(q)
        p[Position.PENDING_CLOSE_REASON] = Reason.STOP_CLOSE
        p[Position.STOP_MARK] = side
        if s[Setup.REENTRY] > 0.5:
            p[Position.STOP_MARK] = 0.0
        p[Position.TARGET] = target_exposure(p, s, row)
        return
    if s[Setup.REENTRY] > 0.5:
        p[Position.STOP_MARK] = 0.0
    target = target_exposure(p, s, row)
    p[Position.TARGET] = target
    released = 0.0
    if q != 0.0 and target * side <= 0.0:
        if target != 0.0 or p[Position.CYCLE_SIDE] != side or exit_allowed(p, s, row):
            p[Position.PENDING_CLOSE] = abs(q)
            p[Position.PENDING_CLOSE_REASON] = Reason.CLEAR
            released = abs(q) * (close - entry) * side - abs(q) * close * s[Setup.TAKER_FEE]
        if target == 0.0:
            return
        plan_entry(P, A, S, R, meta, i, target, close, released, True)
        return
    committed = abs(q) * entry / s[Setup.LEVERAGE]
    wanted = p[Position.ALLOCATED] * abs(target)
    if q != 0.0 and wanted < committed:
        if abs(wanted - committed) < s[Setup.BAND] * p[Position.ALLOCATED] or not exit_allowed(p, s, row):
            return
        size = decrease_quantity(s, p[Position.ALLOCATED], target, committed, abs(q), entry)
        p[Position.PENDING_CLOSE] = size
        p[Position.PENDING_CLOSE_REASON] = Reason.EXIT
        return
    if target != 0.0:
        plan_entry(P, A, S, R, meta, i, target, close, 0.0, False)


@kernel
def plan_entry(
    P: Floats,
    A: Floats,
    S: Floats,
    R: Floats,
    meta: Ints,
    i: int,
    target: float,
    price: float,
    released: float,
    flip: bool,
) -> None:
    """A pending opening order towards `target`; `flip`: the held position will be closed before, freeing `released`."""
    if meta[Meta.TRADING] == 0:
        return
    p, s = P[i], S[i]
    asset = int(s[Setup.ASSET])
    held = 0.0 if flip else abs(p[Position.QUANTITY])
    committed = 0.0 if flip else held * p[Position.ENTRY] / s[Setup.LEVERAGE]
    allocated = 0.0 if flip else p[Position.ALLOCATED]
    freed = (p[Position.ISOLATED] + released) if flip else 0.0
    if allocated == 0.0:
        allocated = allocation(P, A, S, R, i, released)
    if held > 0.0 and allocated * abs(target) - committed < s[Setup.BAND] * allocated:
        return
    available = A[asset, Asset.CROSS] + freed - A[asset, Asset.RESERVED]
    size = increase_quantity(s, allocated, target, committed, held, price, available)
    if size <= 0.0:
        return
    side = 1.0 if target > 0.0 else -1.0
    p[Position.PENDING_OPEN] = side * size
    p[Position.PENDING_ALLOCATED] = allocated
    A[asset, Asset.RESERVED] += size * price * (1.0 / s[Setup.LEVERAGE] + s[Setup.TAKER_FEE])


@kernel
def wakes_open(P: Floats, S: Floats, minute: int) -> bool:
    """Whether `on_open` would do anything: an order waits, or funding is due."""
    for i in range(P.shape[0]):
        if P[i, Position.PENDING_CLOSE] != 0.0 or P[i, Position.PENDING_OPEN] != 0.0 or P[i, Position.FORCE] != 0.0:
            return True
        if P[i, Position.QUANTITY] != 0.0 and minute % int(S[i, Setup.FUNDING_MS]) == 0:
            return True
    return False


@kernel
def wakes_path(P: Floats, highs: Floats, lows: Floats, t: int) -> bool:
    """Whether `on_path` would do anything: a stop or a liquidation price lies within the minute's range."""
    for i in range(P.shape[0]):
        q = P[i, Position.QUANTITY]
        if q > 0.0 and lows[t, i] <= max(P[i, Position.STOP], P[i, Position.LIQUIDATION]):
            return True
        if q < 0.0 and (highs[t, i] >= P[i, Position.STOP] > 0.0 or highs[t, i] >= P[i, Position.LIQUIDATION] > 0.0):
            return True
    return False


@kernel
def close_minute(P: Floats, A: Floats, closes: Floats, row_at: Ints, t: int) -> tuple[bool, float]:
    """Marks to market → (whether a decision row closes with this minute, equity)."""
    wakes = False
    equity = 0.0
    for asset in range(A.shape[0]):
        equity += A[asset, Asset.CROSS]
    for i in range(P.shape[0]):
        wakes |= row_at[t, i] >= 0
        if not math.isnan(closes[t, i]):
            P[i, Position.MARK] = closes[t, i]
        equity += P[i, Position.ISOLATED]
        if P[i, Position.QUANTITY] != 0.0:
            equity += P[i, Position.QUANTITY] * (P[i, Position.MARK] - P[i, Position.ENTRY])
    return wakes, equity


@kernel
def next_funding(P: Floats, S: Floats, start: int, t: int, stop: int) -> int:
    """The first minute from t on, at most `stop`, that opens with a funding stamp of a position that is not flat."""
    minute = start + t * 60_000
    found = stop
    for i in range(P.shape[0]):
        if P[i, Position.QUANTITY] != 0.0:
            period = int(S[i, Setup.FUNDING_MS])
            found = min(found, t + (-minute % period) // 60_000)
    return found


@kernel
def trigger_levels(P: Floats, i: int) -> tuple[float, float]:
    """(highest price below, lowest price above) at which a stop or the liquidation of position i acts; infinite if none."""
    q, stop, liquidation = P[i, Position.QUANTITY], P[i, Position.STOP], P[i, Position.LIQUIDATION]
    if q > 0.0:
        return max(stop, liquidation), math.inf
    above = math.inf
    if q < 0.0 and stop > 0.0:
        above = stop
    if q < 0.0 and liquidation > 0.0:
        above = min(above, liquidation)
    return -math.inf, above


@kernel
def quiet_minutes(
    P: Floats, A: Floats, S: Floats, start: int,
    highs: Floats, lows: Floats, closes: Floats, row_at: Ints, equity: Floats, t: int,
) -> int:  # fmt: skip
    """Pass the minutes from t on in which nothing but the marks and the equity changes; returns the first other one.

    The same sums in the same order as `close_minute`, so that it makes no bit of difference how a minute is passed.
    """
    n = P.shape[0]
    for i in range(n):
        if P[i, Position.PENDING_CLOSE] != 0.0 or P[i, Position.PENDING_OPEN] != 0.0 or P[i, Position.FORCE] != 0.0:
            return t
    stop = next_funding(P, S, start, t, closes.shape[0])
    cross = 0.0
    for asset in range(A.shape[0]):
        cross += A[asset, Asset.CROSS]
    if n == 1:
        return quiet_minutes_of_one(P, cross, highs, lows, closes, row_at, equity, t, stop)
    levels = np.empty((n, 2))
    for i in range(n):
        levels[i] = trigger_levels(P, i)
    while t < stop:
        for i in range(n):
            if lows[t, i] <= levels[i, 0] or highs[t, i] >= levels[i, 1] or row_at[t, i] >= 0:
                return t
        total = cross
        for i in range(n):
            if not math.isnan(closes[t, i]):
                P[i, Position.MARK] = closes[t, i]
            total += P[i, Position.ISOLATED]
            if P[i, Position.QUANTITY] != 0.0:
                total += P[i, Position.QUANTITY] * (P[i, Position.MARK] - P[i, Position.ENTRY])
        equity[t] = total
        t += 1
    return t


@kernel
def quiet_minutes_of_one(
    P: Floats,
    cross: float,
    highs: Floats,
    lows: Floats,
    closes: Floats,
    row_at: Ints,
    equity: Floats,
    t: int,
    stop: int,
) -> int:
    """`quiet_minutes` of a single position, with everything that does not change in registers."""
    below, above = trigger_levels(P, 0)
    q, entry, mark = P[0, Position.QUANTITY], P[0, Position.ENTRY], P[0, Position.MARK]
    own = cross + P[0, Position.ISOLATED]
    # a missing minute fails every comparison, and so is not passed here
    while t < stop and lows[t, 0] > below and highs[t, 0] < above and closes[t, 0] > 0.0 and row_at[t, 0] < 0:
        mark = closes[t, 0]
        equity[t] = own + q * (mark - entry) if q != 0.0 else own
        t += 1
    P[0, Position.MARK] = mark
    return t


@kernel
def run_minutes(
    P: Floats, A: Floats, S: Floats, R: Floats, meta: Ints, B: Floats, first: Ints, T: Floats,
    start: int, opens: Floats, highs: Floats, lows: Floats, closes: Floats, rows: Floats, row_at: Ints, equity: Floats,
) -> int:  # fmt: skip
    """All phases of all minutes; prices (minutes, positions), row_at (minutes, positions), equity (minutes,) is written.

    `start`: open time of the first minute. Returns how many minutes were done: fewer than given when the trade buffer
    might overflow with the next one; the caller empties it and calls again with the rest. A phase is entered only in
    minutes in which it has something to do, and quiet stretches are passed in one go, which is what makes years fast.
    """
    room = T.shape[0] - 3 * P.shape[0]
    t = 0
    while t < opens.shape[0]:
        if meta[Meta.BUFFERED] > room:
            return t
        minute = start + t * 60_000
        if wakes_open(P, S, minute):
            on_open(P, A, S, R, meta, B, first, T, minute, opens, t)
        if wakes_path(P, highs, lows, t):
            on_path(P, A, S, R, meta, B, first, T, minute, opens, highs, lows, t)
        wakes, equity[t] = close_minute(P, A, closes, row_at, t)
        if wakes:
            on_close(P, A, S, R, meta, minute, rows, row_at, t)
        t = quiet_minutes(P, A, S, start, highs, lows, closes, row_at, equity, t + 1)
        meta[Meta.MARKET_MS] = start + t * 60_000
    return t
