"""Answers of the exchange that come late, or from a copy that lags behind."""

from decimal import Decimal

import msgspec

from atm.model.account_facts import PositionSeen, Snapshot, TradeSeen, WalletSeen
from atm.model.journal import Adjusted, Target
from atm.model.live_order import OrderFill, OrderState, Purpose
from atm.model.live_request import Answer, Failure, FailureKind, PlaceOrder, QueryOrder, QueryTrades, TakeSnapshot
from atm.model.order import Side
from atm.model.order_facts import Filled, Reported
from tests.trading.live.test_live_account import SETUP, Bench, X, _holding, _stop_row


def _snapshots(bench: Bench) -> list[int]:
    """Numbers of the snapshots that are waited for."""
    return [
        number for number, flight in bench.account._desk.flights.items() if isinstance(flight.request, TakeSnapshot)
    ]


def _placed(bench: Bench, since: int) -> list[Purpose]:
    return [request.intent.purpose for _, request in bench.asked[since:] if isinstance(request, PlaceOrder)]


def test_a_flat_that_was_read_too_early_blocks_no_exit() -> None:
    """The copy that positionRisk is answered from has not heard of the fill of a second ago."""
    bench = _holding(100)
    stop = _stop_row(bench)
    bench.do(bench.account.reconnected(bench.now_ms + 1_000))
    bench.wait(1_000)
    bench.snapshot(0, (stop,))
    before = len(bench.asked)
    bench.aim(0)
    assert _placed(bench, before) == [Purpose.CLOSE], "the position that the fill has told is closed at once"
    assert not any(isinstance(entry, Adjusted) for entry in bench.entries)


def test_a_row_older_than_our_newest_fill_is_no_change_from_outside() -> None:
    bench = _holding(100)
    stop = _stop_row(bench)
    filled_ms = bench.now_ms
    for _ in range(4):
        bench.wait(2_000)
        bench.do(bench.account.reconnected(bench.now_ms))
        (number,) = _snapshots(bench)
        old = (PositionSeen(X, Decimal(40), Decimal(2), filled_ms - 500),)
        taken = Snapshot(bench.now_ms, bench.now_ms, (stop,), old, (), (), (), ())
        bench.do(bench.account.answered(Answer(number, bench.now_ms, snapshot=taken), bench.now_ms))
        for asked, flight in list(bench.account._desk.flights.items()):
            if isinstance(flight.request, QueryOrder):
                bench.answer(asked, Reported(stop.client_id, OrderState.ACKNOWLEDGED, Decimal(0), bench.now_ms, 0, 5))
    assert bench.now_ms - filled_ms < 10_000
    assert not any(isinstance(entry, Adjusted) for entry in bench.entries)
    assert bench.account.state.books[X].own == 100


def test_a_snapshot_that_takes_twenty_seconds_makes_ready() -> None:
    bench = Bench()
    (first,) = _snapshots(bench)
    asked_ms: dict[int, int] = {}
    for _ in range(70):
        for number in _snapshots(bench):
            asked_ms.setdefault(number, bench.now_ms)
        bench.wait(1_000)
        for number, at_ms in list(asked_ms.items()):
            if bench.now_ms - at_ms == 20_000:
                taken = Snapshot(at_ms, bench.now_ms, (), (), (WalletSeen("USDT", Decimal(10_000), at_ms),))
                bench.do(bench.account.answered(Answer(number, at_ms, snapshot=taken), bench.now_ms))
        if bench.account.is_ready:
            break
    assert bench.account.is_ready
    assert bench.notices == ["notice.live_not_compared"]
    assert first not in _snapshots(bench)


def test_snapshots_that_fail_again_and_again_are_told_of() -> None:
    bench = Bench()
    begun_ms, asked = bench.now_ms, []
    while bench.now_ms < begun_ms + 60_000:
        for number in _snapshots(bench):
            asked.append(bench.now_ms)
            failure = Failure(FailureKind.NOT_DONE, reason="no connection")
            bench.do(bench.account.answered(Answer(number, bench.now_ms, failure=failure), bench.now_ms))
        bench.wait(250)
    assert bench.notices == ["notice.live_not_compared"]
    assert 12 <= len(asked) <= 16, "after 1, 2, 3, 4 and then each 5 s"


def test_a_snapshot_that_was_asked_for_before_a_reconnection_makes_nothing_ready() -> None:
    bench = Bench()
    asked_ms = bench.now_ms
    bench.wait(1_000)
    bench.do(bench.account.reconnected(bench.now_ms))
    (number,) = _snapshots(bench)
    taken = Snapshot(asked_ms, bench.now_ms, (), ())
    bench.do(bench.account.answered(Answer(number, asked_ms, snapshot=taken), bench.now_ms))
    assert not bench.account.is_ready
    assert _snapshots(bench), "it is asked for again at once"


def test_a_position_that_nobody_explains_yet_keeps_the_stop_that_rests_for_it() -> None:
    """After a start the journal knows the stop, but not the position that it was placed for."""
    setup = msgspec.structs.replace(SETUP, stop_distance=0.1)
    before = Bench(setup)
    before.snapshot(100)
    before.wait(1_500)
    number, stop = before.asks(PlaceOrder)
    before.answer(number, Reported(stop.intent.client_id, OrderState.ACKNOWLEDGED, Decimal(0), before.now_ms, 0, 5))
    after = Bench(setup, before.entries)
    after.now_ms = before.now_ms
    after.snapshot(100, (_stop_row(after),))
    after.wait(100)
    state = after.account.state.orders[stop.intent.client_id]
    assert state.cancel_asked_ms == 0


def test_a_fill_of_the_short_message_gets_its_commission_and_is_logged_once() -> None:
    bench = Bench()
    bench.snapshot()
    bench.aim(100)
    number, placed = bench.asks(PlaceOrder)
    name, short = placed.intent.client_id, OrderFill(7, Decimal(100), Decimal(2), bench.now_ms)
    bench.do(bench.account.learned([PositionSeen(X, Decimal(100), Decimal(2), bench.now_ms)], bench.now_ms))
    bench.do(bench.account.learned([Filled(name, short, 77)], bench.now_ms))
    bench.answer(number, bench.filled(name, 100))
    bench.wait(1_600)
    (number, query), *_ = [(n, each) for n, each in bench.asked if isinstance(each, QueryTrades)]
    assert query.order_id == 77
    whole = msgspec.structs.replace(short, commission=Decimal("0.08"), asset="USDT", profit=Decimal(0))
    told = Answer(number, bench.now_ms, trades=(TradeSeen(X, 77, Side.BUY, whole),))
    bench.do(bench.account.answered(told, bench.now_ms))
    bench.do(bench.account.learned([Filled(name, whole, 77)], bench.now_ms))
    known = [e for e in bench.entries if isinstance(e, Filled) and e.fill.commission is not None]
    assert len(known) == 1
    assert bench.account.state.orders[name].is_complete


def test_a_fill_of_a_resting_order_that_no_event_told_is_logged_while_it_rests() -> None:
    bench = Bench()
    bench.snapshot()
    bench.account.priced(X, Decimal(2), Decimal(2), bench.now_ms)
    bench.do(bench.account.aim(Target(X, Decimal(100), bench.now_ms, price=Decimal("1.99")), bench.now_ms))
    number, placed = bench.asks(PlaceOrder)
    name = placed.intent.client_id
    bench.answer(number, Reported(name, OrderState.ACKNOWLEDGED, Decimal(0), bench.now_ms, 77))
    bench.do(
        bench.account.learned(
            [Reported(name, OrderState.PARTIALLY_FILLED, Decimal(40), bench.now_ms, 77)], bench.now_ms
        )
    )  # fmt: skip
    bench.wait(1_600)
    (number, query), *_ = [(n, each) for n, each in bench.asked if isinstance(each, QueryTrades)]
    assert query.order_id == 77
    fill = OrderFill(7, Decimal(40), Decimal("1.99"), bench.now_ms, True, Decimal("0.02"), "USDT")
    bench.do(
        bench.account.answered(
            Answer(number, bench.now_ms, trades=(TradeSeen(X, 77, Side.BUY, fill),)), bench.now_ms
        )
    )  # fmt: skip
    order = bench.account.state.orders[name]
    assert order.has_all_fills and not order.is_complete and order.fills == (fill,)
    asked = len(bench.asked)
    bench.wait(1_600)
    assert not any(isinstance(each, QueryTrades) for _, each in bench.asked[asked:])


def test_fills_are_asked_for_where_a_lost_order_could_have_made_them_however_long_a_stop_rests() -> None:
    """The history answers with a week from the moment on that is named: a month ago it would not hold what a lost order has done."""
    bench = _holding(100)
    stop = _stop_row(bench)
    bench.wait(31 * 86_400_000)
    bench.snapshot(100, (stop,))
    bench.aim(150)
    number, placed = bench.asks(PlaceOrder)
    sent_ms, name = bench.now_ms, placed.intent.client_id
    bench.answer(number, failure=Failure(FailureKind.UNKNOWN))
    for _ in range(25):
        bench.wait(1_000)
        for asked, flight in list(bench.account._desk.flights.items()):
            if isinstance(flight.request, QueryOrder) and flight.request.client_id == name:
                bench.answer(asked, failure=Failure(FailureKind.NOT_FOUND, -2013))
    wanted = [each for _, each in bench.asked if isinstance(each, TakeSnapshot) and each.trades_of][-1]
    assert sent_ms - 10_000 < wanted.since_ms < sent_ms


def test_a_history_that_does_not_reach_an_order_proves_nothing_of_it() -> None:
    bench = Bench()
    bench.snapshot()
    bench.aim(100)
    number, _ = bench.asks(PlaceOrder)
    bench.answer(number, failure=Failure(FailureKind.UNKNOWN))
    for cut in (True, False):
        for _ in range(30):
            bench.wait(1_000)
            for asked, flight in list(bench.account._desk.flights.items()):
                request = flight.request
                if isinstance(request, QueryOrder):
                    bench.answer(asked, failure=Failure(FailureKind.NOT_FOUND, -2013))
                elif isinstance(request, TakeSnapshot):
                    taken = Snapshot(
                        bench.now_ms, bench.now_ms, (), (), trades_of=request.trades_of, since_ms=request.since_ms,
                        cut_of=request.trades_of if cut else (),
                    )  # fmt: skip
                    bench.do(bench.account.answered(Answer(asked, bench.now_ms, snapshot=taken), bench.now_ms))
        orders = [each.intent.attempt for _, each in bench.asked if isinstance(each, PlaceOrder)]
        assert orders[: 1 + (not cut)] == [0, 1][: 1 + (not cut)]
        assert len(orders) == 1 or not cut
