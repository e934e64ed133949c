"""What has changed between two readings of the exchange's instruments. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

import msgspec

from atm.model.instrument import Instrument, LeverageBracket

FIELDS = (
    "tick_size", "step_size", "market_step_size", "min_quantity", "max_market_quantity", "min_notional", "min_price",
    "max_price", "multiplier_up", "multiplier_down", "price_precision", "quantity_precision", "liquidation_fee",
)  # fmt: skip
"""Of `Instrument`: what an order has to keep to."""
NONE = "–"


class ChangeKind(Enum):
    """What became of an instrument."""

    LISTED = "listed"
    DELISTED = "delisted"
    STATUS = "status"
    FILTER = "filter"
    BRACKET = "bracket"


class InstrumentChange(msgspec.Struct, frozen=True):
    """One change. field: of `FIELDS`, or the number of a bracket; old and new as the exchange states them, "" where there is
    none."""

    kind: ChangeKind
    symbol: str
    field: str = ""
    old: str = ""
    new: str = ""


def changes(before: Iterable[Instrument], after: Iterable[Instrument]) -> tuple[InstrumentChange, ...]:
    """Every change, by symbol. Brackets that either side does not know are not compared."""
    known, now = ({instrument.symbol: instrument for instrument in side} for side in (before, after))
    found: list[InstrumentChange] = []
    for symbol in sorted(known.keys() | now.keys()):
        old, new = known.get(symbol), now.get(symbol)
        if old is None and new is not None:
            found.append(InstrumentChange(ChangeKind.LISTED, symbol, new=new.status))
        elif new is None and old is not None:
            found.append(InstrumentChange(ChangeKind.DELISTED, symbol, old=old.status))
        elif old is not None and new is not None and old != new:
            found += _of_one(old, new)
    return tuple(found)


def _of_one(old: Instrument, new: Instrument) -> list[InstrumentChange]:
    found = []
    if old.status != new.status:
        found.append(InstrumentChange(ChangeKind.STATUS, old.symbol, "status", old.status, new.status))
    for field in FIELDS:
        was, is_ = str(getattr(old, field)), str(getattr(new, field))
        if was != is_:
            found.append(InstrumentChange(ChangeKind.FILTER, old.symbol, field, was, is_))
    if old.brackets and new.brackets:
        for place in range(max(len(old.brackets), len(new.brackets))):
            was, is_ = _bracket(old.brackets, place), _bracket(new.brackets, place)
            if was != is_:
                found.append(InstrumentChange(ChangeKind.BRACKET, old.symbol, str(place + 1), was, is_))
    return found


def _bracket(brackets: tuple[LeverageBracket, ...], place: int) -> str:
    """A bracket in figures: notional, maintenance rate, highest leverage."""
    if place >= len(brackets):
        return NONE
    row = brackets[place]
    rate = f"{100 * row.maintenance_margin_rate:g} %"
    return f"{row.notional_floor:,.0f}–{row.notional_cap:,.0f}, {rate}, {row.max_leverage}×"
