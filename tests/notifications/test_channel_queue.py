"""A channel that fails is tried again, ever more slowly, and its messages arrive in their order."""

from __future__ import annotations

from atm.notifications.channel_queue import FIRST_WAIT_MS, LONGEST, LONGEST_WAIT_MS, ChannelQueue, Message


def test_a_message_stays_until_it_is_delivered() -> None:
    queue = ChannelQueue("json")
    first = Message("t", "one")
    queue.put(first)
    queue.put(Message("t", "two"))
    waits, now = [], 0
    for _ in range(10):
        assert queue.next(now) == Message("t", "one")
        queue.failed(now, "no route")
        due = queue.due_ms()
        assert due is not None and queue.next(due - 1) is None
        waits.append(due - now)
        now = due
    assert waits[:3] == [FIRST_WAIT_MS, 2 * FIRST_WAIT_MS, 4 * FIRST_WAIT_MS] and waits[-1] == LONGEST_WAIT_MS
    assert queue.state().error == "no route"
    queue.delivered(first)
    second = queue.next(now)
    assert second == Message("t", "two"), "the next one goes at once"
    queue.delivered(second)
    state = queue.state()
    assert (state.delivered, state.waiting, state.lost, state.error) == (2, 0, 0, "")


def test_a_dead_channel_keeps_the_newest_and_counts_the_rest() -> None:
    queue = ChannelQueue("json")
    for number in range(LONGEST + 7):
        queue.put(Message("t", str(number)))
    assert queue.state().lost == 7 and queue.state().waiting == LONGEST
    first = queue.next(0)
    assert first is not None and first.body == "7"


def test_a_message_that_is_given_up_while_it_is_sent_takes_no_other_along() -> None:
    queue = ChannelQueue("json")
    queue.put(Message("t", "first"))
    sending = queue.next(0)
    assert sending is not None
    for number in range(LONGEST):
        queue.put(Message("t", str(number)))
    queue.delivered(sending)
    state, following = queue.state(), queue.next(0)
    assert (state.delivered, state.waiting, state.lost) == (1, LONGEST, 0)
    assert following is not None and following.body == "0"
