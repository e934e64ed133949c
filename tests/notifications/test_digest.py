"""What is sent and when: urgent things at once, storms as one message, nothing lost, quiet hours kept."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from atm.model.notice import Notice, Severity
from atm.model.notification import NotificationSettings
from atm.notifications.digest import GATHER_MS, LONGEST, REPEAT_MS, Gathering, after_quiet

HOUR = 3_600_000
ON = NotificationSettings(enabled=True, per_hour=4)


def notice(
    severity: Severity = Severity.WARNING, text: str = "notice.disk_low", subject: str = "", **parameters: str
) -> Notice:
    return Notice(0, "data", severity, text, parameters, subject)


def test_nothing_is_sent_while_it_is_off() -> None:
    gathering = Gathering()
    gathering.offer(notice(Severity.CRITICAL), 0)
    assert gathering.due_ms() is None


def test_mild_notices_stay_in_the_window_but_fills_are_sent() -> None:
    gathering = Gathering(ON)
    gathering.offer(notice(Severity.INFO), 0)
    assert gathering.due_ms() is None
    gathering.offer(notice(Severity.INFO, "notice.fill"), 0)
    assert gathering.due_ms() is not None
    assert not Gathering(NotificationSettings(enabled=True, fills=False)).wanted(notice(Severity.INFO, "notice.fill"))


def test_the_first_message_goes_out_when_its_minute_has_gathered() -> None:
    gathering = Gathering(ON)
    gathering.offer(notice(), 10 * HOUR)
    assert gathering.take(10 * HOUR + GATHER_MS - 1) is None
    digest = gathering.take(10 * HOUR + GATHER_MS)
    assert digest is not None and len(digest.told) == 1
    assert gathering.due_ms() is None


def test_what_comes_faster_than_the_rate_is_sent_together() -> None:
    """Four an hour: a quarter of an hour between two messages."""
    gathering = Gathering(ON)
    gathering.offer(notice(subject="a"), 10 * HOUR)
    gathering.take(10 * HOUR + GATHER_MS)
    gathering.offer(notice(subject="b"), 10 * HOUR + 60_000)
    gathering.offer(notice(subject="c"), 10 * HOUR + 120_000)
    assert gathering.due_ms() == 10 * HOUR + GATHER_MS + HOUR // 4
    digest = gathering.take(11 * HOUR)
    assert digest is not None and [each.notice.subject for each in digest.told] == ["b", "c"]


def test_equal_words_are_counted_and_different_ones_kept() -> None:
    gathering = Gathering(ON)
    for free in ("1", "1", "2", "1"):
        gathering.offer(notice(free=free), 0)
    digest = gathering.take(HOUR)
    assert digest is not None and [each.times for each in digest.told] == [3, 1]


def test_critical_passes_rate_and_quiet_hours_once_but_a_flapping_alarm_waits() -> None:
    settings = NotificationSettings(enabled=True, per_hour=1, quiet_from=22, quiet_to=7)
    gathering = Gathering(settings)
    alarm = notice(Severity.CRITICAL, "notice.liquidation", "main")
    night = 23 * HOUR
    gathering.offer(alarm, night)
    digest = gathering.take(night + GATHER_MS)
    assert digest is not None and digest.severity is Severity.CRITICAL
    gathering.offer(alarm, night + 60_000)
    assert gathering.due_ms() == 31 * HOUR, "the same alarm again: at seven"
    gathering.offer(notice(Severity.CRITICAL, "notice.liquidation", "other"), night + 70_000)
    assert gathering.due_ms() == night + 60_000 + GATHER_MS, "another account's alarm takes it along"
    gathering.take(night + 80_000)
    gathering.offer(alarm, night + 80_000 + REPEAT_MS)
    assert gathering.due_ms() == night + 80_000 + REPEAT_MS + GATHER_MS, "long ago: urgent again"


def test_quiet_hours_over_midnight() -> None:
    settings = NotificationSettings(quiet_from=22, quiet_to=7)
    for time, end in ((21, 21), (22, 31), (23, 31), (24, 31), (30, 31), (31, 31), (45, 45)):
        assert after_quiet(settings, time * HOUR) == end * HOUR, time
    assert after_quiet(NotificationSettings(quiet_from=5, quiet_to=5), 5 * HOUR) == 5 * HOUR


@given(st.lists(st.tuples(st.integers(0, 400), st.sampled_from(Severity), st.sampled_from("abcdef")), max_size=120))
def test_every_wanted_notice_is_told_once_and_messages_keep_their_distance(
    events: list[tuple[int, Severity, str]],
) -> None:
    gathering, now, told, ordinary = Gathering(ON), 0, 0, []
    offered = 0
    for seconds, severity, subject in events:
        now += seconds * 1_000
        while (due := gathering.due_ms()) is not None and due <= now:
            urgent = gathering._urgent
            digest = gathering.take(due)
            assert digest is not None
            told += sum(each.times for each in digest.told) + digest.more
            if not urgent:
                ordinary.append(due)
        one = notice(severity, subject=subject)
        offered += gathering.wanted(one)
        gathering.offer(one, now)
    rest = gathering.take(now + 25 * HOUR)
    told += sum(each.times for each in rest.told) + rest.more if rest else 0
    assert told == offered
    assert all(later - earlier >= HOUR // 4 for earlier, later in pairwise(ordinary))


def test_a_storm_is_bounded_and_what_is_left_out_is_counted() -> None:
    gathering = Gathering(ON)
    for number in range(LONGEST + 50):
        gathering.offer(notice(subject=str(number)), 0)
    digest = gathering.take(HOUR)
    assert digest is not None and (len(digest.told), digest.more) == (LONGEST, 50)
