"""Whose turn it is: the latest wins, and something is always shown."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from atm.simulators.trial_turns import Run, Turns


def begun(turns: Turns[int]) -> Run[int]:
    run = turns.begin()
    assert run is not None
    return run


def test_a_later_request_overtakes_what_has_not_begun() -> None:
    turns = Turns[int]()
    assert turns.offer(1) is None
    assert turns.offer(2) == 1
    assert begun(turns).work == 2
    assert turns.offer(3) is None
    assert turns.begin() is None, "the lane is taken"


def test_what_has_just_begun_is_stopped_for_a_later_one_and_what_is_half_done_is_not() -> None:
    turns = Turns[int]()
    turns.offer(1)
    run = begun(turns)
    assert not turns.stops(run)
    turns.offer(2)
    assert turns.stops(run)
    run.share = 0.5
    assert not turns.stops(run)


def test_after_one_that_was_stopped_the_next_is_spared() -> None:
    turns = Turns[int]()
    turns.offer(1)
    first = begun(turns)
    turns.offer(2)
    turns.ended(first, stopped=True)
    second = begun(turns)
    turns.offer(3)
    assert not turns.stops(second)
    turns.ended(second, stopped=False)
    third = begun(turns)
    turns.offer(4)
    assert turns.stops(third)


def test_of_several_lanes_the_least_advanced_is_stopped_and_only_when_all_are_taken() -> None:
    turns = Turns[int](lanes=2)
    turns.offer(1)
    first = begun(turns)
    turns.offer(2)
    assert not turns.stops(first), "there is a free lane"
    second = begun(turns)
    turns.offer(3)
    first.share = 0.2
    assert turns.stops(second)
    assert not turns.stops(first)


def test_closing_stops_everything() -> None:
    turns = Turns[int]()
    turns.offer(1)
    run = begun(turns)
    turns.closed = True
    run.share = 0.9
    assert turns.stops(run)
    turns.ended(run, stopped=True)
    turns.offer(2)
    assert turns.begin() is None


@given(st.lists(st.sampled_from(("offer", "step")), max_size=80), st.integers(1, 3))
def test_every_stopped_one_is_followed_by_one_that_ends_and_the_last_request_is_never_lost(
    events: list[str], lanes: int
) -> None:
    """However often a slider moves; a run takes five steps here."""
    turns = Turns[int](lanes)
    newest, stopped, done = 0, 0, []

    def step() -> None:
        nonlocal stopped
        while turns.begin() is not None:
            pass
        for run in list(turns.running):
            if turns.stops(run):
                assert not run.spared
                stopped += 1
                turns.ended(run, stopped=True)
            elif run.share >= 0.8:
                done.append(run.work)
                turns.ended(run, stopped=False)
            else:
                run.share += 0.2

    for event in events:
        if event == "offer":
            newest += 1
            turns.offer(newest)
        else:
            step()
    while turns.running or turns.waiting is not None:
        step()
    assert stopped <= len(done)
    assert not newest or newest in done
