"""Money paid into and out of a virtual account: amounts as they are typed, and what transfers do to the return."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

import msgspec

from atm.model.errors import Invalid

MOST = Decimal(100_000_000)
"""Largest amount of one transfer, in its asset."""
DECIMALS = 8
"""Of an amount, as of an exchange's wallets."""
ALL_ASSETS = ""
"""Stands for all assets together, added as they are, among those of an account."""


def parse_amount(text: str, most: Decimal = MOST) -> Decimal:
    """The amount that was typed; commas between digits are left out. Raises `Invalid` for what is none, for more than `most` and for
    more than eight decimals."""
    allowed = f"a number above 0, at most {most.normalize():f}, with at most {DECIMALS} decimals"
    try:
        amount = Decimal(text.strip().replace(",", ""))
    except InvalidOperation as error:
        raise Invalid("amount", text, allowed) from error
    if not amount.is_finite() or not 0 < amount <= most or amount != round(amount, DECIMALS):
        raise Invalid("amount", text, allowed)
    return amount


class Capital(msgspec.Struct, frozen=True):
    """What transfers have made of an account's money.

    transferred: paid in less paid out, by asset; reference: by asset, and of all (`ALL_ASSETS`), what the equity is held against: the
    time-weighted return since the beginning is equity / reference − 1; last_ms: market time of the last transfer, 0 = none; moved:
    what was transferred at that time, of all assets.
    """

    transferred: dict[str, float] = {}
    reference: dict[str, float] = {}
    last_ms: int = 0
    moved: float = 0.0

    def after(
        self, initial: Mapping[str, float], equity: Mapping[str, float], asset: str, amount: float, time_ms: int
    ) -> Capital:
        """With a transfer of `amount` (below 0: out). initial: first balances, equity: just before it, both by asset.

        A transfer is neither profit nor loss: equity and reference grow by the same share. Where nothing is left, or was ever
        there, the return begins anew.
        """
        references = {**initial, ALL_ASSETS: sum(initial.values()), **self.reference}
        before = {**equity, ALL_ASSETS: sum(equity.values())}
        for key in (asset, ALL_ASSETS):
            had = before.get(key, 0.0)
            grown = references.get(key, 0.0) * (had + amount) / had if had > 0.0 else 0.0
            references[key] = grown if grown > 0.0 else max(0.0, had + amount)
        transferred = {**self.transferred, asset: self.transferred.get(asset, 0.0) + amount}
        moved = amount + (self.moved if self.last_ms == time_ms else 0.0)
        return Capital(transferred, references, time_ms, moved)
