"""Any order of events, with duplicates and losses, followed by a query, ends at the exchange's truth."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from atm.model.live_order import LiveOrder, OrderFill, OrderIntent, OrderState, Purpose
from atm.model.order import Side
from atm.model.order_facts import (
    CancelAsked,
    Declined,
    Dropped,
    Filled,
    Lost,
    NotFound,
    NotPlaced,
    OrderFact,
    Reported,
    Sent,
)
from atm.trading.live.order_machine import (
    BETWEEN_ABSENCES_MS,
    FINAL_AFTER_MS,
    ImpossibleStep,
    advance,
    is_absent,
)

INTENT = OrderIntent("id", "NEARUSDT", Side.BUY, Purpose.OPEN, Decimal(10), 0, 0)
NEW = LiveOrder(INTENT)
SENT = advance(NEW, Sent("id", 1_000))


def fill(number: int, quantity: int, commission: str | None = "0.01") -> OrderFill:
    paid = None if commission is None else Decimal(commission)
    return OrderFill(number, Decimal(quantity), Decimal("1.5"), 1_000 + number, commission=paid)


def reported(state: OrderState, executed: int = 0, at: int = 2_000) -> Reported:
    return Reported("id", state, Decimal(executed), at, 7)


@st.composite
def truths(draw: st.DrawFn) -> tuple[list[OrderFact], list[OrderFact]]:
    """(everything that the exchange says of an order on its way, what a query and the trade list say at its end)."""
    sizes = draw(st.lists(st.integers(1, 4), max_size=4))
    while sum(sizes) > 10:
        sizes.pop()
    done = sum(sizes)
    said: list[OrderFact] = [reported(OrderState.ACKNOWLEDGED), Lost("id", 3_000), NotFound("id", 1_500)]
    executed = 0
    for number, size in enumerate(sizes, 1):
        executed += size
        state = OrderState.FILLED if executed == 10 else OrderState.PARTIALLY_FILLED
        said += [Filled("id", fill(number, size, None), 7), Filled("id", fill(number, size), 7)]
        said.append(reported(state, executed))
    endings = [OrderState.CANCELED, OrderState.EXPIRED] if done < 10 else [OrderState.FILLED]
    end = reported(draw(st.sampled_from(endings)), done)
    fills: list[OrderFact] = [Filled("id", fill(number, size), 7) for number, size in enumerate(sizes, 1)]
    return [*said, end, CancelAsked("id", 2_500)], [end, *fills]


@given(truths(), st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None)
def test_any_order_of_events_converges_to_the_truth(truth, random) -> None:
    said, query = truth
    heard = [fact for fact in said for _ in range(random.choice((0, 1, 1, 2)))]
    random.shuffle(heard)
    order = SENT
    for fact in [*heard, *query]:
        before, order = order, advance(order, fact)
        assert order.executed >= before.executed
        assert {each.trade_id for each in order.fills} >= {each.trade_id for each in before.fills}
        assert not (before.is_final and before.exists and not order.is_final)
    end = query[0]
    assert (order.state, order.executed) == (end.state, end.executed)
    assert order.is_complete
    assert [each.quantity for each in order.fills] == [fact.fill.quantity for fact in query[1:]]
    assert all(each.commission == Decimal("0.01") for each in order.fills)
    for fact in [*heard, *query]:
        assert advance(order, fact) is order, "a late or repeated event changes nothing"


def test_a_fill_counts_once_whichever_message_brings_it() -> None:
    order = SENT
    for fact in (Filled("id", fill(5, 4, None)), Filled("id", fill(5, 4)), reported(OrderState.PARTIALLY_FILLED, 4)):
        order = advance(order, fact)
    assert order.executed == 4
    assert len(order.fills) == 1


def test_an_order_that_was_given_up_and_turns_up_is_known_again() -> None:
    declined = advance(SENT, Declined("id", -1008, "throttled", 1_100))
    assert declined.state is OrderState.REJECTED
    assert advance(declined, reported(OrderState.FILLED, 10)).state is OrderState.FILLED
    gone = advance(advance(SENT, Lost("id", 1_100)), NotPlaced("id", 20_000))
    assert gone.state is OrderState.NOT_PLACED
    assert advance(gone, Filled("id", fill(1, 3))).state is OrderState.PARTIALLY_FILLED


def test_absence_is_believed_after_the_window_twice_and_a_second_apart() -> None:
    lost = advance(SENT, Lost("id", 1_100))
    final = 1_000 + FINAL_AFTER_MS
    assert advance(lost, NotFound("id", final - 1)) is lost, "the request could still arrive"
    once = advance(lost, NotFound("id", final))
    assert not is_absent(once)
    assert not is_absent(advance(once, NotFound("id", final + BETWEEN_ABSENCES_MS - 1)))
    assert is_absent(advance(once, NotFound("id", final + BETWEEN_ABSENCES_MS)))


def test_a_not_found_says_nothing_of_an_order_that_is_known() -> None:
    known = advance(SENT, reported(OrderState.ACKNOWLEDGED))
    assert advance(known, NotFound("id", 60_000)) is known
    forgotten = advance(known, NotFound("id", 2_000 + 4 * 86_400_000))
    assert forgotten.state is OrderState.EXPIRED


def test_a_reduced_quantity_does_not_end_an_order_early() -> None:
    order = advance(SENT, reported(OrderState.PARTIALLY_FILLED, 9))
    assert not order.is_final
    assert advance(order, reported(OrderState.FILLED, 9)).is_final


@pytest.mark.parametrize(
    ("order", "fact"),
    [(SENT, Sent("id", 2_000)), (SENT, Dropped("id", "late", 2_000)), (NEW, CancelAsked("id", 2_000))],
)
def test_what_the_program_cannot_have_done_raises(order: LiveOrder, fact: OrderFact) -> None:
    with pytest.raises(ImpossibleStep):
        advance(order, fact)


def test_a_stop_without_quantity_ends_by_its_state_only() -> None:
    stop = replace(SENT, intent=replace(INTENT, purpose=Purpose.STOP, quantity=Decimal(0), trigger=Decimal(1)))
    hit = advance(stop, Filled("id", fill(1, 8)))
    assert hit.state is OrderState.PARTIALLY_FILLED
    assert advance(hit, reported(OrderState.FILLED, 8)).is_complete
