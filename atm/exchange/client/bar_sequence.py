"""Each closed minute of a symbol exactly once, in order, without holes. A pure state machine.

Events go in (a closed bar seen, proof that earlier minutes are over, the result of a repair, a tick), instructions come
out (publish this bar, fetch that range). It judges by data: a later closed bar proves that the missing one is lost, so it
is fetched at once; a running bar of a later minute, or the exchange's clock, proves only that the minute is over, so its
closing message gets `PATIENCE_S` of real time first. (A demo exchange may run a minute in 60 ms.)

A minute that data prove to be over and that REST answers without in `MAX_TRIES` tries does not exist: the next bar is
published with `gap=True`. An estimate of the exchange's clock proves nothing (the symbol may be halted, a replay may have
changed its speed), nor does an exchange that cannot be reached: both only make it ask again, without end.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from atm.model.bars import Bar, Source
from atm.model.interval import MINUTE_MS

PATIENCE_S = 2.0
MAX_TRIES = 4
RETRY_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
UNREACHABLE_RETRY_S = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
MAX_REPAIR_MINUTES = 1_499  # one page of REST klines, less the bar that proves the last one closed
MAX_HELD = 1_500


class Publish(msgspec.Struct, frozen=True):
    """Publish this bar now. gap: the minutes directly before it could not be had."""

    bar: Bar
    source: Source
    gap: bool = False


class Repair(msgspec.Struct, frozen=True):
    """Fetch the bars with start_ms <= open time < end_ms by REST; answer with `repaired` or `unreachable`."""

    start_ms: int
    end_ms: int


Instruction = Publish | Repair


class BarSequence:
    """`expected_ms`: open time of the first minute to be published. `now_s` is a monotonic clock in seconds.

    gap_before: minutes before the first one are given up, it carries the gap; fresh: nothing was published before,
    so that minutes which REST lacks at the beginning (the symbol is younger) are no hole.
    """

    def __init__(self, expected_ms: int, *, gap_before: bool = False, fresh: bool = False) -> None:
        self._fresh = fresh
        self.expected_ms = expected_ms
        self.over_until_ms = expected_ms
        self._proven_until_ms = expected_ms
        self._held: dict[int, Bar] = {}
        self._gap = gap_before
        self._repair: Repair | None = None
        self._due_s: float | None = None
        self._tries = 0
        self._unreached = 0

    @property
    def complete(self) -> bool:
        """Nothing known to be over is missing."""
        return self.expected_ms >= self.over_until_ms

    def closed(self, bar: Bar, now_s: float) -> list[Instruction]:
        """A closed bar of the stream."""
        if bar.open_time < self.expected_ms or bar.open_time % MINUTE_MS:
            return []
        if len(self._held) < MAX_HELD:  # beyond that the repair brings it
            self._held[bar.open_time] = bar
        instructions = self._publish_held()
        if self._held:
            self._prove(bar.open_time + MINUTE_MS, now_s)
        return instructions + self._ask(now_s)

    def over(self, before_ms: int, now_s: float) -> list[Instruction]:
        """A message of the stream proves that all minutes which open before `before_ms` are over."""
        self._prove(before_ms - before_ms % MINUTE_MS, now_s + PATIENCE_S)
        return self._ask(now_s)

    def expect(self, before_ms: int, now_s: float, *, patience_s: float = PATIENCE_S) -> list[Instruction]:
        """By the clock, all minutes which open before `before_ms` should be over."""
        before_ms -= before_ms % MINUTE_MS
        if before_ms > self.over_until_ms:
            if self.complete:
                self._due_s = now_s + patience_s
            self.over_until_ms = before_ms
        elif self.over_until_ms > (known_ms := max(self._proven_until_ms, self.expected_ms)):
            self.over_until_ms = max(known_ms, before_ms)  # the clock had jumped ahead and has come back
            if self.complete:
                self._due_s = None
        return self._ask(now_s)

    def _prove(self, before_ms: int, due_s: float) -> None:
        """Data say that these minutes are over; a hole that is new by data is repaired at `due_s` at the latest."""
        if before_ms <= self._proven_until_ms:
            return
        is_new = self._proven_until_ms <= self.expected_ms < before_ms
        self._proven_until_ms = before_ms
        self.over_until_ms = max(self.over_until_ms, before_ms)
        if is_new:
            self._tries = 0
        if self.complete:
            return
        if self._due_s is None or not (self._tries or self._unreached):
            self._due_s = due_s if self._due_s is None else min(due_s, self._due_s)

    def tick(self, now_s: float) -> list[Instruction]:
        """Time has passed."""
        return self._ask(now_s)

    def restored(self, now_s: float) -> list[Instruction]:
        """The exchange is back: what waits for it is asked now."""
        self._unreached = 0
        if not self.complete and self._repair is None:
            self._due_s = now_s
        return self._ask(now_s)

    def repaired(self, bars: Iterable[Bar], now_s: float) -> list[Instruction]:
        """REST has answered the running repair with these closed bars."""
        asked, self._repair = self._repair, None
        if asked is None:
            return []
        self._unreached = 0
        instructions: list[Instruction] = []
        fetched = {bar.open_time: bar for bar in bars if self.expected_ms <= bar.open_time < asked.end_ms}
        if self._fresh:
            self.expected_ms = min((*fetched, *self._held), default=asked.end_ms)
        before_ms = self.expected_ms
        instructions += self._publish_run(fetched)
        if self.expected_ms >= asked.end_ms or self.complete:
            self._tries = 0
            self._due_s = None if self.complete else now_s
            return instructions + self._ask(now_s)
        self._tries = 1 if self.expected_ms > before_ms else self._tries + 1
        self._proven_until_ms = max((self._proven_until_ms, *(time + MINUTE_MS for time in fetched)))
        if self._tries < MAX_TRIES or self.expected_ms >= self._proven_until_ms:
            self._due_s = now_s + RETRY_S[min(self._tries, len(RETRY_S)) - 1]
            return instructions
        return instructions + self._give_up(fetched, min(asked.end_ms, self._proven_until_ms), now_s)

    def unreachable(self, now_s: float) -> list[Instruction]:
        """REST could not be asked."""
        self._repair = None
        if self.complete:  # the stream has brought it meanwhile
            self._due_s = None
            return []
        self._due_s = now_s + UNREACHABLE_RETRY_S[min(self._unreached, len(UNREACHABLE_RETRY_S) - 1)]
        self._unreached += 1
        return []

    def _give_up(self, fetched: dict[int, Bar], end_ms: int, now_s: float) -> list[Instruction]:
        """What this answer lacks does not exist: go on behind each hole, and say so with the bar after it."""
        instructions: list[Instruction] = []
        while self.expected_ms < end_ms and not self.complete:
            later = [time for time in (*fetched, *self._held) if time > self.expected_ms]
            self.expected_ms = min(later, default=end_ms)
            self._gap = True
            instructions += self._publish_run(fetched)
        self._tries = 0
        self._due_s = None if self.complete else now_s
        return instructions + self._ask(now_s)

    def _publish_run(self, fetched: dict[int, Bar]) -> list[Instruction]:
        """Consecutive bars from the expected one on. A closing message of the stream is preferred to the REST bar."""
        instructions: list[Instruction] = []
        while True:
            instructions += self._publish_held()
            bar = fetched.get(self.expected_ms)
            if bar is None:
                return instructions
            instructions.append(self._publish(bar, Source.REST))

    def _publish_held(self) -> list[Instruction]:
        instructions: list[Instruction] = []
        while (bar := self._held.pop(self.expected_ms, None)) is not None:
            instructions.append(self._publish(bar, Source.STREAM))
        if self.complete:
            self._due_s = None
            self._tries = 0
        return instructions

    def _publish(self, bar: Bar, source: Source) -> Publish:
        gap, self._gap, self._fresh = self._gap, False, False
        self.expected_ms = bar.open_time + MINUTE_MS
        self.over_until_ms = max(self.over_until_ms, self.expected_ms)
        return Publish(bar, source, gap)

    def _ask(self, now_s: float) -> list[Instruction]:
        """The next repair, if one is due and none is running."""
        if self.complete or self._repair is not None or self._due_s is None or now_s < self._due_s:
            return []
        end_ms = min(
            min((time for time in self._held if time > self.expected_ms), default=self.over_until_ms),
            self.expected_ms + MAX_REPAIR_MINUTES * MINUTE_MS,
        )
        self._repair = Repair(self.expected_ms, end_ms)
        return [self._repair]
