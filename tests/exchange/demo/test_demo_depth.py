"""Differences of the demo exchange's books: applied by the exchange's rules they give the snapshot, whatever the steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atm.exchange.client.answers import depth_snapshot
from atm.exchange.client.local_book import DepthEvent, LocalBook
from atm.exchange.demo.book import book_at, changes, level_texts
from atm.exchange.demo.market import Market
from atm.exchange.demo.market_events import LONGEST_CHANGE_MS, MarketEvents, force_order
from atm.exchange.demo.server import DemoExchangeOptions, next_moment, running_demo_exchange
from atm.model.instrument import Instrument
from atm.model.interval import HOUR_MS, MINUTE_MS
from atm.storage.market_store import MarketStore
from atm.storage.sample import load_exchange_info, load_instruments

ASSETS = Path(__file__).parents[3] / "assets"
SYMBOL = "NEARUSDT"
T0 = 1_694_131_200_000
STREAM = f"{SYMBOL.lower()}@depth"


@pytest.fixture(scope="module")
def market(instrument: Instrument) -> Market:
    return Market(instrument, MarketStore(ASSETS / "sample"))


def snapshot(market: Market, ms: int, levels: int = 1_000) -> dict[str, Any]:
    book = book_at(market, ms, levels)
    return {
        "lastUpdateId": ms,
        "E": ms,
        "T": ms,
        "bids": level_texts(market, book.bids),
        "asks": level_texts(market, book.asks),
    }


def known(answer: dict[str, Any], count: int = 1_000) -> tuple[Any, Any]:
    return tuple(
        tuple((float(price), float(units)) for price, units in answer[side][:count]) for side in ("bids", "asks")
    )  # type: ignore[return-value]


def decoded(event: dict[str, Any]) -> DepthEvent:
    return msgspec.convert(event, DepthEvent, strict=False)


@settings(max_examples=40, deadline=None)
@given(
    at=st.integers(0, 20 * HOUR_MS),
    steps=st.lists(st.sampled_from((1, 7, 250, 999, 1_000, 15_000, 61_000, 250_000)), min_size=2, max_size=12),
    share=st.floats(0.0, 1.0),
)
def test_differences_on_any_snapshot_between_give_the_book(
    market: Market, at: int, steps: list[int], share: float
) -> None:
    """The snapshot may be of any moment inside of the first difference, not of its ends alone."""
    events, ms, book = MarketEvents({SYMBOL: market}), T0 + at, LocalBook()
    told: list[int] = []
    for step in steps:
        for _, event in events.between([STREAM], ms, ms + step):
            book.take(decoded(event))
            told.append(event["u"])
        ms += step
    if len(told) < 2:
        return
    taken_ms = told[0] + round((told[1] - told[0]) * share)
    whole = depth_snapshot(
        snapshot(market, taken_ms), 0
    )  # as if the exchange had no more than 1,000 levels, which is so
    assert book.set_snapshot(whole) and book.update_id == told[-1]
    assert book.top(1_001) == known(snapshot(market, told[-1]))


def test_a_local_book_with_the_snapshot_of_rest_follows_an_hour(market: Market) -> None:
    events, book, ms = MarketEvents({SYMBOL: market}), LocalBook(), T0
    snapshots = right = 0
    while ms < T0 + HOUR_MS:
        after_ms, ms = ms, next_moment(ms, 60.0)
        for _, event in events.between([STREAM], after_ms, ms):
            assert event["U"] <= event["u"] and event["pu"] < event["U"]
            book.take(decoded(event))
            if not book.is_synchronised:
                snapshots += 1
                book.set_snapshot(depth_snapshot(snapshot(market, ms), 1_000))
            assert book.update_id == ms and book.top(40) == known(snapshot(market, ms), 40)
            right += 1
    assert snapshots == 1 and right >= 240


def test_few_levels_change_at_a_time(market: Market) -> None:
    sizes = []
    for ms in range(T0 + HOUR_MS, T0 + HOUR_MS + 2 * MINUTE_MS, 250):
        book = changes(market, ms, ms + 250)
        assert book is not None
        sizes.append(len(book.bids) + len(book.asks))
    assert 0 < sum(sizes) / len(sizes) < 60  # of 2,000


def test_a_chain_is_per_stream_and_begins_anew_after_a_long_silence(market: Market) -> None:
    events, slow = MarketEvents({SYMBOL: market}), f"{STREAM}@500ms"
    told: dict[str, list[dict[str, Any]]] = {STREAM: [], slow: []}
    for ms in range(T0, T0 + 3_000, 250):
        for name, event in events.between([STREAM, slow], ms, ms + 250):
            told[name].append(event)
    for name, count in ((STREAM, 12), (slow, 6)):
        assert len(told[name]) == count
        assert [event["pu"] for event in told[name][1:]] == [event["u"] for event in told[name][:-1]]
    later = T0 + 3_000 + LONGEST_CHANGE_MS
    (_, after) = events.between([STREAM], later, later + 250)[0]
    assert after["pu"] > told[STREAM][-1]["u"]


def test_the_largest_liquidation_of_a_second_is_told_once_it_is_over(market: Market) -> None:
    events = MarketEvents({SYMBOL: market})
    for quantity, ms in (("5", T0 + 100), ("9", T0 + 200), ("7", T0 + 300), ("1", T0 + 1_100)):
        events.liquidated(force_order(SYMBOL, "SELL", quantity, "1.2", ms))
    streams = [f"{SYMBOL.lower()}@forceOrder", "!forceOrder@arr", "avaxusdt@forceOrder"]
    assert events.between(streams, T0, T0 + 999) == []
    first, second = events.between(streams, T0 + 999, T0 + 1_250)
    assert (first[0], second[0]) == ("!forceOrder@arr", streams[0])
    assert first[1]["o"]["q"] == second[1]["o"]["q"] == "9" and first[1]["o"]["T"] == T0 + 200
    assert [event["o"]["q"] for _, event in events.between(streams[:1], T0 + 1_250, T0 + 2_000)] == ["1"]
    assert events.between(streams, T0 + 2_000, T0 + 3_000) == []


async def test_over_sockets_the_stream_and_rest_tell_one_book() -> None:
    options = DemoExchangeOptions(speed=60.0, start_ms=T0)
    arguments = (options, MarketStore(ASSETS / "sample"), load_instruments(ASSETS), load_exchange_info(ASSETS))
    async with running_demo_exchange(*arguments) as addresses, aiohttp.ClientSession() as session:
        book, asked = LocalBook(), False
        async with session.ws_connect(f"{addresses.stream}/public/ws/{STREAM}@100ms") as socket:
            matches = 0
            while matches < 3:
                book.take(decoded(json.loads((await socket.receive(10)).data)))
                if not book.is_synchronised:
                    assert not asked
                    async with session.get(f"{addresses.rest}/fapi/v1/depth?symbol={SYMBOL}&limit=1000") as answer:
                        asked = book.set_snapshot(depth_snapshot(await answer.json(), 1_000))
                else:
                    matches += 1
