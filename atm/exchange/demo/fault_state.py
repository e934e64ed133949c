"""Which faults are set, which are active at a time, and what they do to a message or a request. Pure: time is an argument.

Chance is drawn from the seed of each fault, once for each message or request that it could strike, so the same messages in the
same order are struck alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from random import Random

import msgspec

from atm.model.errors import Invalid
from atm.model.fault import FORMS, Fault, FaultKind, FaultPhase, FaultRecord

MOST_SET, KEPT_OVER = 20_000, 200
MESSAGE_KINDS = frozenset(kind for kind, form in FORMS.items() if form.group == "message")
_CLOSING = frozenset((FaultKind.CLOSING_MISSING, FaultKind.CLOSING_LATE))
_EVERYWHERE = (FaultKind.MAINTENANCE, FaultKind.BANNED)
"""Whatever else is set, these answer a request first."""
REQUEST_KINDS = frozenset(kind for kind, form in FORMS.items() if form.group == "request") | frozenset(_EVERYWHERE)
_HTML = "<html><head><title>502 Bad Gateway</title></head><body>502 Bad Gateway</body></html>"


class Standing:
    """A fault that is set. begin_ms, end_ms: wall, Unix ms (end None: until it is cleared). did: what it has done so far."""

    def __init__(self, number: int, fault: Fault, now_ms: float) -> None:
        lasting = FORMS[fault.kind].lasting
        self.number, self.fault = number, fault
        self.begin_ms = now_ms + fault.at_ms
        self.end_ms = self.begin_ms + fault.duration_ms if fault.duration_ms or not lasting else None
        self.phase: FaultPhase = "waiting"
        self.did: dict[str, int] = {}
        self.draws = Random(fault.seed)
        self.left_out: dict[tuple[int, str], int] = {}

    def count(self, what: str, times: int = 1) -> None:
        """Note what the fault has done."""
        self.did[what] = self.did.get(what, 0) + times

    def strikes(self) -> bool:
        """Draw whether what it could strike is struck."""
        return self.draws.random() < self.fault.probability

    def record(self) -> FaultRecord:
        """As it is told."""
        end_ms = 0 if self.end_ms is None else int(self.end_ms)
        return FaultRecord(self.number, self.fault, self.phase, int(self.begin_ms), end_ms, dict(self.did))


class Delivery(msgspec.Struct, frozen=True):
    """A message that goes out: after so many ms, and after so many later messages of its connection."""

    content: str | bytes
    late_ms: float = 0.0
    behind: int = 0


class Turn(msgspec.Struct, frozen=True):
    """What has changed with time: faults that begin, and faults that end, each by its beginning."""

    begun: tuple[Standing, ...] = ()
    ended: tuple[Standing, ...] = ()


class FaultState:
    """All faults. `messages`, `requests`: the active ones that strike messages and requests."""

    def __init__(self) -> None:
        self._numbers = 0
        self._set: dict[int, Standing] = {}
        self._over: list[Standing] = []
        self.messages: tuple[Standing, ...] = ()
        self.requests: tuple[Standing, ...] = ()

    # --- setting and time -------------------------------------------------------------------------------------

    def check_room(self, new: int) -> None:
        """Raises Invalid when there would be too many with so many new ones."""
        if len(self._set) + new > MOST_SET:
            raise Invalid("faults", len(self._set) + new, f"at most {MOST_SET:,} waiting and active at once")

    def set(self, faults: Iterable[Fault], now_ms: float) -> None:
        """Set faults; their times count from now."""
        for fault in faults:
            self._numbers += 1
            self._set[self._numbers] = Standing(self._numbers, fault, now_ms)

    def clear(self, numbers: Iterable[int] | None, now_ms: float) -> Turn:
        """End faults, None: all of them. Raises Invalid for a number that is not set."""
        wanted = tuple(self._set) if numbers is None else tuple(numbers)
        for number in wanted:
            if number not in self._set:
                known = ", ".join(map(str, self._set)) or "none"
                raise Invalid("clear", number, f"numbers of faults that are set: {known}")
        ended = []
        for number in dict.fromkeys(wanted):
            standing = self._set[number]
            if standing.phase == "active":
                ended.append(standing)
            standing.end_ms = min(now_ms, standing.end_ms if standing.end_ms is not None else now_ms)
            self._retire(standing, "cleared")
        self._look_up()
        return Turn(ended=tuple(ended))

    def turn(self, now_ms: float) -> Turn:
        """Let faults begin and end whose time has come; one whose whole time has passed unseen does both."""
        begun = [each for each in self._set.values() if each.phase == "waiting" and each.begin_ms <= now_ms]
        for standing in begun:
            standing.phase = "active"
        over = [each for each in self._set.values() if each.end_ms is not None and each.end_ms <= now_ms]
        ended = [each for each in over if each.phase == "active"]
        for standing in ended:
            self._retire(standing, "over")
        if begun or ended:
            self._look_up()
        return Turn(tuple(begun), tuple(ended))

    def next_ms(self) -> float | None:
        """When `turn` has something to do next."""
        times = (each.begin_ms if each.phase == "waiting" else each.end_ms for each in self._set.values())
        return min((time for time in times if time is not None), default=None)

    def _retire(self, standing: Standing, phase: FaultPhase) -> None:
        standing.phase = phase
        del self._set[standing.number]
        self._over.append(standing)
        del self._over[:-KEPT_OVER]

    def _look_up(self) -> None:
        active = self.active()
        self.messages = tuple(each for each in active if each.fault.kind in MESSAGE_KINDS)
        struck = [each for each in active if each.fault.kind in REQUEST_KINDS]
        self.requests = tuple(sorted(struck, key=lambda each: each.fault.kind not in _EVERYWHERE))

    def active(self, *kinds: FaultKind) -> list[Standing]:
        """The active faults of these kinds (none: of all), in the order in which they were set."""
        return [
            each for each in self._set.values() if each.phase == "active" and (not kinds or each.fault.kind in kinds)
        ]

    def records(self) -> tuple[FaultRecord, ...]:
        """Those that are over, oldest first, then those that are set."""
        return tuple(each.record() for each in (*self._over, *self._set.values()))

    # --- what they do -----------------------------------------------------------------------------------------

    def message(self, connection: int, stream: str, closing: bool, text: str) -> list[Delivery]:
        """What becomes of a message on a connection: nothing, itself, several, late, behind later ones or broken.

        closing: whether it closes a bar.
        """
        sent = [Delivery(text)]
        for standing in self.messages:
            kind = standing.fault.kind
            if not sent or (kind in _CLOSING and not closing) or not matches(stream, standing.fault.target):
                continue
            sent = _struck(standing, sent, connection, stream)
        return sent

    def request(self, method: str, path: str) -> Standing | None:
        """The fault that strikes a request, the first that was set. path: as "/fapi/v1/order"."""
        for standing in self.requests:
            target = standing.fault.target
            if (matches(f"{method} {path}", target) or matches(path, target)) and standing.strikes():
                return standing
        return None


def matches(name: str, pattern: str) -> bool:
    """Whether a name fits a pattern of letters, * and ?; "" fits all."""
    return not pattern or fnmatchcase(name, pattern)


def _struck(standing: Standing, sent: list[Delivery], connection: int, stream: str) -> list[Delivery]:
    fault = standing.fault
    if fault.kind is FaultKind.DEPTH_GAP:
        return _gap(standing, sent, (connection, stream))
    if not standing.strikes():
        return sent
    if fault.kind in (FaultKind.SILENT_STREAM, FaultKind.MISSING, FaultKind.CLOSING_MISSING):
        standing.count("left_out", len(sent))
        return []
    if fault.kind is FaultKind.DUPLICATE:
        standing.count("repeated", len(sent) * int(fault.amount))
        return [each for each in sent for _ in range(1 + int(fault.amount))]
    if fault.kind is FaultKind.REORDER:
        standing.count("moved_back", len(sent))
        return [msgspec.structs.replace(each, behind=each.behind + int(fault.amount)) for each in sent]
    if fault.kind is FaultKind.CORRUPT_FRAMES:
        standing.count("corrupted", len(sent))
        return [msgspec.structs.replace(each, content=broken(each.content, fault.variant)) for each in sent]
    standing.count("delayed", len(sent))
    return [msgspec.structs.replace(each, late_ms=each.late_ms + fault.amount) for each in sent]


def _gap(standing: Standing, sent: list[Delivery], place: tuple[int, str]) -> list[Delivery]:
    """Leave out a run of messages; the probability is that of a run beginning."""
    left = standing.left_out.get(place, 0)
    if not left and standing.strikes():
        left = int(standing.fault.amount)
        standing.count("gaps")
    if left:
        standing.left_out[place] = left - 1
        standing.count("left_out", len(sent))
        return []
    return sent


def broken(content: str | bytes, variant: str) -> str | bytes:
    """A message or a body that no reader of JSON accepts."""
    text = content if isinstance(content, str) else content.decode(errors="replace")
    if variant == "truncated":
        return text[: len(text) // 2]
    if variant == "html":
        return _HTML
    return b"\xff\xfe" + text.encode()[1:] if variant == "bytes" else ""
