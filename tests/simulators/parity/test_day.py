"""Whole days worked again: a virtual day is its own backtest; an actual one differs by what its exchange is known to do otherwise."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import msgspec
import pytest

from atm.managers.actual_account import Facts
from atm.model.parity import TOLERANCE, DecisionCause, ParityDay, Verdict
from atm.simulators.parity import DayMarket, compared, worked_again
from atm.storage.market_store import MarketStore
from atm.trading.actual import Held
from tests.managers.trade_harness import DAY, SYMBOLS, T0, Program, walk
from tests.simulators.parity.recorded import FIRST, HISTORY, SECOND, finish, program, recorded
from tests.simulators.parity.toy_exchange import ToyExchange, lived


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Program:
    made = program(tmp_path_factory.mktemp("day"), 1_440 - HISTORY + 1_440 + 20)
    made.play(len(made.bars["AAAUSDT"]) - HISTORY)
    finish(made)
    return made


def adds_up(found: ParityDay) -> None:
    assert found.money is not None
    assert math.fsum(found.money.causes.values()) == pytest.approx(found.money.difference, abs=TOLERANCE)


def test_a_virtual_day_is_its_own_backtest_to_the_last_cent(ran: Program) -> None:
    for day_ms in (FIRST, SECOND):
        day = recorded(ran, day_ms)
        found = worked_again(day, ran.reader)
        adds_up(found)
        assert found.verdict is Verdict.EQUAL
        assert found.money is not None and found.money.fills_live == found.money.fills_backtest > found.money.pairs > 20
        assert (found.differing, found.missing, found.version) == (0, 0, found.version_live)
        assert found.curve[1] == found.curve[2] and len(found.curve[0]) > 70
        assert found.money.equity_live == pytest.approx(day.equity[-1][1], abs=TOLERANCE)
        assert set(found.observations.slippages) == {0.0}
        assert found.observations.filled == found.observations.wanted > 20
        assert len(found.observations.trips) > 5
    assert ParityDay.unpack(found.pack()) == found


def test_an_actual_day_decides_the_same_and_its_slippage_is_the_difference(tmp_path: Path) -> None:
    day, store = lived(tmp_path, ToyExchange(slip=0.0004))
    found = compared(day, DayMarket(store, day.begin_ms, day.end_ms, day.starts()))
    assert (found.different, found.count > 120) == (0, True)
    result = worked_again(day, store)
    adds_up(result)
    assert result.verdict is Verdict.EXPLAINED and result.money is not None
    assert result.money.unexplained == 0.0
    assert set(result.money.causes) <= {"FILL_PRICE", "ROUNDING", "FEE", "SIZE", "FUNDING"}
    assert result.money.causes["FILL_PRICE"] < 0.0
    # 4 basis points where the backtest pays 1
    assert len(result.observations.slippages) > 15
    assert sum(result.observations.slippages) / len(result.observations.slippages) == pytest.approx(3e-4, rel=0.1)
    assert result.observations.filled == result.observations.wanted


def test_funding_that_is_booked_before_the_end_of_its_minute_is_told_is_funding(tmp_path: Path) -> None:
    """At the end of the day too, where the stamp is the next day's."""
    exchange = ToyExchange(slip=0.0001, early=True)
    day, store = lived(tmp_path, exchange)
    assert exchange.quantity, "something is held at the end"
    result = worked_again(day, store)
    adds_up(result)
    assert result.money is not None and result.money.unexplained == 0.0
    assert result.money.causes["FUNDING"] == pytest.approx(-exchange.quantity * exchange.entry * 0.0001, rel=0.2)


def test_an_order_that_the_exchange_did_not_fill_is_said_with_its_money(tmp_path: Path) -> None:
    exchange = ToyExchange(slip=0.0001)
    day, _ = lived(tmp_path / "filled", exchange)
    skipped = exchange.fills[len(exchange.fills) // 2].decision_ms
    day, store = lived(tmp_path / "skipped", ToyExchange(slip=0.0001, unfilled=frozenset({skipped})))
    result = worked_again(day, store)
    adds_up(result)
    assert result.money is not None and result.money.unexplained == 0.0
    assert "PARTIAL" in result.money.causes
    assert result.observations.filled < result.observations.wanted
    assert DecisionCause.UNKNOWN.value not in result.causes


def test_money_that_vanishes_is_unexplained(tmp_path: Path) -> None:
    class Leaking(ToyExchange):
        def open(self, time_ms: int, price: float, target: object) -> None:
            super().open(time_ms, price, target)  # type: ignore[arg-type]
            if time_ms % (60 * 60_000) == 30 * 60_000:
                self.wallet -= 0.25

    day, store = lived(tmp_path, Leaking(slip=0.0001))
    result = worked_again(day, store)
    adds_up(result)
    assert result.verdict is Verdict.UNEXPLAINED and result.money is not None
    assert result.money.unexplained == pytest.approx(-2.5, abs=TOLERANCE)


def test_a_position_that_is_not_traded_here_is_carried_along(tmp_path: Path) -> None:
    class Beside(ToyExchange):
        def facts(self, name: str) -> Facts | None:
            known = super().facts(name)
            assert known is not None
            return msgspec.structs.replace(known, held={**known.held, SYMBOLS[1]: Held(3.0, 7.0)})

    MarketStore(tmp_path / "market", read_only=False).append(SYMBOLS[1], walk(9, 120, T0 + DAY * 60_000))
    day, store = lived(tmp_path, Beside(slip=0.0001), 120)
    result = worked_again(day, store)
    adds_up(result)
    assert result.money is not None and result.money.unexplained == 0.0


def test_a_record_with_a_hole_is_not_judged(tmp_path: Path) -> None:
    day, store = lived(tmp_path, ToyExchange(), 180)
    holed = dataclasses.replace(day, hours=[*day.hours[:1], *day.hours[2:]])
    assert worked_again(day, store).verdict is not Verdict.INCOMPLETE
    assert worked_again(holed, store).verdict is Verdict.INCOMPLETE
