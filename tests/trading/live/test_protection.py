"""At every moment at least one stop rests, whatever answers come."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from atm.model.live_order import LiveOrder, OrderIntent, OrderState, Purpose
from atm.model.order import Side
from atm.trading.live.protection import (
    OVERDUE_MS,
    CancelStop,
    PlaceStop,
    WantedStop,
    is_protected,
    is_resting,
    next_step,
)

AMOUNT, OLD, NEW = Decimal(10), Decimal("1.5"), Decimal("1.6")
WANTED = WantedStop(Side.SELL, NEW, AMOUNT)


def stop(name: str, purpose: Purpose, trigger: Decimal, state: OrderState = OrderState.ACKNOWLEDGED) -> LiveOrder:
    quantity = AMOUNT if purpose is Purpose.BRIDGE else Decimal(0)
    return LiveOrder(OrderIntent(name, "X", Side.SELL, purpose, quantity, 0, 0, trigger=trigger), state)


def test_a_stop_is_replaced_over_a_bridge() -> None:
    old, bridge, new = stop("old", Purpose.STOP, OLD), stop("b", Purpose.BRIDGE, NEW), stop("new", Purpose.STOP, NEW)
    assert next_step(WANTED, [], 0) == PlaceStop(Purpose.STOP, Side.SELL, NEW, Decimal(0))
    assert next_step(WANTED, [old], 0) == PlaceStop(Purpose.BRIDGE, Side.SELL, NEW, AMOUNT)
    assert next_step(WANTED, [old, bridge], 0) == CancelStop("old")
    assert next_step(WANTED, [bridge], 0) == PlaceStop(Purpose.STOP, Side.SELL, NEW, Decimal(0))
    assert next_step(WANTED, [bridge, new], 0) == CancelStop("b")
    assert next_step(WANTED, [new], 0) is None
    assert next_step(None, [new], 0) == CancelStop("new")


def test_an_answer_is_waited_for_but_not_without_protection() -> None:
    old, sent = stop("old", Purpose.STOP, OLD), stop("b", Purpose.BRIDGE, NEW, OrderState.SENT)
    assert next_step(WANTED, [old, sent], 60_000) is None
    assert next_step(WANTED, [sent], OVERDUE_MS - 1) is None
    assert next_step(WANTED, [sent], OVERDUE_MS) == PlaceStop(Purpose.BRIDGE, Side.SELL, NEW, AMOUNT)


def test_stops_of_the_other_side_are_not_waited_for() -> None:
    """After a turn of the position, whatever is still under way about the old side's stops."""
    leaving = replace(stop("old", Purpose.BRIDGE, OLD), cancel_asked_ms=1)
    turned = replace(WANTED, side=Side.BUY)
    assert next_step(turned, [leaving], 0) == PlaceStop(Purpose.STOP, Side.BUY, NEW, Decimal(0))
    assert next_step(None, [leaving], 0) is None, "it is being cancelled already"


def test_what_covers_a_position() -> None:
    bridge = stop("b", Purpose.BRIDGE, NEW)
    assert is_protected(AMOUNT, [bridge])
    assert not is_protected(AMOUNT + 1, [bridge])
    assert is_protected(AMOUNT + 1, [stop("s", Purpose.STOP, NEW)])
    assert not is_protected(-AMOUNT, [stop("s", Purpose.STOP, NEW)]), "a stop to sell does not protect a short position"
    assert not is_protected(AMOUNT, [replace(stop("s", Purpose.STOP, NEW), cancel_asked_ms=1)])
    assert is_protected(Decimal(0), [])


@given(st.lists(st.sampled_from(("done", "refused", "wait", "moved")), max_size=60), st.randoms(use_true_random=False))
def test_once_protected_a_position_stays_so(events: list[str], random) -> None:
    stops: dict[str, LiveOrder] = {"s0": stop("s0", Purpose.STOP, OLD)}
    wanted, count = WANTED, 0
    for event in events:
        if event == "moved":
            wanted = replace(wanted, trigger=wanted.trigger + random.choice((1, -1)) * Decimal("0.1"))
        match next_step(wanted, stops.values(), 0):
            case PlaceStop() as step if event == "done":
                mine = [each for each in stops.values() if each.intent.purpose is Purpose.STOP]
                assert not (step.purpose is Purpose.STOP and mine), "the exchange would refuse it (-4130)"
                count += 1
                stops[f"s{count}"] = stop(f"s{count}", step.purpose, step.trigger)
            case CancelStop(name) if event == "done":
                del stops[name]
        assert any(is_resting(each) for each in stops.values())
    for _ in range(4 + len(stops)):
        match next_step(wanted, stops.values(), 0):
            case PlaceStop() as step:
                count += 1
                stops[f"s{count}"] = stop(f"s{count}", step.purpose, step.trigger)
            case CancelStop(name):
                del stops[name]
    assert [(each.intent.purpose, each.intent.trigger) for each in stops.values()] == [(Purpose.STOP, wanted.trigger)]
