"""The order types that the program depends on, and whether the exchange still takes them: what is asked and what is found."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum

import msgspec


class Probe(Enum):
    """What is tried. LISTED: the exchange's own list names types and time in force; MARKET, LIMIT, REDUCE: by the test end point; STOP,
    BRIDGE: conditional orders that have to be refused since they would trigger at once; the others about orders that do not exist."""

    LISTED = "LISTED"
    MARKET = "MARKET"
    LIMIT = "LIMIT"
    REDUCE = "REDUCE"
    STOP = "STOP"
    BRIDGE = "BRIDGE"
    QUERY = "QUERY"
    CANCEL = "CANCEL"
    QUERY_STOP = "QUERY_STOP"
    CANCEL_STOP = "CANCEL_STOP"


class ProbeOutcome(Enum):
    """HOLDS: the exchange does as we expect; BROKEN: it does not; UNKNOWN: nothing was learnt (no connection, a halt of trading)."""

    HOLDS = "HOLDS"
    BROKEN = "BROKEN"
    UNKNOWN = "UNKNOWN"


class ProbeTarget(msgspec.Struct, frozen=True):
    """A symbol that is traded. price: mark price; quantity: the smallest that the exchange takes at it; is_held: a position or a stop of
    ours is there, so no conditional order is tried: one rests, which says more."""

    symbol: str
    price: Decimal
    quantity: Decimal
    is_held: bool = False


class ProbeResult(msgspec.Struct, frozen=True):
    """One answer. details: the exchange's words, "" where all is well."""

    symbol: str
    probe: Probe
    outcome: ProbeOutcome
    details: str = ""
