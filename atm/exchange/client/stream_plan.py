"""Which streams go over which connection. Pure.

Since 2026-04-23 a stream is only delivered on its own route: bars, trades and mark price on /market, books on /public
(spec: exchange §0.3, §2.1). The streams of one symbol and route share one connection. The exchange allows 1,024 streams a
connection; fewer are put on one, so that what is lost with it is little.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from urllib.parse import quote

import msgspec

MAX_STREAMS = 200
ROUTES: dict[str, tuple[str, ...]] = {
    "market": ("kline_1m", "aggTrade", "markPrice@1s"),
    "public": ("depth20@500ms",),
}
BOOK_ROUTE = "public"
WHOLE_BOOK_ROUTES = {BOOK_ROUTE: ("depth",)}
"""Differences of the whole book every 250 ms, for the symbols that somebody asks it of."""
MARK_ROUTE = "market"
COMMON_ROUTE = "market"
COMMON_STREAMS = ("!contractInfo", "!forceOrder@arr")
"""Streams of the whole market. They go over the oldest connection of their route."""

SILENCE_S: dict[str, float] = {"kline_1m": 150.0, "markPrice@1s": 20.0, "depth20@500ms": 60.0, "depth": 60.0}
"""Seconds after which a stream is taken for dead although its connection delivers: a multiple of the longest pause that is normal.
Trades have none: a symbol may go without one for hours."""


class Connection(msgspec.Struct, frozen=True):
    """One planned connection. `number` names it as long as it has symbols; `common`: whether it carries `COMMON_STREAMS`."""

    number: int
    route: str
    symbols: tuple[str, ...]
    common: bool = False
    kinds: tuple[str, ...] = ()

    @property
    def streams(self) -> tuple[str, ...]:
        """Names of the streams of its symbols, of each all kinds."""
        names = tuple(f"{symbol.lower()}@{kind}" for symbol in self.symbols for kind in self.kinds)
        return names + (COMMON_STREAMS if self.common else ())


def silence_limit_s(stream: str) -> float | None:
    """Seconds of silence after which this stream is taken for dead; None where silence says nothing."""
    return SILENCE_S.get(stream.partition("@")[2])


def address(base: str, route: str, streams: Iterable[str]) -> str:
    """Where to connect: combined mode, so that every message says which stream it is of."""
    return f"{base.rstrip('/')}/{route}/stream?streams={quote('/'.join(streams), safe='/@_!')}"


def replan(
    previous: Iterable[Connection],
    symbols: Iterable[str],
    max_streams: int = MAX_STREAMS,
    routes: Mapping[str, tuple[str, ...]] = ROUTES,
    without_books: Set[str] = frozenset(),
) -> tuple[Connection, ...]:
    """The connections for a new set of symbols, moving none that is already placed.

    Freed places are filled first, then new connections are opened; a connection without symbols is gone. without_books: symbols
    that are left out on `BOOK_ROUTE`.
    """
    all_wanted = dict.fromkeys(symbols)
    kept = list(previous)
    number = max((connection.number for connection in kept), default=0)
    planned: list[Connection] = []
    for route, kinds in routes.items():
        left_out = without_books if route == BOOK_ROUTE else frozenset[str]()
        wanted = [symbol for symbol in all_wanted if symbol not in left_out]
        room = max(1, (max_streams - len(COMMON_STREAMS)) // len(kinds))
        groups = [
            (connection.number, [symbol for symbol in connection.symbols if symbol in wanted])
            for connection in kept
            if connection.route == route
        ]
        placed = {symbol for _, group in groups for symbol in group}
        for symbol in wanted:
            if symbol in placed:
                continue
            free = next((group for _, group in groups if len(group) < room), None)
            if free is None:
                number += 1
                free = []
                groups.append((number, free))
            free.append(symbol)
        groups = [entry for entry in groups if entry[1]]
        bearer = min((name for name, _ in groups), default=0) if route == COMMON_ROUTE else 0
        planned += [Connection(name, route, tuple(group), name == bearer, kinds) for name, group in groups]
    return tuple(planned)
