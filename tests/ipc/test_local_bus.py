import pytest

from atm.ipc.assistant import Deferred
from atm.ipc.local import LocalBus
from atm.ipc.messages import (
    ClosedBar,
    Done,
    Failed,
    FetchBars,
    LastStored,
    LastStoredReply,
    LastTrade,
    Ping,
    RemoveAccount,
    Reply,
)
from atm.model.bars import Bar
from atm.model.errors import Invalid, Refused, Unavailable


def trade(symbol: str, price: float) -> LastTrade:
    return LastTrade(symbol, 0, price, 1.0, False)


def closed(symbol: str, minute: int) -> ClosedBar:
    return ClosedBar(symbol, Bar(minute * 60_000, 1, 1, 1, 1, 1, 1, 1, 1, 1), 1)


def test_closed_bars_arrive_all_and_in_order_for_the_keys_asked_for() -> None:
    bus = LocalBus()
    api, trader = bus.assistant("binance_api"), bus.assistant("trade")
    seen: list[tuple[str, int]] = []
    trader.subscribe(ClosedBar, lambda e: seen.append((e.symbol, e.bar.open_time)), keys=["A"])
    bus.pump()
    for minute in range(5):
        api.publish(closed("A", minute), "A")
        api.publish(closed("B", minute), "B")
    bus.pump()
    assert seen == [("A", minute * 60_000) for minute in range(5)]


def test_a_late_subscriber_knows_the_newest_state_of_every_key() -> None:
    bus = LocalBus()
    api = bus.assistant("binance_api")
    for price in (1.0, 2.0, 3.0):
        api.publish(trade("A", price), "A")
    api.publish(trade("B", 9.0), "B")
    bus.pump()
    window = bus.assistant("gui")
    seen: dict[str, float] = {}
    window.subscribe(LastTrade, lambda e: seen.__setitem__(e.symbol, e.price))
    bus.pump()
    assert seen == {"A": 3.0, "B": 9.0}


def test_requests_are_answered_at_once_or_later() -> None:
    bus = LocalBus()
    gui, data = bus.assistant("gui"), bus.assistant("data")
    waiting = Deferred()
    data.answer(LastStored, lambda _: LastStoredReply({"A": 60_000}))
    data.answer(FetchBars, lambda _: waiting)
    assert gui.request("data", LastStored()) == LastStoredReply({"A": 60_000})
    replies: list[Reply] = []
    gui.request_async("data", FetchBars("A", 0, 1), replies.append)
    bus.pump()
    assert replies == []
    waiting.reply(Done("later"))
    bus.pump()
    assert replies == [Done("later")]


def test_an_error_of_the_other_side_is_raised_on_this_one() -> None:
    bus = LocalBus()
    gui, trader = bus.assistant("gui"), bus.assistant("trade")

    def refuse(request: RemoveAccount) -> Reply:
        if request.name == "busy":
            raise Refused("busy has an open position")
        raise Invalid("name", request.name, "an existing account")

    trader.answer(RemoveAccount, refuse)
    with pytest.raises(Refused, match="busy has an open position"):
        gui.request("trade", RemoveAccount("busy"))
    with pytest.raises(Invalid, match="name: 'nobody' is not allowed; allowed: an existing account"):
        gui.request("trade", RemoveAccount("nobody"))


def test_a_request_to_nobody_or_to_the_dead_fails_at_once() -> None:
    bus = LocalBus()
    gui, data = bus.assistant("gui"), bus.assistant("data")
    with pytest.raises(Unavailable, match="trade is not running"):
        gui.request("trade", Ping())
    data.answer(LastStored, lambda _: Deferred())
    replies: list[Reply] = []
    gui.request_async("data", LastStored(), replies.append)
    bus.pump()
    bus.kill("data")
    bus.pump()
    assert replies == [Failed(kind="Unavailable", message="data has stopped")]


def test_a_timeout_answers_exactly_once_even_if_the_reply_comes_later() -> None:
    now = [0.0]
    bus = LocalBus(lambda: now[0])
    gui, data = bus.assistant("gui"), bus.assistant("data")
    late = Deferred()
    data.answer(LastStored, lambda _: late)
    replies: list[Reply] = []
    gui.request_async("data", LastStored(), replies.append, timeout=5)
    bus.pump()
    now[0] = 5.1
    bus.pump()
    late.reply(Done())
    bus.pump()
    assert len(replies) == 1
    assert isinstance(replies[0], Failed)


def test_a_failing_handler_does_not_end_the_process(caplog: pytest.LogCaptureFixture) -> None:
    bus = LocalBus()
    gui, data = bus.assistant("gui"), bus.assistant("data")

    def broken(_: LastStored) -> Reply:
        raise ZeroDivisionError

    data.answer(LastStored, broken)
    with pytest.raises(Refused, match="ZeroDivisionError in data"):
        gui.request("data", LastStored())
    assert gui.request("data", Ping()) == Done()


def test_timers_run_when_due_and_not_after_cancel() -> None:
    now = [0.0]
    bus = LocalBus(lambda: now[0])
    gui = bus.assistant("gui")
    ticks: list[float] = []
    timer = gui.every(2, lambda: ticks.append(now[0]))
    gui.call_later(3, lambda: ticks.append(-now[0]))
    for second in range(1, 7):
        now[0] = second
        bus.pump()
        if second == 4:
            timer.cancel()
    assert ticks == [2, -3, 4]
