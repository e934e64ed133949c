"""What a fill and a funding stamp do to a position and its asset (numba kernels).

Commission = quantity · price · rate, taken from the wallet at once. In isolated margin the margin of an opening fill (its
notional divided by the leverage) moves from the cross wallet to the isolated wallet, and a reduction gives its share of the
isolated wallet back; in cross margin nothing moves. Entry price: quantity-weighted average when adding, unchanged when
reducing. Sources: Binance support pages on isolated margin, realised profit, commission and funding.
"""

from __future__ import annotations

from atm.model.kernel import lean_kernel


@lean_kernel
def average_entry(q: float, entry: float, added: float, price: float) -> float:
    """Entry price after adding `added` (same sign as q, or q = 0) at `price`."""
    size, more = abs(q), abs(added)
    return (size * entry + more * price) / (size + more)


@lean_kernel
def realized_profit(reduced: float, entry: float, price: float, side: float) -> float:
    """Profit of closing `reduced` > 0 of a position of this side (+1 long, −1 short), before commission."""
    return reduced * (price - entry) * side


@lean_kernel
def unrealized_profit(q: float, entry: float, mark: float) -> float:
    """Profit of a signed quantity at a mark price."""
    return q * (mark - entry)


@lean_kernel
def initial_margin(q: float, price: float, leverage: float) -> float:
    """Notional / leverage: of a fill at its price, of a position at the mark price."""
    return abs(q) * price / leverage


@lean_kernel
def commission_rate(rate: float, discount: float) -> float:
    """Rate (fraction of notional) after a discount (fraction of the rate): 0.1 where commission is paid in BNB."""
    return rate * (1.0 - discount)


@lean_kernel
def commission(quantity: float, price: float, rate: float) -> float:
    """Commission of a fill of |quantity| at `price`."""
    return abs(quantity) * price * rate


@lean_kernel
def released_margin(isolated_wallet: float, reduced: float, q: float) -> float:
    """What a reduction by `reduced` > 0 gives back of the isolated wallet: its share, all of it with the whole position."""
    return isolated_wallet if reduced >= abs(q) else isolated_wallet * reduced / abs(q)


@lean_kernel
def after_fill(
    q: float, entry: float, isolated_wallet: float, isolated: bool, leverage: float, quantity: float, price: float
) -> tuple[float, float, float, float, float]:
    """A fill of a signed quantity ≠ 0 → (quantity, entry price, isolated wallet, realised profit, margin from the cross wallet).

    A fill through zero closes all and opens the rest at the same price. The margin that moves is negative when the
    isolated wallet gives some back. Wallet balance changes by profit less commission, the cross wallet also by −margin.
    """
    profit, moved = 0.0, 0.0
    if q * quantity < 0.0:
        side = 1.0 if q > 0.0 else -1.0
        reduced = min(abs(quantity), abs(q))
        profit = realized_profit(reduced, entry, price, side)
        moved = -released_margin(isolated_wallet, reduced, q)
        isolated_wallet += moved
        q -= side * reduced
        quantity += side * reduced
        if q == 0.0:
            entry = isolated_wallet = 0.0
    if quantity != 0.0:
        entry = average_entry(q, entry, quantity, price)
        q += quantity
        if isolated:
            margin = initial_margin(quantity, price, leverage)
            isolated_wallet += margin
            moved += margin
    return q, entry, isolated_wallet, profit, moved


@lean_kernel
def funding_payment(q: float, mark: float, rate: float) -> float:
    """What the holder pays at a funding stamp: q · mark · rate; negative means he receives."""
    return q * mark * rate
