"""What is to be closed is closed, however long that takes; what is to be opened is given up in the end."""

import itertools
from decimal import Decimal

from atm.model.account_facts import PositionSeen
from atm.model.journal import KILLED, GivenUp, Target
from atm.model.live_order import OrderState, Purpose
from atm.model.live_request import Failure, FailureKind, PlaceOrder
from atm.model.order import Side
from atm.model.order_facts import Reported
from atm.trading.live.journal_fold import restored
from tests.trading.live.test_live_account import Bench, X, _holding, _stop_row

PASSING = Failure(FailureKind.REFUSED, -4131, "no counterparty")


def _refuse(bench: Bench, failure: Failure) -> int:
    """Refuse all orders that are no stops; how many there were."""
    refused = 0
    for number, flight in list(bench.account._desk.flights.items()):
        if isinstance(flight.request, PlaceOrder) and not flight.request.intent.is_conditional:
            refused += 1
            bench.answer(number, failure=failure)
    return refused


def test_an_exit_is_tried_until_it_is_done_ever_more_slowly_with_an_alarm_that_comes_again() -> None:
    bench = _holding(100)
    bench.wait(1_000)
    bench.do(bench.account.flatten(KILLED, bench.now_ms))
    tries = [bench.now_ms] * _refuse(bench, PASSING)
    for _ in range(3_600):
        bench.wait(1_000)
        tries += [bench.now_ms] * _refuse(bench, PASSING)
    between = [later - earlier for earlier, later in itertools.pairwise(tries)]
    assert max(between) <= 31_000
    assert min(between[10:]) >= 30_000
    assert 110 <= len(tries) <= 130, "twice a minute for an hour"
    assert 10 <= bench.notices.count("notice.live_not_closed") <= 13
    assert "notice.live_decision_given_up" not in bench.notices
    assert bench.account.view(bench.now_ms).not_closed == {X: "no counterparty (-4131)"}
    while not (found := [n for n, f in bench.account._desk.flights.items() if _closes(f.request)]):
        bench.wait(1_000)
    name = bench.account._desk.flights[found[0]].request.intent.client_id
    bench.do(bench.account.learned([PositionSeen(X, Decimal(0), Decimal(0), bench.now_ms)], bench.now_ms))
    bench.answer(found[0], bench.filled(name, 100))
    bench.wait(1_000)
    assert bench.account.state.books[X].own == 0
    assert bench.account.view(bench.now_ms).not_closed == {}


def _closes(request: object) -> bool:
    return isinstance(request, PlaceOrder) and request.intent.purpose is Purpose.CLOSE


def test_an_exit_that_is_refused_for_good_goes_on_as_well() -> None:
    bench = _holding(100)
    bench.wait(1_000)
    bench.aim(0)
    tries = _refuse(bench, Failure(FailureKind.REFUSED, -2019, "margin"))
    for _ in range(300):
        bench.wait(1_000)
        tries += _refuse(bench, Failure(FailureKind.REFUSED, -2019, "margin"))
    assert tries > 10


def test_a_decision_that_was_given_up_stays_so_after_a_start() -> None:
    bench = Bench()
    bench.snapshot()
    bench.aim(100)
    _refuse(bench, Failure(FailureKind.REFUSED, -2019, "margin"))
    (given_up,) = [entry for entry in bench.entries if isinstance(entry, GivenUp)]
    assert given_up.reason == "margin (-2019)"
    after = Bench(entries=bench.entries)
    after.snapshot()
    after.wait(5_000)
    assert not any(isinstance(request, PlaceOrder) for _, request in after.asked)
    assert after.account.view(after.now_ms).given_up == (X,)
    after.aim(50)
    assert restored(after.entries).given_up == {}
    assert any(isinstance(request, PlaceOrder) for _, request in after.asked)


def test_the_side_of_a_stop_out_is_that_of_the_stop() -> None:
    """The position is flat, or turned already, when the stop's order is told."""
    bench = _holding(100)
    stop = next(order for order in bench.account.state.orders.values() if order.intent.is_conditional)
    assert stop.intent.side is Side.SELL
    turned = PositionSeen(X, Decimal(-5), Decimal(2), bench.now_ms + 1)
    hit = Reported(stop.client_id, OrderState.FILLED, Decimal(100), bench.now_ms, 9, 5)
    step = bench.account.learned([turned, hit], bench.now_ms + 1)
    assert [notice.stopped for notice in step.notices if notice.key == "notice.live_stopped_out"] == [1]


def test_the_kill_switch_closes_what_is_not_in_the_journal_yet() -> None:
    """A position that the exchange shows and nobody has explained: adopting it makes it no target."""
    bench = Bench()
    bench.snapshot(100)
    bench.do(bench.account.flatten(KILLED, bench.now_ms))
    for _ in range(60):
        bench.wait(1_000)
        for number, flight in list(bench.account._desk.flights.items()):
            request = flight.request
            if isinstance(request, PlaceOrder) and request.intent.is_conditional:
                rests = Reported(request.intent.client_id, OrderState.ACKNOWLEDGED, Decimal(0), bench.now_ms, 0, number)
                bench.answer(number, rests)
        if any(type(flight.request).__name__ == "TakeSnapshot" for flight in bench.account._desk.flights.values()):
            rows = tuple(_stop_row(bench) for order in bench.account.state.orders.values() if order.rests)
            bench.snapshot(100, rows)
        for number, flight in list(bench.account._desk.flights.items()):
            if type(flight.request).__name__ == "QueryOrder":
                order = bench.account.state.orders[flight.request.client_id]
                bench.answer(number, Reported(order.client_id, order.state, Decimal(0), bench.now_ms, 0, order.algo_id))
    assert bench.account.state.books[X].own == 100
    assert bench.account.state.targets[X] == Target(
        X, Decimal(0), bench.account.state.targets[X].decision_ms, reason=KILLED
    )
    closing = [each.intent for _, each in bench.asked if isinstance(each, PlaceOrder) if _closes(each)]
    assert closing and closing[0].quantity == 100
