"""Which notices are sent, when, and which together. Pure: time is an argument.

A message goes out at once for what is critical and new, otherwise when a slot of the hour is free and it is no quiet hour; it then
holds everything that has gathered. So a storm of notices is one long message and not a storm of messages, and nothing is lost.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from atm.model.notice import Notice, Severity
from atm.model.notification import NotificationSettings

FILLS = frozenset({"notice.fill", "notice.stop", "notice.liquidation"})
GATHER_MS = 3_000
"""How long a message waits for what belongs to it: one minute's close causes several notices."""
REPEAT_MS = 600_000
"""A critical notice that has been sent so recently is not urgent again."""
LONGEST = 200
"""Different notices kept for one message; of more, only the number is known."""

_HOUR_MS = 3_600_000
_RANK = {each: rank for rank, each in enumerate(Severity)}


@dataclass(frozen=True, slots=True)
class Told:
    """A notice and how often it came in the same words."""

    notice: Notice
    times: int = 1


@dataclass(frozen=True, slots=True)
class Digest:
    """One message: its notices in the order in which they came first; `more` did not fit in."""

    told: tuple[Told, ...]
    more: int = 0

    @property
    def severity(self) -> Severity:
        """The gravest in it."""
        return max((each.notice.severity for each in self.told), key=_RANK.__getitem__)


@dataclass(slots=True)
class Gathering:
    """What waits to be sent."""

    settings: NotificationSettings = field(default_factory=NotificationSettings)
    _waiting: dict[tuple[object, ...], Told] = field(default_factory=dict)
    _more: int = 0
    _since_ms: int = 0
    _urgent: bool = False
    _sent_ms: int = -_HOUR_MS
    _alarmed: dict[tuple[str, str], int] = field(default_factory=dict)

    def offer(self, notice: Notice, now_ms: int) -> None:
        """Take a notice in, if the rules want it sent."""
        if not self.wanted(notice):
            return
        if not self._waiting:
            self._since_ms = now_ms
        key = (notice.text, notice.subject, *sorted(notice.parameters.items()))
        if key in self._waiting:
            known = self._waiting[key]
            self._waiting[key] = Told(known.notice, known.times + 1)
        elif len(self._waiting) < LONGEST:
            self._waiting[key] = Told(notice)
        else:
            self._more += 1
        self._urgent = self._urgent or self._alarms(notice, now_ms)

    def wanted(self, notice: Notice) -> bool:
        """Whether the rules want it sent at all."""
        if not self.settings.enabled:
            return False
        if notice.text in FILLS and self.settings.fills:
            return True
        return _RANK[notice.severity] >= _RANK[self.settings.lowest]

    def due_ms(self) -> int | None:
        """When the next message goes out, Unix ms; None while nothing waits."""
        if not self._waiting:
            return None
        gathered = self._since_ms + GATHER_MS
        if self._urgent:
            return gathered
        return after_quiet(self.settings, max(gathered, self._sent_ms + _HOUR_MS // self.settings.per_hour))

    def take(self, now_ms: int) -> Digest | None:
        """The message that is due, or None. What it holds waits no longer."""
        due = self.due_ms()
        if due is None or now_ms < due:
            return None
        digest = Digest(tuple(self._waiting.values()), self._more)
        for each in digest.told:
            if each.notice.severity is Severity.CRITICAL:
                self._alarmed[each.notice.text, each.notice.subject] = now_ms
        self._waiting.clear()
        self._more, self._urgent, self._sent_ms = 0, False, now_ms
        return digest

    def _alarms(self, notice: Notice, now_ms: int) -> bool:
        if notice.severity is not Severity.CRITICAL:
            return False
        self._alarmed = {key: at for key, at in self._alarmed.items() if now_ms - at < REPEAT_MS}
        return (notice.text, notice.subject) not in self._alarmed


def after_quiet(settings: NotificationSettings, time_ms: int) -> int:
    """`time_ms`, or the end of the quiet hours that it falls into."""
    start, end = settings.quiet_from, settings.quiet_to
    into_ms = (time_ms - start * _HOUR_MS) % (24 * _HOUR_MS)
    length_ms = (end - start) % 24 * _HOUR_MS
    return time_ms + length_ms - into_ms if into_ms < length_ms else time_ms
