"""Writes a stored simulation for other programs: tables as CSV or Parquet, or one page of HTML. On the reader thread only: this
loads pyarrow."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from atm.gui.results import SimulationResult
from atm.gui.texts import Texts
from atm.model.errors import Invalid, Refused, Unavailable
from atm.model.simulation import SimulationSummary
from atm.simulators.export import equity_table, report_table, trades_table, transfers_table, trips_table
from atm.simulators.statistics.reports import daily
from atm.simulators.tear_sheet.page import tear_sheet
from atm.storage.table_file import write_table

KINDS = ("csv", "parquet", "html")


def export(
    result: SimulationResult,
    summary: SimulationSummary | None,
    kind: str,
    root: Path,
    t: Texts,
    name: str = "simulation",
) -> Path:
    """Into a folder of its own below `root`, made anew → the folder, or the page. name: of the file with the specification.

    The equity is as it is stored: thinned, with the extremes of every stretch. Raises Invalid for another kind, Refused for a
    result of an earlier version that has no statistics, Unavailable when the disk cannot be written.
    """
    if kind not in KINDS:
        raise Invalid("kind", kind, ", ".join(KINDS))
    folder = root / re.sub(r"[^\w.-]+", "_", result.spec.code)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.json").write_bytes(msgspec.json.format(msgspec.json.encode(result.spec)))
        return _page(result, summary, folder, t) if kind == "html" else _tables(result, folder, kind)
    except OSError as error:
        raise Unavailable(f"{folder} could not be written: {error.strerror or error}") from error


def _tables(result: SimulationResult, folder: Path, ending: str) -> Path:
    tables = {
        "trades": trades_table(result.trades),
        "equity": equity_table(result.equity_time, result.equity),
    }
    if result.transfers:
        tables["transfers"] = transfers_table(result.transfers)
    if result.details is not None:
        tables["trips"] = trips_table(result.details.trips)
        tables["hourly"] = report_table(result.details.hourly)
        tables["daily"] = report_table(daily(result.details.hourly))
    for name, table in tables.items():
        write_table(table, folder / f"{name}.{ending}")
    return folder


def _page(result: SimulationResult, summary: SimulationSummary | None, folder: Path, t: Texts) -> Path:
    if result.details is None or summary is None or summary.statistics is None:
        raise Refused(
            f"the result {result.spec.code} is of an earlier version without statistics; run the simulation again"
        )
    html = tear_sheet(
        result.spec, summary, result.details, result.equity_time, result.equity, t, t.language, result.transfers
    )
    path = folder / "tear-sheet.html"
    aside = path.with_name(f".{path.name}.writing")
    aside.write_text(html, "utf-8")
    aside.replace(path)
    return path
