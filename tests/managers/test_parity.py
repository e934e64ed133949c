"""The virtual account decides on the sample market exactly as a backtest over the same bars does: 0 differences."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec
import numpy as np
from numpy.testing import assert_array_equal

from atm.analyzers.cache import AnalysisCache
from atm.ipc.messages import AnalysisRow
from atm.managers.presets import demo_presets
from atm.managers.trade_setups import analysis_id
from atm.model.account import TradeReason
from atm.model.analysis_configuration import AnalysisConfiguration, IntervalAnalyses, MovingAverageLine, OrderFlowLine
from atm.model.bars import Bars
from atm.model.interval import DAY_MS, HOUR_MS, MINUTE_MS, Interval, format_time, parse_time
from atm.model.mark import RecordedMarks
from atm.model.simulation import SimulationSpec
from atm.simulators import backtest
from atm.storage.database import Database
from atm.storage.market_store import MarketStore
from atm.storage.sample import load_instruments
from tests.analyzers.market import flow
from tests.managers.trade_harness import Program
from tests.simulators.marks import marks_of

ASSETS = Path(__file__).parents[2] / "assets"
SYMBOLS = ("FILUSDT", "NEARUSDT", "AVAXUSDT")
BEGIN = parse_time("2023-09-15")
HISTORY_DAYS = 2
PLAYED = 1_440


def sample(folder: Path) -> dict[str, Bars]:
    store = MarketStore(folder / "none", sample=ASSETS / "sample")
    stored = {s: store.read(s, BEGIN - HISTORY_DAYS * DAY_MS, BEGIN + PLAYED * MINUTE_MS) for s in SYMBOLS}
    return {
        s: dataclasses.replace(bars.with_marks(marks(bars)), flow=flow(bars.open_time)) for s, bars in stored.items()
    }


def marks(bars: Bars) -> RecordedMarks:
    """With holes, near the trades; twice a day the mark price falls and rises so far that whatever is held is liquidated."""
    made = marks_of(bars)
    shaken = made.open_time % (12 * HOUR_MS) == 7 * HOUR_MS
    made.values[1, shaken] *= 3.0
    made.values[2, shaken] *= 0.3
    return made


def with_an_hour_and_the_book(configuration: AnalysisConfiguration) -> AnalysisConfiguration:
    """A second interval, which does not decide; entries are confirmed by the order book."""
    hour = IntervalAnalyses(interval=Interval.H1, ema=(MovingAverageLine(5),), woi=(OrderFlowLine(4),))
    (deciding,) = configuration.intervals
    assert deciding.pip is not None
    pip = msgspec.structs.replace(deciding.pip, woi_threshold=0.3, flow_window=12)
    confirmed = msgspec.structs.replace(deciding, woi=(OrderFlowLine(3, 1.0),), pip=pip)
    return msgspec.structs.replace(configuration, intervals=(hour, confirmed), decision_interval=deciding.interval)


def test_virtual_account_and_backtest_agree_over_a_sample_day(tmp_path: Path) -> None:
    presets = demo_presets(SYMBOLS)
    analyses = tuple(with_an_hour_and_the_book(analysis) for analysis in presets.analysis)
    instruments = load_instruments(ASSETS)
    history = HISTORY_DAYS * DAY_MS // MINUTE_MS
    program = Program(tmp_path, sample(tmp_path), history, instruments=instruments, real_data=True)
    database = Database(program.url)
    for analysis in analyses:
        database.configurations.put_analysis(analysis)
    for trade in presets.trade:
        database.configurations.put_trade(trade)
    hourly = msgspec.structs.replace(presets.account.costs, funding_hours=1)
    database.accounts.put(msgspec.structs.replace(presets.account, costs=hourly))
    database.close()

    rows: dict[str, dict[int, tuple[float, ...]]] = {symbol: {} for symbol in SYMBOLS}
    program.user.subscribe(AnalysisRow, lambda row: rows[row.symbol].update({row.open_time: row.values}))
    program.start()
    program.play(1)  # the first bar tells the account what time it is: it begins with the minute after it
    program.wait(2.0)
    program.play(PLAYED // 2)
    program.kill()  # half-way through the day
    program.play(5)
    program.start()
    program.play(PLAYED - PLAYED // 2 - 6)
    program.wait(10.0)
    assert program.manager is not None
    program.manager.finish()
    traded, market_ms, _ = program.stored("demo")
    engine = program.manager.book.accounts["demo"].engine
    paid, assumed = engine.funding_paid(), engine.assumed
    assert market_ms == BEGIN + PLAYED * MINUTE_MS

    assert program.database is not None
    keys = [analysis_id(position) for position in presets.account.positions]
    starts = {key.partition("/")[0]: program.database.settings.get(f"analysis_start/{key}")["start_ms"] for key in keys}
    assert set(starts.values()) == {BEGIN - HISTORY_DAYS * DAY_MS}  # all are bounded by what is stored
    spec = SimulationSpec(
        code="parity",
        start=format_time(BEGIN + MINUTE_MS),
        end=format_time(BEGIN + PLAYED * MINUTE_MS),
        assets=presets.account.assets,
        positions=presets.account.positions,
        analysis=analyses,
        trade=presets.trade,
        costs=hourly,
    )
    cache = AnalysisCache(tmp_path / "cache", 100_000_000)
    for stored_results in (0, len(SYMBOLS)):
        assert len(list(tmp_path.glob("cache/*"))) == stored_results
        result = backtest.run(spec, program.reader, instruments, analysis_start_ms=starts, cache=cache)
        simulated, summary = result.trades, result.summary
        assert traded == simulated
        assert paid == summary.funding
        assert summary.statistics is not None
        assert 0.0 < (summary.statistics.unmarked_share or 0.0) < 0.1
        assert 0.0 < (summary.statistics.constant_share or 0.0) < 1.0
        assert (assumed.unmarked_share, assumed.constant_share) == (
            summary.statistics.unmarked_share,
            summary.statistics.constant_share,
        )
    assert {trade.symbol for trade in traded} == set(SYMBOLS) and len(traded) > 20
    assert TradeReason.LIQUIDATION in {trade.reason for trade in traded}
    configurations = {configuration.code: configuration for configuration in analyses}
    for position in presets.account.positions:
        start_ms = starts[position.symbol]
        bars = program.reader.read(position.symbol, start_ms, BEGIN + PLAYED * MINUTE_MS, with_flow=True)
        table = cache.table(configurations[position.analysis], bars, start_ms)
        assert not np.isnan(table.column("WOI.1.filtered")[-80:]).any()
        live = rows[position.symbol]
        for index in range(len(table) - 80, len(table)):
            assert_array_equal(live[int(table.open_time[index])], table.values[:, index])
