"""One reading of an account's income: the wallets, every page since the last reading, the wallets again. Pure: questions come out, their
answers go in.

Only where the wallets stood still in between, and only where they agree with the records or have disagreed several times in a row, is
anything concluded: an exchange may tell of an income later than it books it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from msgspec.structs import replace

from atm.model.income import PAGE_RECORDS, TOLERANCE, IncomeQuestion, IncomeRecord, IncomeState, ReadPage, ReadWallets
from atm.model.interval import DAY_MS, HOUR_MS
from atm.model.live_order import NOTHING

WINDOW_MS = 7 * DAY_MS
"""Longest stretch that is asked for at once."""
OVERLAP_MS = HOUR_MS
"""How far before the newest reading the next one begins: records may be told late."""
KEPT_MS = 89 * DAY_MS
"""How far back the exchange is asked at most: it keeps three months."""
SURE_DOUBTS = 3
"""Readings in a row after which a difference between wallets and records is one."""


class IncomeRound:
    """Ask `question` until it is None, and give each answer in. begun_ms: since when the account's income matters, at its first reading;
    now_ms: the exchange's clock."""

    def __init__(self, state: IncomeState, begun_ms: int, now_ms: int) -> None:
        first = state.until_ms - OVERLAP_MS if state.until_ms else begun_ms
        self.start_ms = min(now_ms, max(first, now_ms - KEPT_MS))
        self.now_ms = now_ms
        self.question: IncomeQuestion | None = ReadWallets()
        self._before: Mapping[str, Decimal] | None = None
        self._after: Mapping[str, Decimal] | None = None

    @property
    def moved(self) -> bool:
        """Whether the wallets did not stand still: nothing can be concluded then."""
        return self._before != self._after

    def take_wallets(self, wallets: Mapping[str, Decimal]) -> None:
        """The answer to `ReadWallets`."""
        if self._before is None:
            self._before, self.question = wallets, self._page(self.start_ms, 1)
        else:
            self._after, self.question = wallets, None

    def take_page(self, page: Sequence[IncomeRecord]) -> None:
        """The answer to `ReadPage`."""
        asked = self.question
        assert isinstance(asked, ReadPage)
        if len(page) >= PAGE_RECORDS:
            self.question = self._page(asked.start_ms, asked.page + 1)
        elif asked.end_ms < self.now_ms:
            self.question = self._page(asked.end_ms + 1, 1)
        else:
            self.question = ReadWallets()

    def proves(self, concluded: IncomeState) -> bool:
        """Whether something is certain now; else a reading should follow soon."""
        return not self.moved and (concluded.doubts == 0 or concluded.doubts >= SURE_DOUBTS)

    def _page(self, start_ms: int, page: int) -> ReadPage:
        return ReadPage(start_ms, min(start_ms + WINDOW_MS, self.now_ms), page)

    def concluded(self, state: IncomeState) -> IncomeState:
        """The state after the reading. state: with all its records."""
        since_ms = state.since_ms or self.start_ms
        state = replace(state, since_ms=since_ms, until_ms=max(state.until_ms, self.now_ms))
        if self._after is None or self.moved:
            return state
        wallets = dict(self._after)
        if not state.checked_ms:
            assets = wallets.keys() | state.totals.keys()
            opening = {asset: wallets.get(asset, NOTHING) - state.totals.get(asset, NOTHING) for asset in assets}
            state = replace(state, opening=opening, opened_ms=self.now_ms)
        earlier = _opened_earlier(state)
        if state.late and not agrees(wallets, state.reckoned()) and agrees(wallets, earlier.reckoned()):
            state = earlier
        expected = state.reckoned()
        doubts = 0 if agrees(wallets, expected) else state.doubts + 1
        if 0 < doubts < SURE_DOUBTS:
            return replace(state, doubts=doubts)
        if not doubts:
            state = replace(state, late={})
        return replace(state, wallets=wallets, expected=expected, checked_ms=self.now_ms, doubts=doubts)


def _opened_earlier(state: IncomeState) -> IncomeState:
    """As if what was told late had been in the first wallet."""
    opening = {asset: amount - state.late.get(asset, NOTHING) for asset, amount in state.opening.items()}
    return replace(state, opening=opening, late={})


def agrees(wallets: Mapping[str, Decimal], reckoned: Mapping[str, Decimal]) -> bool:
    """Whether all balances are equal but for rounding; what is absent is empty."""
    return all(
        abs(wallets.get(asset, NOTHING) - reckoned.get(asset, NOTHING)) <= TOLERANCE
        for asset in wallets.keys() | reckoned.keys()
    )
