"""What the demo exchange can be made to do wrong: the kinds of faults, a fault, and the table that forms and texts are made from.

All times of faults are **wall** milliseconds, whatever the speed of the market: connections, patience and listen keys live by
the wall clock. `at_ms` counts from the moment at which a fault, or the schedule that it belongs to, was set.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, Literal

import msgspec

from atm.model.errors import Invalid, complain
from atm.model.parameter import Parameter

MOST_MS = 86_400_000
LARGEST_SEED = 2**53 - 1
"""Beyond it a number does not survive every JSON reader."""
USER_PREFIX = "user@"
"""Events of a user stream are named like streams: user@ORDER_TRADE_UPDATE."""


class FaultKind(Enum):
    """ "before": not carried out; "after": carried out, and the client does not hear of it."""

    DISCONNECT = "disconnect"
    HALF_OPEN = "half_open"
    SLOW_CONNECTION = "slow_connection"
    FLOOD = "flood"
    SILENT_STREAM = "silent_stream"
    DUPLICATE = "duplicate"
    REORDER = "reorder"
    LATE = "late"
    MISSING = "missing"
    CLOSING_MISSING = "closing_missing"
    CLOSING_LATE = "closing_late"
    DEPTH_GAP = "depth_gap"
    CORRUPT_FRAMES = "corrupt_frames"
    ERROR_AFTER = "error_after"
    ERROR_BEFORE = "error_before"
    NO_ANSWER_AFTER = "no_answer_after"
    NO_ANSWER_BEFORE = "no_answer_before"
    LATE_ANSWER = "late_answer"
    LATE_EXECUTION = "late_execution"
    LATE_REFUSAL = "late_refusal"
    CORRUPT_ANSWERS = "corrupt_answers"
    RATE_LIMITED = "rate_limited"
    BANNED = "banned"
    CLOCK_SKEW = "clock_skew"
    LISTEN_KEY_EXPIRED = "listen_key_expired"
    SUSPENDED = "suspended"
    FILTER_CHANGE = "filter_change"
    MAINTENANCE = "maintenance"


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One fault. Made by `read_fault` or a schedule, which know the defaults and bounds of `FORMS`.

    at_ms, duration_ms: wall milliseconds; duration 0: until it is cleared. target: what it strikes, "" all of it (see
    `FaultForm.target`). variant: one of the form's, "" where it has none. amount: in the unit of the form, 0 where it has
    none. probability: with which each message or request is struck, 0 to 1. seed: of these draws.
    """

    kind: FaultKind
    at_ms: int = 0
    duration_ms: int = 0
    target: str = ""
    variant: str = ""
    amount: float = 0.0
    probability: float = 1.0
    seed: int = 0


FaultGroup = Literal["connection", "message", "request", "exchange"]
FaultTarget = Literal["connection", "stream", "request", "symbol", "account", ""]


class FaultForm(msgspec.Struct, frozen=True):
    """How a kind is described and asked for.

    group: under which heading it stands. target: what `Fault.target` names, "" when it strikes everything:
    * connection: "public", "market", "private" (route), "one" (a drawn one) or "#" and a number (`FaultReport.connections`)
    * stream: a pattern of names with * and ?, as "nearusdt@kline_*"; events of user streams are "user@ORDER_TRADE_UPDATE"
    * request: a pattern of "METHOD /path" or of the path alone, as "POST /fapi/v1/order" or "/fapi/v1/klines"
    * symbol, account: a name
    default_target: what a form begins with. amount: None when there is none. variants: the first is the default. chance:
    whether it strikes with a probability. lasting: whether it has a duration; without, it happens once. usual_ms: the duration
    that a form begins with. range_ms, range_amount: what schedules draw from. about: one sentence in English; catalogue
    keys are `fault.<kind>`, `fault_about.<kind>` and `fault_variant.<variant>`.
    """

    group: FaultGroup
    about: str
    target: FaultTarget = ""
    default_target: str = ""
    amount: Parameter | None = None
    variants: tuple[str, ...] = ()
    chance: bool = False
    lasting: bool = True
    usual_ms: int = 10_000
    range_ms: tuple[int, int] = (2_000, 15_000)
    range_amount: tuple[float, float] = (0.0, 0.0)


def _amount(name: str, unit: str, default: float, least: float, most: float, kind: str = "number") -> Parameter:
    whole = "whole" if kind == "whole" else "number"
    return Parameter(name, whole, default=default, least=least, most=most, unit=unit)  # type: ignore[arg-type]


_ORDERS = "POST /fapi/v1/*rder*"
_STATUSES = ("503", "502", "504", "500", "408")
_BROKEN = ("truncated", "html", "bytes", "empty")

FORMS: dict[FaultKind, FaultForm] = {
    FaultKind.DISCONNECT: FaultForm(
        "connection", "Connections are cut, once or again and again.", "connection", variants=("reset", "close"),
        amount=_amount("every_s", "s", 0.0, 0.0, 3_600.0), range_amount=(0.0, 5.0),
    ),
    FaultKind.HALF_OPEN: FaultForm(
        "connection", "Connections that are open stay so, but nothing is sent, read or answered on them any more; new "
        "ones work. At the end the dead ones are cut.", "connection", usual_ms=60_000, range_ms=(5_000, 60_000),
    ),
    FaultKind.SLOW_CONNECTION: FaultForm(
        "connection", "The server sends slowly; what its queue does not hold cuts the connection.", "connection",
        amount=_amount("bytes_per_s", "B/s", 2_000, 1, 10_000_000, "whole"), range_amount=(500, 20_000),
    ),
    FaultKind.FLOOD: FaultForm(
        "connection", "So many more messages a second: the newest of each stream, again and again.", "connection",
        amount=_amount("messages_per_s", "1/s", 20_000, 1, 100_000, "whole"), range_ms=(500, 3_000),
        range_amount=(1_000, 20_000),
    ),
    FaultKind.SILENT_STREAM: FaultForm(
        "message", "A stream says nothing while the others go on and pings are answered.", "stream",
        default_target="*@kline_1m", usual_ms=60_000, range_ms=(5_000, 60_000),
    ),
    FaultKind.DUPLICATE: FaultForm(
        "message", "Messages come more than once.", "stream", chance=True,
        amount=_amount("copies", "", 1, 1, 100, "whole"), range_amount=(1, 3),
    ),
    FaultKind.REORDER: FaultForm(
        "message", "A message comes after so many later ones.", "stream", chance=True,
        amount=_amount("later_messages", "", 3, 1, 1_000, "whole"), range_amount=(1, 10),
    ),
    FaultKind.LATE: FaultForm(
        "message", "Messages come late.", "stream", chance=True,
        amount=_amount("late_ms", "ms", 3_000, 1, 3_600_000, "whole"), range_amount=(50, 8_000),
    ),
    FaultKind.MISSING: FaultForm("message", "Messages are lost.", "stream", chance=True),
    FaultKind.CLOSING_MISSING: FaultForm(
        "message", "The message that closes a bar is lost.", "stream", chance=True, default_target="*@kline_*",
    ),
    FaultKind.CLOSING_LATE: FaultForm(
        "message", "The message that closes a bar comes late.", "stream", chance=True, default_target="*@kline_*",
        amount=_amount("late_ms", "ms", 5_000, 1, 3_600_000, "whole"), range_amount=(500, 24_000),
    ),
    FaultKind.DEPTH_GAP: FaultForm(
        "message", "So many messages of depth are left out at a time, and the next one does not follow the last.",
        "stream", chance=True, default_target="*@depth*", amount=_amount("left_out", "", 1, 1, 1_000, "whole"),
        range_amount=(1, 10),
    ),
    FaultKind.CORRUPT_FRAMES: FaultForm(
        "message", "Messages are no valid JSON, not text, or empty.", "stream", chance=True, variants=_BROKEN,
    ),
    FaultKind.ERROR_AFTER: FaultForm(
        "request", "Carried out, and answered with an error after which the outcome is unknown.", "request",
        default_target=_ORDERS, variants=_STATUSES, chance=True,
    ),
    FaultKind.ERROR_BEFORE: FaultForm(
        "request", "Not carried out, and answered with an error.", "request", variants=_STATUSES, chance=True,
    ),
    FaultKind.NO_ANSWER_AFTER: FaultForm(
        "request", "Carried out, and never answered; the connection is cut when the fault ends.", "request",
        default_target=_ORDERS, chance=True, usual_ms=30_000, range_ms=(5_000, 30_000),
    ),
    FaultKind.NO_ANSWER_BEFORE: FaultForm(
        "request", "Not carried out, and never answered; the connection is cut when the fault ends.", "request",
        default_target=_ORDERS, chance=True, usual_ms=30_000, range_ms=(5_000, 30_000),
    ),
    FaultKind.LATE_ANSWER: FaultForm(
        "request", "Carried out at once, and answered late.", "request", chance=True,
        amount=_amount("late_ms", "ms", 12_000, 1, 600_000, "whole"), range_amount=(200, 20_000),
    ),
    FaultKind.LATE_EXECUTION: FaultForm(
        "request", "Carried out late, and answered then.", "request", default_target=_ORDERS, chance=True,
        amount=_amount("late_ms", "ms", 12_000, 1, 600_000, "whole"), range_amount=(200, 20_000),
    ),
    FaultKind.LATE_REFUSAL: FaultForm(
        "request", "Not carried out, which is answered late and as unknown (-1007).", "request", default_target=_ORDERS,
        chance=True, amount=_amount("late_ms", "ms", 12_000, 1, 600_000, "whole"), range_amount=(200, 20_000),
    ),
    FaultKind.CORRUPT_ANSWERS: FaultForm(
        "request", "Carried out, and answered with what is no valid JSON.", "request", chance=True, variants=_BROKEN,
    ),
    FaultKind.RATE_LIMITED: FaultForm(
        "request", "Too many requests (429).", "request", chance=True,
        amount=_amount("retry_after_s", "s", 5, 1, 3_600, "whole"), range_amount=(1, 10),
    ),
    FaultKind.BANNED: FaultForm(
        "exchange", "The address is banned (418): every request is refused and new connections of streams as well.",
        range_ms=(2_000, 20_000),
    ),
    FaultKind.CLOCK_SKEW: FaultForm(
        "exchange", "The server's clock jumps: requests that are stamped by the old one are refused (-1021).",
        amount=_amount("ahead_ms", "ms", 30_000, -3_600_000, 3_600_000, "whole"), usual_ms=60_000,
        range_amount=(-60_000, 60_000),
    ),
    FaultKind.LISTEN_KEY_EXPIRED: FaultForm(
        "exchange", "Listen keys run out at once.", "account", lasting=False,
    ),
    FaultKind.SUSPENDED: FaultForm(
        "exchange", "A symbol is suspended: its status says so, orders are refused, and there are no messages and no new bars.",
        "symbol", usual_ms=30_000, range_ms=(2_000, 30_000),
    ),
    FaultKind.FILTER_CHANGE: FaultForm(
        "exchange", "Tick, step or smallest notional of a symbol become so many times as large.", "symbol",
        variants=("tick", "step", "notional", "every"), amount=_amount("factor", "", 10, 1, 1_000, "whole"),
        usual_ms=60_000, range_amount=(2, 10),
    ),
    FaultKind.MAINTENANCE: FaultForm(
        "exchange", "Requests and new connections of streams are answered by 503, and open ones are closed.",
        usual_ms=30_000, range_ms=(2_000, 30_000),
    ),
}  # fmt: skip
_COMMON = {
    "at_ms": Parameter("at_ms", "whole", default=0, least=0, most=MOST_MS, unit="ms"),
    "duration_ms": Parameter("duration_ms", "whole", default=10_000, least=0, most=MOST_MS, unit="ms"),
    "target": Parameter("target", "text", default="", least=0, most=200),
    "probability": Parameter("probability", "number", default=1.0, least=0.0, most=1.0, unit="%"),
    "seed": Parameter("seed", "whole", default=0, least=0, most=LARGEST_SEED),
}


_NEUTRAL = {"duration_ms": 0, "target": "", "variant": "", "amount": 0.0, "probability": 1.0, "seed": 0}


def fields_of(kind: FaultKind) -> dict[str, Parameter]:
    """The fields of `Fault` that a kind has, in the order of a form. The parameter of `amount` bears the amount's own name
    ("late_ms"), under which `read_fault` takes it as well."""
    form = FORMS[kind]
    fields = {"at_ms": _COMMON["at_ms"]}
    if form.lasting:
        fields["duration_ms"] = msgspec.structs.replace(_COMMON["duration_ms"], default=form.usual_ms)
    if form.target:
        fields["target"] = msgspec.structs.replace(_COMMON["target"], default=form.default_target)
    if form.variants:
        fields["variant"] = Parameter("variant", "choice", default=form.variants[0], choices=form.variants)
    if form.amount is not None:
        fields["amount"] = form.amount
    if form.chance:
        fields["probability"] = _COMMON["probability"]
    if form.chance or form.target == "connection":
        fields["seed"] = _COMMON["seed"]
    return fields


def read_fault(given: Mapping[str, Any]) -> Fault:
    """A fault from plain data, as {"kind": "late", "late_ms": 500}; what is left out gets the default of its kind.
    Raises Invalid, or Problems for several mistakes."""
    try:
        kind = FaultKind(given.get("kind"))
    except ValueError:
        raise Invalid("kind", given.get("kind"), ", ".join(each.value for each in FaultKind)) from None
    fields = fields_of(kind)
    values = {name: field.default for name, field in fields.items()}
    own_names = {field.name: name for name, field in fields.items()}
    found: list[Invalid] = []
    for name, value in given.items():
        field = own_names.get(name, name)
        if field == "kind":
            continue
        if field not in fields:
            if field in _NEUTRAL and value == _NEUTRAL[field]:
                continue  # a whole `Fault`, as it is written
            found.append(Invalid(name, value, f"for {kind.value} only {', '.join(own_names)}"))
            continue
        if fields[field].kind == "whole" and isinstance(value, float) and value.is_integer():
            value = int(value)
        try:
            values[field] = fields[field].check(value)
        except Invalid as problem:
            found.append(problem)
    complain(found)
    return Fault(kind, **values)


class FaultSchedule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A schedule by its number: the same everywhere. kinds, symbols: empty for all kinds, and for all symbols at once."""

    seed: int
    minutes: float = 10.0
    kinds: tuple[FaultKind, ...] = ()
    symbols: tuple[str, ...] = ()


class FaultCommand(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is to be done about faults; what is set comes beside what is set already.

    clear: numbers of faults; clear_faults: all. These end first, then `fault` and `schedule` begin.
    """

    fault: Fault | None = None
    schedule: FaultSchedule | None = msgspec.field(default=None, name="faults")
    clear: tuple[int, ...] = ()
    clear_faults: bool = False


FaultPhase = Literal["waiting", "active", "over", "cleared"]


class FaultRecord(msgspec.Struct, frozen=True):
    """A fault that was set. number: to clear it by. begin_ms, end_ms: wall, Unix ms (end 0: until it is cleared). did: what it
    has done so far, as {"messages left out": 12}."""

    number: int
    fault: Fault
    phase: FaultPhase
    begin_ms: int
    end_ms: int
    did: dict[str, int] = {}


class FaultConnection(msgspec.Struct, frozen=True):
    """An open stream connection. number: for the target "#number". streams: how many; users: how many listen keys."""

    number: int
    route: str
    streams: int
    users: int


class FaultReport(msgspec.Struct, frozen=True):
    """All faults that are waiting or active, the newest of those that are over, and the connections that there are."""

    wall_ms: int
    faults: tuple[FaultRecord, ...] = ()
    connections: tuple[FaultConnection, ...] = ()
