"""`./run.sh bench`: rows of the budget table, each beside a peer or a floor measured in the same run."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

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


def run(folder: Path, name: str | None, announce: Callable[[str], None]) -> list[BenchRow]:
    """Rows of one benchmark or of all. Raises `Invalid` for an unknown name."""
    known = modules(folder)
    if name is not None and name not in known:
        raise Invalid("benchmark", name, ", ".join(known))
    rows: list[BenchRow] = []
    for stem, path in known.items():
        if name in (None, stem):
            announce(stem)
            spec = importlib.util.spec_from_file_location(f"benchmarks.{stem}", path)
            if spec is None or spec.loader is None:
                raise Invalid("benchmark", str(path), "a Python file")
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            rows.extend(module.rows())
    return rows
