"""What an answer of the exchange means for its caller: HTTP status, error code and text to one of our errors.

Sources: spec exchange §1.4 (four kinds of 503), §1.5, §1.8, §5.4. Decisions go by the code; only the 503 family has to be
told apart by its text. A *placing* request (POST or PUT of an order) may have been carried out although its answer is
bad; for every other request the worst is that it has to be asked again, since all others can be repeated.
"""

from __future__ import annotations

import re

import msgspec

from atm.exchange.client.frames import UNREADABLE
from atm.model.errors import ATMError, Banned, Refused, Throttled, Unavailable, Unknown
from atm.model.key_like import without_keys

TIMESTAMP_OUTSIDE = -1021
TOO_MANY_ORDERS = -1015
NO_CHANGE_NEEDED = frozenset((-4046, -4059, -4171, -5027))  # a success in effect
FILTER_DOUBTS = frozenset(
    (-1111, -1121, -2027, -4002, -4004, -4005, -4013, -4014, -4016, -4023, -4024, -4105, -4106, -4107, -4131, -4140, -4141, -4164)
)  # fmt: skip
"""Refusals for which an instrument's filters, brackets or status may be others than we know (spec: exchange §1.8, §3.1)."""
_UNKNOWN_OUTCOME = frozenset((-1000, -1006, -1007))
_THROTTLED_BY_SYSTEM = -1008
_DUPLICATE_ID = -4116
_BANNED_UNTIL = re.compile(r"banned until (\d{12,14})")
_SECRETS = re.compile(r"(signature|listenKey|X-MBX-APIKEY)(\W{1,4})([0-9A-Za-z%+/=]{8,})", re.IGNORECASE)
_PLACING_PATHS = ("/order", "/batchOrders", "/algoOrder")
FIREWALL_WAIT_S = 60.0


class Failure(msgspec.Struct, frozen=True):
    """A failed request: the error for the caller, and what the client may do itself first.

    again: certainly not carried out, may be sent again after a short wait; resync: the clock is off, then again.
    """

    error: ATMError
    again: bool = False
    resync: bool = False


class RequestFailed(Exception):
    """Carries a Failure out of the library's request method."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(str(failure.error))


class Answer(msgspec.Struct, frozen=True):
    """The parts of a bad answer that decide. `retry_after`: seconds, None when the header is absent."""

    status: int
    code: int
    text: str
    retry_after: float | None = None


def redacted(text: str) -> str:
    """`text` without signatures and keys, named as such or not, at most 300 characters."""
    return without_keys(_SECRETS.sub(r"\1\2…", text))[:300]


def places_order(method: str, path: str) -> bool:
    """Whether a lost answer leaves open if something was bought or sold."""
    return method.upper() in ("POST", "PUT") and path.endswith(_PLACING_PATHS)


def read_answer(status: int, body: bytes, retry_after: str | None) -> Answer:
    """The parts that decide, from any body: the exchange's JSON, HTML of a firewall, a list, nothing."""
    try:
        content = msgspec.json.decode(body)
    except UNREADABLE:
        content = None
    code, text = 0, ""
    if isinstance(content, dict):
        text = str(content.get("msg", ""))
        try:
            code = int(content.get("code", 0))
        except (TypeError, ValueError):
            code = 0
    try:
        seconds = float(retry_after) if retry_after else None
    except ValueError:
        seconds = None
    return Answer(status, code, redacted(text or f"HTTP status {status}"), seconds)


def banned_until_ms(text: str) -> float | None:
    """End of the ban as the exchange's text states it, Unix ms on its clock."""
    found = _BANNED_UNTIL.search(text)
    return float(found.group(1)) if found else None


def classify(answer: Answer, placing: bool) -> Failure:
    """Meaning of a bad answer, without the cases that concern the budget (403, 418, 429), which `refused_by_rate` reads."""
    if answer.code == TIMESTAMP_OUTSIDE:
        return Failure(Refused(answer.text, answer.code), resync=True)
    if answer.code == _THROTTLED_BY_SYSTEM:
        # Documented as failed; but an order that existed anyway has been reported (exchange §5.4 F41).
        return Failure(Unknown(answer.text) if placing else Unavailable(answer.text), again=not placing)
    if answer.code in _UNKNOWN_OUTCOME or answer.status == 408:
        return _maybe_done(answer, placing)
    if answer.code == _DUPLICATE_ID:
        return Failure(Unknown(f"{answer.text}: an earlier attempt with this id is open"))
    if answer.status == 503:
        return _unavailable(answer, placing)
    if answer.code == -1001:
        return Failure(Unavailable(answer.text), again=True)
    if answer.status >= 500:
        return _maybe_done(answer, placing)
    return Failure(Refused(answer.text, answer.code))


def _unavailable(answer: Answer, placing: bool) -> Failure:
    """HTTP 503, told apart by its text. A text that is not known is not proof of anything."""
    text = answer.text.lower()
    certainly_failed = answer.code == -1001 or "service unavailable" in text or "internal error" in text
    if certainly_failed:
        return Failure(Unavailable(answer.text), again=True)
    return _maybe_done(answer, placing)


def _maybe_done(answer: Answer, placing: bool) -> Failure:
    if placing:
        return Failure(Unknown(f"{answer.text} ({answer.code or answer.status}): the order may exist"))
    return Failure(Unavailable(answer.text))


def refused_by_rate(answer: Answer, wait_s: float, until_ms: float) -> Failure:
    """HTTP 418 as Banned until `until_ms`, 429 and the firewall's 403 as Throttled for `wait_s` seconds."""
    if answer.status == 418:
        return Failure(Banned(answer.text, int(until_ms)))
    return Failure(Throttled(answer.text, wait_s))


def lost(placing: bool, reached: bool, what: str) -> Failure:
    """No readable answer at all. `reached`: a connection stood, so the request may have arrived."""
    if placing and reached:
        return Failure(Unknown(f"no answer of the exchange ({redacted(what)}): the order may exist"))
    return Failure(Unavailable(f"the exchange cannot be reached ({redacted(what)})"))
