"""What a seed means: how bad the network is, what the strategy wants, what the user does by hand, when the process dies."""

from __future__ import annotations

import random
from decimal import Decimal

import msgspec

from atm.model.interval import MINUTE_MS
from atm.model.risk import OutsidePolicy

ACTIVE_MINUTES, SETTLING_MINUTES = 6, 4
"""Minutes with faults, and the quiet ones after them in which everything must come to rest."""


class Faults(msgspec.Struct, frozen=True):
    """Probabilities of the faults of a request, an event or a step of the process. only_short_fill: of a fill nothing but its early
    message, without commission and profit, comes."""

    request_lost: float = 0.0
    answer_lost: float = 0.0
    error_before: float = 0.0
    error_after: float = 0.0
    throttled_but_done: float = 0.0
    rate_limited: float = 0.0
    delayed: float = 0.0
    held_back: float = 0.0
    query_lags: float = 0.0
    event_lost: float = 0.0
    event_twice: float = 0.0
    event_late: float = 0.0
    positions_lag: float = 0.0
    snapshot_slow: float = 0.0
    only_short_fill: float = 0.0
    crash_before_commit: float = 0.0
    crash_before_send: float = 0.0
    crash_after_send: float = 0.0
    commit_fails: float = 0.0


class Decision(msgspec.Struct, frozen=True):
    """A target in units of the largest position, 1 to -1. limit: share of the price by which its order is better than the last
    price, None = at market; life_ms: of such an order; stop: its distance as a share of the price, None = by default."""

    at_ms: int
    symbol: str
    units: int
    limit: float | None
    life_ms: int
    stop: float | None


class ByHand(msgspec.Struct, frozen=True):
    """What the user does outside of the program: units of the largest position at market, or another leverage (units 0)."""

    at_ms: int
    symbol: str
    units: int
    leverage: int = 0


class Kill(msgspec.Struct, frozen=True):
    """The user presses the kill switch; resumed_ms: and lets the account trade again, 0 = never."""

    at_ms: int
    resumed_ms: int


class Plan(msgspec.Struct, frozen=True):
    """Times in ms from the start of the run. cuts_ms, full_ms, refused_ms: beginnings and lengths of stretches in which the user stream
    is cut, the journal takes nothing, and the exchange takes no order at market."""

    seed: int
    start_minute: int
    faults: Faults
    policy: OutsidePolicy
    decisions: tuple[Decision, ...]
    by_hand: tuple[ByHand, ...]
    crashes_ms: tuple[int, ...]
    cuts_ms: tuple[tuple[int, int], ...]
    full_ms: tuple[tuple[int, int], ...] = ()
    refused_ms: tuple[tuple[int, int], ...] = ()
    kill: Kill | None = None

    @property
    def active_ms(self) -> int:
        """From here on there are no faults."""
        return ACTIVE_MINUTES * MINUTE_MS

    @property
    def end_ms(self) -> int:
        return (ACTIVE_MINUTES + SETTLING_MINUTES) * MINUTE_MS


UNITS = 4
"""The largest position in units."""


def plan(seed: int, symbols: tuple[str, ...], minutes: int) -> Plan:
    """The plan of a seed on a market of so many minutes."""
    draw = random.Random(seed)  # a scenario, no secret
    active_ms = ACTIVE_MINUTES * MINUTE_MS
    return Plan(
        seed=seed,
        # A few places only, so that minutes of the market are made once for many seeds.
        start_minute=draw.randrange(4) * (minutes // 8) + 60,
        faults=_faults(draw),
        policy=draw.choice(list(OutsidePolicy)),
        decisions=_decisions(draw, symbols),
        by_hand=_by_hand(draw, symbols),
        crashes_ms=tuple(draw.randrange(active_ms) for _ in range(draw.choice((0, 0, 1, 2)))),
        cuts_ms=_stretches(draw, 20_000),
        full_ms=_stretches(draw, 20_000),
        refused_ms=_stretches(draw, 150_000),
        kill=_kill(draw),
    )


def _stretches(draw: random.Random, longest_ms: int) -> tuple[tuple[int, int], ...]:
    """None in half of the seeds, else one or two."""
    active_ms = ACTIVE_MINUTES * MINUTE_MS
    return tuple((draw.randrange(active_ms), draw.randrange(500, longest_ms)) for _ in range(draw.choice((0, 0, 1, 2))))


def _kill(draw: random.Random) -> Kill | None:
    """In a quarter of the seeds."""
    at_ms, lasts_ms = draw.randrange(ACTIVE_MINUTES * MINUTE_MS), draw.randrange(1, 120_000)
    return Kill(at_ms, draw.choice((0, at_ms + lasts_ms))) if draw.random() < 0.25 else None


def _faults(draw: random.Random) -> Faults:
    """Each kind is off, rare or frequent; a tenth of the seeds have none at all."""
    if draw.random() < 0.1:
        return Faults()
    chosen = {name: draw.choice((0.0, 0.0, 0.03, 0.15)) for name in Faults.__struct_fields__}
    for name in ("crash_before_commit", "crash_before_send", "crash_after_send", "commit_fails"):
        chosen[name] /= 5
    return Faults(**chosen)


def _decisions(draw: random.Random, symbols: tuple[str, ...]) -> tuple[Decision, ...]:
    found = []
    for symbol in symbols:
        for minute in range(ACTIVE_MINUTES + 1):
            if minute == ACTIVE_MINUTES or draw.random() < 0.5:
                limit = draw.choice((None, None, 0.0, 0.0005, -0.0005))
                stop = draw.choice((None, 0.002, 0.005, 0.02))
                units = draw.choice((0, 0, *range(-UNITS, UNITS + 1)))
                if minute == ACTIVE_MINUTES:
                    limit = None
                found.append(Decision(minute * MINUTE_MS, symbol, units, limit, draw.randrange(10_000, 50_000), stop))
    return tuple(found)


def _by_hand(draw: random.Random, symbols: tuple[str, ...]) -> tuple[ByHand, ...]:
    if draw.random() < 0.75:
        return ()
    found = []
    for _ in range(draw.choice((1, 2))):
        at_ms, symbol = draw.randrange(ACTIVE_MINUTES * MINUTE_MS), draw.choice(symbols)
        if draw.random() < 0.25:
            found.append(ByHand(at_ms, symbol, 0, draw.choice((2, 10))))
        else:
            found.append(ByHand(at_ms, symbol, draw.choice((-2, -1, 1, 2))))
    return tuple(found)


def quantity(units: int, most: Decimal) -> Decimal:
    """The position of so many units."""
    return most * units / UNITS
