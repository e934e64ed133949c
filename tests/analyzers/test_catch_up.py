from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from atm.analyzers.catch_up import PREPARING, RUNNING, WAITING, CatchUp, Ensure, Feed, Read
from atm.model.bars import Bar
from atm.model.interval import MINUTE_MS


def bar(minute: int) -> Bar:
    return Bar(minute * MINUTE_MS, *([1.0] * 9))


def at(minute: int) -> int:
    return minute * MINUTE_MS


def feed(*minutes: int) -> Feed:
    return Feed(tuple(bar(minute) for minute in minutes))


def test_reads_in_chunks_up_to_the_newest_and_then_follows():
    machine = CatchUp(at(10), chunk_minutes=100)
    assert machine.begin(at(150)) == [Read(at(10), at(110))]
    assert machine.read(at(110), at(109)) == [Read(at(110), at(150))]
    assert machine.state == PREPARING
    assert machine.arrived(bar(150)) == []
    assert machine.read(at(150), at(149)) == [feed(150)]
    assert machine.state == RUNNING
    assert machine.arrived(bar(151)) == [feed(151)]
    assert machine.arrived(bar(151)) == machine.arrived(bar(120)) == []


def test_a_hole_is_asked_for_and_read_and_then_the_bars_that_waited():
    machine = CatchUp(at(10))
    machine.begin(at(20))
    machine.read(at(20), at(19))
    assert machine.arrived(bar(23)) == [Ensure(at(20), at(23), 0.0)]
    assert machine.state == WAITING
    assert machine.arrived(bar(24)) == []
    assert machine.ensured() == [Read(at(20), at(23))]
    assert machine.read(at(23), at(22)) == [feed(23, 24)]
    assert machine.state == RUNNING


def test_a_hole_that_cannot_be_filled_is_accepted_after_three_tries_and_a_declared_one_at_once():
    machine = CatchUp(at(10))
    machine.begin(at(20))
    machine.read(at(20), at(19))
    delays = []
    (order,) = machine.arrived(bar(23))
    for _ in range(3):
        delays.append(order.delay_s)
        machine.ensured()
        (order,) = machine.read(at(23), None)
    assert delays == [0.0, 2.0, 4.0]
    assert order == feed(23)
    assert machine.arrived(bar(30), gap=True) == [feed(30)]


def test_the_last_stored_minute_is_followed_by_the_hole_before_the_first_live_bar():
    machine = CatchUp(at(10))
    machine.begin(at(20))
    machine.arrived(bar(22))
    assert machine.read(at(20), at(17)) == [Ensure(at(18), at(22), 0.0)]


def test_an_empty_store_waits_for_the_first_bar():
    machine = CatchUp(at(10))
    assert machine.begin(0) == []
    assert machine.state == WAITING
    assert machine.arrived(bar(10)) == [feed(10)]
    assert machine.state == RUNNING


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_every_bar_is_fed_once_and_in_order_whatever_the_timing(data):
    """The store gets each bar some time after the analyzer; bars may be lost on their way to the analyzer."""
    machine = CatchUp(at(0), chunk_minutes=7)
    stored, fed, orders, minute = 20, [], [], 20

    def carry_out(instructions):
        for instruction in instructions:
            if isinstance(instruction, Feed):
                fed.extend(b.open_time // MINUTE_MS for b in instruction.bars)
            else:
                orders.append(instruction)

    carry_out(machine.begin(at(stored)))
    while minute < 60 or orders:
        if orders and (minute >= 60 or data.draw(st.booleans())):
            order = orders.pop(0)
            if isinstance(order, Read):
                found = [m for m in range(order.start_ms // MINUTE_MS, order.end_ms // MINUTE_MS) if m < stored]
                fed.extend(found)
                carry_out(machine.read(order.end_ms, at(found[-1]) if found else None))
            else:
                stored = max(stored, order.end_ms // MINUTE_MS)
                carry_out(machine.ensured())
        elif minute < 60:
            if data.draw(st.integers(0, 3)) or minute == 59:
                carry_out(machine.arrived(bar(minute)))
            minute += 1
            if data.draw(st.booleans()):
                stored = minute
    assert fed == list(range(60))
