import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atm.model.bars import Bar, Bars, Source
from atm.model.errors import Invalid
from atm.model.interval import MINUTE_MS


def bar(minute: int) -> Bar:
    return Bar(minute * MINUTE_MS, 1, 4, 0.5, 2, 10, 20, 3, 4, 8)


@given(st.sets(st.integers(0, 50)), st.integers(0, 30), st.integers(0, 30))
def test_a_dense_grid_has_every_minute_once_and_nan_where_nothing_was(
    minutes: set[int], start: int, length: int
) -> None:
    bars = Bars.of([bar(m) for m in sorted(minutes)], Source.REST)
    dense = bars.dense(start * MINUTE_MS, (start + length) * MINUTE_MS)
    assert dense.open_time.tolist() == [m * MINUTE_MS for m in range(start, start + length)]
    present = [m in minutes for m in range(start, start + length)]
    assert (~np.isnan(dense.close)).tolist() == present
    assert (dense.source == int(Source.REST)).tolist() == present


def test_a_bar_survives_the_way_through_columns() -> None:
    bars = Bars.of([bar(3), bar(4)], Source.STREAM)
    assert bars.bar(1) == bar(4)
    assert len(bars.between(4 * MINUTE_MS, 5 * MINUTE_MS)) == 1


def test_a_grid_off_the_minute_is_refused_with_field_and_value() -> None:
    with pytest.raises(Invalid, match=r"start_ms: 5 .* multiple of 60000"):
        Bars.empty().dense(5, MINUTE_MS)
