"""Schedules of faults by number. Pure: a number means the same faults on every machine."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TypeVar

from atm.model.errors import Invalid, complain
from atm.model.fault import FORMS, LARGEST_SEED, Fault, FaultForm, FaultKind, FaultSchedule

MOST_MINUTES = 1_440.0
USUAL_GAP_MS = 8_000
"""Mean time from the beginning of a fault to that of the next: several are active at once."""
T = TypeVar("T")

SHORTEST_MS = 200
_PROBABILITIES = (0.05, 0.3, 1.0)
_CONNECTIONS = ("", "", "one", "market", "public")
_FIXED = ("*@kline_*", "*@depth*")
_STREAMS = ("*", "*", "*@kline_1m", "*@depth*", "*@aggTrade", "user@*")


def schedule(
    seed: int, duration_ms: int, kinds: Sequence[FaultKind] = (), symbols: Sequence[str] = ()
) -> tuple[Fault, ...]:
    """The faults of a schedule, by their beginning; each is over when the schedule is.

    kinds: those to draw from, empty for all. symbols: each fault of streams or symbols strikes one of them, empty: all at once.
    Raises Invalid.
    """
    check_schedule(FaultSchedule(seed, duration_ms / 60_000, tuple(kinds), tuple(symbols)))
    draws = Random(seed)  # its random() is the same in every version of Python; nothing else of it is used
    offered = tuple(kinds) or tuple(FaultKind)
    found = []
    at_ms = 0.0
    while True:
        at_ms += draws.random() * 2 * USUAL_GAP_MS
        if at_ms > duration_ms - SHORTEST_MS:
            break
        found.append(_fault(draws, _one_of(draws, offered), int(at_ms), duration_ms, symbols))
    return tuple(found) or (_fault(draws, _one_of(draws, offered), 0, duration_ms, symbols),)


def of_request(wanted: FaultSchedule) -> tuple[Fault, ...]:
    """The faults that a request for a schedule means. Raises Invalid."""
    check_schedule(wanted)
    return schedule(wanted.seed, round(wanted.minutes * 60_000), wanted.kinds, wanted.symbols)


def check_schedule(wanted: FaultSchedule) -> None:
    """Raises Invalid, or Problems for several mistakes."""
    found = []
    if not 0 <= wanted.seed <= LARGEST_SEED:
        found.append(Invalid("seed", wanted.seed, f"a whole number from 0 up to {LARGEST_SEED:,}"))
    if not SHORTEST_MS / 60_000 <= wanted.minutes <= MOST_MINUTES:
        found.append(Invalid("minutes", wanted.minutes, f"{SHORTEST_MS / 60_000:.4f} to {MOST_MINUTES:,.0f}"))
    complain(found)


def _fault(draws: Random, kind: FaultKind, at_ms: int, duration_ms: int, symbols: Sequence[str]) -> Fault:
    form = FORMS[kind]
    lasts_ms = 0
    if form.lasting:
        shortest, longest = form.range_ms
        lasts_ms = min(round(_between(draws, shortest, longest)), duration_ms - at_ms)
    return Fault(
        kind, at_ms, lasts_ms,
        target=_target(draws, form, symbols),
        variant=_one_of(draws, form.variants) if form.variants else "",
        amount=_amount(draws, form),
        probability=_one_of(draws, _PROBABILITIES) if form.chance else 1.0,
        seed=int(draws.random() * 2**32) if form.chance or form.target == "connection" else 0,
    )  # fmt: skip


def _target(draws: Random, form: FaultForm, symbols: Sequence[str]) -> str:
    if form.target == "connection":
        return _one_of(draws, _CONNECTIONS)
    if form.target == "symbol":
        return _one_of(draws, symbols) if symbols else ""
    if form.target != "stream":
        return form.default_target
    pattern = form.default_target if form.default_target in _FIXED else _one_of(draws, _STREAMS)
    if symbols and pattern.startswith("*"):
        return _one_of(draws, symbols).lower() + (pattern[1:] or "@*")
    return pattern


def _amount(draws: Random, form: FaultForm) -> float:
    if form.amount is None:
        return 0.0
    low, high = form.range_amount
    drawn = _between(draws, low, high) if low >= 0 else low + draws.random() * (high - low)
    return float(round(drawn)) if form.amount.kind == "whole" else round(drawn, 1)


def _between(draws: Random, low: float, high: float) -> float:
    """Rather low than high. Only operations that every processor rounds alike."""
    share = draws.random()
    return low + (high - low) * share * share


def _one_of(draws: Random, choices: Sequence[T]) -> T:
    return choices[int(draws.random() * len(choices))]
