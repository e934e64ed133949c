"""Where minutes came from, against plain counting."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from atm.model.bars import Source, TimeRange
from atm.model.interval import DAY_MS, MINUTE_MS
from atm.model.provenance import Provenance, provenance

DAY = 1440


@given(
    start=st.integers(0, 3 * DAY),
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(0, 4 * DAY),
)
def test_days_are_the_counts_of_plain_loops(start: int, seed: int, n: int) -> None:
    source = np.random.default_rng(seed).integers(0, len(Source), n).astype(np.uint8)
    found = Provenance(start * MINUTE_MS, source)
    days = found.days()
    expected: dict[int, list[int]] = {}
    for index, value in enumerate(source.tolist()):
        expected.setdefault((start + index) // DAY, [0] * len(Source))[value] += 1
    assert days.first_ms == start // DAY * DAY_MS
    assert days.counts.tolist() == [expected[day] for day in sorted(expected)]
    assert {int(key): count for key, count in found.totals().items()} == {
        value: int((source == value).sum()) for value in range(len(Source))
    }
    for day, counts in enumerate(days.counts.tolist()):
        part = found.day(days.first_ms + day * DAY_MS)
        assert np.bincount(part.source, minlength=len(Source)).tolist() == counts


def test_a_day_says_its_share_missing_and_its_commonest_source() -> None:
    source = np.zeros(2 * DAY, np.uint8)
    source[:360], source[360:400] = Source.STREAM, Source.REST
    source[400:720] = Source.ABSENT
    days = Provenance(0, source).days()
    assert days.missing.tolist() == [1040 / 1440, 1.0]
    assert days.dominant.tolist() == [Source.STREAM, Source.MISSING]


def test_what_the_exchange_lacks_is_flagged_only_where_nothing_is_stored() -> None:
    stored = np.array([2, 3, 7], np.int64) * MINUTE_MS
    sources = np.array([Source.STREAM, Source.REST, Source.ARCHIVE], np.uint8)
    absent = (TimeRange(3 * MINUTE_MS, 6 * MINUTE_MS), TimeRange(9 * MINUTE_MS, 20 * MINUTE_MS))
    found = provenance(stored, sources, absent, MINUTE_MS, 10 * MINUTE_MS)
    s = Source
    assert found.source.tolist() == [
        s.MISSING, s.STREAM, s.REST, s.ABSENT, s.ABSENT, s.MISSING, s.ARCHIVE, s.MISSING, s.ABSENT,
    ]  # fmt: skip
    assert found.gaps(10) == [
        (TimeRange(1 * MINUTE_MS, 2 * MINUTE_MS), False),
        (TimeRange(4 * MINUTE_MS, 7 * MINUTE_MS), True),
        (TimeRange(8 * MINUTE_MS, 10 * MINUTE_MS), True),
    ]
    assert found.gaps(1) == [(TimeRange(4 * MINUTE_MS, 7 * MINUTE_MS), True)]
