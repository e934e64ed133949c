"""A few schedules of the fault campaign (`./run.sh bench faults`): client and demo exchange in virtual time, over real sockets."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from atm.exchange.client.clock import ExchangeClock
from benchmarks import _fault_campaign as campaign

CLOCK_SKEW = 102


@pytest.fixture(scope="module")
def minutes() -> Any:
    return campaign.market()


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """What the faults cause is logged by the thousand."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize(
    ("seed", "kind"),
    [
        (1, campaign.MIXED),
        (2, "half_open"),
        (8, "silent_stream"),
        (18, "closing_missing"),
        (CLOCK_SKEW, "clock_skew"),
        (54, "maintenance"),
    ],
)
def test_nothing_is_lost_doubled_or_left_behind(seed: int, kind: str, minutes: Any) -> None:
    verdict = campaign.run(seed, minutes)
    assert verdict.problems == ()
    assert verdict.kind == kind and verdict.faults > 3
    assert verdict.bars == len(campaign.SYMBOLS) * 9
    assert all(recovery.seconds is not None for recovery in verdict.recoveries if recovery.kind == "maintenance")


def test_a_schedule_repeats_itself(minutes: Any) -> None:
    assert campaign.run(3, minutes) == campaign.run(3, minutes)


def test_the_campaign_finds_a_client_that_trusts_a_clock(minutes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ExchangeClock, "long_past_ms", ExchangeClock.surely_past_ms)
    problems = campaign.run(CLOCK_SKEW, minutes).problems
    assert any("differs" in problem for problem in problems)
