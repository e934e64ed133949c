"""Database: what is stored of every symbol. Control of the collection is not built yet."""

from __future__ import annotations

from atm.gui import formats, icons, widgets
from atm.gui.table import Column, Table
from atm.gui.ui import Ui
from atm.model.bars import TimeRange

_Stored = tuple[str, tuple[TimeRange, ...]]


def _minutes(row: _Stored) -> int:
    return sum(part.minutes for part in row[1])


def _share(row: _Stored) -> float:
    """Stored minutes of all from the first to the last."""
    whole = TimeRange(row[1][0].start_ms, row[1][-1].end_ms).minutes
    return _minutes(row) / whole if whole else 0.0


class DatabasePage:
    """See the module."""

    def __init__(self) -> None:
        self._table: Table[_Stored] | None = None
        self._language = ""
        self._rows: list[_Stored] = []
        self._revision = -1

    def draw(self, ui: Ui) -> None:
        if self._table is None or self._language != ui.t.language:
            self._table, self._language = self._make(ui), ui.t.language
        if self._revision != ui.model.revision:
            self._revision = ui.model.revision
            rows = [(symbol, ranges) for symbol, ranges in sorted(ui.model.coverage.items()) if ranges]
            self._rows = rows if rows != self._rows else self._rows
        with widgets.card(ui, "coverage", 0, 0, ui.t("database.stored")):
            ui.wrapped(ui.t("unbuilt.database"))
            if not self._rows:
                widgets.empty(ui, icons.DATABASE, ui.t("database.empty_title"), ui.t("database.empty"))
                return
            self._table.draw(ui, self._rows)

    def _make(self, ui: Ui) -> Table[_Stored]:
        t = ui.t
        return Table(
            "database.coverage",
            (
                Column(t("field.symbol"), lambda r: r[0], lambda r: r[0], False),
                Column(t("field.first_minute"), lambda r: formats.moment(r[1][0].start_ms), lambda r: r[1][0].start_ms),
                Column(t("field.last_minute"), lambda r: formats.moment(r[1][-1].end_ms), lambda r: r[1][-1].end_ms),
                Column(t("field.minutes"), lambda r: f"{_minutes(r):,}", _minutes),
                Column(t("field.complete"), lambda r: formats.percent(_share(r), 2), _share),
                Column(t("field.gaps"), lambda r: str(len(r[1]) - 1), lambda r: len(r[1]) - 1),
            ),
            key=lambda r: r[0],
        )
