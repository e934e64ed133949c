"""How old what a snapshot says of positions may be. Pure.

A query may be answered from a copy that has not heard of the newest fills. So a row is stamped with the earliest moment that it can
be of: the exchange's own time of the position, but not earlier than the longest lag before the question. A position that is not
listed is flat, a wallet empty; they have no time but that.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from atm.model.account_facts import PositionSeen, Snapshot, WalletSeen
from atm.model.live_order import NOTHING

POSITION_LAG_MS = 10_000
"""No answer shows positions as they were longer before the question."""


def stamped(snapshot: Snapshot, known: Iterable[str], assets: Iterable[str] = ()) -> Snapshot:
    """The snapshot with its rows stamped, a flat row for each known symbol and an empty wallet for each known asset that it does not
    list. One without any wallet says nothing of them."""
    least_ms = max(0, snapshot.asked_ms - POSITION_LAG_MS)
    listed = {row.symbol: replace(row, time_ms=max(row.time_ms, least_ms)) for row in snapshot.positions}
    flat = [PositionSeen(name, NOTHING, NOTHING, least_ms) for name in sorted(known) if name not in listed]
    filled = {each.asset for each in snapshot.wallets}
    empty = [WalletSeen(asset, NOTHING, least_ms) for asset in sorted(assets) if filled and asset not in filled]
    return replace(snapshot, positions=(*listed.values(), *flat), wallets=(*snapshot.wallets, *empty))
