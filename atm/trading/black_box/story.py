"""A record as a person reads it, line by line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

import msgspec

from atm.trading.black_box.records import (
    FILLS,
    EngineCommand,
    EngineFailed,
    EngineFills,
    EngineMemory,
    EngineMinute,
    Line,
    LiveCall,
    LiveMemory,
    MinuteOutcome,
    QuietTicks,
    Told,
)
from atm.trading.black_box.replay import Difference
from atm.trading.live.desk import Step

_STEPS = msgspec.json.Decoder(Step)
_OUTCOMES = msgspec.json.Decoder(MinuteOutcome)
_MOST_LEARNED = 6
_CONTEXT = 160
"""Characters shown on each side of the place where two answers part."""
Sentence = Callable[[str, Mapping[str, str]], str]


def tell(lines: Iterable[Line], sentence: Sentence, account: str = "") -> Iterator[str]:
    """What happened. sentence(text, parameters): of a notice; account: "" = all. Ticks, prices and minutes without consequence are
    left out."""
    for line in lines:
        if line.account and account in ("", line.account):
            for said in _said(line, sentence):
                yield f"{moment(line.wall)}  {line.account}  {said}"


def moment(ms: int) -> str:
    """Unix ms as UTC to the millisecond."""
    at = datetime.fromtimestamp(ms / 1000, UTC)
    return f"{at:%Y-%m-%d %H:%M:%S}.{ms % 1000:03d}"


def _said(line: Line, sentence: Sentence) -> Iterator[str]:
    record = line.record
    match record:
        case LiveMemory() if record.fresh:
            yield f"taken up on the exchange with {', '.join(sorted(record.setup.symbols)) or 'no symbol'}"
        case EngineMemory() if record.fresh:
            yield f"engine taken up, exchange time {moment(record.at)}"
        case LiveCall():
            yield from _call(record)
        case EngineMinute():
            yield from _minute(record)
        case EngineFills():
            for fill in FILLS.decode(record.fills):
                yield f"   fill {brief(fill)}"
        case EngineCommand():
            amount = f"{record.amount:+.10g} {record.asset}".split() if record.asset else ()
            yield " ".join(("command", record.name, *record.symbols, *amount))
        case EngineFailed():
            yield f"STOPPED {record.error}"
        case Told():
            yield f"NOTICE {record.severity}: {sentence(record.text, record.parameters)}"
        case QuietTicks():
            return


def _call(record: LiveCall) -> Iterator[str]:
    given = record.input
    yield f"<- {brief(given)}  (exchange time {moment(record.at)})"
    if record.raised:
        yield f"   RAISED {record.raised}"
        return
    step = _STEPS.decode(record.step) if bytes(record.step) != b"null" else None
    for entry in step.entries if step is not None else ():
        yield f"   journal {brief(entry)}"
    for number, request in step.requests if step is not None else ():
        yield f"   -> {number} {brief(request)}"
    for notice in step.notices if step is not None else ():
        yield f"   notice {brief(notice)}"


def _minute(record: EngineMinute) -> Iterator[str]:
    if record.raised:
        yield f"minute {moment(record.at)}: RAISED {record.raised}"
        return
    outcome = _OUTCOMES.decode(record.outcome)
    if not (record.rows or outcome.targets):
        return
    equity = "" if outcome.equity is None else f", equity {outcome.equity:.2f}"
    yield f"minute {moment(record.at)}: rows of {', '.join(record.rows) or 'nothing'}{equity}"
    for target in outcome.targets:
        yield f"   wants {brief(target)}"


def brief(value: Any) -> str:
    """A value in a few words; fields that have their defaults are left out."""
    if isinstance(value, msgspec.Struct):
        shown = [
            f"{field.name}={brief(each)}"
            for field in msgspec.structs.fields(value)
            if (each := getattr(value, field.name)) != field.default
        ]
        return f"{type(value).__name__}({', '.join(shown)})"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, tuple | list):
        shown = [brief(each) for each in value[:_MOST_LEARNED]]
        more = [f"… {len(value) - _MOST_LEARNED} more"] if len(value) > _MOST_LEARNED else []
        return f"[{', '.join(shown + more)}]"
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def tell_difference(found: Difference) -> Iterator[str]:
    """Where and how a replay left the record."""
    yield f"{found.account}: {found.what} differs at {moment(found.line.wall)}"
    record = found.line.record
    if isinstance(record, LiveCall):
        yield f"  given     {brief(record.input)} at exchange time {moment(record.at)}"
    elif isinstance(record, EngineMinute):
        yield f"  given     the minute {moment(record.at)} with rows of {', '.join(record.rows) or 'nothing'}"
    at = next(
        (i for i, (a, b) in enumerate(zip(found.recorded, found.replayed, strict=False)) if a != b),
        min(len(found.recorded), len(found.replayed)),
    )
    for name, text in (("recorded", found.recorded), ("replayed", found.replayed)):
        begin = max(0, at - _CONTEXT)
        before, after = "…" if begin else "", "…" if at + _CONTEXT < len(text) else ""
        yield f"  {name:<9} {before}{text[begin : at + _CONTEXT]}{after}"
