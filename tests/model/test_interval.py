from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atm.model.interval import DAY_MS, Interval, format_time, parse_time

TIMES = st.integers(0, 4_102_444_800_000)


@pytest.mark.parametrize(
    ("interval", "moment", "expected"),
    [
        (Interval.M15, "2023-08-01 10:44", "2023-08-01 10:30"),
        (Interval.H8, "2023-08-01 23:59", "2023-08-01 16:00"),
        (Interval.W1, "2023-08-06 23:59", "2023-07-31 00:00"),  # a Sunday belongs to the week of its Monday
        (Interval.W1, "2023-08-07 00:00", "2023-08-07 00:00"),
        (Interval.MONTH, "2024-02-29 12:00", "2024-02-01 00:00"),
        (Interval.MONTH, "2023-12-31 23:59", "2023-12-01 00:00"),
    ],
)
def test_open_times_from_the_calendar(interval: Interval, moment: str, expected: str) -> None:
    assert format_time(interval.open_time(parse_time(moment))) == expected


@given(st.sampled_from(list(Interval)), TIMES)
def test_every_moment_lies_in_exactly_one_bar(interval: Interval, moment: int) -> None:
    start = interval.open_time(moment)
    end = interval.next_open(start)
    assert start <= moment < end
    assert interval.open_time(start) == start
    assert interval.open_time(end) == end


@given(TIMES)
def test_weeks_open_on_monday_and_months_on_day_one(moment: int) -> None:
    week = datetime.fromtimestamp(Interval.W1.open_time(moment) / 1000, UTC)
    month = datetime.fromtimestamp(Interval.MONTH.open_time(moment) / 1000, UTC)
    assert (week.weekday(), week.hour) == (0, 0)
    assert (month.day, month.hour) == (1, 0)
    assert Interval.D3.open_time(moment) % (3 * DAY_MS) == 0


def test_leap_years_and_year_ends_follow_the_calendar() -> None:
    assert Interval.MONTH.next_open(parse_time("2024-02-01")) == parse_time("2024-03-01")
    assert Interval.MONTH.next_open(parse_time("2023-12-01")) == parse_time("2024-01-01")


def test_a_text_that_is_no_time_is_refused() -> None:
    with pytest.raises(ValueError, match="yesterday"):
        parse_time("yesterday")
