"""An account looked at as a simulation is: what it is as a specification, and whether its records add up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from atm.model.account import AccountSetup
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.interval import format_time
from atm.model.simulation import SimulationSpec
from atm.model.trade_configuration import TradeConfiguration

TOLERANCE = 1e-8
"""Differences up to this are rounding, in the asset."""


class ReviewCheck(msgspec.Struct, frozen=True):
    """Two figures that should be equal. what: a name that is part of a text key; asset: "" = all together."""

    what: str
    asset: str
    expected: float
    found: float

    @property
    def difference(self) -> float:
        return self.found - self.expected

    @property
    def holds(self) -> bool:
        """False also where either is no number."""
        return abs(self.difference) <= TOLERANCE


def review_spec(
    setup: AccountSetup,
    analyses: Mapping[str, AnalysisConfiguration],
    trades: Mapping[str, TradeConfiguration],
    start_ms: int,
    end_ms: int,
) -> SimulationSpec:
    """The account as a simulation over a range, with the positions whose configurations are known."""
    known = tuple(each for each in setup.positions if each.analysis in analyses and each.trade in trades)
    return SimulationSpec(
        code=setup.name,
        start=format_time(start_ms),
        end=format_time(end_ms),
        assets=setup.assets,
        positions=known,
        analysis=tuple(analyses[code] for code in dict.fromkeys(each.analysis for each in known)),
        trade=tuple(trades[code] for code in dict.fromkeys(each.trade for each in known)),
        costs=setup.costs,
    )


def beginning_with(setup: AccountSetup, equity: float) -> AccountSetup:
    """The set-up with what the account had at some moment, shared among its assets as at its beginning; never less than 0."""
    total = sum(asset.initial_balance for asset in setup.assets.values())
    first = next(iter(setup.assets), "")
    assets = {}
    for name, asset in setup.assets.items():
        share = asset.initial_balance / total if total > 0.0 else float(name == first)
        assets[name] = msgspec.structs.replace(asset, initial_balance=max(0.0, equity * share))
    return msgspec.structs.replace(setup, assets=assets)


def asset_of(symbol: str, assets: Iterable[str]) -> str:
    """The margin asset of a symbol: the longest name that it ends with, the first where none fits; "" without assets."""
    names = sorted(assets, key=len, reverse=True)
    return next((name for name in names if symbol.endswith(name)), names[0] if names else "")
