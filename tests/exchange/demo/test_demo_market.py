"""The replayed market: the compact recording, the trades of a minute, bars, mark price and book."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atm.exchange.demo.book import book_at
from atm.exchange.demo.market import INTERVALS, Market, number
from atm.exchange.demo.recording import Recording
from atm.exchange.demo.server import next_moment
from atm.model.bars import Bar, Bars, Source, TimeRange
from atm.model.instrument import Instrument
from atm.model.interval import DAY_MS, HOUR_MS, MINUTE_MS, Interval
from atm.storage.market_store import MarketStore

SAMPLE = Path(__file__).parents[3] / "assets" / "sample"
SYMBOL = "NEARUSDT"
T0 = 1_694_131_200_000
RECORDED_MINUTES = 132_480
MakeMarket = Callable[[Sequence[Bar]], Market]


@pytest.fixture(scope="module")
def market(instrument: Instrument) -> Market:
    return Market(instrument, MarketStore(SAMPLE))


class Written:
    def __init__(self, bars: Bars, covered: TimeRange) -> None:
        self.bars, self.covered = bars, covered

    def symbols(self) -> list[str]:
        return [SYMBOL]

    def coverage(self, symbol: str) -> tuple[TimeRange, ...]:
        return (self.covered,)

    def read(self, symbol: str, start_ms: int, end_ms: int) -> Bars:
        return self.bars.between(start_ms, end_ms)


@pytest.mark.parametrize("symbol", ["AVAXUSDT", "FILUSDT", "NEARUSDT"])
def test_a_compact_recording_reads_back_bit_for_bit(symbol: str) -> None:
    store = MarketStore(SAMPLE)
    recording = Recording(store, symbol, 3, 0)
    (covered,) = store.coverage(symbol)
    stored = store.read(symbol, covered.start_ms, covered.end_ms)
    assert np.array_equal(recording.values(0, recording.length), stored.values)
    assert recording.bar(77) == stored.bar(77)
    assert recording.trades_before(50_000 % recording.length) == stored.values[6, : 50_000 % recording.length].sum()


def test_values_off_every_grid_and_holes_are_kept_too() -> None:
    row = (1 / 3, 0.5, 0.3, 1 / 7, 10.0, 3.1, 3.0, 2.0, 0.6)
    bars = Bars.of([Bar(T0, *row), Bar(T0 + 3 * MINUTE_MS, *row)], Source.SAMPLE)
    recording = Recording(Written(bars, TimeRange(T0, T0 + 4 * MINUTE_MS)), SYMBOL, 3, 0)
    assert recording.bar(0).row() == row
    assert recording.bar(2).row() == (1 / 7, 1 / 7, 1 / 7, 1 / 7, 0.0, 0.0, 0.0, 0.0, 0.0)
    assert recording.trades_before(4) == 6


def test_a_recording_begins_anew_when_it_has_ended(market: Market) -> None:
    again = market.closed(T0 + RECORDED_MINUTES * MINUTE_MS)
    assert again.open_time == T0 + RECORDED_MINUTES * MINUTE_MS
    assert again.row() == market.closed(T0).row()
    first, second = market.first_trade_id(T0), market.first_trade_id(again.open_time)
    assert second - first == market.recording.trades_before(RECORDED_MINUTES)


_TRADE = st.tuples(st.integers(990, 1_010), st.integers(1, 5_000), st.booleans())


def bar_of(trades: list[tuple[int, int, bool]]) -> Bar:
    """The bar of trades (price in 0.001, quantity, bought), as the exchange would record it."""
    prices = [price for price, _, _ in trades]
    volume, quote = sum(q for _, q, _ in trades), sum(p * q for p, q, _ in trades)
    bought, bought_quote = sum(q for _, q, b in trades if b), sum(p * q for p, q, b in trades if b)
    return Bar(T0, prices[0] / 1000, max(prices) / 1000, min(prices) / 1000, prices[-1] / 1000, float(volume), quote / 1000,
               float(len(trades)), float(bought), bought_quote / 1000)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(trades=st.lists(_TRADE, min_size=1, max_size=120))
def test_the_trades_of_a_minute_add_up_to_its_bar(written: MakeMarket, trades: list[tuple[int, int, bool]]) -> None:
    bar = bar_of(trades)
    market = written([bar])
    found = market.aggregates(T0 - 1, T0 + MINUTE_MS - 1)
    assert sum(each.quantity for each in found) == bar.volume
    assert sum(each.quantity for each in found if not each.buyer_is_maker) == bar.taker_buy_volume
    assert sum(each.last_id - each.first_id + 1 for each in found) == bar.trades
    assert [each.first_id for each in found[1:]] == [each.last_id + 1 for each in found[:-1]]
    assert [each.id for each in found] == sorted({each.id for each in found})
    quote = sum(each.price * each.quantity for each in found)
    assert quote == pytest.approx(bar.quote_volume, rel=0.011)  # the range of prices is 2 %
    prices = [each.price for each in found]
    assert (prices[0], max(prices), min(prices), prices[-1]) == (bar.open, bar.high, bar.low, bar.close)
    times = [each.time_ms for each in found]
    assert times == sorted(times) and times[0] >= T0 and times[-1] < T0 + MINUTE_MS


def test_recorded_minutes_are_matched_to_the_last_step(market: Market) -> None:
    exact = 0
    for index in range(400):
        bar = market.closed(T0 + index * 97 * MINUTE_MS)
        whole = market.minute(bar.open_time).running(bar.open_time + MINUTE_MS - 1)
        assert whole.row()[:5] == bar.row()[:5]
        assert (whole.trades, whole.taker_buy_volume) == (bar.trades, bar.taker_buy_volume)
        assert whole.quote_volume == pytest.approx(bar.quote_volume, rel=2e-4)
        exact += whole.quote_volume == bar.quote_volume
    assert exact > 350


def test_running_bar_is_made_of_the_trades_so_far(market: Market) -> None:
    now_ms = T0 + 5 * MINUTE_MS + 31_000
    bar, trades = market.running(now_ms), market.aggregates(T0 + 5 * MINUTE_MS - 1, now_ms)
    assert bar.volume == sum(each.quantity for each in trades)
    assert (bar.open, bar.close) == (trades[0].price, trades[-1].price) and bar.close == market.price(now_ms)
    assert (bar.high, bar.low) == (max(each.price for each in trades), min(each.price for each in trades))


def test_history_joins_minutes_and_ends_with_the_running_bar(market: Market) -> None:
    now_ms = T0 + 7 * MINUTE_MS + 20_000
    bars = market.history(now_ms, Interval.M5, None, None, 3)
    assert [bar.open_time - T0 for bar in bars] == [-5 * MINUTE_MS, 0, 5 * MINUTE_MS]
    single = [market.closed(T0 + index * MINUTE_MS) for index in range(5)]
    joined = bars[1]
    assert (joined.open, joined.close) == (single[0].open, single[-1].close)
    assert (joined.high, joined.low) == (max(bar.high for bar in single), min(bar.low for bar in single))
    assert joined.volume == sum(bar.volume for bar in single)
    assert joined.quote_volume == pytest.approx(sum(bar.quote_volume for bar in single), abs=1e-9)
    assert (
        bars[2].volume
        == sum(market.closed(T0 + at * MINUTE_MS).volume for at in (5, 6)) + market.running(now_ms).volume
    )


@pytest.mark.parametrize("interval", list(INTERVALS.values()))
def test_history_pages_meet_without_hole_or_overlap(market: Market, interval: Interval) -> None:
    now_ms = T0 + 12_345
    newest = market.history(now_ms, interval, None, None, 7)
    assert newest[-1].open_time == interval.open_time(now_ms)
    for before, after in itertools.pairwise(newest):
        assert interval.next_open(before.open_time) == after.open_time
    start_ms = newest[0].open_time
    assert market.history(now_ms, interval, start_ms, None, 7) == newest
    assert market.history(now_ms, interval, start_ms - 1, newest[-1].open_time - 1, 500) == newest[:-1]
    everything = market.history(now_ms, interval, 0, None, 1)
    assert everything[0].open_time == interval.open_time(market.start_ms)


def test_the_last_day(market: Market) -> None:
    now_ms = T0 + HOUR_MS + 30_000
    day = market.day(now_ms)
    assert now_ms - day.start_ms < DAY_MS and day.last_id - day.first_id + 1 == day.bar.trades
    assert day.bar.open == market.closed(day.start_ms).open and day.bar.close == market.price(now_ms)


def test_mark_price_is_the_index_and_the_premium_until_funding(written: MakeMarket) -> None:
    flat = [Bar(T0 + at * MINUTE_MS, 2.0, 2.0, 2.0, 2.0, 10.0, 20.0, 5.0, 4.0, 8.0) for at in range(500)]
    market = written(flat)
    assert market.index(T0 + HOUR_MS) == 2.0
    assert market.mark(T0) == pytest.approx(2.0 * 1.0001, abs=1e-12)
    assert market.mark(T0 + 4 * HOUR_MS) == pytest.approx(2.0 * 1.00005, abs=1e-12)
    assert market.mark(T0 + 8 * HOUR_MS - 1) == pytest.approx(
        2.0 * (1 + 0.0001 / 28_800), abs=1e-12
    )  # of the last second


def test_mark_price_moves_slower_than_the_last_price(market: Market) -> None:
    at = range(T0, T0 + 60 * MINUTE_MS, 1_000)
    last, mark = ([read(ms) for ms in at] for read in (market.price, market.mark))
    assert np.abs(np.diff(mark)).max() < 0.7 * np.abs(np.diff(last)).max()
    for ms in range(T0, T0 + 60 * MINUTE_MS, 7_001):
        low, high = market.span(ms - MINUTE_MS, ms)
        assert low <= market.mark(ms) <= high * 1.0002


def test_the_book_has_one_tick_between_its_sides(market: Market) -> None:
    for ms in range(T0, T0 + 10 * MINUTE_MS, 997):
        book = book_at(market, ms, 20)
        assert book.asks[0][0] - book.bids[0][0] == 1
        assert round(market.price(ms) / market.tick) in (book.asks[0][0], book.bids[0][0])
        assert [price for price, _ in book.bids] == list(range(book.bids[0][0], book.bids[0][0] - 20, -1))
        assert all(units > 0 for _, units in book.bids + book.asks)


def test_numbers_are_never_scientific() -> None:
    assert [number(value) for value in (1e-7, 1e22, 0.1, 3.0)] == [
        "0.0000001",
        "10000000000000000000000.",
        "0.1",
        "3.0",
    ]


@pytest.mark.parametrize(("speed", "moments"), [(1.0, 240), (60.0, 4), (1000.0, 3)])
def test_moments_of_a_minute(speed: float, moments: int) -> None:
    found, at_ms = [], T0
    while at_ms < T0 + 60_000:
        at_ms = next_moment(at_ms, speed)
        found.append(at_ms - T0)
    assert len(found) == moments
    assert {15_000, 45_000, 60_000} <= set(found)
