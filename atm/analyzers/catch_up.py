"""How an analysis comes from the store to the live bars without losing or doubling a minute: a state machine without I/O.

Whoever owns a `CatchUp` tells it what happened and carries out the instruction it gets. Stored minutes are read in chunks
up to the newest; live bars that arrive meanwhile wait. A hole between the last minute fed and the first bar that waits is
asked for (`Ensure`) and read again, at most `TRIES` times; then it is accepted as missing minutes, as is one that its
sender declared irreparable (`gap`). Bars already fed are ignored.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from atm.model.bars import Bar
from atm.model.interval import MINUTE_MS

TRIES = 3
WAITING_BARS = 2_880
"""Live bars kept while others are read; older ones are in the store by then and are asked for like any hole."""

PREPARING, RUNNING, WAITING = "preparing", "running", "waiting"


@dataclass(frozen=True, slots=True)
class Read:
    """Read the stored minutes start_ms ≤ open time < end_ms, feed them, and report `read`."""

    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Feed:
    """Feed these bars; minutes left out before or between them are missing. Nothing is reported back."""

    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Ensure:
    """Have these minutes put into the store, asking after `delay_s`, and report `ensured`, whatever came of it."""

    start_ms: int
    end_ms: int
    delay_s: float


Instruction = Read | Feed | Ensure


class CatchUp:
    """See the module. `state`: preparing, then running, or waiting for a hole to be filled or for the first bar at all.

    `start_ms`: the first minute wanted; `chunk_minutes`: size of one `Read`, may be changed any time.
    """

    def __init__(self, start_ms: int, chunk_minutes: int = 10_080) -> None:
        self.state = PREPARING
        self.chunk_minutes = chunk_minutes
        self.next_ms = self._start_ms = start_ms
        self._read_from = start_ms
        self._read_until = start_ms
        self._waiting: deque[tuple[Bar, bool]] = deque(maxlen=WAITING_BARS)
        self._busy = True
        self._tries = 0

    def begin(self, stored_until_ms: int) -> list[Instruction]:
        """The newest stored minute ends at `stored_until_ms`."""
        self._read_until = stored_until_ms
        return self._go_on()

    def arrived(self, bar: Bar, gap: bool = False) -> list[Instruction]:
        """A live bar; gap: the minutes directly before it cannot be had."""
        newest = self._waiting[-1][0].open_time if self._waiting else self.next_ms - MINUTE_MS
        if bar.open_time <= newest:
            return []
        self._waiting.append((bar, gap))
        return [] if self._busy else self._go_on()

    def read(self, end_ms: int, last_ms: int | None) -> list[Instruction]:
        """The chunk that ends at `end_ms` was fed; `last_ms`: open time of its last bar, None when it had none."""
        self._read_from = end_ms
        if last_ms is not None:
            self.next_ms = last_ms + MINUTE_MS
        return self._go_on()

    def ensured(self) -> list[Instruction]:
        """The minutes asked for are stored now, or cannot be had at present: read what is there."""
        self._read_from = self.next_ms
        self._read_until = self._waiting[0][0].open_time
        return self._go_on()

    def _go_on(self) -> list[Instruction]:
        if self._read_from < self._read_until:
            self._busy = True
            end_ms = min(self._read_from + self.chunk_minutes * MINUTE_MS, self._read_until)
            return [Read(self._read_from, end_ms)]
        while self._waiting and self._waiting[0][0].open_time < self.next_ms:
            self._waiting.popleft()
        ready: list[Bar] = []
        while self._waiting and self._may_feed(*self._waiting[0]):
            bar, _ = self._waiting.popleft()
            ready.append(bar)
            self.next_ms = bar.open_time + MINUTE_MS
            self._tries = 0
        feed: list[Instruction] = [Feed(tuple(ready))] if ready else []
        self._busy = bool(self._waiting)
        self.state = WAITING if self._waiting or self.next_ms == self._start_ms else RUNNING
        if not self._waiting:
            return feed
        self._tries += 1
        delay_s = 0.0 if self._tries == 1 else 2.0 ** (self._tries - 1)
        return [*feed, Ensure(self.next_ms, self._waiting[0][0].open_time, delay_s)]

    def _may_feed(self, bar: Bar, gap: bool) -> bool:
        return bar.open_time == self.next_ms or gap or self._tries >= TRIES
