"""Simulation specifications from TOML files, with errors that name the field and suggest the near miss."""

from __future__ import annotations

import tomllib
from pathlib import Path

from atm.model.errors import Invalid
from atm.model.interval import time_span
from atm.model.simulation import SimulationSpec, expanded_specification
from atm.model.validation import parse


def read_specification(path: Path) -> SimulationSpec:
    """Raises `Invalid` for a file that is missing or no TOML, and `Problems` with every mistake in one."""
    try:
        raw = tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise Invalid("file", str(path), "an existing TOML file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Invalid("file", str(path), f"TOML ({error})") from None
    return parse(expanded_specification(raw), SimulationSpec)


def time_range(spec: SimulationSpec) -> tuple[int, int]:
    """(start, end) in Unix ms, on whole minutes. Raises `Invalid`."""
    return time_span(spec.start, spec.end)
