"""Bar sequence: exactly once, in order, without holes, under loss, duplication, reordering, disconnects and a lying REST."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from atm.exchange.client.bar_sequence import (
    MAX_REPAIR_MINUTES,
    MAX_TRIES,
    PATIENCE_S,
    BarSequence,
    Instruction,
    Publish,
    Repair,
)
from atm.model.bars import Bar, Source
from atm.model.interval import MINUTE_MS

T0 = 1_700_000_040_000  # on a minute


def minute(index: int) -> int:
    return T0 + index * MINUTE_MS


def bar(index: int, close: float = 1.0) -> Bar:
    return Bar(minute(index), 1.0, 2.0, 0.5, close, 10.0, 10.0, 3.0, 5.0, 5.0)


def published(instructions: list[Instruction]) -> list[tuple[int, Source, bool]]:
    return [((i.bar.open_time - T0) // MINUTE_MS, i.source, i.gap) for i in instructions if isinstance(i, Publish)]


def repairs(instructions: list[Instruction]) -> list[tuple[int, int]]:
    return [
        ((i.start_ms - T0) // MINUTE_MS, (i.end_ms - T0) // MINUTE_MS) for i in instructions if isinstance(i, Repair)
    ]


def test_bars_in_order_go_straight_through() -> None:
    sequence = BarSequence(T0)
    for index in range(3):
        assert published(sequence.closed(bar(index), float(index))) == [(index, Source.STREAM, False)]
        assert repairs(sequence.over(minute(index + 1), float(index))) == []


def test_duplicates_and_bars_before_the_start_are_dropped() -> None:
    sequence = BarSequence(minute(5))
    assert sequence.closed(bar(4), 0.0) == []
    assert published(sequence.closed(bar(5), 0.0)) == [(5, Source.STREAM, False)]
    assert sequence.closed(bar(5, 9.0), 0.1) == []


def test_a_later_closed_bar_proves_a_loss_and_is_held_until_rest_has_filled_the_hole() -> None:
    sequence = BarSequence(T0)
    instructions = sequence.closed(bar(2), 0.0)
    assert (published(instructions), repairs(instructions)) == ([], [(0, 2)])
    assert published(sequence.repaired([bar(0), bar(1)], 0.1)) == [
        (0, Source.REST, False), (1, Source.REST, False), (2, Source.STREAM, False)
    ]  # fmt: skip
    assert sequence.complete


def test_a_running_later_minute_gives_the_closing_message_two_seconds() -> None:
    sequence = BarSequence(T0)
    assert sequence.over(minute(1) + 500, 10.0) == []
    assert sequence.tick(10.0 + PATIENCE_S - 0.01) == []
    assert repairs(sequence.tick(10.0 + PATIENCE_S)) == [(0, 1)]
    # the closing message comes after all: it is published, and the answer of the repair is a duplicate
    assert published(sequence.closed(bar(0), 12.5)) == [(0, Source.STREAM, False)]
    assert published(sequence.repaired([bar(0)], 12.6)) == []


def test_a_finished_repair_leaves_the_next_minute_its_patience() -> None:
    sequence = BarSequence(T0)
    sequence.closed(bar(1), 0.0)
    sequence.repaired([bar(0)], 1.0)
    assert sequence.over(minute(3), 60.0) == []
    assert repairs(sequence.tick(62.0)) == [(2, 3)]


def test_a_late_closing_message_within_patience_needs_no_repair() -> None:
    sequence = BarSequence(T0)
    sequence.over(minute(1), 10.0)
    assert published(sequence.closed(bar(0), 11.0)) == [(0, Source.STREAM, False)]
    assert sequence.tick(100.0) == []


def test_a_minute_that_rest_does_not_have_is_given_up_after_bounded_tries_and_flagged() -> None:
    sequence = BarSequence(T0)
    sequence.closed(bar(1), 0.0)
    now, asked = 0.0, 1
    while True:
        instructions = sequence.repaired([], now)
        if published(instructions):
            break
        now += 60
        asked += len(repairs(sequence.tick(now)))
    assert asked == MAX_TRIES
    assert published(instructions) == [(1, Source.STREAM, True)]
    assert published(sequence.closed(bar(2), now)) == [(2, Source.STREAM, False)]


def test_two_holes_in_one_answer_are_both_flagged() -> None:
    sequence = BarSequence(T0)
    sequence.closed(bar(5), 0.0)
    out: list[Instruction] = []
    for n in range(MAX_TRIES):
        out += sequence.repaired([bar(1), bar(3), bar(4)], n * 100.0)
        out += sequence.tick(n * 100.0 + 50)
    assert published(out) == [
        (1, Source.REST, True), (3, Source.REST, True), (4, Source.REST, False), (5, Source.STREAM, False)
    ]  # fmt: skip


def test_an_unreachable_exchange_never_costs_a_bar() -> None:
    sequence = BarSequence(T0)
    sequence.closed(bar(1), 0.0)
    now = 0.0
    for _ in range(200):
        assert sequence.unreachable(now) == []
        now += 15.0
        assert repairs(sequence.tick(now)) == [(0, 1)]
    sequence.unreachable(now)
    assert repairs(sequence.closed(bar(2), now)) == []  # no hammering while it waits
    assert repairs(sequence.restored(now + 0.1)) == [(0, 1)]
    assert published(sequence.repaired([bar(0)], now + 0.2)) == [
        (0, Source.REST, False), (1, Source.STREAM, False), (2, Source.STREAM, False)
    ]  # fmt: skip


def test_a_long_absence_is_filled_in_pages_in_front_of_the_live_bars() -> None:
    sequence = BarSequence(T0)
    count = 4_000
    instructions = sequence.expect(minute(count), 0.0, patience_s=0.0)
    live = sequence.closed(bar(count), 0.0)
    assert published(live) == []
    out: list[Instruction] = []
    while repairs(instructions):
        ((start, end),) = repairs(instructions)
        assert end - start <= MAX_REPAIR_MINUTES
        instructions = sequence.repaired([bar(i) for i in range(start, end)], 0.0)
        out += instructions
    assert [index for index, _, _ in published(out)] == list(range(count + 1))
    assert not any(gap for _, _, gap in published(out))


def test_a_fresh_symbol_begins_where_its_history_begins() -> None:
    sequence = BarSequence(T0, fresh=True)
    assert repairs(sequence.expect(minute(3_000), 0.0, patience_s=0.0)) == [(0, MAX_REPAIR_MINUTES)]
    assert repairs(sequence.repaired([], 0.0)) == [(MAX_REPAIR_MINUTES, 2 * MAX_REPAIR_MINUTES)]
    out = sequence.repaired([bar(i) for i in range(2_000, 2 * MAX_REPAIR_MINUTES)], 0.0)
    assert published(out)[0] == (2_000, Source.REST, False)


def test_the_clock_alone_never_makes_a_gap() -> None:
    sequence = BarSequence(T0)
    sequence.expect(minute(10), 0.0)  # an estimate far ahead of the truth, or a halted symbol
    now = asked = 0
    while now < 600:
        now += 1
        if repairs(sequence.tick(float(now))):
            asked += 1
            assert sequence.repaired([], float(now)) == []
    assert 10 < asked < 30  # it goes on asking, ever more slowly, up to every 30 s
    assert published(sequence.closed(bar(0), 600.0)) == [(0, Source.STREAM, False)]
    assert published(sequence.closed(bar(1), 600.0)) == [(1, Source.STREAM, False)]
    instructions = sequence.closed(bar(4), 601.0)  # data prove a hole: it is repaired at once
    assert repairs(instructions) == [(2, 4)]
    assert [gap for _, _, gap in published(sequence.repaired([bar(2), bar(3)], 602.0))] == [False] * 3


class _World:
    """A truth of `count` minutes, a faulty stream and a REST side, on a virtual clock."""

    def __init__(self, seed: int, count: int, absent: frozenset[int]) -> None:
        self.random = random.Random(seed)
        self.count = count
        self.absent = absent
        self.sequence = BarSequence(T0)
        self.out: list[tuple[int, Source, bool]] = []
        self.now = 0.0
        self.running: Repair | None = None

    def carry_out(self, instructions: list[Instruction]) -> None:
        self.out += published(instructions)
        for instruction in instructions:
            if isinstance(instruction, Repair):
                assert self.running is None, "two repairs of one symbol at a time"
                self.running = instruction

    def answer_rest(self, over_until: int, reachable: bool) -> None:
        if self.running is None:
            return
        asked, self.running = self.running, None
        assert asked.start_ms < asked.end_ms
        if not reachable:
            self.carry_out(self.sequence.unreachable(self.now))
            return
        first, last = (asked.start_ms - T0) // MINUTE_MS, (asked.end_ms - T0) // MINUTE_MS
        self.carry_out(
            self.sequence.repaired(
                [bar(i) for i in range(first, min(last, over_until)) if i not in self.absent], self.now
            )
        )

    def run(self) -> None:
        index, late = 0, []
        while index < self.count:
            burst = self.random.choice((1, 1, 1, 2, 5))  # disconnects lose several minutes at once
            lost = self.random.random() < 0.4
            for i in range(index, min(index + burst, self.count)):
                if not lost and i not in self.absent:
                    late += [i] * self.random.choice((1, 1, 2))
            index = min(index + burst, self.count)
            self.now += self.random.choice((0.06, 1.0, 3.0, 60.0))
            if self.random.random() < 0.3:
                self.random.shuffle(late)
            keep = late if self.random.random() < 0.2 else []
            for i in [] if keep else late:
                self.carry_out(self.sequence.closed(bar(i), self.now))
            late = keep
            if self.random.random() < 0.6:
                self.carry_out(self.sequence.over(minute(index), self.now))
            if self.random.random() < 0.3:
                self.carry_out(self.sequence.expect(minute(index + self.random.choice((0, 0, 3))), self.now))
            self.carry_out(self.sequence.tick(self.now))
            if self.random.random() < 0.7:
                self.answer_rest(index, self.random.random() < 0.6)
        self.carry_out(self.sequence.over(minute(self.count), self.now))
        for _ in range(500):
            self.now += 20.0
            self.carry_out(self.sequence.tick(self.now))
            self.answer_rest(self.count, True)


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 80))
def test_every_minute_exactly_once_whatever_the_stream_does(seed: int, count: int) -> None:
    world = _World(seed, count, frozenset())
    world.run()
    assert [index for index, _, _ in world.out] == list(range(count))
    assert not any(gap for _, _, gap in world.out)


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(2, 40), absent=st.frozensets(st.integers(0, 39), max_size=8))
def test_only_minutes_that_do_not_exist_are_missing_and_each_hole_is_flagged(
    seed: int, count: int, absent: frozenset[int]
) -> None:
    world = _World(seed, count, absent)
    world.run()
    indices = [index for index, _, _ in world.out]
    assert indices == [index for index in range(count) if index not in absent]
    flagged = {index for index, _, gap in world.out if gap}
    assert flagged == {index for index in indices if index > 0 and index - 1 in absent}


def test_after_minutes_that_came_in_time_a_late_closing_message_still_gets_its_patience() -> None:
    sequence = BarSequence(T0)
    for index in range(3):
        sequence.closed(bar(index), 60.0 * index)
        sequence.over(minute(index + 1), 60.0 * index)
    assert sequence.over(minute(4), 180.0) == []
    assert sequence.tick(180.0 + PATIENCE_S - 0.1) == []
    assert published(sequence.closed(bar(3), 180.0 + PATIENCE_S - 0.1)) == [(3, Source.STREAM, False)]
    assert sequence.tick(240.0) == []


def test_what_a_clock_that_jumped_ahead_has_said_is_taken_back() -> None:
    sequence = BarSequence(T0)
    sequence.expect(minute(6), 0.0)
    assert not sequence.complete
    sequence.expect(minute(0), 1.0)
    assert sequence.complete
    assert sequence.tick(60.0) == []
    assert published(sequence.closed(bar(0), 60.0)) == [(0, Source.STREAM, False)]
