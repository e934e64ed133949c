"""Markets with written-down minutes, and an engine on them that keeps its events."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from atm.exchange.demo.account import Account, ExchangeState
from atm.exchange.demo.engine import Engine
from atm.exchange.demo.market import Market
from atm.exchange.demo.rules import Rules
from atm.model.bars import Bar, Bars, Source, TimeRange
from atm.model.endpoint import Addresses
from atm.model.instrument import Instrument
from atm.model.interval import MINUTE_MS
from atm.storage.sample import load_exchange_info, load_instruments

ASSETS = Path(__file__).parents[3] / "assets"
T0 = 1_694_131_200_000  # 2023-09-08 00:00 UTC, a funding stamp
SYMBOL = "NEARUSDT"  # tick 0.001, step 1; maintenance 1 % up to 20,000 USDT, then 1.5 % (cum 100) up to 200,000


class Written:
    """A source of minutes of one symbol."""

    def __init__(self, bars: Sequence[Bar]) -> None:
        self._bars = Bars.of(bars, Source.SAMPLE)

    def symbols(self) -> list[str]:
        return [SYMBOL]

    def coverage(self, symbol: str) -> tuple[TimeRange, ...]:
        return (TimeRange(int(self._bars.open_time[0]), int(self._bars.open_time[-1]) + MINUTE_MS),)

    def read(self, symbol: str, start_ms: int, end_ms: int) -> Bars:
        return self._bars.between(start_ms, end_ms)


def minutes(prices: Sequence[float], volume: float = 1_000_000.0, start_ms: int = T0) -> list[Bar]:
    """A minute from each price to the next, bought by takers at the mean of both: the last trade is at the best ask."""
    bars = []
    for index, (opened, closed) in enumerate(itertools.pairwise(prices)):
        quote = round(volume * (opened + closed) / 2, 3)
        high, low = max(opened, closed), min(opened, closed)
        row = (opened, high, low, closed, volume, quote, 100.0, volume, quote)
        bars.append(Bar(start_ms + index * MINUTE_MS, *row))
    return bars


@pytest.fixture(scope="session")
def instrument() -> Instrument:
    return next(entry for entry in load_instruments(ASSETS) if entry.symbol == SYMBOL)


@pytest.fixture(scope="session")
def rules() -> Rules:
    return Rules.of(next(entry for entry in load_exchange_info(ASSETS)["symbols"] if entry["symbol"] == SYMBOL))


class Table:
    """An engine with one account, whose events are kept."""

    def __init__(self, market: Market, rules: Rules, now_ms: int) -> None:
        self.events: list[dict[str, Any]] = []
        self.account = Account(name="demo")
        self.market = market
        state = ExchangeState(now_ms, {"demo": self.account}, {})
        self.engine = Engine({market.symbol: market}, {market.symbol: rules}, state, self._keep)

    def _keep(self, account: Account, event: dict[str, Any]) -> None:
        self.events.append(event)

    def incomes(self, kind: str) -> list[float]:
        return [income.amount for income in self.account.incomes if income.kind == kind]


@pytest.fixture
def table(instrument: Instrument, rules: Rules) -> Callable[..., Table]:
    """table(prices, volume=…): an engine at T0 on minutes that lead from price to price."""

    def make(prices: Sequence[float], volume: float = 1_000_000.0, start_ms: int = T0) -> Table:
        return Table(Market(instrument, Written(minutes(prices, volume, start_ms))), rules, T0)

    return make


@pytest.fixture(scope="session")
def written(instrument: Instrument) -> Callable[[Sequence[Bar]], Market]:
    """written(bars): a market that replays them."""
    return lambda bars: Market(instrument, Written(bars))


@pytest.fixture
def sdk_client(addresses: Addresses) -> Any:
    common = pytest.importorskip("binance_common.configuration")
    futures = pytest.importorskip("binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures")
    rest = common.ConfigurationRestAPI(api_key="demo", api_secret="demo", base_path=addresses.rest, retries=0)
    streams = common.ConfigurationWebSocketStreams(stream_url=addresses.stream)
    return futures.DerivativesTradingUsdsFutures(config_rest_api=rest, config_ws_streams=streams)
