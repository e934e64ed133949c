"""The program's processes are killed one after the other while an account trades; a backtest says what it should have done.

That the trades of the account, which has lived through all those deaths, are those of a backtest over the same minutes is the
strongest thing that can be said of it: no bar, no row, no decision and no fill was lost or came twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from atm.managers.presets import demo_presets
from atm.managers.trade_setups import analysis_id
from atm.model.account import TradeRecord
from atm.model.interval import DAY_MS, format_time
from atm.model.simulation import SimulationSpec
from atm.simulators import backtest
from atm.storage.database import Database
from atm.storage.market_store import MarketStore
from atm.storage.sample import load_instruments
from tests.program.running import ROOT, RunningProgram, wait_until

pytestmark = [pytest.mark.program, pytest.mark.timeout(600)]

SYMBOLS = ("FILUSDT", "NEARUSDT", "AVAXUSDT")
VICTIMS = ("trade", "data", "binance_api", "analyzer-0", "simulation", "neural_network", "demo-exchange")
SPEED = 600
STEP_MS = DAY_MS // (len(VICTIMS) + 1)


@pytest.fixture
def program(home: Path) -> Iterator[RunningProgram]:
    running = RunningProgram(home, "--headless", "--speed", str(SPEED))
    yield running
    running.clean_up()


def backtested(home: Path, begin_ms: int, end_ms: int) -> list[TradeRecord]:
    """What the demo account should have done between two moments, from the minutes that the program has collected."""
    presets = demo_presets(SYMBOLS)
    database = Database(f"sqlite:///{home / 'demo.sqlite3'}")
    starts = {
        position.symbol: database.settings.get(f"analysis_start/{analysis_id(position)}")["start_ms"]
        for position in presets.account.positions
    }
    database.close()
    store = MarketStore(home / "market" / "demo", sample=ROOT / "assets" / "sample")
    spec = SimulationSpec(
        code="parity",
        start=format_time(begin_ms),
        end=format_time(end_ms),
        assets=presets.account.assets,
        positions=presets.account.positions,
        analysis=presets.analysis,
        trade=presets.trade,
        costs=presets.account.costs,
    )
    return backtest.run(spec, store, load_instruments(ROOT / "assets"), analysis_start_ms=starts).trades


def test_a_day_of_trading_with_every_process_killed_once_is_the_day_of_a_backtest(program: RunningProgram) -> None:
    wait_until("the account trades", lambda: program.account()[0] > 0)
    begin_ms = program.account()[2][0][0]
    program.wait_for_processes(*VICTIMS)
    for number, victim in enumerate(VICTIMS, 1):
        wait_until(
            f"the account reaches hour {number * STEP_MS / 3_600_000:g}",
            lambda number=number: program.account()[0] >= begin_ms + number * STEP_MS,  # type: ignore[misc]
            180,
        )
        dead = program.kill(victim)
        wait_until(f"{victim} is back", lambda: program.processes().get(victim, dead) != dead)  # noqa: B023
    wait_until("the day is over", lambda: program.account()[0] >= begin_ms + DAY_MS, 180)
    tree = [psutil.Process(pid) for pid in program.processes().values()]
    assert program.end() == 0
    assert not any(process.is_running() for process in tree)

    end_ms, traded, _ = program.account()
    assert end_ms - begin_ms >= DAY_MS
    assert [trade.index for trade in traded] == list(range(len(traded)))
    expected = backtested(program.home, begin_ms, end_ms)
    assert traded == expected
    assert len(traded) > 20 and {trade.symbol for trade in traded} == set(SYMBOLS)
