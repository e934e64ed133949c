"""Matching, funding and liquidation of the demo exchange, without sockets: hand-calculated numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from atm.exchange.demo.account import Account
from atm.exchange.demo.clock import DEFAULT_START_MS
from atm.exchange.demo.engine import Engine
from atm.exchange.demo.market import FUNDING_PERIOD_MS, Market
from atm.exchange.demo.server import next_moment
from atm.storage.market_store import MarketStore
from atm.storage.sample import load_exchange_info, load_instruments

ASSETS = Path(__file__).parents[3] / "assets"
SYMBOL = "NEARUSDT"
NOW_MS = DEFAULT_START_MS + 1_000


@pytest.fixture(scope="module")
def market() -> Market:
    instrument = next(entry for entry in load_instruments(ASSETS) if entry.symbol == SYMBOL)
    return Market(instrument, MarketStore(ASSETS / "sample"))


@pytest.fixture
def events() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def engine(market: Market, events: list[dict[str, Any]]) -> Engine:
    entry = next(entry for entry in load_exchange_info(ASSETS)["symbols"] if entry["symbol"] == SYMBOL)
    filters = {SYMBOL: {item["filterType"]: item for item in entry["filters"]}}
    made = Engine({SYMBOL: market}, filters, Account(settled_ms=NOW_MS), events.append)
    made.set_leverage(SYMBOL, 10, NOW_MS)
    return made


def order(side: str, **more: str) -> dict[str, str]:
    return {"symbol": SYMBOL, "side": side, "type": "MARKET", "quantity": "1000"} | more


def test_a_limit_order_fills_as_maker_when_the_price_goes_through(engine: Engine, market: Market) -> None:
    limit = round(market.price(NOW_MS) * 0.98, 3)
    rested = engine.place(order("BUY", type="LIMIT", price=str(limit), timeInForce="GTC"), NOW_MS)
    engine.advance(NOW_MS, {SYMBOL: (limit,)})
    assert rested.status == "NEW"
    engine.advance(NOW_MS, {SYMBOL: (limit - 0.001, limit + 0.01)})
    assert (rested.status, rested.average) == ("FILLED", pytest.approx(limit))
    assert engine.account.position(SYMBOL).amount == 1000.0
    assert engine.account.wallet == pytest.approx(10_000 - 1000 * limit * 0.0002)


def test_funding_is_paid_once_at_its_stamp(engine: Engine, market: Market) -> None:
    engine.place(order("BUY"), NOW_MS)
    before = engine.account.wallet
    stamp_ms = DEFAULT_START_MS + FUNDING_PERIOD_MS
    for at_ms in (stamp_ms - 1, stamp_ms, stamp_ms + 1):
        engine.advance(at_ms, {SYMBOL: (market.price(at_ms),)})
    assert before - engine.account.wallet == pytest.approx(1000 * market.price(stamp_ms) * 0.0001)


def test_a_liquidated_isolated_position_costs_its_margin_and_no_more(
    engine: Engine, events: list[dict[str, Any]]
) -> None:
    engine.set_margin_type(SYMBOL, isolated=True)
    engine.place(order("BUY"), NOW_MS)
    position = engine.account.position(SYMBOL)
    entry, margin, before = position.entry, position.isolated_wallet, engine.account.balance()
    assert margin == pytest.approx(1000 * entry / 10)
    engine.advance(NOW_MS, {SYMBOL: (entry * 0.95,)})
    assert position.amount == 1000.0
    engine.advance(NOW_MS, {SYMBOL: (entry * 0.905,)})
    assert position.amount == 0.0
    assert before - engine.account.balance() == pytest.approx(margin)
    assert events[-1]["o"]["c"].startswith("autoclose-")


def test_the_path_of_a_minute_reaches_all_four_prices(market: Market) -> None:
    bar = market.bar(DEFAULT_START_MS)
    path = [market.price(DEFAULT_START_MS + at) for at in range(0, 60_000, 250)]
    assert (path[0], max(path), min(path)) == (bar.open, bar.high, bar.low)
    assert market.price(DEFAULT_START_MS + 59_999) == bar.close


def test_a_recording_begins_anew_when_it_has_ended(market: Market) -> None:
    minutes = 132_480
    again = market.bar(DEFAULT_START_MS + minutes * 60_000)
    assert again.open_time == DEFAULT_START_MS + minutes * 60_000
    assert again.row() == market.bar(DEFAULT_START_MS).row()


@pytest.mark.parametrize(("speed", "moments"), [(1.0, 240), (60.0, 4), (1000.0, 3)])
def test_moments_of_a_minute(speed: float, moments: int) -> None:
    found, at_ms = [], DEFAULT_START_MS
    while at_ms < DEFAULT_START_MS + 60_000:
        at_ms = next_moment(at_ms, speed)
        found.append(at_ms - DEFAULT_START_MS)
    assert len(found) == moments
    assert {15_000, 45_000, 60_000} <= set(found)
