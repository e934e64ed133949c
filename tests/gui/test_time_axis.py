from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atm.gui.time_axis import ticks


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("start", "end", "most", "labels"),
    [
        ("2023-09-06 19:10", "2023-09-07 07:00", 4, ["21:00", "2023-09-07", "03:00", "06:00"]),
        ("2023-09-06 19:10", "2023-09-06 19:16", 6, ["19:10", "19:11", "19:12", "19:13", "19:14", "19:15", "19:16"]),
        ("2023-12-30 12:00", "2024-01-02 12:00", 3, ["2023-12-31", "2024-01-01", "01-02"]),
        ("2023-08-29", "2023-09-17", 4, ["2023-09-01", "09-06", "09-11", "09-16"]),
        ("2023-08-15", "2024-02-15", 6, ["2023-09", "2023-10", "2023-11", "2023-12", "2024-01", "2024-02"]),
        ("2018-05-01", "2024-05-01", 6, ["2019", "2020", "2021", "2022", "2023", "2024"]),
    ],
)
def test_labels(start: str, end: str, most: int, labels: list[str]) -> None:
    assert [label for _, label in ticks(at(start), at(end), most)] == labels


@given(st.floats(0, 4e9), st.floats(60, 2e9), st.integers(1, 30))
def test_ticks_ascend_inside_the_range_and_are_not_many_more_than_wanted(
    start: float, length: float, most: int
) -> None:
    times = [time for time, _ in ticks(start, start + length, most)]
    assert times == sorted(set(times))
    assert all(start <= time <= start + length for time in times)
    assert len(times) <= most + 4 or length / most > 3e8


def test_a_range_without_length_has_no_ticks() -> None:
    assert ticks(5.0, 5.0, 4) == []
