from __future__ import annotations

import math

import numpy as np
import pytest

from atm.model.bars import Bar, Bars, Source
from atm.model.flow import Flow, imbalance, recorded_imbalance


def test_a_level_counts_half_at_two_and_a_half_percent_from_the_mid():
    # mid 100: bids 99.5 (0.5 %) and 97.5 (2.5 %), asks 100.5 (0.5 %) and 105 (5 %)
    near, bids, asks = 0.5**0.2, [(99.5, 3.0), (97.5, 4.0)], [(100.5, 1.0), (105.0, 8.0)]
    bid, ask = 3.0 * near + 4.0 * 0.5, 1.0 * near + 8.0 * 0.25
    assert imbalance(bids, asks) == pytest.approx((bid - ask) / (bid + ask), rel=1e-12)


def test_it_has_no_scale_and_changes_sign_with_the_sides():
    bids, asks = [(99.0, 3.0), (98.0, 1.0)], [(101.0, 0.5), (102.0, 2.0)]
    value = imbalance(bids, asks)
    scaled = [[(1e-3 * price, 1e6 * quantity) for price, quantity in side] for side in (bids, asks)]
    assert imbalance(*scaled) == pytest.approx(value, rel=1e-12)
    mirrored = [[(200.0 - price, quantity) for price, quantity in side] for side in (asks, bids)]
    assert imbalance(*mirrored) == pytest.approx(-value, rel=1e-12)


@pytest.mark.parametrize(
    ("bids", "asks"),
    [
        ([], [(1.0, 1.0)]),
        ([(1.0, 1.0)], []),
        ([(2.0, 1.0)], [(1.0, 1.0)]),
        ([(1.0, 1.0)], [(1.0, 1.0)]),
        ([(0.0, 1.0)], [(1.0, 1.0)]),
        ([(1.0, 0.0)], [(2.0, 0.0)]),
        ([(1.0, math.inf)], [(2.0, 1.0)]),
        ([(1.0, math.nan)], [(2.0, 1.0)]),
        ([(1.0, -1.0)], [(2.0, 3.0)]),
    ],
)
def test_a_book_that_says_nothing_is_unknown(bids, asks):
    assert math.isnan(imbalance(bids, asks))


def test_a_minute_known_for_less_than_half_of_it_is_not_recorded():
    flow = np.array([[0.3, 0.3, np.nan], [0.5, 0.49, np.nan]])
    np.testing.assert_array_equal(recorded_imbalance(flow), [0.3, np.nan, np.nan])


def test_bars_carry_flow_through_slices_grids_and_joints():
    def bar(minute: int, flow: Flow | None) -> Bar:
        return Bar(minute * 60_000, *[1.0] * 9, flow=flow)

    recorded = [bar(0, Flow(0.5, 1.0)), bar(1, None), bar(3, Flow(-0.25, 0.75))]
    bars = Bars.of(recorded, Source.STREAM)
    assert [bars.bar(i) for i in range(3)] == recorded
    dense = bars.dense(0, 5 * 60_000)
    assert dense.flow is not None
    np.testing.assert_array_equal(dense.flow[0], [0.5, np.nan, np.nan, -0.25, np.nan])
    plain = Bars.of([bar(4, None)], Source.REST)
    assert plain.flow is None
    joined = Bars.concatenate([bars.slice(2, 3), plain])
    np.testing.assert_array_equal(joined.flow, [[-0.25, np.nan], [0.75, np.nan]])
