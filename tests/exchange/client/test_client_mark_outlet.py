"""Bars leave in order with their marks; what the stream did not tell whole is asked for, many minutes at once; the history of rates."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from atm.exchange.client import mark_outlet
from atm.exchange.client.clock import ExchangeClock
from atm.exchange.client.costs import FUNDING_LIMIT, cost
from atm.exchange.client.funding_history import FundingHistory
from atm.exchange.client.mark_minutes import MarkMinutes, Told
from atm.exchange.client.mark_outlet import MarkOutlet
from atm.exchange.client.rate_budget import Cost, RateBudget, RequestClass
from atm.ipc.messages import ClosedBar
from atm.model.bars import Bar, Source
from atm.model.errors import ATMError, Refused, Unavailable
from atm.model.interval import HOUR_MS, MINUTE_MS
from atm.model.mark import Mark

T0 = 1_694_131_200_000
NOW_MS = T0 + 1_000 * 24 * HOUR_MS
PERIOD_MS = 8 * HOUR_MS


class Exchange:
    """Answers as the REST client does: mark prices (1, 2, 0.5, minute) of all minutes but `lacks`, a rate every eight hours."""

    def __init__(self) -> None:
        self.clock = ExchangeClock()
        self.asked: list[tuple[int, int]] = []
        self.rates_asked: list[int] = []
        self.lacks: set[int] = set()
        self.fails: list[ATMError] = []
        self.goes_on = asyncio.Event()
        self.goes_on.set()

    @staticmethod
    def wall_ms() -> float:
        return NOW_MS

    async def mark_klines(self, _symbol: str, start_ms: int, end_ms: int, _kind: RequestClass) -> Any:
        self.asked.append(((start_ms - T0) // MINUTE_MS, (end_ms - T0) // MINUTE_MS))
        await self.goes_on.wait()
        if self.fails:
            raise self.fails.pop(0)
        minutes = range((start_ms - T0) // MINUTE_MS, (end_ms - T0) // MINUTE_MS)
        return {T0 + m * MINUTE_MS: (1.0, 2.0, 0.5, float(m)) for m in minutes if m not in self.lacks}

    async def funding_rates(self, _symbol: str, start_ms: int, _kind: RequestClass) -> dict[int, float]:
        self.rates_asked.append((start_ms - T0) // PERIOD_MS)
        first = -(-start_ms // PERIOD_MS) * PERIOD_MS
        stamps = range(first, NOW_MS, PERIOD_MS)[:FUNDING_LIMIT]
        return {stamp: (stamp - T0) / PERIOD_MS / 1e6 for stamp in stamps}


class Outside:
    """What has left, and the tasks of the outlet."""

    def __init__(self) -> None:
        self.exchange = Exchange()
        self.left: list[tuple[int, Mark | None]] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.minutes = MarkMinutes()
        rest: Any = self.exchange
        self.outlet = MarkOutlet(rest, self.take, self.spawn)

    def take(self, event: ClosedBar) -> None:
        self.left.append(((event.bar.open_time - T0) // MINUTE_MS, event.bar.mark))

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def publish(self, *numbers: int) -> None:
        for m in numbers:
            bar = Bar(T0 + m * MINUTE_MS, 1, 2, 0.5, 1, 1, 1, 1, 1, 1)
            self.outlet.publish(ClosedBar("X", bar, int(Source.STREAM), False), self.minutes)

    def tell(self, number: int, price: float = 7.0) -> None:
        """A whole minute of the stream, and the second before."""
        for second in range(-1, 60):
            ms = T0 + number * MINUTE_MS + second * 1_000
            self.minutes.told(Told(ms, price, 0.0, T0 + PERIOD_MS, ms / 1000))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                await asyncio.sleep(0)


async def test_a_whole_minute_leaves_at_once_and_others_wait_in_order_for_one_request() -> None:
    out = Outside()
    out.tell(1)
    out.publish(1)
    assert [(number, mark and mark.close) for number, mark in out.left] == [(1, 7.0)]
    out.exchange.goes_on.clear()
    out.publish(2)
    await out.until(lambda: bool(out.exchange.asked))
    out.tell(4)
    out.publish(3, 4, 5)
    assert len(out.left) == 1
    out.exchange.goes_on.set()
    await out.until(lambda: len(out.left) == 5)
    assert [number for number, _ in out.left] == [1, 2, 3, 4, 5]
    assert out.exchange.asked == [(2, 3), (3, 6)]
    assert [mark and mark.close for _, mark in out.left] == [7.0, 2.0, 3.0, 7.0, 5.0]
    assert out.minutes.closed(T0 + 5 * MINUTE_MS).mark == out.left[-1][1]
    await out.until(lambda: not out.tasks)
    out.tell(6)
    out.publish(6)
    assert len(out.left) == 6


async def test_nothing_is_made_up_for_what_the_exchange_lacks_or_refuses() -> None:
    out = Outside()
    out.exchange.lacks = {2}
    for second in range(30):  # a part of it was told
        out.minutes.told(Told(T0 + 2 * MINUTE_MS + second * 1_000, 9.0, 0.0, 0, 0.0))
    out.publish(2, 3)
    await out.until(lambda: len(out.left) == 2)
    assert out.left[0] == (2, None) and out.left[1][1] is not None
    out.exchange.fails = [Refused("no such symbol")]
    out.publish(4)
    await out.until(lambda: len(out.left) == 3)
    assert out.left[2] == (4, None)


async def test_an_exchange_that_cannot_be_reached_holds_bars_up_for_some_seconds_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mark_outlet, "RETRIES_S", (0.0, 0.0))
    out = Outside()
    out.exchange.fails = [Unavailable("no answer")] * 2
    out.publish(2)
    await out.until(lambda: len(out.left) == 1)
    assert out.left[0][1] is not None and len(out.exchange.asked) == 3
    out.exchange.fails = [Unavailable("no answer")] * 3
    out.publish(3)
    await out.until(lambda: len(out.left) == 2)
    assert out.left[1] == (3, None)
    assert not out.minutes.closed(T0 + 3 * MINUTE_MS).whole  # whoever asks later has it fetched
    bar = Bar(T0 + 3 * MINUTE_MS, 1, 2, 0.5, 1, 1, 1, 1, 1, 1)
    (later,) = await out.outlet.completed("X", [bar], out.minutes, RequestClass.REPAIR)
    assert later.mark is not None and later.mark.close == 3.0


async def test_a_request_that_is_kept_waiting_by_the_rate_budget_does_not_keep_recent_bars(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mark_outlet, "PATIENCE_S", 0.02)
    out = Outside()
    out.exchange.goes_on.clear()
    out.publish(2, 3)
    await out.until(lambda: len(out.left) == 2)
    assert out.left == [(2, None), (3, None)]


async def test_minutes_of_long_ago_wait_for_their_marks_until_a_new_bar_waits_behind_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mark_outlet, "PATIENCE_S", 0.02)
    old = range(mark_outlet.RECENT_MINUTES + 2)
    out = Outside()
    out.exchange.goes_on.clear()
    out.publish(*old)
    await out.until(lambda: bool(out.exchange.asked))
    await asyncio.sleep(0.1)
    assert out.left == [], "nothing else waits"
    out.publish(500)
    await out.until(lambda: len(out.left) == len(old) + 1)
    assert [minute for minute, _ in out.left] == [*old, 500]
    assert all(mark is None for _, mark in out.left)


async def test_bars_of_a_symbol_that_is_not_wanted_any_more_do_not_leave() -> None:
    out = Outside()
    out.exchange.goes_on.clear()
    out.publish(2)
    await out.until(lambda: bool(out.exchange.asked))
    out.outlet.keep(["Y"])
    out.exchange.goes_on.set()
    await out.until(lambda: not out.tasks)
    assert out.left == []


async def test_a_minute_that_opens_at_a_stamp_brings_its_settled_rate() -> None:
    out = Outside()
    stamp = PERIOD_MS // MINUTE_MS
    out.publish(stamp - 1, stamp)
    await out.until(lambda: len(out.left) == 2)
    rates = [mark.funding_rate for _, mark in out.left if mark is not None]
    assert math.isnan(rates[0]) and rates[1] == 1e-6


async def test_a_rate_that_the_stream_knew_is_kept_where_the_exchange_does_not_tell_it_yet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The history of rates has it minutes later; without this the constant would be charged."""
    out = Outside()

    async def none_yet(*_: object) -> dict[int, float]:
        return {}

    monkeypatch.setattr(out.exchange, "funding_rates", none_yet)
    stamp = PERIOD_MS // MINUTE_MS
    for second in (-2, -1, 30):  # the minute at the stamp was told in part
        ms = T0 + PERIOD_MS + second * 1_000
        following = T0 + PERIOD_MS if second < 0 else T0 + 2 * PERIOD_MS
        out.minutes.told(Told(ms, 7.0, 0.0003 if second < 0 else 0.0001, following, ms / 1000))
    out.publish(stamp)
    await out.until(lambda: len(out.left) == 1)
    mark = out.left[0][1]
    assert mark is not None and (mark.funding_rate, mark.close) == (0.0003, float(stamp))


async def test_years_of_rates_cost_few_requests() -> None:
    exchange: Any = Exchange()
    history = FundingHistory(exchange)
    found: dict[int, float] = {}
    for start_ms in range(T0, NOW_MS, 1_500 * MINUTE_MS):
        end_ms = min(NOW_MS, start_ms + 1_500 * MINUTE_MS)
        found |= await history.rates("X", start_ms, end_ms, RequestClass.HISTORY)
    assert found == {stamp: (stamp - T0) / PERIOD_MS / 1e6 for stamp in range(T0, NOW_MS, PERIOD_MS)}
    assert len(exchange.rates_asked) <= 5
    whole = await history.rates("Y", T0, NOW_MS, RequestClass.HISTORY)
    assert whole == found


def test_requests_for_rates_have_a_limit_of_their_own_and_mark_prices_cost_as_bars() -> None:
    assert cost("GET", "/fapi/v1/fundingRate", {"limit": "1000"}) == Cost(weight=0, funding=1)
    for limit, weight in (("99", 1), ("100", 2), ("500", 5), ("1000", 5), ("1500", 10)):
        assert cost("GET", "/fapi/v1/markPriceKlines", {"limit": limit}) == Cost(weight=weight)
    budget = RateBudget()
    taken = 0
    while budget.take(RequestClass.HISTORY, Cost(weight=0, funding=1), T0) == 0:
        taken += 1
    assert taken == 250  # half of the limit of 500 in five minutes
    assert budget.take(RequestClass.REPAIR, Cost(weight=0, funding=1), T0) == 0
    assert budget.wait_ms(RequestClass.HISTORY, Cost(weight=0, funding=1), T0 + 300_000) == 0
    assert budget.used_weight(T0) == 0
