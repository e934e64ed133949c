"""Readings of income: which pages are asked for, and what is concluded from what comes."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from atm.model.income import PAGE_RECORDS, IncomeRecord, IncomeState, ReadPage, ReadWallets
from atm.model.interval import DAY_MS, HOUR_MS, MINUTE_MS
from atm.trading.live.income_clock import AFTER_EVENT_MS, AGAIN_MS, LONGEST_RETRY_MS, IncomeClock
from atm.trading.live.income_round import IncomeRound

D = Decimal
NOW = 20_000 * DAY_MS + 13 * HOUR_MS


def record(number: int, amount: str, at_ms: int = 0) -> IncomeRecord:
    return IncomeRecord(number, "COMMISSION", "XUSDT", "USDT", D(amount), at_ms)


class Exchange:
    """Answers a round; keeps what it was asked."""

    def __init__(self, booked: list[IncomeRecord], start: str = "1000") -> None:
        self.booked, self.start, self.asked = booked, D(start), []
        self.told = list(booked)

    def wallet(self) -> dict[str, Decimal]:
        return {"USDT": self.start + sum((each.amount for each in self.booked), D(0))}

    def answer(self, reading: IncomeRound, state: IncomeState) -> IncomeState:
        known: set[int] = set()
        while reading.question is not None:
            question = reading.question
            self.asked.append(question)
            if isinstance(question, ReadPage):
                found = [each for each in self.told if question.start_ms <= each.time_ms <= question.end_ms]
                page = found[(question.page - 1) * PAGE_RECORDS : question.page * PAGE_RECORDS]
                state = state.with_records(each for each in page if each.transaction_id not in known)
                known |= {each.transaction_id for each in page}
                reading.take_page(page)
            else:
                reading.take_wallets(self.wallet())
        return reading.concluded(state)


def test_a_first_reading_asks_for_wallets_all_weeks_since_the_beginning_and_wallets() -> None:
    exchange = Exchange([record(number, "-1", NOW - 9 * DAY_MS) for number in range(2 * PAGE_RECORDS)])
    begun = NOW - 10 * DAY_MS
    reading = IncomeRound(IncomeState(), begun, NOW)
    state = exchange.answer(reading, IncomeState())
    first, *pages, last = exchange.asked
    assert isinstance(first, ReadWallets) and isinstance(last, ReadWallets)
    week = begun + 7 * DAY_MS
    assert pages == [
        ReadPage(begun, week, 1), ReadPage(begun, week, 2), ReadPage(begun, week, 3), ReadPage(week + 1, NOW, 1)
    ]  # fmt: skip
    assert (state.since_ms, state.until_ms, state.checked_ms) == (begun, NOW, NOW)
    assert state.opening == {"USDT": D(1000)}
    assert state.wallets == state.expected
    assert reading.proves(state)


def test_a_later_reading_goes_back_an_hour_and_never_beyond_what_the_exchange_keeps() -> None:
    assert IncomeRound(IncomeState(1, NOW - DAY_MS), 0, NOW).start_ms == NOW - DAY_MS - HOUR_MS
    assert IncomeRound(IncomeState(), 0, NOW).start_ms == NOW - 89 * DAY_MS


def test_wallets_that_move_while_pages_are_read_prove_nothing() -> None:
    reading = IncomeRound(IncomeState(), NOW - 5, NOW)
    reading.take_wallets({"USDT": D(5)})
    reading.take_page([])
    reading.take_wallets({"USDT": D(6)})
    state = reading.concluded(IncomeState())
    assert (state.until_ms, state.checked_ms, reading.proves(state)) == (NOW, 0, False)


def test_a_record_that_is_told_late_is_doubted_twice_and_then_a_difference_until_it_comes() -> None:
    exchange = Exchange([])
    state = exchange.answer(IncomeRound(IncomeState(), NOW - 5, NOW), IncomeState())
    exchange.booked = [record(1, "-3", NOW + 1)]
    proved = []
    for turn in range(1, 5):
        reading = IncomeRound(state, 0, NOW + turn * MINUTE_MS)
        state = exchange.answer(reading, state)
        proved.append((reading.proves(state), state.wallets == state.expected))
    assert proved == [(False, True), (False, True), (True, False), (True, False)]
    exchange.told = exchange.booked
    reading = IncomeRound(state, 0, NOW + 5 * MINUTE_MS)
    state = exchange.answer(reading, state)
    assert (state.doubts, state.wallets == state.expected, reading.proves(state)) == (0, True, True)


def test_what_the_first_wallet_had_and_was_told_late_is_no_difference() -> None:
    exchange = Exchange([record(1, "-3", NOW - 500)])
    exchange.told = []
    state = exchange.answer(IncomeRound(IncomeState(), NOW - 5_000, NOW), IncomeState())
    exchange.told = exchange.booked
    reading = IncomeRound(state, 0, NOW + MINUTE_MS)
    state = exchange.answer(reading, state)
    assert (state.doubts, state.late, reading.proves(state)) == (0, {}, True)
    assert state.wallets == state.expected == {"USDT": D(997)}


def test_what_the_first_wallet_did_not_have_yet_is_no_difference_either() -> None:
    """Funding that is booked some seconds after the stamp which it names."""
    exchange = Exchange([])
    state = exchange.answer(IncomeRound(IncomeState(), NOW - 5_000, NOW), IncomeState())
    exchange.booked = exchange.told = [record(1, "-3", NOW - 2_000)]
    reading = IncomeRound(state, 0, NOW + MINUTE_MS)
    state = exchange.answer(reading, state)
    assert (state.doubts, state.late, reading.proves(state)) == (0, {}, True)
    assert state.wallets == state.expected == {"USDT": D(997)}


@given(amounts=st.lists(st.integers(-(10**12), 10**12), max_size=30), cut=st.integers(0, 30))
def test_opening_and_income_make_the_wallet_wherever_the_first_reading_was(amounts: list[int], cut: int) -> None:
    """Amounts in units of 1e-8."""
    booked = [record(number, str(D(units).scaleb(-8)), NOW + number) for number, units in enumerate(amounts)]
    exchange = Exchange(booked[:cut])
    state = exchange.answer(IncomeRound(IncomeState(), NOW - 5, NOW + DAY_MS), IncomeState())
    exchange.booked = exchange.told = booked
    fresh = booked[cut:]
    state = state.with_records(fresh)
    reading = IncomeRound(state, 0, NOW + 2 * DAY_MS)
    exchange.told = []
    state = exchange.answer(reading, state)
    assert (state.wallets, state.doubts) == (state.expected, 0)


def test_the_clock_reads_after_stamps_after_events_and_sooner_when_nothing_was_proved() -> None:
    clock, stamp = IncomeClock(), NOW - NOW % (8 * HOUR_MS) + 8 * HOUR_MS
    assert clock.is_due(NOW), "at activation"
    clock.begun()
    assert not clock.is_due(NOW + DAY_MS)
    clock.ended(NOW, proved=True)
    assert clock.next_ms == stamp + 90_000
    clock.heard(NOW)
    assert clock.next_ms == NOW + AFTER_EVENT_MS
    clock.begun()
    clock.heard(NOW + 5)
    clock.ended(NOW + 50_000, proved=True)
    assert clock.is_due(NOW + 50_000), "what was heard during a reading is read again"
    clock.begun()
    clock.ended(stamp + 30_000, proved=True)
    assert clock.next_ms == stamp + 90_000, "the stamp's own reading is still to come"
    clock.begun()
    clock.ended(NOW, proved=False)
    assert clock.next_ms == NOW + AGAIN_MS


def test_failures_wait_longer_each_time_but_not_for_ever() -> None:
    clock, waits = IncomeClock(), []
    for _ in range(8):
        clock.begun()
        clock.failed(NOW)
        waits.append(clock.next_ms - NOW)
    assert waits == sorted(waits) and waits[0] == 30_000 and waits[-1] == LONGEST_RETRY_MS
