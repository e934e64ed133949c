"""What is asked of the exchange for whoever looks at the market, on the demo exchange over real sockets."""

from __future__ import annotations

import asyncio
from pathlib import Path

from atm.exchange.client.rest import FuturesClient
from atm.exchange.demo.server import DemoExchangeOptions, running_demo_exchange
from atm.ipc.local import LocalBus
from atm.ipc.messages import BINANCE_API, DayTickers, Done, LookAtMarket, OpenInterest, Reply
from atm.managers.market_desk import ALL_FRESH_S, FRESH_S, MarketDesk
from atm.storage.market_store import MarketStore
from atm.storage.sample import load_exchange_info, load_instruments

ASSETS = Path(__file__).parents[2] / "assets"


async def test_all_symbols_are_asked_for_every_two_minutes_and_the_one_in_sight_with_its_open_interest_after_ten_seconds() -> (
    None
):
    arguments = MarketStore(ASSETS / "sample"), load_instruments(ASSETS), load_exchange_info(ASSETS)
    bus, now_s = LocalBus(), [100.0]
    api, page = bus.assistant(BINANCE_API), bus.assistant("gui")
    told: list[DayTickers] = []
    interest: list[OpenInterest] = []
    replies: list[Reply] = []
    page.subscribe(DayTickers, told.append)
    page.subscribe(OpenInterest, interest.append)
    async with (
        running_demo_exchange(DemoExchangeOptions(speed=1.0), *arguments) as addresses,
        FuturesClient(addresses) as client,
    ):
        tasks: list[asyncio.Task[None]] = []
        asked: list[str] = []

        def answered(path: str, request: str, _: bytes) -> None:
            if path.endswith("/ticker/24hr"):
                asked.append(request.partition("?")[2])

        client.tell_answers(answered)
        MarketDesk(api, client, lambda work: tasks.append(asyncio.create_task(work)), lambda: now_s[0])

        async def look(symbol: str = "NEARUSDT") -> None:
            page.request_async(BINANCE_API, LookAtMarket(symbol), replies.append)
            bus.pump()
            await asyncio.gather(*tasks)
            bus.pump()

        await look()
        await look()
        assert len(told) == 1 and replies == [Done(), Done()] and asked == [""]
        now_s[0] += FRESH_S
        await look()
        assert asked == ["", "symbol=NEARUSDT"]
        await look("FILUSDT")
        await look("FILUSDT")
        assert asked == ["", "symbol=NEARUSDT", "symbol=FILUSDT"]
        assert len(told) == 3 and all(len(each.tickers) == 3 for each in told)
        now_s[0] += ALL_FRESH_S
        await look()
        assert asked[3:] == [""] and len(told) == 4
        assert {each.symbol for each in interest} == {"NEARUSDT", "FILUSDT"} and interest[0].quantity > 0
        await look("UNKNOWNUSDT")
        assert replies[-1] == Done() and {each.symbol for each in interest} == {"NEARUSDT", "FILUSDT"}, (
            "a missing one is no failure"
        )
    by_name = {ticker.symbol: ticker for ticker in told[-1].tickers}
    assert set(by_name) == {"AVAXUSDT", "FILUSDT", "NEARUSDT"}
    near = by_name["NEARUSDT"]
    assert near.low <= near.last <= near.high and -0.5 < near.change < 0.5 and near.quote_volume > near.volume
