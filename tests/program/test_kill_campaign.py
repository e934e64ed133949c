"""A short kill campaign: every instant once over the real process tree, three actual accounts on ten symbols of the demo exchange."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from atm.exchange.demo.account import Account, Order, Position, Trade
from atm.exchange.demo.clock import DEFAULT_START_MS
from atm.model.interval import MINUTE_MS
from atm.model.journal import Target
from atm.model.live_order import Purpose
from atm.storage.database import Database
from atm.trading.live.client_id import client_id
from benchmarks._kill_books import Books, Journal
from benchmarks._kill_plan import Instant, Plan, plan
from benchmarks._kill_program import MAIN
from benchmarks._kill_run import World, had_time
from benchmarks._kill_verdict import Sentence, differences
from benchmarks._kill_world import SYMBOLS, Market

pytestmark = [pytest.mark.program, pytest.mark.timeout(600)]

SPEED, TRIES = 6.0, 3


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("kills") / "world", SPEED, threading.Event())
    try:
        made.open()
        yield made
    finally:
        made.close()


def _check(world: World, wanted: Plan) -> None:
    """An instant may be gone before the blow falls; a run that missed it must end well too."""
    for _ in range(TRIES):
        outcome = world.run(wanted)
        assert not outcome.violations, "\n".join(outcome.story)
        if outcome.hit:
            return
    pytest.fail(f"never reached: {wanted.instant.value}")


@pytest.mark.parametrize(
    ("instant", "victims", "hold", "target"),
    [
        (Instant.JOURNAL_SEND, ("trade",), "", ""),
        (Instant.SEND_ANSWER, ("trade", "binance_api"), "late_execution", "POST /fapi/v1/order"),
        (Instant.PARTIAL_FILL, ("binance_api",), "", ""),
        (Instant.RECONCILIATION, ("trade",), "no_answer_before", "GET /fapi/v1/openOrders"),
        (Instant.REPLACEMENT, ("binance_api",), "no_answer_after", "POST /fapi/v1/algoOrder"),
        (Instant.RANDOM, (MAIN,), "", ""),
    ],
)
def test_killed_at_an_instant_the_accounts_are_what_the_exchange_says(
    world: World, instant: Instant, victims: tuple[str, ...], hold: str, target: str
) -> None:
    hold_ms = 4_000 if hold.startswith("late") else 0
    _check(world, Plan(0, instant, victims, 0.0, "", 0.0, hold, hold_ms, target))


def test_a_run_is_drawn_from_its_number_and_all_instants_come_in_turn() -> None:
    assert plan(7) == plan(7)
    assert {plan(seed).instant for seed in range(1, 8)} == set(Instant)
    assert len({str(msgspec.structs.replace(plan(seed), seed=0)) for seed in range(1, 301)}) > 200


def test_a_decision_is_excused_only_where_there_was_no_time_for_it() -> None:
    assert had_time(0, 10, [])
    assert had_time(0, 10, [(2, 10)]) and had_time(0, 10, [(0, 8)])
    assert not had_time(0, 10, [(1, 9)])
    assert not had_time(0, 10, [(0, 6), (5, 9.5)]) and not had_time(0, 10, [(1, 9), (12, 20)])
    assert had_time(0, 10, [(-9, -1), (0.5, 3), (6, 12)])


def test_decisions_that_are_missing_or_wrong_are_told(tmp_path: Path) -> None:
    Database(f"sqlite:///{tmp_path / 'demo.sqlite3'}").close()
    market, journal = Market(), Journal(tmp_path, "one")
    begin_ms = DEFAULT_START_MS
    sentence = Sentence(market, begin_ms)
    close_ms = begin_ms + MINUTE_MS
    for symbol in SYMBOLS[1:]:
        right = market.exposure("one", symbol, close_ms)
        given = -right if symbol == SYMBOLS[1] else right
        journal.targets[symbol, close_ms] = Target(symbol, Decimal(1), close_ms, exposure=given)
    found = sentence.missed(journal, begin_ms + 3 * MINUTE_MS, lambda *_: True)
    assert len(found) == 2 and sentence.decisions == len(SYMBOLS) and sentence.excused == 0
    assert f"{SYMBOLS[1]} at {close_ms}" in found[0] and f"of 1 symbols: {SYMBOLS[0]}" in found[1]


def test_two_sides_that_differ_are_told(tmp_path: Path) -> None:
    """The judge sees what it is there to see: an order and a fill that the journal lacks, a position without a stop."""
    Database(f"sqlite:///{tmp_path / 'demo.sqlite3'}").close()
    books, journal = Books("one"), Journal(tmp_path, "one")
    assert differences(journal, books) == []
    name = client_id("one", "AAAUSDT", 1_694_131_380_000, Purpose.OPEN, 0, 0)
    order = Order(7, name, "AAAUSDT", "BUY", "MARKET", "GTC", "5", "0", False, 1, 1, "FILLED", 5.0, 10.0)
    trade = Trade(8, 7, "AAAUSDT", "BUY", 2.0, 5.0, 0.0, 0.005, False, 1)
    books.take(
        Account("one", wallet=9_999.995, positions={"AAAUSDT": Position(5.0, 2.0)}, old_orders=[order], trades=[trade])
    )  # fmt: skip
    found = "\n".join(differences(journal, books))
    assert f"{name} is not in the journal" in found
    assert "None in the journal" in found and "trade records add up to 0.00000000" in found
    assert "AAAUSDT: the journal has 0, the exchange 5.0" in found and "AAAUSDT: 5.0 without a stop" in found
    assert "is not what it has booked" in found
