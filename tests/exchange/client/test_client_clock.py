"""The estimate of the exchange's clock."""

from __future__ import annotations

from atm.exchange.client.clock import ExchangeClock


def test_a_replay_that_is_held_has_the_rate_nought_and_its_time_stands_still() -> None:
    clock = ExchangeClock()
    clock.sample(0.0, 2.0, 1_000_000.0)
    clock.sample(5_000.0, 5_002.0, 1_000_000.0)
    assert clock.rate == 0.0
    assert clock.now_ms(60_000.0) == 1_000_000.0


def test_a_replay_that_was_moved_forward_keeps_its_rate() -> None:
    clock = ExchangeClock()
    clock.sample(0.0, 2.0, 0.0)
    clock.sample(1_000.0, 1_002.0, 60_000.0)
    clock.sample(2_000.0, 2_002.0, 86_400_000.0)  # a day in a second
    assert clock.rate == 60.0
    assert clock.now_ms(2_101.0) == 86_406_000.0


def test_the_word_of_a_replay_holds_at_once() -> None:
    clock = ExchangeClock()
    clock.sample(0.0, 2.0, 0.0)
    clock.sample(1_000.0, 1_002.0, 60_000.0)
    clock.tell(2_001.0, 200_000.0, 10.0)
    assert clock.now_ms(3_001.0) == 210_000.0
