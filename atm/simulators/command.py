"""`./run.sh backtest FILE.toml`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from atm.analyzers.cache import AnalysisCache
from atm.analyzers.installed import install_for
from atm.model.program import ProgramContext
from atm.model.simulation import SimulationSummary
from atm.simulators import backtest
from atm.simulators.specification import read_specification
from atm.storage.market_store import open_store
from atm.storage.sample import load_instruments


def run_backtest(
    path: Path, context: ProgramContext, progress: Callable[[float], None] | None = None
) -> SimulationSummary:
    """Read, run and summarise. Raises `Invalid` for anything wrong in the file."""
    install_for(context)
    spec = read_specification(path)
    store = open_store(context, read_only=True)
    cache = AnalysisCache(context.analysis_cache, context.analysis_cache_bytes)
    return backtest.run(spec, store, load_instruments(context.assets), progress, cache=cache).summary
