"""`./run.sh backtest` and `./run.sh compare`: run from a file, or take what is stored; write what was asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from atm.analyzers.cache import AnalysisCache
from atm.analyzers.installed import install_for
from atm.model.errors import Invalid, Refused, Unavailable
from atm.model.program import ProgramContext
from atm.model.simulation import SimulationSpec, SimulationSummary
from atm.simulators import backtest
from atm.simulators.specification import read_specification
from atm.storage.market_store import open_store
from atm.storage.sample import load_instruments

TABLES = ("trades", "trips", "equity", "daily", "hourly")
"""What can be written as a table, by the name of its option."""


@dataclass(frozen=True, slots=True)
class Backtest:
    """A specification and what came of it."""

    spec: SimulationSpec
    result: backtest.BacktestResult


def run_backtest(path: Path, context: ProgramContext, progress: Callable[[float], None] | None = None) -> Backtest:
    """Read and run. Raises `Invalid` for anything wrong in the file."""
    install_for(context)
    spec = read_specification(path)
    store = open_store(context, read_only=True)
    cache = AnalysisCache(context.analysis_cache, context.analysis_cache_bytes)
    instruments = load_instruments(context.assets)
    result = backtest.run(spec, store, instruments, progress, cache=cache, scratch=context.analysis_cache)
    return Backtest(spec, result)


def check_outputs(tables: Mapping[str, Path], sheet: Path | None) -> None:
    """Before a long run: raises `Invalid` for files that could not be written as what their names say."""
    from atm.storage.table_file import check_ending  # noqa: PLC0415

    for path in tables.values():
        check_ending(path)
    if sheet is not None and sheet.suffix.lower() not in (".html", ".htm"):
        raise Invalid("--tear-sheet", str(sheet), "a name that ends in .html")
    for path in (*tables.values(), *([sheet] if sheet is not None else [])):
        if not path.absolute().parent.is_dir():
            raise Invalid("file", str(path), "a file in an existing folder")


def write_tables(done: Backtest, tables: Mapping[str, Path]) -> None:
    """Write the tables asked for, by name (`TABLES`). Raises `Invalid` or `Unavailable`."""
    from atm.simulators import export  # noqa: PLC0415
    from atm.simulators.statistics.reports import daily  # noqa: PLC0415
    from atm.storage.table_file import write_table  # noqa: PLC0415

    result = done.result
    makers = {
        "trades": lambda: export.trades_table(result.trades),
        "trips": lambda: export.trips_table(result.details.trips),
        "equity": lambda: export.equity_table(result.equity_time, result.equity),
        "daily": lambda: export.report_table(daily(result.details.hourly)),
        "hourly": lambda: export.report_table(result.details.hourly),
    }
    for name, path in tables.items():
        write_table(makers[name](), path)


def write_sheet(html: str, path: Path) -> None:
    """Write a page, replacing what was there only once the new one is whole. Raises `Unavailable`."""
    aside = path.with_name(f".{path.name}.writing")
    try:
        aside.write_text(html, "utf-8")
        aside.replace(path)
    except OSError as error:
        raise Unavailable(f"{path} could not be written: {error.strerror or error}") from error
    finally:
        aside.unlink(missing_ok=True)


def summaries(names: Sequence[str], context: ProgramContext) -> list[SimulationSummary]:
    """Of files (`….toml`, run now) and of completed stored simulations (by code). Raises `Invalid` or `Refused`."""
    stored: dict[str, SimulationSummary | None] = {}
    if not all(_is_file(name) for name in names):
        from atm.storage.database import Database  # noqa: PLC0415

        database = Database(context.database)
        stored = {state.code: state.summary for state in database.simulations.states()}
        database.close()
    found = []
    for name in names:
        if _is_file(name):
            found.append(run_backtest(Path(name), context).result.summary)
            continue
        if name not in stored:
            known = ", ".join(stored) or "none is stored"
            raise Invalid("simulation", name, f"a TOML file or the code of a stored simulation ({known})")
        summary = stored[name]
        if summary is None:
            raise Refused(f"the simulation {name} has not completed")
        found.append(summary)
    return found


def _is_file(name: str) -> bool:
    return name.endswith(".toml")
