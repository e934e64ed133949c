"""The table of the Database page: every symbol that is stored, collected or listed, with what there is of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from atm.gui import formats
from atm.gui.data import sources
from atm.gui.read_model import ReadModel
from atm.gui.symbol_picker import match
from atm.gui.table import Column, Table
from atm.gui.theme import Color
from atm.gui.ui import Ui
from atm.model.bars import Source, TimeRange
from atm.model.data_job import Collection

INNER_WIDTH = 650.0
"""In a narrower window the table is moved sideways, its symbols staying in view."""
FILTERS = ("stored", "collected", "all")
Totals = Mapping[str, dict[Source, int]]


@dataclass(frozen=True, slots=True)
class SymbolRow:
    """A symbol. ranges: what is stored, () = nothing; collection: None = never switched; bytes: of its files."""

    symbol: str
    ranges: tuple[TimeRange, ...]
    collection: Collection | None
    bytes: int
    totals: dict[Source, int]

    @property
    def minutes(self) -> int:
        return sum(part.minutes for part in self.ranges)

    @property
    def missing(self) -> float:
        """Share of the minutes between the first and the last stored one; NaN where nothing is stored."""
        if not self.ranges:
            return float("nan")
        whole = TimeRange(self.ranges[0].start_ms, self.ranges[-1].end_ms).minutes
        return 1.0 - self.minutes / whole if whole else 0.0

    @property
    def collecting(self) -> str:
        """ "flow", "bars" or "off"."""
        if self.collection is None or not self.collection.bars:
            return "off"
        return "flow" if self.collection.flow else "bars"


def rows_of(model: ReadModel, totals: Totals, filter_: str, query: str) -> list[SymbolRow]:
    """By name; those found by the query, as the symbol picker finds them."""
    sizes: dict[str, int] = {}
    for use in model.disk.uses if model.disk is not None else ():
        sizes[use.symbol] = sizes.get(use.symbol, 0) + use.bytes
    stored = {symbol for symbol, ranges in model.coverage.items() if ranges}
    names = stored | set(model.collection) | (set(model.instruments) if filter_ == "all" else set())
    if filter_ == "stored":
        names = stored
    elif filter_ == "collected":
        names = {symbol for symbol, each in model.collection.items() if each.bars}
    return [
        SymbolRow(
            name, model.coverage.get(name, ()), model.collection.get(name), sizes.get(name, 0), totals.get(name, {})
        )
        for name in match(query, sorted(names))
    ]


def sources_text(ui: Ui, row: SymbolRow) -> str:
    """The two commonest sources of what is stored."""
    stored = {s: n for s, n in row.totals.items() if n and s not in (Source.MISSING, Source.ABSENT)}
    if not stored:
        return formats.UNKNOWN
    whole = sum(stored.values())
    commonest = sorted(stored.items(), key=lambda each: -each[1])[:2]
    return ", ".join(f"{sources.name(ui, source)} {sources.share(n, whole)}" for source, n in commonest)


def symbol_table(ui: Ui) -> Table[SymbolRow]:
    """In the language of the moment."""
    t, c = ui.t, ui.colors

    def collecting_color(row: SymbolRow) -> Color | None:
        return {"flow": c.good, "bars": c.info}.get(row.collecting, c.faint)

    def missing_color(row: SymbolRow) -> Color | None:
        return c.faint if not row.ranges else c.bad if row.missing >= 0.01 else c.warning if row.missing > 0 else None

    def edge(row: SymbolRow, last: bool) -> int:
        return 0 if not row.ranges else row.ranges[-1].end_ms if last else row.ranges[0].start_ms

    return Table(
        "database.symbols",
        (
            Column(t("field.symbol"), lambda r: r.symbol, lambda r: r.symbol, False, 1.15),
            Column(
                t("database.collecting"), lambda r: t(f"collecting.{r.collecting}"), lambda r: r.collecting, False, 1.35,
                collecting_color,
            ),
            Column(t("field.first_minute"), lambda r: formats.moment(edge(r, False))[:10], lambda r: edge(r, False), True, 1.3),
            Column(t("field.last_minute"), lambda r: formats.moment(edge(r, True)), lambda r: edge(r, True), True, 1.65),
            Column(
                t("database.missing"),
                lambda r: formats.percent(r.missing, 3 if 0 < r.missing < 0.01 else 1 if r.missing else 0),
                lambda r: r.missing, True, 0.8, missing_color,
            ),
            Column(t("field.gaps"), lambda r: str(len(r.ranges) - 1) if r.ranges else formats.UNKNOWN, lambda r: len(r.ranges), True, 0.6),
            Column(t("database.sources"), lambda r: sources_text(ui, r), lambda r: sources_text(ui, r), False, 2.75),
            Column(
                t("database.disk"), lambda r: formats.size(r.bytes) if r.bytes else formats.UNKNOWN, lambda r: r.bytes,
                True, 0.9,
            ),
        ),
        key=lambda r: r.symbol,
        inner_width=INNER_WIDTH,
    )  # fmt: skip
