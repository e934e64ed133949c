"""A live account step by step, its answers written by hand."""

from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import msgspec

from atm.model.account_facts import OpenOrder, PositionSeen, SettingsSeen, Snapshot, WalletSeen
from atm.model.journal import FORCE_CLEAR, Adjusted, Halted, JournalEntry, LiveState, Target
from atm.model.live_order import OrderState, Purpose
from atm.model.live_request import (
    Answer,
    CancelOrder,
    Failure,
    FailureKind,
    LiveRequest,
    PlaceOrder,
    QueryOrder,
    SetLeverage,
    SetMarginMode,
    TakeSnapshot,
)
from atm.model.order import Side
from atm.model.order_facts import Intended, Reported, Sent
from atm.model.risk import LiveSetup, OutsidePolicy, RiskLimits, SymbolSetup
from atm.storage.sample import load_instruments
from atm.trading.live.desk import Step
from atm.trading.live.journal_fold import restored
from atm.trading.live.live_account import LiveAccount

ASSETS = Path(__file__).parents[3] / "assets"
X = "NEARUSDT"  # tick 0.001, step 1, largest market order 80,000, least notional 5
INSTRUMENTS = {each.symbol: each for each in load_instruments(ASSETS) if each.symbol == X}
SETUP = LiveSetup({X: SymbolSetup(3, isolated=True)}, RiskLimits(daily_loss=0.1))
R = TypeVar("R", bound=LiveRequest)


class Bench:
    """An account on a workbench: its journal, what it asks for, and a clock."""

    def __init__(self, setup: LiveSetup = SETUP, entries: list[JournalEntry] | None = None) -> None:
        self.entries: list[JournalEntry] = list(entries or [])
        self.asked: list[tuple[int, LiveRequest]] = []
        self.notices: list[str] = []
        self.now_ms = 1_000_000
        self.account = LiveAccount("main", setup, INSTRUMENTS, restored(self.entries) if entries else LiveState())
        self.do(self.account.start(self.now_ms))

    def do(self, step: Step) -> None:
        self.entries += step.entries
        self.asked += step.requests
        self.notices += [notice.key for notice in step.notices]

    def asks(self, kind: type[R]) -> tuple[int, R]:
        """The newest request, which has to be of this kind."""
        number, request = self.asked[-1]
        assert isinstance(request, kind), request
        return number, request

    def answer(self, number: int, *facts: Reported, failure: Failure | None = None) -> None:
        self.do(self.account.answered(Answer(number, self.now_ms, facts=facts, failure=failure), self.now_ms))

    def snapshot(
        self, amount: int = 0, orders: tuple[OpenOrder, ...] = (), leverage: int = 3, isolated: bool = True
    ) -> None:
        """Answer the newest snapshot."""
        number = max(number for number, request in self.asked if isinstance(request, TakeSnapshot))
        request = next(each for each in self.asked if each[0] == number)[1]
        assert isinstance(request, TakeSnapshot)
        positions = (PositionSeen(X, Decimal(amount), Decimal(2), self.now_ms),) if amount else ()
        taken = Snapshot(
            self.now_ms, self.now_ms, orders, positions, (WalletSeen("USDT", Decimal(10_000), self.now_ms),),
            (SettingsSeen(X, leverage, isolated),), (), request.trades_of, request.since_ms,
        )  # fmt: skip
        self.do(self.account.answered(Answer(number, self.now_ms, snapshot=taken), self.now_ms))

    def wait(self, ms: int) -> None:
        self.now_ms += ms
        self.account.priced(X, Decimal(2), Decimal(2), self.now_ms)
        self.do(self.account.tick(self.now_ms))

    def aim(self, quantity: int, stop: str | None = "1.9") -> None:
        self.account.priced(X, Decimal(2), Decimal(2), self.now_ms)
        target = Target(X, Decimal(quantity), self.now_ms, stop=None if stop is None else Decimal(stop))
        self.do(self.account.aim(target, self.now_ms))

    def filled(self, client_id: str, executed: int) -> Reported:
        return Reported(client_id, OrderState.FILLED, Decimal(executed), self.now_ms, 77)


def test_settings_then_order_then_stop() -> None:
    bench = Bench()
    bench.aim(100)
    assert all(isinstance(request, TakeSnapshot) for _, request in bench.asked), "nothing before the comparison"
    bench.snapshot(leverage=20, isolated=False)
    number, mode = bench.asks(SetMarginMode)
    assert mode.isolated
    bench.answer(number)
    number, leverage = bench.asks(SetLeverage)
    assert leverage.leverage == 3
    bench.answer(number)
    number, placed = bench.asks(PlaceOrder)
    assert (placed.intent.side, placed.intent.quantity, placed.intent.reduce_only) == (Side.BUY, 100, False)
    kinds = [type(entry) for entry in bench.entries if getattr(entry, "client_id", "") == placed.intent.client_id]
    assert kinds == [Intended, Sent], "journalled before it is sent"
    bench.answer(number, bench.filled(placed.intent.client_id, 100))
    _, stop = bench.asks(PlaceOrder)
    assert (stop.intent.purpose, stop.intent.side, stop.intent.trigger) == (Purpose.STOP, Side.SELL, Decimal("1.9"))


def test_a_stop_that_is_refused_again_and_again_is_tried_each_five_seconds_and_told_each_minute() -> None:
    bench = Bench()
    bench.snapshot()
    bench.aim(100)
    number, placed = bench.asks(PlaceOrder)
    bench.answer(number, bench.filled(placed.intent.client_id, 100))
    tries = 0
    for _ in range(100):
        for asked, flight in list(bench.account._desk.flights.items()):
            if isinstance(flight.request, PlaceOrder) and flight.request.intent.is_conditional:
                tries += 1
                bench.answer(asked, failure=Failure(FailureKind.REFUSED, -4045, "Reach max stop order limit."))
        bench.wait(1_000)
    assert tries > 15
    assert bench.notices.count("notice.live_stop_refused") == 2
    assert bench.notices.count("notice.live_unprotected") == 1


def test_an_order_waits_for_a_limit_only_as_long_as_it_is_wanted() -> None:
    bench = Bench()
    bench.snapshot()
    bench.wait(1_000)
    for quantity, waits in ((100, {X: "stale_s"}), (0, {})):
        bench.now_ms += 40_000
        target = Target(X, Decimal(quantity), bench.now_ms)
        bench.do(bench.account.aim(target, bench.now_ms))
        assert bench.account.view(bench.now_ms).waits == waits


def test_large_orders_go_in_slices() -> None:
    bench = Bench(LiveSetup({X: SymbolSetup(3)}, RiskLimits(max_leverage=None)))
    bench.snapshot()
    most = int(Decimal(INSTRUMENTS[X].max_market_quantity))
    bench.aim(2 * most + 2)
    placed = [request.intent for _, request in bench.asked if isinstance(request, PlaceOrder)]
    assert sum(intent.quantity for intent in placed) == 2 * most + 2
    assert len({intent.client_id for intent in placed}) == len(placed) == 3


def test_new_filters_of_the_exchange_hold_for_the_next_order_and_its_stop() -> None:
    bench = Bench()
    bench.snapshot()
    bench.account.reload(
        {X: msgspec.structs.replace(INSTRUMENTS[X], market_step_size="10", step_size="10", tick_size="0.05")}
    )
    bench.aim(123, "1.93")
    number, placed = bench.asks(PlaceOrder)
    assert placed.intent.quantity == 120
    bench.answer(number, bench.filled(placed.intent.client_id, 120))
    trigger = bench.asks(PlaceOrder)[1].intent.trigger
    assert trigger is not None and trigger % Decimal("0.05") == 0


def test_a_flip_is_closed_before_it_is_opened() -> None:
    bench = _holding(100)
    bench.wait(1_000)
    bench.aim(-50, "2.1")
    placed = [(number, each) for number, each in bench.asked if isinstance(each, PlaceOrder)]
    closing = next((n, each.intent) for n, each in placed[::-1] if each.intent.purpose is Purpose.CLOSE)
    assert (closing[1].side, closing[1].quantity, closing[1].reduce_only) == (Side.SELL, 100, True)
    assert placed[-1][1].intent.purpose is not Purpose.OPEN
    bench.do(bench.account.learned([PositionSeen(X, Decimal(0), Decimal(0), bench.now_ms)], bench.now_ms))
    bench.answer(closing[0], bench.filled(closing[1].client_id, 100))
    opening = [each.intent for _, each in bench.asked if isinstance(each, PlaceOrder)][-1]
    assert (opening.purpose, opening.side, opening.quantity) == (Purpose.OPEN, Side.SELL, 50)


def test_a_lost_answer_is_asked_for_and_nothing_else_is_sent() -> None:
    bench = Bench()
    bench.snapshot()
    bench.aim(100)
    number, placed = bench.asks(PlaceOrder)
    bench.answer(number, failure=Failure(FailureKind.UNKNOWN))
    bench.wait(500)
    number, query = bench.asks(QueryOrder)
    assert query.client_id == placed.intent.client_id
    bench.answer(number, failure=Failure(FailureKind.NOT_FOUND, -2013))
    for _ in range(10):
        bench.wait(700)
    assert sum(isinstance(request, PlaceOrder) for _, request in bench.asked) == 1


def test_an_order_that_never_was_is_sent_as_the_next_attempt() -> None:
    bench = Bench()
    bench.snapshot()
    bench.aim(100)
    number, first = bench.asks(PlaceOrder)
    bench.answer(number, failure=Failure(FailureKind.UNKNOWN))
    for _ in range(25):
        bench.wait(1_000)
        for number, request in list(bench.asked):
            if isinstance(request, QueryOrder) and number in bench.account._desk.flights:
                bench.answer(number, failure=Failure(FailureKind.NOT_FOUND, -2013))
        if any(isinstance(flight.request, TakeSnapshot) for flight in bench.account._desk.flights.values()):
            bench.snapshot()
    again = [request.intent for _, request in bench.asked if isinstance(request, PlaceOrder)]
    assert (again[1].slice, again[1].attempt) == (first.intent.slice, 1)
    assert bench.entries[-1] is not None
    assert "notice.live_order_not_placed" in bench.notices


def test_after_a_crash_what_was_sent_is_asked_for() -> None:
    bench = Bench()
    bench.snapshot()
    bench.aim(100)
    _, placed = bench.asks(PlaceOrder)
    after = Bench(entries=bench.entries)
    after.aim(100)
    after.snapshot()
    after.wait(500)
    _, query = after.asks(QueryOrder)
    assert query.client_id == placed.intent.client_id
    assert not any(isinstance(request, PlaceOrder) for _, request in after.asked)


def _holding(quantity: int, setup: LiveSetup = SETUP) -> Bench:
    """An account with a position and its stop, just compared."""
    bench = Bench(setup)
    bench.snapshot()
    bench.aim(quantity)
    number, placed = bench.asks(PlaceOrder)
    bench.do(bench.account.learned([PositionSeen(X, Decimal(quantity), Decimal(2), bench.now_ms)], bench.now_ms))
    bench.answer(number, bench.filled(placed.intent.client_id, quantity))
    number, stop = bench.asks(PlaceOrder)
    bench.answer(number, Reported(stop.intent.client_id, OrderState.ACKNOWLEDGED, Decimal(0), bench.now_ms, 0, 5))
    return bench


def _stop_row(bench: Bench) -> OpenOrder:
    stop = next(order for order in bench.account.state.orders.values() if order.intent.is_conditional)
    return OpenOrder(stop.client_id, X, Side.SELL, OrderState.ACKNOWLEDGED, Decimal(0), Decimal(0), 0, algo_id=5)


def _change_by_hand(policy: OutsidePolicy) -> Bench:
    """100 held, 40 of them sold by hand."""
    bench = _holding(100, msgspec.structs.replace(SETUP, policy=policy))
    stop = _stop_row(bench)
    for _ in range(40):
        bench.wait(3_000)
        for number, flight in list(bench.account._desk.flights.items()):
            if isinstance(flight.request, QueryOrder):
                known = Reported(stop.client_id, OrderState.ACKNOWLEDGED, Decimal(0), bench.now_ms, 0, 5)
                bench.answer(number, known)
            elif isinstance(flight.request, TakeSnapshot):
                bench.snapshot(60, (stop,))
    assert bench.notices.count("notice.live_outside_change") == 1
    return bench


def test_a_change_by_hand_is_adopted_with_its_target() -> None:
    bench = _change_by_hand(OutsidePolicy.ADOPT)
    assert bench.account.state.books[X].own == 60
    assert bench.account.state.targets[X].quantity == 60
    adjusted = [entry for entry in bench.entries if isinstance(entry, Adjusted)]
    assert [(entry.quantity, entry.foreign) for entry in adjusted] == [(-40, False)]


def test_a_change_by_hand_is_left_alone() -> None:
    bench = _change_by_hand(OutsidePolicy.IGNORE)
    book = bench.account.state.books[X]
    assert (book.own, book.foreign, book.amount) == (100, -40, 60)
    assert bench.account.state.targets[X].quantity == 100


def test_a_change_by_hand_stops_the_symbol() -> None:
    bench = _change_by_hand(OutsidePolicy.STOP)
    assert [entry.hands_off for entry in bench.entries if isinstance(entry, Halted)] == [True]
    before = len(bench.asked)
    bench.aim(0)
    assert not any(isinstance(request, PlaceOrder) for _, request in bench.asked[before:])
    bench.do(bench.account.resume(X, bench.now_ms))
    _, closing = bench.asks(PlaceOrder)
    assert closing.intent.quantity == 60


def test_what_the_user_closes_is_closed_although_the_symbol_is_left_alone() -> None:
    bench = _change_by_hand(OutsidePolicy.STOP)
    before = len(bench.asked)
    target = Target(X, Decimal(0), bench.now_ms, reason=FORCE_CLEAR)
    bench.do(bench.account.aim(target, bench.now_ms))
    closing = [request.intent for _, request in bench.asked[before:] if isinstance(request, PlaceOrder)]
    assert [each.quantity for each in closing] == [60]


def test_a_stop_that_fires_ends_the_decision() -> None:
    bench = _holding(100)
    stop = _stop_row(bench)
    hit = Reported(stop.client_id, OrderState.FILLED, Decimal(100), bench.now_ms, 9, 5)
    flat = PositionSeen(X, Decimal(0), Decimal(0), bench.now_ms)
    before = len(bench.asked)
    bench.do(bench.account.learned([flat, hit], bench.now_ms))
    bench.wait(1_000)
    assert bench.account.state.targets[X].quantity == 0
    assert not any(isinstance(request, PlaceOrder) for _, request in bench.asked[before:])
    bench.wait(60_000)
    bench.snapshot()
    bench.aim(50)
    _, entered = bench.asks(PlaceOrder)
    assert entered.intent.quantity == 50


def test_a_stop_beyond_the_price_closes_at_market() -> None:
    bench = Bench()
    bench.snapshot()
    bench.aim(100)
    number, placed = bench.asks(PlaceOrder)
    bench.do(bench.account.learned([PositionSeen(X, Decimal(100), Decimal(2), bench.now_ms)], bench.now_ms))
    bench.answer(number, bench.filled(placed.intent.client_id, 100))
    number, _ = bench.asks(PlaceOrder)
    bench.answer(number, failure=Failure(FailureKind.REFUSED, -2021, "Order would immediately trigger."))
    _, closing = bench.asks(PlaceOrder)
    assert (closing.intent.purpose, closing.intent.quantity) == (Purpose.CLOSE, 100)


def test_an_unprotected_position_raises_an_alarm_once() -> None:
    bench = Bench()
    bench.snapshot()
    bench.aim(100)
    number, placed = bench.asks(PlaceOrder)
    bench.do(bench.account.learned([PositionSeen(X, Decimal(100), Decimal(2), bench.now_ms)], bench.now_ms))
    bench.answer(number, bench.filled(placed.intent.client_id, 100))
    for _ in range(30):
        bench.wait(1_000)
        for number, flight in list(bench.account._desk.flights.items()):
            if isinstance(flight.request, PlaceOrder):
                bench.answer(number, failure=Failure(FailureKind.NOT_DONE, reason="throttled"))
    assert bench.notices.count("notice.live_unprotected") == 1
    assert bench.account.unprotected_since[X] == 1_000_000


def test_a_daily_loss_stops_the_account_but_not_its_exits() -> None:
    bench = _holding(100)
    lost = WalletSeen("USDT", Decimal(8_900), bench.now_ms, "ORDER")
    bench.do(bench.account.learned([lost], bench.now_ms))
    bench.wait(1_000)
    before = len(bench.asked)
    bench.aim(200)
    assert "notice.live_risk_stop" in bench.notices
    assert not any(isinstance(request, PlaceOrder) for _, request in bench.asked[before:])
    bench.wait(1_000)
    bench.aim(40)
    closing = [request.intent for _, request in bench.asked[before:] if isinstance(request, PlaceOrder)]
    assert [(each.side, each.quantity) for each in closing if each.purpose is Purpose.CLOSE] == [(Side.SELL, 60)]


def test_a_limit_is_cancelled_when_the_target_changes() -> None:
    bench = Bench()
    bench.snapshot()
    bench.account.priced(X, Decimal(2), Decimal(2), bench.now_ms)
    bench.do(bench.account.aim(Target(X, Decimal(100), bench.now_ms, price=Decimal("1.99987")), bench.now_ms))
    number, placed = bench.asks(PlaceOrder)
    assert placed.intent.price == Decimal("1.999"), "never worse than asked for"
    bench.answer(number, Reported(placed.intent.client_id, OrderState.ACKNOWLEDGED, Decimal(0), bench.now_ms, 8))
    bench.wait(1_000)
    bench.aim(0)
    _, cancel = bench.asks(CancelOrder)
    assert cancel.client_id == placed.intent.client_id


def test_flatten_closes_and_opens_nothing_more() -> None:
    bench = _holding(100)
    bench.wait(1_000)
    bench.do(bench.account.flatten("kill switch", bench.now_ms))
    closing = [request.intent for _, request in bench.asked if isinstance(request, PlaceOrder)][-1]
    assert (closing.purpose, closing.quantity, closing.reduce_only) == (Purpose.CLOSE, 100, True)
    before = len(bench.asked)
    bench.wait(60_000)
    bench.aim(100)
    assert not any(isinstance(request, PlaceOrder) for _, request in bench.asked[before:])
