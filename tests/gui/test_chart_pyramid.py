import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from atm.gui.chart_pyramid import CLOSE, HIGH, LOW, OPEN, VOLUME, Pyramid
from atm.model.bars import Bar, Bars, Source
from atm.model.interval import MINUTE_MS


def make_bar(minute: int, seed: int) -> Bar:
    generator = np.random.default_rng(seed * 1_000 + minute)
    prices = generator.uniform(1, 100, 4)
    return Bar(
        minute * MINUTE_MS, prices[0], prices.max(), prices.min(), prices[3], float(generator.uniform(0, 9)), 0, 0, 0, 0
    )


@settings(max_examples=60, deadline=None)
@given(initial=st.integers(0, 40), more=st.integers(0, 60), repeats=st.integers(1, 3), seed=st.integers(0, 99))
def test_growing_bar_by_bar_equals_a_pyramid_of_all(initial: int, more: int, repeats: int, seed: int) -> None:
    bars = [make_bar(i, seed) for i in range(initial + more)]
    grown = Pyramid(Bars.of(bars[:initial], Source.SAMPLE))
    for bar in bars[initial:]:
        for _ in range(repeats - 1):
            grown.put(make_bar(bar.open_time // MINUTE_MS, seed + 7))  # the running bar is overwritten
        grown.put(bar)
    whole = Pyramid(Bars.of(bars, Source.SAMPLE))
    assert len(grown) == len(whole)
    for most in (1_000, 20, 5, 2):
        a, b = grown.visible(0, 1e15, most), whole.visible(0, 1e15, most)
        assert a.time.shape[0] <= max(most, 2)
        if a.time.shape == b.time.shape:
            np.testing.assert_array_equal(a.values, b.values)


@given(st.integers(3, 300), st.integers(2, 50))
@settings(max_examples=40, deadline=None)
def test_every_level_keeps_the_extremes_and_the_volume(count: int, most: int) -> None:
    bars = Bars.of([make_bar(i, 1) for i in range(count)], Source.SAMPLE)
    view = Pyramid(bars).visible(0, 1e15, most)
    assert view.values[HIGH].max() == bars.high.max()
    assert view.values[LOW].min() == bars.low.min()
    assert view.values[OPEN][0] == bars.open[0]
    assert view.values[CLOSE][-1] == bars.close[-1]
    np.testing.assert_allclose(view.values[VOLUME].sum(), bars.volume.sum())


def test_a_missing_bar_leaves_its_block_to_the_others() -> None:
    bars = Bars.of([make_bar(0, 1), make_bar(3, 1)], Source.SAMPLE).dense(0, 4 * MINUTE_MS)
    view = Pyramid(bars).visible(0, 1e15, 2)
    assert view.time.tolist() == [0, 2 * MINUTE_MS]
    assert not np.isnan(view.values).any()


def test_an_older_bar_changes_nothing() -> None:
    pyramid = Pyramid(Bars.of([make_bar(i, 1) for i in range(5)], Source.SAMPLE))
    before = pyramid.base.values.copy()
    pyramid.put(make_bar(2, 9))
    np.testing.assert_array_equal(pyramid.base.values, before)
