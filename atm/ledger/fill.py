"""What a fill, a funding stamp and a liquidation do to an isolated position and its asset (numba kernels).

Commission = quantity · price · rate, taken from the wallet at once. The margin of an opening fill (its notional divided by
the leverage) moves from the cross wallet to the isolated wallet; a reduction gives its share of the isolated wallet back.
Entry price: quantity-weighted average when adding, unchanged when reducing. Sources: Binance support pages on isolated
margin, realised profit and funding.
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
def funding_payment(q: float, mark: float, rate: float) -> float:
    """What the holder pays at a funding stamp: q · mark · rate; negative means he receives."""
    return q * mark * rate


@lean_kernel
def liquidation_remainder(isolated_wallet: float, profit: float, clearance_fee: float) -> tuple[float, float]:
    """(clearance fee paid, loss booked) when a position is taken over with `profit` (< 0) at the takeover price.

    The fee is at most what is left; the rest of the margin goes to the insurance fund, so the whole isolated wallet is
    lost and never more than it.
    """
    left = max(0.0, isolated_wallet + profit)
    return min(left, clearance_fee), isolated_wallet
