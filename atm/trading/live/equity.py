"""The equity of a live account, and in the journal the day's first and the highest, from which its limits measure losses. Pure.

It is not known while a position has no price; then nothing is marked. What is paid in or out moves the marks by as much.
"""

from __future__ import annotations

from collections.abc import Iterable

from atm.model.account_facts import PositionSeen, WalletSeen
from atm.model.interval import DAY_MS
from atm.model.journal import WHOLE_ACCOUNT, EquityMarked, Transferred
from atm.trading.live import transfers
from atm.trading.live.desk import Desk

PEAK_STEP = 0.001
"""A new highest equity is journalled when it is higher by this share."""
BEHIND_MS = 120_000
"""How long a wallet may be older than a transfer: comparisons come each minute."""
TRANSFERS = frozenset((
    "DEPOSIT", "WITHDRAW", "WITHDRAW_REJECT", "ADMIN_DEPOSIT", "ADMIN_WITHDRAW", "ASSET_TRANSFER", "AUTO_EXCHANGE",
    "COIN_SWAP_DEPOSIT", "COIN_SWAP_WITHDRAW",
))  # fmt: skip
"""What the user stream calls changes of a wallet that were neither earned nor lost by trading (spec: exchange §2.5)."""


class EquityDesk:
    """`wallets`: as the exchange told them last, by asset; `value`: wallets and unrealised profit at the mark prices, in quote asset, 0
    while not known; `unpriced`: symbols because of which it is not."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.wallets: dict[str, WalletSeen] = {}
        self.value = 0.0
        self.unpriced: tuple[str, ...] = ()

    def learn(self, seen: WalletSeen) -> None:
        """A wallet as the exchange tells it."""
        if seen.why in TRANSFERS and seen.change:
            self.transferred(Transferred(seen.asset, seen.change, seen.time_ms, is_heard=True))
        before = self.wallets.get(seen.asset)
        if before is None or seen.time_ms >= before.time_ms:
            self.wallets[seen.asset] = seen

    def transferred(self, told: Transferred) -> None:
        """Money that came in or went out; told again it changes nothing."""
        if self._counts(told.asset) and transfers.is_news(self._desk.state, told):
            self._desk.record(told)

    def mark(self, now_ms: int) -> None:
        """Reckon the equity, and journal it where it is the day's first or the highest."""
        counted = [seen for asset, seen in self.wallets.items() if self._counts(asset)]
        if not counted:
            return
        self._price(self._desk.positions.values())
        if self.unpriced:
            self.value = 0.0
            return
        profit = sum(
            float(seen.amount * (self._desk.price(symbol) - seen.entry))
            for symbol, seen in self._desk.positions.items()
            if seen.amount
        )
        self.value = equity = float(sum(each.wallet for each in counted)) + profit
        marked, day_ms = self._desk.state.equity, now_ms - now_ms % DAY_MS
        wallet_ms = max(each.time_ms for each in counted)
        if self._is_behind(wallet_ms, now_ms):
            return
        if marked is None:
            self._desk.record(EquityMarked(day_ms, equity, equity, now_ms, wallet_ms, wallet_ms))
            return
        peak, peak_ms = marked.peak_equity, marked.peak_wallet_ms
        if equity > peak:
            peak, peak_ms = equity, wallet_ms
        if marked.day_ms != day_ms:
            self._desk.record(EquityMarked(day_ms, equity, peak, now_ms, wallet_ms, peak_ms))
        elif peak > marked.peak_equity * (1 + PEAK_STEP):
            self._desk.record(EquityMarked(day_ms, marked.day_equity, peak, now_ms, marked.day_wallet_ms, peak_ms))

    def _price(self, positions: Iterable[PositionSeen]) -> None:
        """Find positions without a price; the user is told when there is a first one."""
        before = self.unpriced
        self.unpriced = tuple(
            sorted(each.symbol for each in positions if each.amount and not self._desk.price(each.symbol))
        )
        if self.unpriced and not before:
            self._desk.note("notice.live_equity_unknown", WHOLE_ACCOUNT, ", ".join(self.unpriced))

    def _is_behind(self, wallet_ms: int, now_ms: int) -> bool:
        """Whether a transfer is known that the wallet may not have yet: then the equity is that of before."""
        newest = max((each.time_ms for each in self._desk.state.transfers), default=0)
        return wallet_ms < newest and now_ms < newest + BEHIND_MS

    def _counts(self, asset: str) -> bool:
        """Whether a wallet is part of the equity: those that the traded symbols are quoted in (fees may be paid from another)."""
        instruments = self._desk.instruments
        quoted = {instruments[symbol].quote_asset for symbol in self._desk.setup.symbols if symbol in instruments}
        return not quoted or asset in quoted
