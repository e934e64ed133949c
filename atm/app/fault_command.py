"""`./run.sh faults …`: faults of the demo exchange of the running program, or of one that runs alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from atm.app.demo_command import demo_address
from atm.model.errors import Invalid
from atm.model.fault import FORMS, Fault, FaultKind, FaultRecord, FaultReport, FaultSchedule, fields_of, read_fault

ACTIONS = {
    "list": "say which faults are set and what they have done",
    "kinds": "say which kinds there are, and their fields",
    "set": "KIND [FIELD=VALUE …]: set a fault, as `set late late_ms=500 duration_ms=60000`",
    "clear": "[NUMBER …]: end these faults, or all",
    "schedule": "SEED [minutes=M] [kinds=A,B] [symbols=A,B]: set the faults of a number",
    "show": "SEED [minutes=M] [kinds=A,B] [symbols=A,B]: say what the faults of a number are",
}
_SCHEDULE = ("minutes", "kinds", "symbols")


def read_wish(action: str, values: Sequence[str]) -> dict[str, Any] | None:
    """What an action with its values asks of the exchange; None for a mere look. Raises Invalid with one sentence."""
    if action == "set":
        if not values:
            raise Invalid("set", "", "a kind: " + ", ".join(kind.value for kind in FaultKind))
        wanted = {"kind": values[0], **_pairs(values[1:])}
        read_fault(wanted)
        return {"fault": wanted}
    if action == "clear":
        return {"clear": [_whole("clear", each) for each in values]} if values else {"clear_faults": True}
    if action == "schedule":
        return {"faults": read_schedule(values)}
    if values:
        raise Invalid(action, " ".join(values), f"no value: {ACTIONS[action]}")
    return None


def read_schedule(values: Sequence[str]) -> FaultSchedule:
    """A schedule as it is typed. Raises Invalid."""
    if not values:
        raise Invalid("schedule", "", "a number")
    given = _pairs(values[1:])
    for name in given:
        if name not in _SCHEDULE:
            raise Invalid(name, given[name], f"only {', '.join(_SCHEDULE)}")
    kinds = tuple(_kind(each) for each in _names(given.get("kinds", "")))
    minutes = given.get("minutes", 10.0)
    if isinstance(minutes, str):
        raise Invalid("minutes", minutes, "a number")
    symbols = tuple(each.upper() for each in _names(given.get("symbols", "")))
    return FaultSchedule(_whole("seed", values[0]), float(minutes), kinds, symbols)


def shown(values: Sequence[str]) -> tuple[Fault, ...]:
    """The faults of a schedule as it is typed. Raises Invalid."""
    from atm.exchange.demo.fault_schedule import of_request

    return of_request(read_schedule(values))


def control_running(home: Path, address: str, wish: dict[str, Any] | None) -> FaultReport:
    """Carry out a wish at the demo exchange with this address, "" for that of the program that runs on `home`. Raises
    Unavailable when none runs, Refused with the exchange's sentence."""
    from atm.exchange.client.demo_control import control_faults

    return asyncio.run(control_faults(demo_address(home, address), wish))


def fault_lines(report: FaultReport) -> list[str]:
    """A line for each fault that is known."""
    return [_line(record, report.wall_ms) for record in report.faults] or ["no fault is set"]


def kind_lines() -> list[str]:
    """A line for each kind, and one for each of its fields."""
    lines = []
    for kind in FaultKind:
        lines.append(f"{kind.value}: {FORMS[kind].about}")
        for field in fields_of(kind).values():
            unit = f" {field.unit}" if field.unit not in ("", "%") else ""
            default = "" if field.default == "" else f", else {field.default}"
            lines.append(f"    {field.name}: {field.allowed}{unit}{default}")
    return lines


def _line(record: FaultRecord, wall_ms: int) -> str:
    when = {
        "waiting": f"begins in {(record.begin_ms - wall_ms) / 1000:.1f} s",
        "active": f"ends in {(record.end_ms - wall_ms) / 1000:.1f} s" if record.end_ms else "until it is cleared",
    }.get(record.phase, f"ended {(wall_ms - record.end_ms) / 1000:.1f} s ago")
    did = ", ".join(f"{what.replace('_', ' ')} {times:,}" for what, times in record.did.items())
    return f"{record.number:>5}  {record.phase:<8} {described(record.fault)}; {when}{'; ' if did else ''}{did}"


def described(fault: Fault) -> str:
    """A fault in one line."""
    parts = [fault.kind.value]
    for name, field in fields_of(fault.kind).items():
        value = getattr(fault, name)
        if name != "seed" and value != "":
            parts.append(f"{field.name}={value:g}" if isinstance(value, float) else f"{field.name}={value}")
    return " ".join(parts)


def _pairs(values: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in values:
        name, sign, value = each.partition("=")
        if not sign:
            raise Invalid("value", each, "FIELD=VALUE")
        found[name] = value if name in ("target", "variant", "kinds", "symbols") else _number(value)
    return found


def _number(text: str) -> float | int | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _whole(field: str, text: str) -> int:
    if not text.isdecimal():
        raise Invalid(field, text, "a whole number")
    return int(text)


def _kind(text: str) -> FaultKind:
    try:
        return FaultKind(text)
    except ValueError:
        raise Invalid("kinds", text, ", ".join(kind.value for kind in FaultKind)) from None


def _names(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]
