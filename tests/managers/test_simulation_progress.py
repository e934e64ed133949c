"""Rate and time left: exact where the pace is steady, silent where nothing can be said, never negative."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atm.managers.simulation_progress import MOST_REPORTS, WINDOW_S, ProgressHistory


def test_nothing_is_said_before_there_is_something_to_say() -> None:
    history = ProgressHistory()
    assert history.rate() is None and history.seconds_left(0.0) is None
    history.report(0.0, 0.0)
    history.report(0.1, 0.01)
    assert history.rate() is None, "a tenth of a second is too short"
    history.report(5.0, 0.01)
    history.clear()
    assert history.seconds_left(6.0) is None


@given(st.floats(0.001, 0.2), st.integers(4, 40))
def test_a_steady_pace_is_told_exactly(share_a_second: float, reports: int) -> None:
    history = ProgressHistory()
    shares = [n * share_a_second for n in range(reports) if n * share_a_second < 1]
    for second, share in enumerate(shares):
        history.report(float(second), share)
    assert history.rate() == pytest.approx(share_a_second)
    left = history.seconds_left(len(shares) - 1 + 0.5)
    assert left == pytest.approx(max(0.0, (1 - shares[-1]) / share_a_second - 0.5), abs=1e-6)


def test_the_present_pace_counts_and_a_new_beginning_forgets() -> None:
    history = ProgressHistory()
    history.report(0.0, 0.0)
    for second in range(100, 100 + int(WINDOW_S)):
        history.report(float(second), 0.5 + 0.01 * (second - 100))
    assert history.rate() == pytest.approx(0.01)
    history.report(200.0, 0.1)
    assert history.rate() is None


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 1)), max_size=3 * MOST_REPORTS))
def test_whatever_is_reported_the_time_left_is_never_negative(steps: list[tuple[float, float]]) -> None:
    history, now = ProgressHistory(), 0.0
    for pause, share in steps:
        now += pause
        history.report(now, share)
        left = history.seconds_left(now)
        assert left is None or left >= 0
