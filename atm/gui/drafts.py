"""What the user has typed into the form of an account, and its reading as a set-up. Percent fields are typed in percent.

Reading raises `Invalid` whose field is the name of the form's field ("balance", "positions.0.analysis" …), so that the
sentence is shown there; nothing has been sent then.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from atm.model.account import AccountKind, AccountSetup, AssetSetup, PositionSetup
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.bars import TimeRange
from atm.model.errors import Invalid
from atm.model.interval import format_time
from atm.model.risk import LiveRules
from atm.model.trade_configuration import TradeConfiguration

MOST_POSITIONS = 50
_NAME = re.compile(r"^[\w.-]{1,64}$")
ASSET = "USDT"


@dataclass(slots=True)
class PositionDraft:
    symbol: str = ""
    analysis: str = ""
    trade: str = ""
    assumed_ratio: str = "100"
    max_allocated: str = ""

    @staticmethod
    def of(setup: PositionSetup) -> PositionDraft:
        """What would have been typed for it."""
        most = "" if setup.max_allocated is None else f"{setup.max_allocated:g}"
        return PositionDraft(setup.symbol, setup.analysis, setup.trade, written_percent(setup.assumed_ratio), most)


@dataclass(slots=True)
class AccountDraft:
    """The form of a new account. uid: number of the exchange's user, "" = not stated; uid and rules: of an actual account only."""

    name: str = ""
    kind: AccountKind = AccountKind.VIRTUAL
    uid: str = ""
    balance: str = "10000"
    allocation: str = "50"
    positions: list[PositionDraft] = field(default_factory=lambda: [PositionDraft()])
    rules: LiveRules = field(default_factory=LiveRules)

    def read(
        self,
        analyses: Mapping[str, AnalysisConfiguration],
        trades: Mapping[str, TradeConfiguration],
        taken: Mapping[str, object],
    ) -> AccountSetup:
        """The set-up, not trading yet. Raises Invalid for the first field that is wrong."""
        name = self.name.strip()
        if not _NAME.match(name):
            raise Invalid("name", name, "1 to 64 letters, digits, dots, underscores and hyphens")
        if name in taken:
            raise Invalid("name", name, "a name that no other account has")
        return AccountSetup(
            name=name,
            kind=self.kind,
            assets={ASSET: self._asset()},
            positions=read_positions(self.positions, analyses, trades),
            uid=self._uid(),
            live=self.rules if self.kind is AccountKind.ACTUAL else LiveRules(),
        )

    def _asset(self) -> AssetSetup:
        """The balance of an actual account is the exchange's."""
        if self.kind is AccountKind.ACTUAL:
            return AssetSetup(0.0, percentage("allocation", self.allocation, 0, 100))
        return read_asset(self.balance, self.allocation)

    def _uid(self) -> int:
        text = self.uid.strip() if self.kind is AccountKind.ACTUAL else ""
        if text and not (text.isascii() and text.isdecimal() and len(text) <= 18):
            raise Invalid("uid", text, "the number of the exchange's user, or nothing")
        return int(text or 0)


def read_asset(balance: str, allocation: str) -> AssetSetup:
    """Balance > 0 and share in percent. Raises Invalid."""
    initial = number("balance", balance, 0, 1e15)
    if initial <= 0:
        raise Invalid("balance", balance, "a number above 0")
    return AssetSetup(initial, percentage("allocation", allocation, 0, 100))


def read_positions(
    drafts: list[PositionDraft],
    analyses: Mapping[str, AnalysisConfiguration],
    trades: Mapping[str, TradeConfiguration],
) -> tuple[PositionSetup, ...]:
    """At least one, each symbol once, priorities in the order of the rows. Raises Invalid."""
    if not drafts:
        raise Invalid("positions", 0, f"1 to {MOST_POSITIONS} positions")
    found: list[PositionSetup] = []
    for index, draft in enumerate(drafts):
        place = f"positions.{index}"
        if not draft.symbol:
            raise Invalid(f"{place}.symbol", "", "a symbol")
        if any(position.symbol == draft.symbol for position in found):
            raise Invalid(f"{place}.symbol", draft.symbol, "a symbol that no other position has")
        if draft.analysis not in analyses:
            raise Invalid(f"{place}.analysis", draft.analysis, ", ".join(analyses) or "an analysis configuration")
        if draft.trade not in trades:
            raise Invalid(f"{place}.trade", draft.trade, ", ".join(trades) or "a trade configuration")
        ratio = percentage(f"{place}.assumed_ratio", draft.assumed_ratio, 0, 100)
        most = _most(f"{place}.max_allocated", draft.max_allocated)
        found.append(PositionSetup(draft.symbol, draft.analysis, draft.trade, ratio, index + 1, most))
    return tuple(found)


def _most(name: str, text: str) -> float | None:
    """Cap of an allocated balance as typed; nothing = no cap. Raises Invalid."""
    if not text.strip():
        return None
    value = number(name, text, 0, 1e15)
    if value <= 0:
        raise Invalid(name, text, "a number above 0, or nothing")
    return value


def written_percent(fraction: float) -> str:
    """A fraction as it is typed in percent."""
    return f"{round(100 * fraction, 10):.12g}"


def number(name: str, text: str, least: float, most: float) -> float:
    """A number as typed (separators allowed) within the bounds. Raises Invalid."""
    allowed = f"a number from {least:g} to {most:g}"
    try:
        value = float(text.replace(",", "").replace("−", "-"))
    except ValueError:
        raise Invalid(name, text, allowed) from None
    if not least <= value <= most:
        raise Invalid(name, text, allowed)
    return value


def percentage(name: str, text: str, least: float, most: float) -> float:
    """A percentage as typed, as a fraction rounded to 12 decimals. Raises Invalid."""
    return round(number(name, text.strip().rstrip("%"), least, most) / 100, 12)


def new_code(now_ms: int, taken: Mapping[str, object]) -> str:
    """A code that is not taken, from the time."""
    base = f"sim-{format_time(now_ms, seconds=True).replace(' ', '-').replace(':', '')}"
    code = base
    serial = 2
    while code in taken:
        code = f"{base}-{serial}"
        serial += 1
    return code


def common_range(symbols: list[str], coverage: Mapping[str, tuple[TimeRange, ...]]) -> TimeRange | None:
    """The range in which all these symbols (those with data) have bars; None without any."""
    known = [coverage[symbol] for symbol in symbols if coverage.get(symbol)]
    if not known:
        return None
    start = max(ranges[0].start_ms for ranges in known)
    end = min(ranges[-1].end_ms for ranges in known)
    return TimeRange(start, end) if start < end else None
