"""Simulation specifications from TOML files, with errors that name the field and suggest the near miss."""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path

import msgspec

from atm.model import account, analysis_configuration, trade_configuration
from atm.model.errors import Invalid
from atm.model.interval import MINUTE_MS, parse_time
from atm.model.simulation import SimulationSpec


def read_specification(path: Path) -> SimulationSpec:
    """Raises `Invalid` for a file that is missing, no TOML, or no specification."""
    try:
        raw = tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise Invalid("file", str(path), "an existing TOML file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Invalid("file", str(path), f"TOML ({error})") from None
    try:
        return msgspec.convert(raw, SimulationSpec)
    except msgspec.ValidationError as error:
        raise _sentence(str(error)) from None


def _sentence(text: str) -> Invalid:
    unknown = re.search(r"unknown field `(\w+)`", text)
    where = re.search(r"at `\$\.?(.*?)`", text)
    place = where.group(1) if where else ""
    if unknown:
        name = unknown.group(1)
        known = _all_fields()
        near = difflib.get_close_matches(name, known, 1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        return Invalid(".".join(filter(None, (place, name))), name, f"a known field{hint}")
    return Invalid(place or "specification", "this value", text.split(" - at")[0])


def _all_fields() -> list[str]:
    structs: list[type[msgspec.Struct]] = [SimulationSpec, *_structs()]
    return sorted({field.name for struct in structs for field in msgspec.structs.fields(struct)})


def _structs() -> list[type[msgspec.Struct]]:
    return [
        value
        for module in (account, analysis_configuration, trade_configuration)
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, msgspec.Struct) and value is not msgspec.Struct
    ]


def time_range(spec: SimulationSpec) -> tuple[int, int]:
    """(start, end) in Unix ms, on whole minutes. Raises `Invalid`."""
    moments = []
    for field, text in (("start", spec.start), ("end", spec.end)):
        try:
            moments.append(parse_time(text) // MINUTE_MS * MINUTE_MS)
        except ValueError:
            raise Invalid(field, text, "a UTC time YYYY-MM-DD or YYYY-MM-DD HH:MM") from None
    start, end = moments
    if start >= end:
        raise Invalid("end", spec.end, f"a time after start ({spec.start})")
    return start, end
