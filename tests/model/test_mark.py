import math

import msgspec
import numpy as np
import pytest

from atm.model.bars import Bar, Bars, Source
from atm.model.errors import Invalid
from atm.model.interval import MINUTE_MS, parse_time
from atm.model.mark import Mark, RecordedMarks

START = parse_time("2023-09-08 08:00")


def minute(number: int, mark: Mark | None) -> Bar:
    return Bar(START + number * MINUTE_MS, 1, 2, 0.5, 1.5, 10, 20, 3, 4, 8, mark=mark)


def test_bars_carry_the_marks_of_their_minutes_through_every_cut_and_join() -> None:
    rows = [
        minute(0, Mark(1, 4, 0.5, 2, 0.0001)),
        minute(1, None),
        minute(3, Mark(2, 3, 1, 1.5)),
        minute(4, Mark(*[math.nan] * 4, 0.0002)),
    ]
    bars = Bars.of(rows, Source.STREAM)
    assert [bars.bar(index).mark is None for index in range(4)] == [False, True, False, False]
    assert bars.bar(0) == rows[0]
    rate_only = bars.bar(3).mark
    assert rate_only is not None and rate_only.funding_rate == 0.0002 and math.isnan(rate_only.open)
    dense = bars.dense(START, START + 5 * MINUTE_MS)
    assert dense.mark is not None
    np.testing.assert_array_equal(dense.mark[1], [4, np.nan, np.nan, 3, np.nan])
    plain = Bars.of([minute(5, None)], Source.REST)
    assert plain.mark is None
    joined = Bars.concatenate([bars, plain])
    assert joined.mark is not None and joined.mark.shape == (5, 5) and np.isnan(joined.mark[:, 4]).all()


def test_a_bar_of_an_earlier_version_is_read_as_one_without_marks() -> None:
    earlier = msgspec.msgpack.encode([START, 1, 2, 0.5, 1.5, 10, 20, 3, 4, 8, None])
    assert msgspec.msgpack.decode(earlier, type=Bar).mark is None


def test_what_is_not_recorded_of_a_stretch_is_nan() -> None:
    times = START + MINUTE_MS * np.array([0, 2, 3])
    values = np.arange(12.0).reshape(4, 3)
    marks = RecordedMarks(times, values, times[:1], np.array([0.0003]))
    np.testing.assert_array_equal(marks.dense(START - MINUTE_MS, START + 3 * MINUTE_MS)[3], [np.nan, 9, np.nan, 10])
    np.testing.assert_array_equal(marks.dense_rates(START - MINUTE_MS, START + MINUTE_MS), [np.nan, 0.0003])
    assert RecordedMarks.unrecorded().dense(START, START + MINUTE_MS).shape == (4, 1)
    with pytest.raises(Invalid, match="start_ms"):
        marks.dense(START + 1, START + MINUTE_MS)
