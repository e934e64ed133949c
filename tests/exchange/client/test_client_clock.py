"""The exchange's clock as the client estimates it."""

from __future__ import annotations

import pytest

from atm.exchange.client.clock import ExchangeClock

T0 = 1_700_000_000_000.0


def sampled(*samples: tuple[float, float]) -> ExchangeClock:
    """Samples (local s, exchange s), each with a round trip of 20 ms."""
    clock = ExchangeClock()
    for local_s, exchange_s in samples:
        clock.sample(T0 + local_s * 1000 - 10, T0 + local_s * 1000 + 10, T0 + exchange_s * 1000)
    return clock


def test_the_rate_of_a_replay_is_known_after_two_samples() -> None:
    clock = sampled((0, 0), (1, 60))
    assert clock.rate == pytest.approx(60.0)
    assert clock.now_ms(T0 + 2_000) == pytest.approx(T0 + 120_000)


def test_a_clock_that_jumps_runs_on_at_the_same_rate() -> None:
    """30 s of local time, 90 s of the exchange's: it has jumped by a minute and does not run three times as fast."""
    clock = sampled((0, 0), (1, 1), (31, 91))
    assert clock.rate == 1.0 and clock.is_doubtful
    assert clock.now_ms(T0 + 41_000) == pytest.approx(T0 + 101_000)
    clock.sample(T0 + 35_990, T0 + 36_010, T0 + 96_000)
    assert clock.rate == 1.0 and not clock.is_doubtful


def test_a_change_of_speed_is_believed_at_the_second_sample() -> None:
    clock = sampled((0, 0), (1, 60), (6, 360), (36, 36 * 600))
    assert clock.is_doubtful
    clock.sample(T0 + 40_990, T0 + 41_010, T0 + 41 * 600_000)
    assert clock.rate == pytest.approx(600.0) and not clock.is_doubtful


def test_only_the_word_of_a_replay_makes_it_held_and_its_movement_ends_that() -> None:
    clock = ExchangeClock()
    for second in range(5):  # an exchange whose clock stands still is no market that is held
        clock.sample(second * 1_000, second * 1_000 + 10, 7_000)
    assert not clock.is_held
    clock.tell(5_000, 7_000, 0.0)
    clock.sample(6_000, 6_010, 7_000)
    assert clock.is_held
    clock.sample(7_000, 7_010, 7_500)
    assert not clock.is_held
    clock.tell(8_000, 9_000, 0.0)
    clock.tell(8_000, 9_000, 10.0)
    assert not clock.is_held


def test_two_jumps_in_a_row_are_no_rate() -> None:
    clock = sampled((0, 0), (1, 1), (31, 91), (36, 156))
    assert clock.rate == 1.0 and clock.is_doubtful
    clock.sample(T0 + 40_990, T0 + 41_010, T0 + 161_000)
    assert clock.rate == 1.0 and not clock.is_doubtful
