"""Which streams of a living connection have fallen silent. Pure: time is an argument (monotonic seconds).

A stream can die alone: the exchange acknowledges a subscription and then sends nothing (spec: exchange §2.2, §5.2). Each is
judged by its own cadence. What stays silent whatever is done, as a symbol that does not trade, is tried at ever longer
intervals.
"""

from __future__ import annotations

from collections.abc import Iterable

from atm.exchange.client.stream_plan import silence_limit_s

MOST_DOUBLINGS = 6


class StreamWatch:
    """Of one planned connection, over the lives of its sockets. `heard`: when each of its streams last delivered."""

    def __init__(self, streams: Iterable[str], now_s: float) -> None:
        self.heard: dict[str, float] = {}
        self._tried: dict[str, tuple[int, float]] = {}
        self._opened_s = now_s
        self.follow(streams, now_s)

    def follow(self, streams: Iterable[str], now_s: float) -> None:
        """Watch exactly these streams. The dictionary stays the same object: readers hold it."""
        wanted = set(streams)
        for gone in self.heard.keys() - wanted:
            del self.heard[gone]
            self._tried.pop(gone, None)
        for stream in wanted - self.heard.keys():
            self.heard[stream] = now_s

    def opened(self, now_s: float) -> None:
        """A new socket: its streams get their time anew."""
        self._opened_s = now_s

    def silent(self, now_s: float) -> dict[str, int]:
        """Streams about which something should be done now, with the number of the try (from 1). Each is told once a try."""
        found: dict[str, int] = {}
        for stream, heard_s in self.heard.items():
            limit_s = silence_limit_s(stream)
            if limit_s is None:
                continue
            tries, tried_s = self._tried.get(stream, (0, heard_s))
            if heard_s > tried_s:
                del self._tried[stream]
                tries, tried_s = 0, heard_s
            if now_s - max(tried_s, heard_s, self._opened_s) >= limit_s * 2.0 ** min(tries, MOST_DOUBLINGS):
                self._tried[stream] = (tries + 1, now_s)
                found[stream] = tries + 1
        return found
