import json
import math
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import msgspec
import numpy as np
import pytest
from sqlalchemy import insert, inspect, update

from atm.model.account import AccountSetup, AssetSetup, PositionSetup, TradeReason, TradeRecord
from atm.model.analysis_configuration import AnalysisConfiguration, IntervalAnalyses, MovingAverageLine
from atm.model.errors import Refused, Unavailable
from atm.model.interval import Interval
from atm.model.order import Side
from atm.model.simulation import SimulationSpec, SimulationStatus, SimulationSummary
from atm.model.statistics import BalanceReport, RoundTrip, SimulationDetails
from atm.model.trade_configuration import (
    Direction,
    RemainingQuantity,
    RotationalGaussian1,
    RotationalGaussian2,
    Sense,
    TargetExposure,
    TradeConfiguration,
    TradeScenario,
)
from atm.storage.database import Database
from atm.storage.schema import Base, ConfigurationRow, SimulationRow

SPEC = SimulationSpec(
    "s", "2023-08-01", "2023-08-02", {"USDT": AssetSetup(100)}, (PositionSetup("X", "a", "t"),),
    (AnalysisConfiguration.of_one("a"),), (TradeConfiguration("t"),),
)  # fmt: skip


@pytest.fixture
def database(home: Path) -> Database:
    return Database(f"sqlite:///{home / 'a.sqlite3'}")


def trade(index: int) -> TradeRecord:
    return TradeRecord(
        index, 60_000 * index, 0, "X", Side.BUY, TradeReason.ENTRY, 0.1, 100.5, 0, 0.05, 0.1, 100.5, 99.95
    )


def test_the_migrations_make_the_tables_that_the_program_maps(database: Database) -> None:
    inspector = inspect(database.engine)
    for table in Base.metadata.sorted_tables:
        found = {column["name"] for column in inspector.get_columns(table.name)}
        assert found == {column.name for column in table.columns}
    database.migrate("base")
    assert set(inspect(database.engine).get_table_names()) <= {"alembic_version"}


def _open(url: str) -> int:
    return len(Database(url).accounts.load())


def test_processes_that_start_together_may_all_open_a_new_database(home: Path) -> None:
    url = f"sqlite:///{home / 'b.sqlite3'}"
    with ProcessPoolExecutor(4) as pool:
        assert list(pool.map(_open, [url] * 4)) == [0] * 4


def test_configurations_survive_and_can_be_replaced_and_removed(database: Database) -> None:
    store = database.configurations
    store.put_analysis(AnalysisConfiguration.of_one("b"))
    store.put_analysis(AnalysisConfiguration.of_one("a", swing_range=0.01))
    store.put_analysis(AnalysisConfiguration.of_one("a", swing_range=0.02))
    store.put_trade(TradeConfiguration("t", leverage=7))
    assert [(c.code, c.intervals[0].swing_range) for c in store.analyses()] == [("a", 0.02), ("b", 0.025)]
    assert store.trades() == [TradeConfiguration("t", leverage=7)]
    store.remove_analysis("a")
    assert [c.code for c in store.analyses()] == ["b"]


def test_what_an_earlier_version_stored_of_trade_control_is_read(database: Database) -> None:
    shape = {"theta": 0.25, "alpha": 0.02, "beta0": 0.06, "beta1": 0.03, "gamma": 2}
    flat = {
        "code": "old", "leverage": 3, "isolated": True, "direction": "LONG", "sense": "contrarian",
        "full_stop_loss_immediate": 0.04, "full_stop_loss_close": None, "post_stop_reentry": True, "regrow": True,
        "exit_on_impulse": 0.1, "exit_on_aligned": None, "exit_on_profitable": None, "rebalance_band": 0.1,
        "long": shape, "short": shape,
    }  # fmt: skip
    database.simulations.add(SPEC, 1)
    with database.engine.begin() as connection:
        row = {"kind": "trade", "code": "old", "payload": json.dumps(flat).encode(), "version": 1, "updated_ms": 0}
        connection.execute(insert(ConfigurationRow), row)
        connection.execute(
            update(SimulationRow).values(spec=json.dumps(msgspec.to_builtins(SPEC) | {"trade": [flat]}).encode())
        )
    a_map = RotationalGaussian1(0.25, 0.02, 0.06, 0.03, 2)
    method = RemainingQuantity(
        sense=Sense.CONTRARIAN, regrow=True, exit_on_impulse=0.1, rebalance_band=0.1, long=a_map, short=a_map
    )
    expected = TradeConfiguration(
        "old", 3, direction=Direction.LONG, full_stop_loss_immediate=0.04, post_stop_reentry=True, method=method
    )
    assert database.configurations.trades() == [expected]
    assert database.simulations.spec(SPEC.code).trade == (expected,)


@pytest.mark.parametrize("method", [TradeScenario(), TargetExposure(), RemainingQuantity(long=RotationalGaussian2())])
def test_every_method_survives_the_store(
    database: Database, method: TradeScenario | TargetExposure | RemainingQuantity
) -> None:
    stored = TradeConfiguration("t", method=method)
    database.configurations.put_trade(stored)
    assert database.configurations.trades() == [stored]


def test_what_an_earlier_version_stored_with_one_interval_is_read(database: Database) -> None:
    flat = {"code": "old", "interval": "5m", "sma": [{"window": 30}], "swing_range": 0.03, "pip": None}
    spec = msgspec.to_builtins(SPEC) | {"analysis": [flat]}
    database.simulations.add(SPEC, 1)
    with database.engine.begin() as connection:
        row = {"kind": "analysis", "code": "old", "payload": json.dumps(flat).encode(), "version": 1, "updated_ms": 0}
        connection.execute(insert(ConfigurationRow), row)
        connection.execute(update(SimulationRow).values(spec=json.dumps(spec).encode()))
    expected = AnalysisConfiguration(
        "old", (IntervalAnalyses(interval=Interval.M5, sma=(MovingAverageLine(30),), swing_range=0.03),)
    )
    assert database.configurations.analyses() == [expected]
    assert database.simulations.spec(SPEC.code).analysis == (expected,)


def test_progress_is_all_or_nothing(database: Database) -> None:
    setup = AccountSetup("demo", assets={"USDT": AssetSetup(100)}, positions=(PositionSetup("X", "a", "t"),))
    database.accounts.put(setup)
    database.accounts.save_progress("demo", b"one", 60_000, [trade(0), trade(1)], [(60_000, 100.0)])
    with pytest.raises(Unavailable):
        database.accounts.save_progress("demo", b"two", 120_000, [trade(2), trade(1)], [(120_000, 1.0)])
    (stored,) = database.accounts.load()
    assert (stored.setup, stored.market_ms, stored.engine) == (setup, 60_000, b"one")
    assert [t.index for t in database.accounts.trades("demo")] == [1, 0]
    assert database.accounts.equity("demo") == [(60_000, 100.0)]
    with pytest.raises(Refused, match="nobody"):
        database.accounts.save_progress("nobody", b"", 0, [], [])
    database.accounts.remove("demo")
    assert database.accounts.load() == []


def test_a_simulation_from_queue_to_result(database: Database) -> None:
    spec = SPEC
    database.simulations.add(spec, 5)
    with pytest.raises(Refused, match="s exists already"):
        database.simulations.add(spec, 6)
    assert database.simulations.spec("s") == spec
    summary = SimulationSummary(
        "s", ("X",), "a", "b", 1, 0, 2, 1, 1.0, 3.0, 0.03, 0.1, 0.0, 2.0, 0.01, 1.0, 0.5, 103.0, 0, 0.1, "hash"
    )
    times, curve = np.array([1, 2], np.int64), np.array([100.0, 103.0])
    explained = msgspec.structs.replace(trade(0), target_before=0.0, target_after=-0.5)
    database.simulations.save_result("s", summary, times, curve, [trade(0)])
    (state,) = database.simulations.states()
    assert (state.status, state.summary, state.created_ms) == (SimulationStatus.COMPLETED, summary, 5)
    np.testing.assert_array_equal(database.simulations.equity("s")[1], curve)
    assert database.simulations.trades("s") == [trade(0)]
    assert database.simulations.details("s") is None
    hourly = BalanceReport(3_600_000, ("a", "b"), np.array([0, 3_600_000]), np.array([[1.0, 2.0], [3.0, math.nan]]))
    trip = RoundTrip("X", Side.BUY, 0, 60_000, 2, 10.0, -0.1, 0.1, 0.0, TradeReason.CLEAR)
    details = SimulationDetails((trip,), hourly)
    database.simulations.save_result("s", summary, times, curve, [explained], details)
    assert database.simulations.trades("s") == [explained]
    stored = database.simulations.details("s")
    assert stored is not None
    assert stored.trips == details.trips
    np.testing.assert_array_equal(stored.hourly.column("b"), [3.0, math.nan])
    database.simulations.remove("s")
    with pytest.raises(Refused):
        database.simulations.trades("s")


def test_settings(database: Database) -> None:
    database.settings.put("window", {"theme": "dark"})
    database.settings.put("window", {"theme": "light"})
    assert database.settings.get("window") == {"theme": "light"}
    assert database.settings.get("nothing") is None
