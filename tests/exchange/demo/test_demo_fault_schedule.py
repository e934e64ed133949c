"""Schedules of faults are the same for the same number, and hold to what was asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atm.exchange.demo.fault_schedule import schedule
from atm.exchange.demo.fault_state import FaultState
from atm.model.errors import Invalid
from atm.model.fault import FORMS, LARGEST_SEED, Fault, FaultKind, read_fault

SEEDS = st.integers(0, LARGEST_SEED)
DURATIONS = st.integers(1_000, 3_600_000)
KINDS = st.lists(st.sampled_from(FaultKind), unique=True)
SYMBOLS = st.sampled_from([(), ("FILUSDT",), ("FILUSDT", "NEARUSDT")])


@given(SEEDS, DURATIONS, KINDS, SYMBOLS)
def test_a_number_means_one_schedule_of_the_kinds_asked_for_that_ends_in_time(
    seed: int, duration_ms: int, kinds: list[FaultKind], symbols: tuple[str, ...]
) -> None:
    made = schedule(seed, duration_ms, kinds, symbols)
    assert made == schedule(seed, duration_ms, kinds, symbols)
    assert made and {fault.kind for fault in made} <= set(kinds or FaultKind)
    assert [fault.at_ms for fault in made] == sorted(fault.at_ms for fault in made)
    for fault in made:
        assert fault.at_ms >= 0 and fault.at_ms + fault.duration_ms <= duration_ms
        assert (fault.duration_ms > 0) == FORMS[fault.kind].lasting  # none lasts until it is cleared
        whole = {name: getattr(fault, name) for name in Fault.__struct_fields__}
        assert read_fault({**whole, "kind": fault.kind.value}) == fault  # everything is within the bounds of its form
        if symbols and FORMS[fault.kind].target == "symbol":
            assert fault.target in symbols


def test_the_schedule_of_a_number_written_down() -> None:
    """So that a number reported by one version of the program means the same faults in a later one."""
    made = schedule(7, 60_000, (FaultKind.LATE, FaultKind.DISCONNECT), ("NEARUSDT",))
    assert [(fault.kind.value, fault.at_ms, fault.duration_ms, fault.target, fault.amount) for fault in made] == WRITTEN


WRITTEN = [
    ("late", 5181, 7508, "nearusdt@*", 1113.0),
    ("late", 5781, 2063, "nearusdt@*", 5485.0),
    ("disconnect", 15820, 6330, "", 0.0),
    ("late", 20453, 2180, "nearusdt@*", 310.0),
    ("disconnect", 26412, 2051, "", 2.3),
    ("disconnect", 31438, 4670, "", 2.4),
    ("disconnect", 40629, 11956, "market", 4.8),
    ("disconnect", 47319, 2300, "one", 2.2),
    ("disconnect", 56487, 3280, "market", 1.7),
]


@given(SEEDS, SEEDS)
def test_another_number_is_another_schedule(one: int, other: int) -> None:
    assert one == other or schedule(one, 3_600_000) != schedule(other, 3_600_000)


@given(SEEDS, st.lists(st.integers(0, 120_000), max_size=30))
def test_every_fault_begins_and_ends_once_whenever_it_is_looked_at(seed: int, looks: list[int]) -> None:
    state = FaultState()
    made = schedule(seed, 120_000)
    state.set(made, 1_000.0)
    begun: list[int] = []
    ended: list[int] = []
    for look_ms in [*sorted(looks), 121_000]:
        turn = state.turn(1_000.0 + look_ms)
        begun += [each.number for each in turn.begun]
        ended += [each.number for each in turn.ended]
        assert set(ended) <= set(begun)
        assert {each.number for each in state.active()} == set(begun) - set(ended)
    assert sorted(begun) == sorted(ended) == list(range(1, len(made) + 1))
    assert state.next_ms() is None


@given(SEEDS, st.lists(st.sampled_from(["a@kline_1m", "b@aggTrade", "a@depth20@100ms"]), max_size=50))
def test_the_same_messages_are_struck_alike(seed: int, streams: list[str]) -> None:
    kinds = (FaultKind.MISSING, FaultKind.DUPLICATE, FaultKind.LATE, FaultKind.REORDER, FaultKind.DEPTH_GAP)
    outcomes = []
    for _ in range(2):
        state = FaultState()
        state.set(schedule(seed, 30_000, kinds), 0.0)
        state.turn(10_000.0)
        outcomes.append([state.message(1, stream, False, "{}") for stream in streams])
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize(
    ("seed", "duration_ms", "field"), [(-1, 60_000, "seed"), (LARGEST_SEED + 1, 60_000, "seed"), (1, 10, "minutes")]
)
def test_a_schedule_that_cannot_be(seed: int, duration_ms: int, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        schedule(seed, duration_ms)
    assert caught.value.field == field
