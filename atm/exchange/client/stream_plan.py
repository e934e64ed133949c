"""Which streams go over which connection. Pure.

Since 2026-04-23 a stream is only delivered on its own route: bars, trades and mark price on /market, books on /public
(spec: exchange §0.3, §2.1). The streams of one symbol and route share one connection, of at most 200 streams each.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

import msgspec

MAX_STREAMS = 200
ROUTES: dict[str, tuple[str, ...]] = {
    "market": ("kline_1m", "aggTrade", "markPrice@1s"),
    "public": ("depth20@500ms",),
}
BOOK_ROUTE = "public"


class Connection(msgspec.Struct, frozen=True):
    """One planned connection. `number` names it as long as it has symbols."""

    number: int
    route: str
    symbols: tuple[str, ...]

    @property
    def streams(self) -> tuple[str, ...]:
        return streams_of(self.route, self.symbols)


def streams_of(route: str, symbols: Iterable[str]) -> tuple[str, ...]:
    """Stream names of these symbols on one route."""
    return tuple(f"{symbol.lower()}@{kind}" for symbol in symbols for kind in ROUTES[route])


def address(base: str, route: str, streams: Iterable[str]) -> str:
    """Where to connect: combined mode, so that every message says which stream it is of."""
    return f"{base.rstrip('/')}/{route}/stream?streams={quote('/'.join(streams), safe='/@_!')}"


def replan(
    previous: Iterable[Connection], symbols: Iterable[str], max_streams: int = MAX_STREAMS
) -> tuple[Connection, ...]:
    """The connections for a new set of symbols, moving none that is already placed.

    Freed places are filled first, then new connections are opened; a connection without symbols is gone.
    """
    wanted = list(dict.fromkeys(symbols))
    kept = list(previous)
    number = max((connection.number for connection in kept), default=0)
    planned: list[Connection] = []
    for route, kinds in ROUTES.items():
        room = max(1, max_streams // len(kinds))
        groups = [
            (connection.number, [symbol for symbol in connection.symbols if symbol in set(wanted)])
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
        planned += [Connection(name, route, tuple(group)) for name, group in groups if group]
    return tuple(planned)
