from __future__ import annotations

import math

import numpy as np
import pytest

from atm.model.bars import Bar, Bars, Source
from atm.model.flow import Flow, RecordedBook, measured, recorded_imbalance


def imbalance(bids: list[tuple[float, float]], asks: list[tuple[float, float]]) -> float:
    book = measured(bids, asks)
    assert book is not None
    return book.imbalance


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
        ([(1.0, 1e-3)], [(2.0, 1e305)]),
        ([(1000.0, -1.0), (990.0, 9.0)], [(1001.0, 3.0)]),
    ],
)
def test_a_book_that_says_nothing_is_unknown(bids, asks):
    assert measured(bids, asks) is None


def test_depth_is_the_notional_within_a_thousandth_of_the_mid():
    # mid 1000: bids count down to 999, asks up to 1001
    bids = [(999.5, 2.0), (999.0, 3.0), (998.9, 50.0)]
    asks = [(1000.5, 1.0), (1001.0, 4.0), (1002.0, 70.0)]
    book = measured(bids, asks)
    assert book is not None
    assert book.spread == pytest.approx(1e-3, rel=1e-12)
    assert book.bid_depth == pytest.approx(2 * 999.5 + 3 * 999.0, rel=1e-12)
    assert book.ask_depth == pytest.approx(1 * 1000.5 + 4 * 1001.0, rel=1e-12)
    assert book.reach == 1.0


def test_levels_that_end_early_are_counted_as_seen_and_their_reach_is_told():
    bids, asks = [(999.9, 2.0), (999.75, 1.0)], [(1000.1, 1.0), (1000.6, 1.0)]
    book = measured(bids, asks)
    assert book is not None
    assert book.bid_depth == pytest.approx(2 * 999.9 + 999.75, rel=1e-12)
    assert book.reach == pytest.approx(0.25, rel=1e-9), "the bids are seen 0.25 deep, the asks 0.6, of 1.0"


def test_where_a_tick_exceeds_the_distance_the_best_level_is_the_depth():
    book = measured([(99.0, 7.0), (98.0, 100.0)], [(101.0, 5.0), (102.0, 100.0)])
    assert book is not None
    assert (book.spread, book.bid_depth, book.ask_depth, book.reach) == (0.02, 693.0, 505.0, 1.0)


def test_spread_and_depth_of_a_scaled_market():
    bids, asks = [(999.5, 2.0), (998.0, 3.0)], [(1000.5, 1.0), (1004.0, 4.0)]
    book, cheap = measured(bids, asks), measured(*[[(p / 8192, 8192 * q) for p, q in side] for side in (bids, asks)])
    assert book is not None
    assert cheap == book, "the same in quote asset"


def test_a_minute_known_for_less_than_half_of_it_is_not_recorded():
    flow = np.array([[0.3, 0.3, np.nan], [0.5, 0.49, np.nan]])
    np.testing.assert_array_equal(recorded_imbalance(flow), [0.3, np.nan, np.nan])


def test_a_book_that_nobody_has_recorded_is_unknown_and_in_single_precision():
    book = RecordedBook.unrecorded(0, 3)
    for column in (book.spread, book.bid_depth, book.ask_depth):
        np.testing.assert_array_equal(column, np.full(3, np.nan, np.float32))
        assert column.dtype == np.float32


def test_bars_carry_flow_through_slices_grids_and_joints():
    def bar(minute: int, flow: Flow | None) -> Bar:
        return Bar(minute * 60_000, *[1.0] * 9, flow=flow)

    recorded = [bar(0, Flow(0.5, 1.0, 2e-4, 10.0, 20.0, 0.5)), bar(1, None), bar(3, Flow(-0.25, 0.75))]
    bars = Bars.of(recorded, Source.STREAM)
    assert [repr(bars.bar(i)) for i in range(3)] == [repr(one) for one in recorded]
    dense = bars.dense(0, 5 * 60_000)
    assert dense.flow is not None
    np.testing.assert_array_equal(dense.flow[0], [0.5, np.nan, np.nan, -0.25, np.nan])
    assert dense.book is not None
    np.testing.assert_array_equal(dense.book[:, 0], [2e-4, 10.0, 20.0, 0.5])
    assert np.isnan(dense.book[:, 1:]).all()
    plain = Bars.of([bar(4, None)], Source.REST)
    assert plain.flow is None and plain.book is None
    joined = Bars.concatenate([bars.slice(2, 3), plain])
    np.testing.assert_array_equal(joined.flow, [[-0.25, np.nan], [0.75, np.nan]])
    joined = Bars.concatenate([bars.slice(0, 1), plain])
    np.testing.assert_array_equal(joined.book, np.array([[2e-4, 10.0, 20.0, 0.5], [np.nan] * 4]).T)
