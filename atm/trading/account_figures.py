"""The figures of an account, as it is shown: positions and balances valued at mark prices. Reads the arrays of an engine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from atm.ledger.balance import available_balance, commitment_rate, margin_ratio, max_withdrawal, risk_level
from atm.ledger.fill import initial_margin, unrealized_profit
from atm.ledger.margin import maintenance_margin
from atm.model.account import AssetState, PositionState
from atm.trading.account_control import reserved
from atm.trading.cross_margin import cross_level
from atm.trading.engine_setup import EngineSetup
from atm.trading.engine_state import Tables
from atm.trading.layout import Asset, Meta, Position, Setup

Floats = NDArray[np.float64]


def account_figures(
    setup: EngineSetup, state: Tables, marks: Floats
) -> tuple[tuple[AssetState, ...], tuple[PositionState, ...]]:
    """marks: float64 (n,), of all positions in their order."""
    positions = tuple(_position(setup, state, i, marks) for i in range(len(setup.positions)))
    return tuple(_asset(setup, state, index, positions) for index in range(len(setup.assets))), positions


def _position(setup: EngineSetup, state: Tables, i: int, marks: Floats) -> PositionState:
    row = state[0][i].tolist()
    q, entry, mark, allocated = row[Position.QUANTITY], row[Position.ENTRY], float(marks[i]), row[Position.ALLOCATED]
    leverage = float(setup.setups[i, Setup.LEVERAGE])
    open_, isolated = q != 0.0, setup.trade[i].isolated
    brackets = setup.brackets[setup.first[i] : setup.first[i + 1]]
    maintenance = maintenance_margin(brackets, abs(q) * mark) if open_ else 0.0
    profit = unrealized_profit(q, entry, mark) if open_ else 0.0
    liquidation = _liquidation_price(setup, state, i, marks)
    committed = commitment_rate(q, entry, leverage, allocated) if open_ and allocated > 0.0 else None
    risk = risk_level(q, entry, mark, liquidation, 1.0 if committed is None else committed)
    return PositionState(
        symbol=setup.positions[i].symbol,
        quantity=q,
        entry_price=entry if open_ else None,
        mark_price=mark or None,
        leverage=int(leverage),
        isolated=isolated,
        isolated_wallet=row[Position.ISOLATED],
        initial_margin=initial_margin(q, mark, leverage),
        maintenance_margin=maintenance,
        unrealized_profit=profit,
        liquidation_price=liquidation or None,
        allocated_balance=allocated,
        target_exposure=row[Position.TARGET],
        stop_price=row[Position.STOP] or None,
        trading=bool(state[2][Meta.TRADING]),
        reason="stopped" if row[Position.STOP_MARK] else "",
        commitment_rate=committed,
        risk_level=risk if open_ else None,
        margin_ratio=margin_ratio(row[Position.ISOLATED] + profit, maintenance) if open_ and isolated else None,
    )


def _liquidation_price(setup: EngineSetup, state: Tables, i: int, marks: Floats) -> float:
    """Of a cross position: where its pool is liquidated if the other prices stand still."""
    positions, assets, _ = state
    if setup.trade[i].isolated:
        return float(positions[i, Position.LIQUIDATION])
    held = positions.copy()
    held[:, Position.WORST] = marks
    return float(cross_level(held, assets, setup.setups, setup.brackets, setup.first, i))


def _asset(setup: EngineSetup, state: Tables, index: int, positions: tuple[PositionState, ...]) -> AssetState:
    row = state[1][index].tolist()
    mine = [p for i, p in enumerate(positions) if int(setup.setups[i, Setup.ASSET]) == index]
    cross = [p for p in mine if not p.isolated]
    wallet = row[Asset.CROSS] + sum(p.isolated_wallet for p in mine)
    unrealized = sum(p.unrealized_profit for p in mine)
    pooled, needed = sum(p.unrealized_profit for p in cross), sum(p.initial_margin for p in cross)
    waiting = float(reserved(state[0], setup.setups, index))
    required = float(sum(p.maintenance_margin for p in cross))
    return AssetState(
        asset=setup.assets[index],
        wallet_balance=wallet,
        cross_wallet_balance=row[Asset.CROSS],
        margin_balance=wallet + unrealized,
        available_balance=available_balance(row[Asset.CROSS], pooled, needed, 0.0),
        unrealized_profit=unrealized,
        initial_margin=sum(p.initial_margin for p in mine),
        maintenance_margin=sum(p.maintenance_margin for p in mine),
        fees_paid=row[Asset.FEES],
        funding_paid=row[Asset.FUNDING],
        realized_profit=row[Asset.REALIZED],
        commitment_rate=_mean([p.commitment_rate for p in mine]),
        risk_level=_mean([p.risk_level for p in mine]),
        margin_ratio=margin_ratio(row[Asset.CROSS] + pooled, required),
        withdrawable=float(max_withdrawal(row[Asset.CROSS], pooled, needed, waiting)),
    )


def _mean(values: list[float | None]) -> float | None:
    """Of those that are defined."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
