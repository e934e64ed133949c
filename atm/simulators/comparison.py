"""Two or more results side by side. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from atm.model.errors import Invalid
from atm.model.simulation import SimulationSummary
from atm.simulators.figures import GROUPS, Figure, Kind


class ComparedFigure(msgspec.Struct, frozen=True):
    """One figure of all results, in their order. values: None where it is not defined; best: indices of the best ones, empty
    where no more or less is better, all are equal, or the best ratio is of a loss (more risk would make it look better)."""

    name: str
    group: str
    values: tuple[float | None, ...]
    best: tuple[int, ...]


class Comparison(msgspec.Struct, frozen=True):
    """codes, ranges and symbols of the results in their order; comparable: whether range and symbols are the same in all."""

    codes: tuple[str, ...]
    ranges: tuple[str, ...]
    symbols: tuple[tuple[str, ...], ...]
    comparable: bool
    figures: tuple[ComparedFigure, ...]


def compare(summaries: Sequence[SimulationSummary]) -> Comparison:
    """Raises `Invalid` for fewer than two."""
    if len(summaries) < 2:
        raise Invalid("simulations", len(summaries), "two or more")
    figures = []
    for group, members in GROUPS.items():
        for figure in members:
            values = tuple(figure.of(summary) for summary in summaries)
            figures.append(ComparedFigure(figure.name, group, values, _best(values, figure)))
    ranges = tuple(f"{summary.start} … {summary.end}" for summary in summaries)
    symbols = tuple(summary.symbols for summary in summaries)
    same = len(set(ranges)) == 1 and len({tuple(sorted(each)) for each in symbols}) == 1
    return Comparison(tuple(summary.code for summary in summaries), ranges, symbols, same, tuple(figures))


def _best(values: Sequence[float | None], figure: Figure) -> tuple[int, ...]:
    known = [value for value in values if value is not None]
    if not figure.better or len(set(known)) < 2:
        return ()
    top = max(known) if figure.better > 0 else min(known)
    if figure.kind is Kind.RATIO and figure.better > 0 and top <= 0.0:
        return ()
    return tuple(index for index, value in enumerate(values) if value == top)
