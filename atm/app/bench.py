"""`./run.sh bench`: rows of the budget table, each beside a peer or a floor measured in the same run."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType

import msgspec

from atm.model.errors import Invalid


class BenchRow(msgspec.Struct, frozen=True):
    """value and reference_value in `unit`; ratio = value / reference_value; budget: what value must not exceed (for
    units per second: not fall below)."""

    name: str
    value: float
    unit: str
    reference: str
    reference_value: float
    ratio: float
    budget: float | None
    ok: bool


def modules(folder: Path) -> dict[str, Path]:
    """Benchmark files by name."""
    return {path.stem: path for path in sorted(folder.glob("*.py")) if not path.stem.startswith("_")}


def run(
    folder: Path, name: str | None, announce: Callable[[str], None], settings: Mapping[str, float] | None = None
) -> list[BenchRow]:
    """Rows of one benchmark or of all.

    settings: numbers for the benchmark that is named, in place of those in its `SETTINGS`. Raises `Invalid` for an unknown
    name and for a setting that the benchmark does not have.
    """
    known, given = modules(folder), dict(settings or {})
    if name is not None and name not in known:
        raise Invalid("benchmark", name, ", ".join(known))
    if name is None and given:
        raise Invalid("benchmark", "all", "the name of one where settings are given")
    rows: list[BenchRow] = []
    for stem, path in known.items():
        if name in (None, stem):
            announce(stem)
            rows.extend(_rows(_loaded(stem, path), stem, given))
    return rows


def _loaded(stem: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"benchmarks.{stem}", path)
    if spec is None or spec.loader is None:
        raise Invalid("benchmark", str(path), "a Python file")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


def _rows(module: ModuleType, name: str, given: dict[str, float]) -> list[BenchRow]:
    """Rows of a benchmark that takes settings, or of one that takes none."""
    defaults: dict[str, float] = getattr(module, "SETTINGS", {})
    for setting, value in given.items():
        if setting not in defaults:
            raise Invalid(setting, value, f"a setting of the benchmark {name}: {', '.join(defaults) or 'it has none'}")
        if not value > 0:
            raise Invalid(setting, value, "a number above 0")
    found: list[BenchRow] = module.rows(defaults | given) if defaults else module.rows()
    return found
