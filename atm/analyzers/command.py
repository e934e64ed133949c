"""`./run.sh analyse CONFIG --symbol S --start … --end … --out FILE`."""

from __future__ import annotations

from pathlib import Path

from atm.analyzers import installed
from atm.analyzers.cache import AnalysisCache
from atm.analyzers.configuration_file import read_configuration
from atm.analyzers.export import export
from atm.analyzers.pipeline import AnalysisPipeline
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.errors import Invalid
from atm.model.interval import MINUTE_MS, format_time
from atm.model.program import ProgramContext
from atm.storage.database import Database
from atm.storage.market_store import open_store
from atm.storage.table_file import check_ending


def analyse(name: str, context: ProgramContext, symbol: str, span: tuple[int, int], out: Path) -> int:
    """Write the rows that close in span (start, end], Unix ms, into a Parquet or CSV file; returns their number.

    name: a file, or the code of a stored configuration. The look-back before the start is read as far as it is stored.
    Raises Invalid, or Problems for a file with mistakes.
    """
    check_ending(out)
    configuration = _configuration(name, context)
    start_ms, end_ms = span
    store = open_store(context, read_only=True)
    if symbol not in store.symbols():
        raise Invalid("--symbol", symbol, f"a symbol with stored bars: {', '.join(store.symbols()) or 'none'}")
    pipeline = AnalysisPipeline(configuration)
    bars = store.read(symbol, start_ms - pipeline.look_back_minutes * MINUTE_MS, end_ms, pipeline.reads_flow)
    if not len(bars.between(start_ms, end_ms)):
        held = ", ".join(f"{format_time(p.start_ms)} to {format_time(p.end_ms)}" for p in store.coverage(symbol))
        raise Invalid("--start", format_time(start_ms), f"a range in which {symbol} has bars: {held or 'none'}")
    cached = AnalysisCache(context.analysis_cache, context.analysis_cache_bytes)
    table = cached.table(configuration, bars).between(start_ms, end_ms)
    export(table, out)
    return len(table)


def _configuration(name: str, context: ProgramContext) -> AnalysisConfiguration:
    if Path(name).suffix:
        return read_configuration(Path(name), installed.registry())
    database = Database(context.database)
    try:
        stored = {configuration.code: configuration for configuration in database.configurations.analyses()}
    finally:
        database.close()
    if name not in stored:
        codes = ", ".join(stored) or "none is stored"
        raise Invalid("configuration", name, f"a file (.toml or .json), or the code of a stored configuration: {codes}")
    return stored[name]
