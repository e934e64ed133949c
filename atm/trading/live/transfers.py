"""Money that came in or went out: each transfer once, whether the user stream, the income records or both tell of it. Pure.

The stream names no number, the income a time that may be cut to full seconds; so the two are the same transfer when asset and amount are
and the times are near. A transfer moves the marks that losses are measured from, unless the wallet that they were taken from had it
already.
"""

from __future__ import annotations

import msgspec

from atm.model.journal import EquityMarked, LiveState, Transferred

SAME_MS = 10_000
"""How far apart the times of one transfer may be told."""
KEPT = 64
"""Transfers that are remembered so that what is told again is known."""


def is_news(state: LiveState, told: Transferred) -> bool:
    """Whether it says anything that the journal does not know."""
    return _place(state, told) is None or _merged(state, told) != state.transfers


def take(state: LiveState, told: Transferred) -> None:
    """Fold it into the state."""
    known = _place(state, told) is not None
    state.transfers = _merged(state, told)
    if not known and state.equity is not None:
        state.equity = _shifted(state.equity, told)


def _place(state: LiveState, told: Transferred) -> int | None:
    """Where the same transfer stands among the known ones."""
    for place, known in enumerate(state.transfers):
        if _is_same(known, told):
            return place
    return None


def _is_same(known: Transferred, told: Transferred) -> bool:
    if known.transaction_id and told.transaction_id:
        return known.transaction_id == told.transaction_id
    if (known.asset, known.amount) != (told.asset, told.amount):
        return False
    if known.is_heard and told.is_heard:
        return known.time_ms == told.time_ms
    return abs(known.time_ms - told.time_ms) <= SAME_MS


def _merged(state: LiveState, told: Transferred) -> tuple[Transferred, ...]:
    place = _place(state, told)
    if place is None:
        return (*state.transfers, told)[-KEPT:]
    known = state.transfers[place]
    both = Transferred(
        known.asset, known.amount, told.time_ms if told.is_heard else known.time_ms,
        known.transaction_id or told.transaction_id, known.is_heard or told.is_heard,
    )  # fmt: skip
    return (*state.transfers[:place], both, *state.transfers[place + 1 :])


def _shifted(marked: EquityMarked, told: Transferred) -> EquityMarked:
    amount = float(told.amount)
    day = amount if told.time_ms > marked.day_wallet_ms else 0.0
    peak = amount if told.time_ms > marked.peak_wallet_ms else 0.0
    return msgspec.structs.replace(marked, day_equity=marked.day_equity + day, peak_equity=marked.peak_equity + peak)
