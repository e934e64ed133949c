"""Configurations and account set-ups: what is stored, what is allowed, what uses what. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from atm.analyzers.configuration_check import check_configuration
from atm.analyzers.installed import registry_for
from atm.model.account import AccountKind, AccountSetup, PositionSetup
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.errors import Invalid, Refused
from atm.model.trade_configuration import TradeConfiguration
from atm.model.validation import checked

MAX_POSITIONS = 200
"""Positions of one account."""


def analysis_id(position: PositionSetup) -> str:
    """Id of the analysis of a position: one per symbol and analysis configuration, shared by all accounts."""
    return f"{position.symbol}/{position.analysis}"


@dataclass
class Configurations:
    """All analysis and trade configurations, by code."""

    analysis: dict[str, AnalysisConfiguration] = field(default_factory=dict)
    trade: dict[str, TradeConfiguration] = field(default_factory=dict)


def check_analysis(configuration: AnalysisConfiguration) -> AnalysisConfiguration:
    """Bounds, and parameters that must fit each other. Raises Invalid, or Problems with everything that is wrong."""
    return check_configuration(configuration, registry_for(configuration))


def check_account(setup: AccountSetup) -> AccountSetup:
    """Bounds, balances and number of positions; the engine checks what they refer to. Raises Invalid."""
    setup = checked(setup)
    if not setup.assets:
        raise Invalid("assets", {}, "at least one asset with a balance")
    for asset, balance in setup.assets.items():
        if setup.kind is AccountKind.ACTUAL and balance.initial_balance:
            field = f"assets.{asset}.initial_balance"
            raise Invalid(field, balance.initial_balance, "0: the balance of an actual account is the exchange's")
    if len(setup.positions) > MAX_POSITIONS:
        raise Invalid("positions", len(setup.positions), f"at most {MAX_POSITIONS} positions")
    return setup


def check_change(old: AccountSetup, new: AccountSetup, open_symbols: set[str]) -> None:
    """Whether a running account may be changed like this. Raises Invalid for what is fixed, Refused for an open position.

    Fixed: kind and initial balances. Of an open position nothing may change; costs only while all are flat.
    """
    if new.kind is not old.kind:
        raise Invalid("kind", new.kind.value, f"{old.kind.value}, as when the account was created")
    for asset, balance in old.assets.items():
        changed = new.assets.get(asset)
        if changed is None or changed.initial_balance != balance.initial_balance:
            raise Invalid(
                f"assets.{asset}.initial_balance",
                None if changed is None else changed.initial_balance,
                f"{balance.initial_balance}, as when the account was created",
            )
    if old.costs != new.costs and open_symbols:
        raise Refused(f"costs can only be changed while the account is flat; open: {', '.join(sorted(open_symbols))}")
    after = {position.symbol: position for position in new.positions}
    for position in old.positions:
        if position.symbol in open_symbols and after.get(position.symbol) != position:
            raise Refused(f"the position {position.symbol} is open; its set-up can only be changed while it is flat")


def uses(kind: str, code: str, accounts: Iterable[AccountSetup]) -> list[tuple[str, str]]:
    """(account, symbol) of every position that uses the configuration `code` of `kind` "analysis" or "trade"."""
    return [
        (account.name, position.symbol)
        for account in accounts
        for position in account.positions
        if (position.analysis if kind == "analysis" else position.trade) == code
    ]


def refuse_used(kind: str, code: str, used: Iterable[tuple[str, str]], why: str) -> None:
    """Raises Refused naming the uses, if there are any."""
    names = [f"{account}: {symbol}" for account, symbol in used]
    if names:
        raise Refused(f"the {kind} configuration {code} {why} ({'; '.join(names)})")
