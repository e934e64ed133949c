"""Which minutes must still be fetched so that the ranges asked for are in the store: a state machine without I/O.

A *want* is a range of one symbol under a ticket. Missing minutes are fetched in chunks, one chunk of a symbol at a time,
`MAX_FLIGHTS` in all, of which downloads (not `urgent`) leave one free. Minutes that the exchange does not have although later
ones exist are remembered as empty (`remember`) and not asked for again. Every chunk is tried at most `TRIES` times. A want ends
exactly once: with nothing when it is covered, else with the error that says what is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from atm.model.bars import TimeRange
from atm.model.errors import ATMError, Invalid, Refused, Unavailable
from atm.model.interval import format_time
from atm.storage.coverage import chunks, missing, union

CHUNK_MINUTES = 1_500
TRIES = 4
PAUSES_S = (1.0, 3.0, 9.0)
MAX_FLIGHTS = 2
MAX_WANTS = 256
MAX_EMPTY_RANGES = 1_000


@dataclass(frozen=True, slots=True)
class Fetch:
    """Get these minutes of the exchange, `delay_s` from now; report `fetched` or `failed` with `piece`."""

    symbol: str
    piece: TimeRange
    delay_s: float = 0.0
    urgent: bool = True


@dataclass(frozen=True, slots=True)
class Settle:
    """The want is over: all stored (None), or not to be had."""

    ticket: int
    error: ATMError | None


Instruction = Fetch | Settle


@dataclass(slots=True)
class _Symbol:
    wants: dict[int, TimeRange] = field(default_factory=dict)
    patient: set[int] = field(default_factory=set)
    flight: TimeRange | None = None
    urgent: bool = True
    tries: int = 0
    empty: tuple[TimeRange, ...] = ()


class FetchPlan:
    """coverage: what the store holds of a symbol now; newest: open time of the newest minute that came from the exchange;
    empty: what is known of earlier that the exchange lacks; remember: keeps what is found of that."""

    def __init__(
        self,
        coverage: Callable[[str], tuple[TimeRange, ...]],
        newest: Callable[[str], int | None],
        empty: Callable[[str], tuple[TimeRange, ...]] = lambda _: (),
        remember: Callable[[str, tuple[TimeRange, ...]], None] = lambda _symbol, _ranges: None,
    ) -> None:
        self._coverage = coverage
        self._newest = newest
        self._empty = empty
        self._remember = remember
        self._symbols: dict[str, _Symbol] = {}
        self._tickets = 0

    @property
    def wants(self) -> int:
        return sum(len(state.wants) for state in self._symbols.values())

    def want(self, symbol: str, wanted: TimeRange, urgent: bool = True) -> tuple[int, list[Instruction]]:
        """Ask for a range; its ticket, and what is to be done now. Raises `Unavailable` when too much is asked for."""
        if self.wants >= MAX_WANTS:
            raise Unavailable(f"{MAX_WANTS} ranges of bars are being fetched already")
        self._tickets += 1
        if symbol not in self._symbols:
            self._symbols[symbol] = _Symbol(empty=self._empty(symbol))
        state = self._symbols[symbol]
        state.wants[self._tickets] = wanted
        if not urgent:
            state.patient.add(self._tickets)
        return self._tickets, self._proceed()

    def forget_empty(self, symbol: str) -> None:
        """Read anew what the exchange is known to lack of a symbol."""
        if symbol in self._symbols:
            self._symbols[symbol].empty = self._empty(symbol)

    def fetched(self, symbol: str, piece: TimeRange) -> list[Instruction]:
        """The exchange's answer for `piece` is stored. What it lacked before newer stored minutes does not exist."""
        state = self._symbols[symbol]
        state.flight, state.tries = None, 0
        covered, newest = self._coverage(symbol), self._newest(symbol) or 0
        holes = missing(covered, piece)
        lacking = tuple(hole for hole in holes if hole.end_ms <= newest)
        if lacking:
            state.empty = union((*state.empty, *lacking))[-MAX_EMPTY_RANGES:]
            self._remember(symbol, lacking)
        unknown = [hole for hole in holes if hole.end_ms > newest]
        settled: list[Instruction] = []
        if unknown:  # the exchange has nothing this new: asking again at once would not help
            settled = self._give_up(state, unknown[0], Refused(_sentence(symbol, unknown)))
        return settled + self._proceed()

    def failed(self, symbol: str, piece: TimeRange, error: ATMError) -> list[Instruction]:
        """The chunk could not be fetched or stored. `Refused` and `Invalid` are final; anything else is tried again."""
        state = self._symbols[symbol]
        state.tries += 1
        if state.tries < TRIES and not isinstance(error, Refused | Invalid):
            return [Fetch(symbol, piece, PAUSES_S[state.tries - 1], state.urgent)]
        state.flight, state.tries = None, 0
        return self._give_up(state, piece, error) + self._proceed()

    def _give_up(self, state: _Symbol, piece: TimeRange, error: ATMError) -> list[Instruction]:
        """End every want that needs a minute of `piece`."""
        hit = [
            ticket
            for ticket, wanted in state.wants.items()
            if wanted.start_ms < piece.end_ms and piece.start_ms < wanted.end_ms
        ]
        for ticket in hit:
            del state.wants[ticket]
            state.patient.discard(ticket)
        return [Settle(ticket, error) for ticket in hit]

    def _proceed(self) -> list[Instruction]:
        """Settle what is complete and start what may fly."""
        done: list[Instruction] = []
        flights = sum(state.flight is not None for state in self._symbols.values())
        for symbol, state in self._symbols.items():
            if not state.wants:
                continue
            covered = self._coverage(symbol)
            known = union((*covered, *state.empty))
            for ticket, wanted in list(state.wants.items()):
                if missing(known, wanted):
                    continue
                del state.wants[ticket]
                state.patient.discard(ticket)
                lacking = missing(covered, wanted)
                done.append(Settle(ticket, Refused(_sentence(symbol, lacking)) if lacking else None))
            if not state.wants or state.flight is not None:
                continue
            first = min(state.wants, key=lambda ticket: (ticket in state.patient, ticket))
            urgent = first not in state.patient
            if flights < (MAX_FLIGHTS if urgent else MAX_FLIGHTS - 1):
                state.flight = chunks(missing(known, state.wants[first]), CHUNK_MINUTES)[0]
                state.urgent = urgent
                flights += 1
                done.append(Fetch(symbol, state.flight, urgent=urgent))
        return done


def _sentence(symbol: str, holes: list[TimeRange] | tuple[TimeRange, ...]) -> str:
    minutes = sum(hole.minutes for hole in holes)
    where = f"{format_time(holes[0].start_ms)} to {format_time(holes[-1].end_ms)}"
    return f"the exchange has no bars of {symbol} for {minutes} minutes of {where}"
