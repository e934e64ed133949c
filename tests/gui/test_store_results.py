"""The window's results from real stores and a real analyzer process."""

import threading
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from atm.analyzers import AnalysisPipeline
from atm.app.process_table import Program
from atm.app.supervisor import Supervisor
from atm.gui.store_results import StoreResults
from atm.ipc.local import LocalBus
from atm.ipc.messages import AnalyseBars, Ping
from atm.ipc.shared_array import program_id
from atm.model.account import AccountKind, AccountSetup, TradeReason, TradeRecord
from atm.model.analysis_configuration import AnalysisConfiguration, MovingAverageLine, ParabolicLine, VolumeProfile
from atm.model.bars import Source, TimeRange
from atm.model.endpoint import Addresses, Endpoint
from atm.model.errors import Invalid, Unavailable
from atm.model.income import IncomeCause, IncomeRecord, IncomeState
from atm.model.interval import HOUR_MS, MINUTE_MS, Interval
from atm.model.journal import Resumed
from atm.model.mark import RecordedMarks
from atm.model.order import Side
from atm.model.program import ProgramContext
from atm.storage.database import Database
from atm.storage.market_store import open_store
from tests.gui import filled


def test_overlays_come_from_an_analyzer_through_shared_memory(home: Path) -> None:
    context = ProgramContext(home, home, Endpoint.LIVE, Addresses("", ""), 1, 1, ("X",), headless=True)
    bars = filled.sample_bars("AVAXUSDT").slice(0, 30_000)
    writer = open_store(context, read_only=False)
    writer.put("AVAXUSDT", bars)
    writer.close()
    supervisor = Supervisor(context, None, (Program("analyzer-0", "atm.analyzers.process"),))
    started = threading.Event()
    supervisor.assistant.call_soon(started.set)
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    try:
        assert started.wait(30)
        supervisor.assistant.request("analyzer-0", Ping(), 30)
        results = StoreResults(context, supervisor.assistant)
        wish = AnalysisConfiguration.of_one(
            "wish",
            interval=Interval.M15,
            ema=(MovingAverageLine(12), MovingAverageLine(26)),
            psar=(ParabolicLine(),),
            volume_profile=VolumeProfile(window=100, bins=256),
        )
        start_ms, end_ms = int(bars.open_time[0]), int(bars.open_time[-1]) + MINUTE_MS
        request = AnalyseBars("AVAXUSDT", wish, start_ms, end_ms)
        rows = results.analysis("analyzer-0", request)
        whole = AnalysisPipeline(wish).run(bars)
        n = len(whole)
        assert len(rows.open_time) == n + 1, "the last bar is still running"
        np.testing.assert_array_equal(rows.values[:, :n], whole.values)
        np.testing.assert_array_equal(rows.column("EMA.2.value")[:n], whole.column("EMA.2.value"))
        assert rows.values[3, -1] == bars.close[-1]
        assert rows.next_ms == end_ms
        assert not rows.values.flags.writeable
        assert rows.profile is not None
        assert rows.profile.shape == (3, 256)
        with pytest.raises(Unavailable, match="analyzer-7 is not running"):
            results.analysis("analyzer-7", request)
        with pytest.raises(Invalid, match=r"psar\.start"):
            wrong = AnalysisConfiguration.of_one("wrong", psar=(ParabolicLine(start=0.5, maximum=0.1),))
            results.analysis("analyzer-0", AnalyseBars("AVAXUSDT", wrong, start_ms, end_ms))
    finally:
        supervisor.end()
        thread.join(30)
    assert not list(Path("/dev/shm").glob(f"atm-{program_id(home)}-*"))


def test_a_stored_simulation_is_read_whole_and_exported_below_the_home_folder(home: Path) -> None:
    from atm.gui.texts import Texts
    from atm.ipc.local import LocalBus
    from atm.model.errors import Refused
    from atm.storage.database import Database
    from tests.gui.result.ran import ran

    url = f"sqlite:///{home / 'live.sqlite3'}"
    context = ProgramContext(home, home, Endpoint.LIVE, Addresses("", ""), 1, 1, (), database_url=url)
    spec, result = ran("ts_nearusdt")
    database = Database(context.database)
    database.simulations.add(spec, 7)
    results = StoreResults(context, LocalBus().assistant("gui"))
    with pytest.raises(Refused, match="has not completed"):
        results.export(spec.code, "csv", Texts(filled.ASSETS / "texts"))
    database.simulations.save_result(
        spec.code, result.summary, result.equity_time, result.equity, result.trades, result.details
    )
    database.close()
    read = results.simulation(spec.code)
    assert read.details is not None
    assert read.details.trips == result.details.trips
    folder = results.export(spec.code, "csv", Texts(filled.ASSETS / "texts"))
    assert folder == home / "exports" / "TS_NEARUSDT"
    lines = (folder / "trades.csv").read_text().splitlines()
    assert len(lines) == 1 + len(result.trades)
    assert len((folder / "equity.csv").read_text().splitlines()) == 1 + len(result.equity)


def test_where_minutes_came_from_is_read_from_the_store(home: Path) -> None:
    context = ProgramContext(home, home, Endpoint.LIVE, Addresses("", ""), 1, 1, ("X",), headless=True)
    writer = open_store(context, read_only=False)
    results = StoreResults(context, LocalBus().assistant("gui"))
    assert len(results.provenance("AVAXUSDT").source) == 0
    bars = filled.sample_bars("AVAXUSDT")
    for part in (bars.slice(0, 100), bars.slice(150, 200)):
        writer.put("AVAXUSDT", part)
    writer.absent.add("AVAXUSDT", (TimeRange(int(bars.open_time[100]), int(bars.open_time[120])),))
    writer.close()
    found = results.provenance("AVAXUSDT")
    assert found.start_ms == int(bars.open_time[0])
    totals = found.totals()
    assert (totals[Source.SAMPLE], totals[Source.ABSENT], totals[Source.MISSING]) == (150, 20, 30)


def test_income_of_an_actual_account_is_read_compared_and_written(home: Path) -> None:
    context = ProgramContext(home, home, Endpoint.LIVE, Addresses("", ""), 1, 1, ("X",), headless=True)
    results = StoreResults(context, LocalBus().assistant("gui"))
    stamp = 1_700_006_400_000  # 2023-11-15 00:00 UTC
    database = Database(context.database)
    database.accounts.put(AccountSetup("first", AccountKind.ACTUAL))
    database.accounts.put(AccountSetup("paper"))
    fill = TradeRecord(
        0, stamp - HOUR_MS, 0, "AUSDT", Side.SELL, TradeReason.ENTRY, 3.0, 10.0, 0.0, 0.015, -3.0, 10.0, 0.0, trade_id=4
    )
    database.orders.append("first", [Resumed("", 1)], [fill])
    records = [
        IncomeRecord(1, "COMMISSION", "AUSDT", "USDT", Decimal("-0.015"), stamp - HOUR_MS, 4),
        IncomeRecord(2, "FUNDING_FEE", "AUSDT", "USDT", Decimal("0.003"), stamp),
    ]
    database.income.take("first", records, IncomeState(stamp - 2 * HOUR_MS, stamp + HOUR_MS))
    writer = open_store(context, read_only=False)
    price = np.full(1, 10.0)
    mark = np.array([price, price, price, price])
    writer.put_marks("AUSDT", RecordedMarks(np.array([stamp]), mark, np.array([stamp]), np.array([1e-4])))
    writer.close()
    found = results.account_income("first")
    assert (found.lines, found.agreeing) == ((), 1)
    assert results.account_records("first").funding == -0.003
    assert results.account_records("paper").funding is None
    folder = results.export_income("first", "csv")
    assert sorted(path.name for path in folder.iterdir()) == ["differences.csv", "income.csv"]
    writer = open_store(context, read_only=False)
    writer.put_marks("AUSDT", RecordedMarks(np.array([stamp]), mark, np.array([stamp]), np.array([2e-4])))
    writer.close()
    again = StoreResults(context, LocalBus().assistant("gui")).account_income("first")
    assert [line.cause for line in again.lines] == [IncomeCause.FUNDING], "the rate was twice as high"
    database.close()
