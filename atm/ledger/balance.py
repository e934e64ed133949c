"""What an asset's balances allow: available, withdrawable and movable amounts, margin ratio and risk level (numba kernels).

One asset, one-way mode, amounts in that asset. *Cross profit*, *cross initial* and *cross maintenance* are sums over the
positions in cross margin; an isolated position counts through its isolated wallet alone. wallet balance = cross wallet +
Σ isolated wallets = Σ transfers + Σ realised profit + Σ funding received − Σ commission (Binance support page "How to Check
Futures Wallet Balance", which also defines the amount available for an order).
"""

from __future__ import annotations

import math

from atm.model.kernel import lean_kernel


@lean_kernel
def cross_room(cross_profit: float, cross_initial: float, order_initial: float) -> float:
    """What cross positions and open orders add to (> 0) or take from the cross wallet before anything new can be opened."""
    return cross_profit - cross_initial - order_initial


@lean_kernel
def available_balance(cross_wallet: float, cross_profit: float, cross_initial: float, order_initial: float) -> float:
    """Available for an order: max(0, cross wallet + cross profit − cross initial margin − initial margin of open orders).

    A loss of one cross position takes from what the others may open, a profit adds to it (same support page).
    """
    return max(0.0, cross_wallet + cross_room(cross_profit, cross_initial, order_initial))


@lean_kernel
def max_withdrawal(cross_wallet: float, cross_profit: float, cross_initial: float, order_initial: float) -> float:
    """Most that can leave the wallet: as available, but a profit that is not realised cannot leave; at most the cross wallet.

    Source: the sample answer of `GET /fapi/v3/balance` (maxWithdrawAmount = availableBalance − crossUnPnl).
    """
    return min(
        max(0.0, cross_wallet), available_balance(cross_wallet, min(0.0, cross_profit), cross_initial, order_initial)
    )


@lean_kernel
def max_addable(cross_wallet: float, cross_maintenance: float, isolated_orders: float, available: float) -> float:
    """Most that can move from the cross wallet to an isolated one. `isolated_orders`: initial margin of orders that wait.

    max(0, min(cross wallet − isolated_orders − cross maintenance margin, available)); Binance support page "How to Adjust
    Margin Balance in Cross/Isolated Margin Mode".
    """
    return max(0.0, min(cross_wallet - isolated_orders - cross_maintenance, available))


@lean_kernel
def max_removable(
    isolated_wallet: float, q: float, entry: float, mark: float, leverage: float, maintenance: float
) -> float:
    """Most that can move from an isolated wallet back to the cross wallet while the position stays open.

    max(0, min(isolated wallet − maintenance margin, isolated wallet + q·(mark − entry) − mark·|q| / leverage)); same page as
    `max_addable`.
    """
    kept = isolated_wallet + q * (mark - entry) - mark * abs(q) / leverage
    return max(0.0, min(isolated_wallet - maintenance, kept))


@lean_kernel
def margin_ratio(balance: float, maintenance: float) -> float:
    """Maintenance margin / margin balance: 0 without a position, 1 and above = liquidation; infinite without a balance left.

    Balance: cross wallet + cross profit, or isolated wallet + profit of the position (Binance support page "Leverage and
    Margin of USDⓈ-M Futures").
    """
    if maintenance <= 0.0:
        return 0.0
    return maintenance / balance if balance > 0.0 else math.inf


@lean_kernel
def is_liquidated(balance: float, maintenance: float) -> bool:
    """Whether a margin balance no longer exceeds the maintenance margin (> 0) of what it backs."""
    return maintenance > 0.0 and balance <= maintenance


@lean_kernel
def commitment_rate(q: float, entry: float, leverage: float, allocated: float) -> float:
    """|q|·entry / leverage as a share of the allocated balance (> 0); spec: trading §6.4."""
    return abs(q) * entry / leverage / allocated


@lean_kernel
def risk_level(q: float, entry: float, price: float, liquidation: float, commitment: float) -> float:
    """How far the way from the entry price to the liquidation price has been gone (0 … 1 and beyond), times the commitment
    rate; 0 without a liquidation price, or when it is the entry price. Spec: trading §6.4."""
    if q == 0.0 or liquidation <= 0.0 or entry == liquidation:
        return 0.0
    return max(0.0, (entry - price) / (entry - liquidation)) * commitment
