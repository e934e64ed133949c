"""Every cent between a live day and its backtest has a cause; hand-made days whose causes are known to the cent."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atm.model.account import TradeReason, TradeRecord
from atm.model.order import Side
from atm.model.parity import TOLERANCE, MoneyReport, Verdict
from atm.simulators.parity.day import verdict
from atm.simulators.parity.decisions import ComparedDecisions
from atm.simulators.parity.money import Books, Rules, Scene, Wish, attributed
from atm.simulators.parity.work import Worked

BEGIN = 1_690_848_000_000
MINUTE = 60_000
DECIDED = BEGIN + 60 * MINUTE
RULES = {"A": Rules(tick=0.01, step=0.1, min_notional=5.0, mark=110.0)}
OPENS = {("A", DECIDED): 100.0, ("A", DECIDED + MINUTE): 101.0, ("A", DECIDED + 2 * MINUTE): 103.0}


def fill(
    quantity: float,
    price: float,
    fee: float = 0.0,
    time: int = DECIDED,
    decided: int = DECIDED,
    reason: TradeReason = TradeReason.ENTRY,
) -> TradeRecord:
    side = Side.BUY if quantity > 0 else Side.SELL
    return TradeRecord(0, time, decided, "A", side, reason, abs(quantity), price, 0.0, fee, 0.0, math.nan, 0.0)


def books(fills: list[TradeRecord], funding: float = 0.0, wishes: dict | None = None, extra: float = 0.0) -> Books:
    """What an account that began with 1,000 and nothing held has after these fills. extra: came from nowhere."""
    held = sum(each.quantity * each.side.sign for each in fills)
    spent = sum(each.quantity * each.side.sign * each.price + each.fee for each in fills)
    cash = 1_000.0 - spent - funding + extra
    # an open position of any entry price has this equity: wallet + q · (mark − entry) = cash + q · mark
    return Books(fills, cash + held * 100.0, {"A": (held, 100.0)} if held else {}, funding, 0.0, wishes or {})


def report(live: Books, backtest: Books, differing: frozenset = frozenset(), moved: float = 0.0) -> MoneyReport:
    scene = Scene(BEGIN, 1_000.0, 1_000.0, {}, RULES, OPENS, differing, moved)
    found = attributed(scene, live, backtest)
    assert math.fsum(found.causes.values()) == pytest.approx(found.difference, abs=TOLERANCE)
    return found


def causes(found: MoneyReport) -> dict[str, float]:
    return {name: pytest.approx(amount, abs=1e-9) for name, amount in found.causes.items()}


def test_equal_days_differ_in_nothing() -> None:
    same = [fill(2.0, 100.013, 0.1), fill(-2.0, 101.007, 0.1, DECIDED + MINUTE, DECIDED + MINUTE)]
    found = report(books(same, 0.3), books(same, 0.3))
    assert found.causes == {} and found.fills == () and found.pairs == 2


def test_price_tick_latency_and_fee() -> None:
    # bought two minutes later at 103.05; the backtest paid 100.013, on the tick that is 100.01
    found = report(books([fill(2.0, 103.05, 0.12, DECIDED + 2 * MINUTE + 417)]), books([fill(2.0, 100.013, 0.10)]))
    assert found.causes == causes(found)
    assert found.causes["LATENCY"] == pytest.approx(-2.0 * 3.0)
    assert found.causes["ROUNDING"] == pytest.approx(2.0 * 0.003)
    assert found.causes["FILL_PRICE"] == pytest.approx(-2.0 * (3.04 - 3.0))
    assert found.causes["FEE"] == pytest.approx(-0.02)
    assert set(found.causes) == {"LATENCY", "ROUNDING", "FILL_PRICE", "FEE"}
    (only,) = found.fills
    assert (only.live.quantity, only.backtest.price) == (2.0, 100.013)


def test_an_order_that_was_filled_in_part_and_one_of_another_step() -> None:
    wish = {(DECIDED, "A"): Wish(0.0, 5.0)}
    found = report(books([fill(3.0, 100.0)], wishes=wish), books([fill(5.0, 100.0)]))
    assert found.causes == {"PARTIAL": pytest.approx(-2.0 * 10.0)}
    found = report(books([fill(4.9, 100.0)]), books([fill(5.0, 100.0)]))
    assert found.causes == {"ROUNDING": pytest.approx(-0.1 * 10.0)}


def test_a_quantity_without_any_reason_is_unexplained_and_after_a_difference_it_follows() -> None:
    found = report(books([fill(4.0, 100.0)]), books([fill(5.0, 100.0)]))
    assert found.unexplained == pytest.approx(-10.0)
    first = fill(1.0, 100.0), fill(1.0, 101.0)
    later = {"time": DECIDED + MINUTE, "decided": DECIDED + MINUTE}
    found = report(books([first[0], fill(4.0, 100.0, **later)]), books([first[1], fill(5.0, 100.0, **later)]))
    assert found.unexplained == 0.0
    assert found.causes == {"FILL_PRICE": pytest.approx(1.0), "SIZE": pytest.approx(-10.0)}
    found = report(books([fill(4.0, 100.0)]), books([fill(5.0, 100.0)]), differing=frozenset({(DECIDED, "A")}))
    assert found.causes == {"DECISION": pytest.approx(-10.0)}


def test_what_live_itself_did_not_want_follows_from_nothing() -> None:
    """An order that was sent twice, after an earlier difference: live wanted 5 and came to hold 10."""
    first = fill(1.0, 100.0), fill(1.0, 101.0)
    later = {"time": DECIDED + MINUTE, "decided": DECIDED + MINUTE}
    wish = {(DECIDED + MINUTE, "A"): Wish(1.0, 5.0)}

    def live(quantity: float, after: float) -> Books:
        order = msgspec.structs.replace(fill(quantity, 100.0, **later), quantity_after=after)
        return books([first[0], order], wishes=wish)

    assert report(live(4.0, 5.0), books([first[1], fill(5.0, 100.0, **later)])).gross == 0.0
    twice = report(live(9.0, 10.0), books([first[1], fill(5.0, 100.0, **later)]))
    assert twice.causes == {"FILL_PRICE": pytest.approx(1.0), "UNEXPLAINED": pytest.approx(4.0 * 10.0)}
    alone = report(live(9.0, 10.0), books([first[1]]))
    assert alone.causes == {"FILL_PRICE": pytest.approx(1.0), "UNEXPLAINED": pytest.approx(9.0 * 10.0)}
    followed = report(live(4.0, 5.0), books([first[1]]))
    assert followed.causes == {"FILL_PRICE": pytest.approx(1.0), "SIZE": pytest.approx(4.0 * 10.0)}


def test_two_amounts_without_a_cause_do_not_make_none() -> None:
    """Both sides have lost the same to nobody."""
    entry = [fill(2.0, 100.0)]
    found = report(books(entry, extra=-0.5), books(entry, extra=-0.5))
    assert found.unexplained == pytest.approx(0.0) and found.gross == pytest.approx(1.0)
    nothing = ComparedDecisions(1, 0, (), {}, 0, Worked())
    assert verdict(nothing, found, is_virtual=False) is Verdict.UNEXPLAINED


def test_orders_of_one_side_alone() -> None:
    stop = fill(-2.0, 95.0, time=DECIDED + MINUTE, decided=0, reason=TradeReason.STOP_IMMEDIATE)
    entry = fill(2.0, 100.0)
    found = report(books([entry, stop]), books([entry]))
    assert found.causes == {"STOP_LEVEL": pytest.approx(-2.0 * 15.0)}
    wish = {(DECIDED, "A"): Wish(0.0, 0.04)}
    found = report(books([], wishes=wish), books([fill(0.04, 100.0, 0.001)]))
    assert found.causes == {"MINIMUM": pytest.approx(-(0.04 * 10.0 - 0.001))}
    wish = {(DECIDED, "A"): Wish(0.0, 3.0)}
    found = report(books([], wishes=wish), books([fill(3.0, 100.0)]))
    assert found.causes == {"PARTIAL": pytest.approx(-30.0)}
    before = BEGIN - MINUTE
    found = report(books([fill(1.0, 100.0, decided=before)]), books([]))
    assert found.causes == {"LATENCY": pytest.approx(10.0)}
    found = report(books([fill(1.0, 100.0)]), books([]))
    assert found.unexplained == pytest.approx(10.0)


def test_stops_at_other_prices_are_one_event() -> None:
    entry = fill(2.0, 100.0)
    stops = [
        fill(-2.0, price, time=DECIDED + MINUTE + late, decided=0, reason=TradeReason.STOP_IMMEDIATE)
        for price, late in ((94.0, 900), (95.0, 0))
    ]
    found = report(books([entry, stops[0]]), books([entry, stops[1]]))
    assert found.causes == {"STOP_LEVEL": pytest.approx(-2.0)}


def test_funding_transfers_and_what_nobody_can_explain() -> None:
    entry = [fill(2.0, 100.0)]
    assert report(books(entry, 0.7), books(entry, 0.5)).causes == {"FUNDING": pytest.approx(-0.2)}
    assert report(books(entry, extra=50.0), books(entry), moved=50.0).causes == {"OUTSIDE": pytest.approx(50.0)}
    assert report(books(entry, extra=-0.01), books(entry)).unexplained == pytest.approx(-0.01)


def test_what_an_exchange_rounds_is_no_mystery_but_for_a_virtual_account() -> None:
    """Eight decimals of an entry price, on 4,000 units, bought and held: 4e-5."""
    entry = [fill(4_000.0, 100.0)]
    found = report(books(entry, extra=3.9e-5), books(entry))
    assert found.causes == {"ROUNDING": pytest.approx(3.9e-5, rel=1e-3)} and found.unexplained == 0.0
    assert report(books(entry, extra=4.1e-5), books(entry)).unexplained == pytest.approx(4.1e-5, rel=1e-3)
    scene = Scene(BEGIN, 1_000.0, 1_000.0, {}, RULES, OPENS, is_closed=True)
    assert attributed(scene, books(entry, extra=3.9e-5), books(entry)).unexplained == pytest.approx(3.9e-5, rel=1e-3)


def test_a_stop_inside_a_minute_is_the_exit_that_an_actual_account_wants_at_its_close() -> None:
    entry = fill(2.0, 100.0)
    stop = fill(-2.0, 99.0, time=DECIDED + MINUTE, decided=0, reason=TradeReason.STOP_IMMEDIATE)
    closed = fill(-2.0, 98.5, time=DECIDED + 2 * MINUTE + 120, decided=DECIDED + 2 * MINUTE, reason=TradeReason.EXIT)
    found = report(books([entry, closed]), books([entry, stop]))
    assert found.pairs == 2
    # the market rose by 2 from minute to minute, the price that was got did not
    assert found.causes == {"LATENCY": pytest.approx(4.0), "STOP_LEVEL": pytest.approx(-5.0)}


def test_a_position_that_changed_without_a_fill_came_from_outside() -> None:
    live = books([fill(2.0, 100.0)])
    changed = Books(live.fills, live.wallet + 1.0, {"A": (1.0, 100.0)}, 0.0)
    found = report(changed, books([fill(2.0, 100.0)]))
    assert set(found.causes) == {"OUTSIDE"} and found.unexplained == 0.0


amounts = st.floats(-50, 50).filter(lambda value: abs(value) > 0.05)


@settings(max_examples=200, deadline=None)
@given(
    live=st.lists(st.tuples(amounts, st.floats(90, 120), st.integers(0, 20), st.booleans()), max_size=8),
    backtest=st.lists(st.tuples(amounts, st.floats(90, 120), st.integers(0, 20), st.booleans()), max_size=8),
    funding=st.floats(-5, 5),
)
def test_the_causes_always_add_up(live: list, backtest: list, funding: float) -> None:
    def made(parts: list) -> list[TradeRecord]:
        fills = [
            fill(
                quantity, price, abs(quantity) * 0.01, DECIDED + minute * MINUTE, DECIDED + minute * MINUTE if decided else 0,
                TradeReason.ENTRY if decided else TradeReason.STOP_IMMEDIATE,
            )
            for quantity, price, minute, decided in parts
        ]  # fmt: skip
        return sorted(fills, key=lambda each: each.time_ms)

    report(books(made(live), funding), books(made(backtest)))
