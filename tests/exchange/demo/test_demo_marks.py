"""Mark price bars of the demo exchange: sixty seconds each, the same by REST and by stream at every speed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import numpy as np
import pytest

from atm.exchange.demo.documents import money
from atm.exchange.demo.market import INTERVALS, Market
from atm.exchange.demo.server import DemoExchangeOptions, next_moment, running_demo_exchange
from atm.model.bars import Bar, Bars, Source, TimeRange
from atm.model.interval import HOUR_MS, MINUTE_MS
from atm.storage.market_store import MarketStore
from atm.storage.sample import load_exchange_info, load_instruments

ASSETS = Path(__file__).parents[3] / "assets"
SYMBOL = "NEARUSDT"
T0 = 1_694_131_200_000
NOW_MS = T0 + 90_500
WALL_MS = 1_790_000_000_000.0
Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def market() -> Market:
    instrument = next(each for each in load_instruments(ASSETS) if each.symbol == SYMBOL)
    return Market(instrument, MarketStore(ASSETS / "sample"))


@pytest.fixture
async def get() -> AsyncIterator[Ask]:
    options = DemoExchangeOptions(speed=1.0, start_ms=NOW_MS)
    arguments = (options, MarketStore(ASSETS / "sample"), load_instruments(ASSETS), load_exchange_info(ASSETS))
    async with running_demo_exchange(*arguments, lambda: WALL_MS) as addresses, aiohttp.ClientSession() as session:

        async def asked(path: str, **given: Any) -> Any:
            async with session.get(f"{addresses.rest}/fapi/v1/{path}?{urlencode(given)}") as answer:
                return await answer.json()

        yield asked


def four(texts: Sequence[str]) -> tuple[str, str, str, str]:
    values = [float(text) for text in texts]
    return texts[0], texts[values.index(max(values))], texts[values.index(min(values))], texts[-1]


async def test_a_bar_is_that_of_its_sixty_seconds_one_by_one(market: Market, get: Ask) -> None:
    start = T0 - 3 * HOUR_MS
    rows = await get("markPriceKlines", symbol=SYMBOL, interval="1m", startTime=start, endTime=start + 99 * MINUTE_MS)
    assert [row[0] for row in rows] == [start + at * MINUTE_MS for at in range(100)]
    for row in rows:
        seconds = [money(market.mark(ms)) for ms in range(row[0], row[0] + MINUTE_MS, 1_000)]
        assert (*row[1:5],) == four(seconds)
        assert row[5:] == ["0", row[0] + MINUTE_MS - 1, "0", 60, "0", "0", "0"]


@pytest.mark.parametrize("interval", ["1m", "5m", "1h"])
@pytest.mark.parametrize(
    ("path", "named"), [("markPriceKlines", "symbol"), ("indexPriceKlines", "pair"), ("premiumIndexKlines", "symbol")]
)
async def test_every_interval_ends_with_the_running_bar(
    market: Market, get: Ask, path: str, named: str, interval: str
) -> None:
    def value(ms: int) -> str:
        index, mark = market.index(ms), market.mark(ms)
        return money({"m": mark, "i": index, "p": float(np.float64(mark) / index - 1.0)}[path[0]])

    rows = await get(path, **{named: SYMBOL}, interval=interval, limit=3)
    assert len(rows) == 3
    for row in rows:
        end = min(NOW_MS + 1, INTERVALS[interval].next_open(row[0]))
        assert (*row[1:5],) == four([value(ms) for ms in range(row[0], end, 1_000)])
    assert rows[-1][0] <= NOW_MS < rows[-1][6]


async def test_a_request_without_symbol_or_interval_is_refused(get: Ask) -> None:
    for path, given in (("markPriceKlines", {"interval": "1m"}), ("indexPriceKlines", {"pair": SYMBOL})):
        assert (await get(path, **given))["code"] == -1102


def test_the_index_lags_behind_a_market_by_forty_seconds_at_most() -> None:
    """By hand: a jump from 2 to 4 within one bar without a way; the mean of three equal lines is reached 40 s after its end."""
    instrument = next(each for each in load_instruments(ASSETS) if each.symbol == SYMBOL)
    rows = [
        Bar(T0 + at * MINUTE_MS, p, p, p, p, 10.0, 20.0, 5.0, 4.0, 8.0) for at, p in enumerate((2.0, 2.0, 4.0, 4.0))
    ]
    bars = Bars.of(rows, Source.REST)

    class Written:
        def symbols(self) -> list[str]:
            return [SYMBOL]

        def coverage(self, _: str) -> tuple[TimeRange, ...]:
            return (TimeRange(T0, T0 + 4 * MINUTE_MS),)

        def read(self, _: str, start_ms: int, end_ms: int) -> Bars:
            return bars.between(start_ms, end_ms)

    market = Market(instrument, Written())
    jump = T0 + 2 * MINUTE_MS
    assert [market.index(jump + ms) for ms in (-1, 0, 19_999, 20_000, 39_999, 40_000)] == pytest.approx(
        [2, 8 / 3, 8 / 3, 10 / 3, 10 / 3, 4]
    )


@pytest.mark.parametrize("speed", [1.0, 7.0, 60.0, 600.0, 1000.0])
def test_what_a_stream_tells_of_a_minute_makes_its_bar_at_every_speed(market: Market, speed: float) -> None:
    told: dict[int, list[float]] = {}
    at, events = T0 + 100, 0
    while at < T0 + 12 * MINUTE_MS:
        due = next_moment(at, speed)
        for ms in market.marks.telling(at, due, 5):
            assert at < ms <= due and ms % 1_000 == 0
            told.setdefault(ms // MINUTE_MS, []).append(market.mark(ms))
            events += 1
        at = due
    whole = [prices for minute, prices in sorted(told.items()) if T0 < minute * MINUTE_MS < T0 + 11 * MINUTE_MS]
    bars = market.marks.bars([T0 + m * MINUTE_MS for m in range(1, 12)], at, lambda _, mark: mark)
    assert [(prices[0], max(prices), min(prices), prices[-1]) for prices in whole] == bars
    assert events <= (60 if speed < 20 else 10) * 13


async def test_a_client_has_every_mark_price_before_the_bar_is_closed_and_the_same_as_rest() -> None:
    names = f"{SYMBOL.lower()}@markPrice@1s/{SYMBOL.lower()}@kline_1m"
    options = DemoExchangeOptions(speed=600.0, start_ms=T0)
    arguments = (options, MarketStore(ASSETS / "sample"), load_instruments(ASSETS), load_exchange_info(ASSETS))
    told: dict[int, list[str]] = {}
    streamed: dict[int, tuple[str, ...]] = {}
    async with running_demo_exchange(*arguments) as addresses, aiohttp.ClientSession() as session:
        async with session.ws_connect(f"{addresses.stream}/market/stream?streams={names}") as socket:
            while len(streamed) < 6:
                event = json.loads((await socket.receive(10)).data)["data"]
                if event["e"] == "markPriceUpdate":
                    told.setdefault(event["E"] // MINUTE_MS * MINUTE_MS, []).append(event["p"])
                elif event["k"]["x"]:
                    streamed[event["k"]["t"]] = four(told.get(event["k"]["t"], ["0"]))
        opens = sorted(streamed)[1:]  # the first may have begun before the subscription
        query = f"symbol={SYMBOL}&interval=1m&startTime={opens[0]}&limit={len(opens)}"
        async with session.get(f"{addresses.rest}/fapi/v1/markPriceKlines?{query}") as answer:
            rows = await answer.json()
    assert [(row[0], (*row[1:5],)) for row in rows] == [(opened, streamed[opened]) for opened in opens]
