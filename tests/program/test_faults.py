"""The program trades through a schedule of faults, each process and each socket a real one; a backtest says what it should have done.

Suspended symbols are left to the campaign in virtual time: their minutes are not there while an account could still decide on
them, so a backtest that has them all is no measure.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from atm.model.fault import FaultKind
from atm.model.interval import HOUR_MS
from atm.storage.market_store import MarketStore
from tests.program.running import ROOT, RunningProgram, wait_until
from tests.program.test_kills import SYMBOLS, backtested

pytestmark = [pytest.mark.program, pytest.mark.timeout(400)]

SPEED, SEED, MINUTES = 600, 3, 0.4
KINDS = ",".join(kind.value for kind in FaultKind if kind is not FaultKind.SUSPENDED)


@pytest.fixture
def program(home: Path) -> Iterator[RunningProgram]:
    running = RunningProgram(home, "--headless", "--speed", str(SPEED))
    yield running
    running.clean_up()


def test_hours_of_trading_through_a_schedule_of_faults_are_those_of_a_backtest(program: RunningProgram) -> None:
    wait_until("the account trades", lambda: program.account()[0] > 0)
    begin_ms = program.account()[2][0][0]
    set_on = program.command("faults", "schedule", str(SEED), f"minutes={MINUTES}", f"kinds={KINDS}", "--json")
    assert set_on.returncode == 0, set_on.stderr
    struck_ms = program.account()[0]

    def phases() -> set[str]:
        return {each["phase"] for each in json.loads(program.command("faults", "list", "--json").stdout)["faults"]}

    wait_until("all faults are over", lambda: phases() == {"over"}, 120)
    wait_until("the account is hours behind them", lambda: program.account()[0] >= struck_ms + 8 * HOUR_MS, 120)
    assert program.end() == 0

    end_ms, traded, _ = program.account()
    assert [trade.index for trade in traded] == list(range(len(traded)))
    expected = backtested(program.home, begin_ms, end_ms)
    assert traded == expected and len(traded) > 5
    own = MarketStore(program.home / "market" / "demo")
    for symbol in SYMBOLS:
        (whole,) = own.coverage(symbol)  # in one piece
        stored = own.read(symbol, whole.start_ms, whole.end_ms)
        true = MarketStore(ROOT / "assets" / "sample").read(symbol, whole.start_ms, whole.end_ms)
        assert np.array_equal(stored.open_time, true.open_time)
        assert np.allclose(stored.values, true.values, rtol=1e-9)
