"""Whose turn it is: the latest wins, and something is always shown."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from atm.simulators.trial_turns import Turns


def test_a_later_request_overtakes_what_has_not_begun() -> None:
    turns = Turns[int]()
    assert turns.offer(1) is None
    assert turns.offer(2) == 1
    assert turns.begin() == 2
    assert turns.begin() is None
    assert turns.offer(3) is None


def test_what_has_just_begun_is_stopped_for_a_later_one_and_what_is_half_done_is_not() -> None:
    turns = Turns[int]()
    turns.offer(1)
    turns.begin()
    assert not turns.stop
    turns.offer(2)
    assert turns.stop
    turns.advanced(0.5)
    assert not turns.stop


def test_after_one_that_was_stopped_the_next_is_spared() -> None:
    turns = Turns[int]()
    turns.offer(1)
    turns.begin()
    turns.offer(2)
    turns.ended(stopped=True)
    assert turns.begin() == 2
    turns.offer(3)
    assert not turns.stop
    turns.ended(stopped=False)
    turns.begin()
    turns.offer(4)
    assert turns.stop


def test_closing_stops_everything() -> None:
    turns = Turns[int]()
    turns.offer(1)
    turns.begin()
    turns.closed = True
    turns.advanced(0.9)
    assert turns.stop
    turns.ended(stopped=True)
    turns.offer(2)
    assert turns.begin() is None


@given(st.lists(st.sampled_from(("offer", "step")), max_size=80))
def test_of_two_in_a_row_one_ends_and_the_last_request_is_never_lost(events: list[str]) -> None:
    """However often a slider moves; a run takes five steps here."""
    turns = Turns[int]()
    newest, left, outcomes, done = 0, 0, [], []

    def step() -> None:
        nonlocal left
        if turns.running is None:
            turns.begin()
            left = 5
        elif turns.stop:
            outcomes.append(True)
            turns.ended(stopped=True)
        elif (left := left - 1) == 0:
            outcomes.append(False)
            done.append(turns.running)
            turns.ended(stopped=False)
        else:
            turns.advanced(1 - left / 5)

    for event in events:
        if event == "offer":
            newest += 1
            turns.offer(newest)
        else:
            step()
    while turns.running is not None or turns.waiting is not None:
        step()
    assert not any(a and b for a, b in itertools.pairwise(outcomes))
    assert not newest or done[-1] == newest
    assert done == sorted(done)
