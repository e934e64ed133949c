"""How fresh a symbol is said to be."""

from __future__ import annotations

import msgspec
import pytest

from atm.gui.market.freshness import freshness
from atm.gui.read_model import ReadModel
from atm.ipc.messages import BINANCE_API, DemoUpdated, ProcessState
from atm.model.demo_state import DemoState
from tests.gui.filled import WALL_MS, filled_model

SYMBOL = "AVAXUSDT"


def demo(speed: float, paused: bool, market_ms: int) -> DemoUpdated:
    return DemoUpdated(DemoState(market_ms, speed, paused, 0, market_ms * 2, 0), WALL_MS)


@pytest.fixture
def model() -> ReadModel:
    return filled_model()


def newest(model: ReadModel) -> int:
    return max(model.marks[SYMBOL].time_ms, model.last_trades[SYMBOL].time_ms, model.books[SYMBOL].time_ms)


def at(model: ReadModel, age_ms: int) -> int:
    """Wall time at which the newest of the symbol is that old in market time."""
    assert model.connection is not None
    return newest(model) + age_ms - model.connection.market_offset_ms


def test_what_came_just_now_is_live_and_what_did_not_come_is_stale_with_its_age(model: ReadModel) -> None:
    assert freshness(model, SYMBOL, at(model, 2_000)).state == "live"
    stale = freshness(model, SYMBOL, at(model, 90_000))
    assert (stale.state, stale.age_s, stale.last_ms) == ("stale", 90.0, newest(model))


def test_the_age_is_in_real_time_on_a_fast_market(model: ReadModel) -> None:
    model.apply(demo(60.0, False, 0))
    assert freshness(model, SYMBOL, at(model, 90_000)).state == "live"
    assert freshness(model, SYMBOL, at(model, 60 * 90_000)).age_s == 90.0


def test_a_held_market_is_not_stale(model: ReadModel) -> None:
    model.apply(demo(60.0, True, newest(model) + 3_600_000))
    assert freshness(model, SYMBOL, WALL_MS).state == "held"


@pytest.mark.parametrize("state", ["disconnected", "banned", "connecting"])
def test_a_lost_connection_is_said_with_its_reason(model: ReadModel, state: str) -> None:
    assert model.connection is not None
    model.connection = msgspec.structs.replace(model.connection, state=state, reason="cable")
    fresh = freshness(model, SYMBOL, at(model, 5_000))
    assert (fresh.state, fresh.reason, fresh.age_s) == (state, "cable", 5.0)
    assert not fresh.is_live


def test_a_dead_process_is_said_and_a_window_that_knows_nothing_is_connecting(model: ReadModel) -> None:
    model.apply(ProcessState(BINANCE_API, "dead", 0, 1))
    assert freshness(model, SYMBOL, WALL_MS).state == "restarting"
    assert freshness(ReadModel(), SYMBOL, WALL_MS).state == "connecting"
