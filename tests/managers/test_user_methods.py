"""Users' methods in the trade manager: traded live as in a backtest, announced to the window, exchanged only with care."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from atm.analyzers import installed
from atm.analyzers.built_in_verdicts import BuiltInVerdicts
from atm.analyzers.checker import Verdict
from atm.analyzers.user_indicators import UserIndicators
from atm.ipc.messages import Done, IndicatorsUpdated, ListIndicators, MethodsUpdated, PutAccount, PutTradeConfiguration
from atm.model.account import AccountSetup, AssetSetup, PositionSetup
from atm.model.analysis_configuration import (
    AnalysisConfiguration,
    BollingerLine,
    IntervalAnalyses,
    MovingAverageLine,
    MultiMACD,
    OscillatorLine,
    ParabolicLine,
)
from atm.model.errors import Invalid
from atm.model.interval import MINUTE_MS, Interval, format_time
from atm.model.simulation import SimulationSpec
from atm.model.trade_configuration import TradeConfiguration, UserMethod
from atm.simulators import backtest
from atm.storage.database import Database
from tests.managers.trade_harness import DAY, SYMBOLS, T0, Program, instrument, walk

ROOT = Path(__file__).parents[2]
HISTORY = 2 * DAY

ANALYSIS = AnalysisConfiguration(
    "users",
    (
        IntervalAnalyses(
            Interval.M5,
            ema=(MovingAverageLine(6), MovingAverageLine(24)),
            psar=(ParabolicLine(),),
            bollinger=(BollingerLine(20, 1.5),),
            mfi=(OscillatorLine(10),),
            mmacd_short=MultiMACD(windows=(2, 4, 8), signal=2, multiplier=1, normaliser=8),
            user={"ROC": ({"window": 6},)},
        ),
        IntervalAnalyses(Interval.H1, ema=(MovingAverageLine(4),)),
    ),
    decision_interval=Interval.M5,
)
METHODS = {
    "TREND": UserMethod("TREND", {"band": 0.001, "trail": 0.006}),
    "REVERSION": UserMethod("REVERSION", {"flow": 5.0, "stop": 0.004}),
    "INTERVALS": UserMethod("INTERVALS", {"trend": "1h", "target": 0.004, "trail": 0.005}, rebalance_band=0.05),
}


EVERY_MINUTE = {"MINUTELY": UserMethod("MINUTELY", {"band": 0.0015})}
MINUTELY = """
import msgspec
import numpy as np
from atm.model.kernel import kernel
from atm.trading import Answer, Held, TradeMethod

class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    band: float = 0.001

@kernel
def decide(params, memory, row, position, out):
    memory[0] += position[Held.ELAPSED]
    if np.isnan(row[0]) or np.isnan(row[1]) or np.isnan(row[2]):
        return
    distance = row[0] / row[1] - 1.0
    if abs(distance) > params[0] * (2.0 - position[Held.ELAPSED]):
        out[Answer.TARGET] = np.sign(distance) * (1.0 if row[0] > row[2] else 0.5)
    elif position[Held.BARS] > 3:
        out[Answer.TARGET] = 0.0
    out[Answer.STOP] = position[Held.CLOSE] * (1.0 - 0.008 * np.sign(distance))

def register(registry):
    registry.register(TradeMethod(
        name="MINUTELY", parameters=Line, columns=lambda _: ("EMA.1.value", "EMA.2.value", "1h.EMA.1.value"),
        pack=lambda line: np.array([line.band], np.float64), decide=decide, memory=1, every_minute=True))
"""


def account(method: str) -> AccountSetup:
    return AccountSetup(
        method,
        assets={"USDT": AssetSetup(10_000.0, 0.8)},
        positions=tuple(PositionSetup(s, ANALYSIS.code, method, 0.5, n + 1) for n, s in enumerate(SYMBOLS)),
        trading=True,
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the examples; what is new in it passes."""
    copy = tmp_path / "strategies"
    shutil.copytree(ROOT / "strategies", copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr("atm.managers.examined.apart", lambda work: work())
    monkeypatch.setattr("atm.managers.trade_commands.BuiltInVerdicts", lambda path: BuiltInVerdicts(path, dict))
    monkeypatch.setattr(installed, "_users", UserIndicators([copy], None, _examined))
    return copy


def _examined(path: Path) -> Verdict:
    return Verdict(False, "the method looks ahead") if "looks ahead" in path.read_text() else Verdict(True)


def trade(name: str) -> TradeConfiguration:
    return TradeConfiguration(name, 2, full_stop_loss_close=0.01, method={**METHODS, **EVERY_MINUTE}[name])


def program(folder: Path, *methods: str) -> Program:
    made = Program(folder, {s: walk(n, HISTORY + DAY) for n, s in enumerate(SYMBOLS)}, HISTORY)
    database = Database(made.url)
    database.configurations.put_analysis(ANALYSIS)
    for name in methods:
        database.configurations.put_trade(trade(name))
        database.accounts.put(account(name))
    database.close()
    return made


def test_virtual_accounts_trade_users_methods_as_a_backtest_does(tmp_path: Path, folder: Path) -> None:
    made = program(tmp_path, *METHODS)
    made.start()
    made.play(1)  # the first bar tells the accounts what time it is: they begin with the minute after it
    made.wait(2.0)
    made.play(DAY // 2)
    made.kill()
    made.play(5)
    made.start()
    made.play(DAY // 2 - 6)
    made.wait(10.0)
    assert made.manager is not None
    made.manager.finish()
    for name in METHODS:
        assert_as_in_a_backtest(made, name, T0 + (HISTORY + 1) * MINUTE_MS)


def assert_as_in_a_backtest(made: Program, name: str, begin_ms: int) -> None:
    """The account has traded up to the last minute of the day as a backtest from `begin_ms` on does."""
    assert made.database is not None
    starts = {s: made.database.settings.get(f"analysis_start/{s}/{ANALYSIS.code}")["start_ms"] for s in SYMBOLS}
    traded, market_ms, _ = made.stored(name)
    assert market_ms == T0 + (HISTORY + DAY) * MINUTE_MS
    setup = account(name)
    spec = SimulationSpec(
        "parity",
        format_time(begin_ms),
        format_time(market_ms),
        setup.assets,
        setup.positions,
        (ANALYSIS,),
        (trade(name),),
        setup.costs,
    )
    instruments = [instrument(symbol) for symbol in SYMBOLS]
    simulated = backtest.run(spec, made.reader, instruments, analysis_start_ms=starts).trades
    assert traded == simulated
    assert len(traded) > 10, name


def test_an_account_that_decides_at_every_minute_does_so_as_a_backtest(tmp_path: Path, folder: Path) -> None:
    (folder / "minutely.py").write_text(MINUTELY)
    made = program(tmp_path, "MINUTELY", "TREND")  # which share their analyses
    made.start()
    made.play(1)
    made.wait(2.0)
    made.play(DAY // 2 + 2)
    made.kill()  # inside of a decision bar
    made.play(7)
    made.start()
    made.play(100)
    made.kill_analyzer("analyzer-0")
    made.wait(2.0)
    made.play(DAY // 2 - 110)
    made.wait(10.0)
    assert made.manager is not None
    made.manager.finish()
    for name in ("MINUTELY", "TREND"):
        assert_as_in_a_backtest(made, name, T0 + (HISTORY + 1) * MINUTE_MS)
    inside = [fill for fill in made.stored("MINUTELY")[0] if fill.decision_ms % (5 * MINUTE_MS)]
    assert len(inside) > 10
    assert not [text for text in made.notices if text == "notice.row_missing"]


def test_missing_minutes_of_open_bars_are_no_decisions_live_and_in_a_backtest(tmp_path: Path, folder: Path) -> None:
    (folder / "minutely.py").write_text(MINUTELY)
    made = program(tmp_path, "MINUTELY")
    begin = HISTORY + DAY // 4 // 5 * 5
    lost = [begin + 2, begin + 3, begin + 21, begin + 24, begin + 25, begin + 26, *range(begin + 41, begin + 53)]
    for symbol, bars in made.bars.items():
        keep = np.delete(np.arange(len(bars)), lost)
        made.bars[symbol] = dataclasses.replace(
            bars, open_time=bars.open_time[keep], values=bars.values[:, keep], source=bars.source[keep]
        )
    made.start()
    made.play(1)
    made.wait(2.0)
    made.play(DAY // 4 - 1)
    for _ in range(60 - len(lost)):
        made.play(1)
        made.wait(8.0)
    made.play(DAY - DAY // 4 - 60)
    made.wait(10.0)
    assert made.manager is not None
    made.manager.finish()
    assert_as_in_a_backtest(made, "MINUTELY", T0 + (HISTORY + 1) * MINUTE_MS)
    gone = {T0 + (minute + 1) * MINUTE_MS for minute in lost}
    assert not gone & {fill.decision_ms for fill in made.stored("MINUTELY")[0] if fill.decision_ms % (5 * MINUTE_MS)}
    assert "notice.row_missing" not in made.notices


def test_a_running_analysis_learns_that_rows_of_every_minute_are_needed(tmp_path: Path, folder: Path) -> None:
    (folder / "minutely.py").write_text(MINUTELY)
    made = program(tmp_path, "TREND")
    made.start()
    made.play(100)
    made.wait(2.0)
    assert made.ask(PutTradeConfiguration(trade("MINUTELY"))) == Done()
    assert made.ask(PutAccount(account("MINUTELY"))) == Done()
    made.play(13)
    made.wait(2.0)
    made.play(DAY - 113)
    made.wait(10.0)
    assert made.manager is not None
    made.manager.finish()
    (began,) = (each for each in made.manager.book.accounts.values() if each.setup.name == "MINUTELY")
    begin_ms = first_minute(made, "MINUTELY")
    assert T0 + (HISTORY + 95) * MINUTE_MS < begin_ms < T0 + (HISTORY + 105) * MINUTE_MS
    assert_as_in_a_backtest(made, "MINUTELY", begin_ms)
    assert_as_in_a_backtest(made, "TREND", T0 + (HISTORY + 1) * MINUTE_MS)
    assert not [text for text in made.notices if text == "notice.row_missing"]
    assert began.failure == ""


def first_minute(made: Program, name: str) -> int:
    """Where the equity curve of an account begins."""
    database = Database(made.url)
    (first, *_), _ = zip(*database.accounts.equity(name), strict=True)
    database.close()
    return int(first)


def test_the_window_learns_what_a_form_needs_and_a_refused_version_changes_nothing(
    tmp_path: Path, folder: Path
) -> None:
    made = program(tmp_path)
    made.start()
    seen: list[MethodsUpdated] = []
    files: list[IndicatorsUpdated] = []
    made.user.subscribe(MethodsUpdated, seen.append)
    made.user.subscribe(IndicatorsUpdated, files.append)
    made.ask(ListIndicators())
    made.wait(0.5)
    known = {each.name: each for each in seen[-1].methods}
    assert sorted(known) == ["INTERVALS", "REVERSION", "TREND"]
    trend = known["INTERVALS"].parameters[0]
    assert (trend.name, trend.kind, trend.default, len(trend.choices)) == ("trend", "choice", "4h", 6)
    assert known["INTERVALS"].columns == ("4h.KLINE.0.close", "4h.EMA.1.value", "MMACDSHORT.0.delta")
    assert (known["TREND"].verdict, known["TREND"].problem) == ("passed", "")
    assert known["TREND"].description and len(known["TREND"].version) == 16
    path = folder / "example_trend.py"
    path.write_text(path.read_text() + "\n# looks ahead\n")
    made.ask(ListIndicators())
    made.wait(0.5)
    after = {each.name: each for each in seen[-1].methods}
    sentence = "example_trend.py: the method looks ahead"
    assert after["TREND"] == msgspec.structs.replace(known["TREND"], verdict="outdated", problem=sentence)
    assert sentence in [badge.sentence for badge in files[-1].files]


def test_an_account_keeps_its_version_until_its_engine_is_made_anew(tmp_path: Path, folder: Path) -> None:
    made = program(tmp_path, "TREND")
    made.start()
    made.play(10)

    def version(of: str = "TREND") -> str:
        return made.manager.book.account("TREND").engine.method_versions[of]  # type: ignore[union-attr]

    old = version()
    path = folder / "example_trend.py"
    path.write_text(path.read_text() + "\n# another\n")
    made.ask(ListIndicators())
    made.play(10)
    new = installed.loaded().methods["TREND"].version
    assert version() == old != new
    assert made.ask(PutAccount(account("TREND"))) == Done()
    assert version() == new
    made.kill()
    made.start()
    made.play(2)
    assert version() == new


def test_wrong_parameters_are_named_by_field(tmp_path: Path, folder: Path) -> None:
    made = program(tmp_path)
    made.start()

    def put(**method: Any) -> None:
        made.ask(PutTradeConfiguration(TradeConfiguration("new", method=UserMethod(**method))))

    with pytest.raises(Invalid, match=r"method\.name: 'TRENDY' .* \(did you mean TREND"):
        put(name="TRENDY")
    with pytest.raises(Invalid, match=r"method\.parameters\.band: 2\.0"):
        put(name="TREND", parameters={"band": 2.0})
    put(name="TREND", parameters={"band": 0.01})
