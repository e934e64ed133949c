"""The trade manager on a bus with real analyzers, a real store and a real database."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import numpy as np
import pytest

from atm.analyzers import installed
from atm.analyzers.built_in_verdicts import BuiltInVerdicts
from atm.analyzers.checker import Verdict
from atm.analyzers.user_indicators import UserIndicators
from atm.ipc.messages import (
    ConfigurationsUpdated,
    CopyConfiguration,
    DescribeAnalyses,
    Done,
    ExportConfiguration,
    ForceClear,
    ImportConfiguration,
    IndicatorBadge,
    IndicatorsUpdated,
    Instruments,
    KillSwitch,
    ListIndicators,
    PutAccount,
    PutAnalysisConfiguration,
    PutTradeConfiguration,
    RemoveAccount,
    RemoveConfiguration,
    RenameConfiguration,
    RestartAnalysis,
    ResumeLive,
    SetLiveRules,
    SetTrading,
    UserIndicatorList,
)
from atm.managers.trade_setups import analysis_id
from atm.model.account import AccountKind, AssetSetup, PositionSetup, TradeReason, TradeRecord
from atm.model.analysis_configuration import (
    AnalysisConfiguration,
    ClassicalSignal,
    IntervalAnalyses,
    MovingAverageLine,
    OrderFlowLine,
)
from atm.model.bars import Source
from atm.model.builtin_analyses import BUILT_IN
from atm.model.errors import ATMError, Invalid, Refused, Unavailable
from atm.model.interval import MINUTE_MS, Interval
from atm.model.journal import KILLED
from atm.model.risk import LiveRules, OutsidePolicy, RiskLimits
from atm.storage.database import Database
from tests.analyzers.market import changed
from tests.managers.trade_harness import ACCOUNT, ANALYSIS, SYMBOLS, T0, TRADE, Program, instrument, walk

HISTORY = 600
DAY = 720


def program(folder: Path, minutes: int = HISTORY + DAY, url: str = "") -> Program:
    folder.mkdir(parents=True, exist_ok=True)
    made = Program(folder, {s: walk(n, minutes) for n, s in enumerate(SYMBOLS, 7)}, HISTORY, url)
    made.seed()
    return made


def finish(made: Program) -> tuple[list[TradeRecord], int, bytes | None]:
    """Let everything come in, end in order, and say what is stored."""
    made.wait(60.0)
    assert made.manager is not None
    made.manager.finish()
    return made.stored()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[TradeRecord], int, bytes | None]:
    made = program(tmp_path_factory.mktemp("undisturbed"))
    made.start()
    made.play(DAY)
    result = finish(made)
    assert made.fills == result[0]
    return result


def test_a_day_trades_by_itself(undisturbed: tuple[list[TradeRecord], int, bytes | None]) -> None:
    trades, market_ms, _ = undisturbed
    assert market_ms == T0 + (HISTORY + DAY) * MINUTE_MS
    assert [trade.index for trade in trades] == list(range(trades[0].index, trades[0].index + len(trades)))
    assert len(trades) > 30 and {trade.symbol for trade in trades} == set(SYMBOLS)
    assert {TradeReason.ENTRY, TradeReason.STOP_IMMEDIATE} <= {trade.reason for trade in trades}


@pytest.mark.parametrize("seed", range(3))
def test_kills_change_nothing(
    tmp_path: Path, undisturbed: tuple[list[TradeRecord], int, bytes | None], seed: int
) -> None:
    """Trade manager and analyzers killed at random points, messages of theirs lost: the same trades, the same state."""
    dice = random.Random(seed)
    made = program(tmp_path / "p")
    made.start()
    kills = 0
    while made.at < HISTORY + DAY:
        made.play(min(dice.randint(1, 60), HISTORY + DAY - made.at), pause=dice.choice((0.0, 0.06, 2.0)))
        if made.at < HISTORY + DAY - 5:
            made.close_minute()
            for _ in range(dice.randint(0, 6)):  # some of what this minute causes happens, some does not
                made.bus.route()
                made.bus.assistants[dice.choice(list(made.bus.assistants))].step()
        victim = dice.choice(["trade", "trade", *made.workers()])
        if victim == "trade":
            made.kill()
            for _ in range(min(dice.choice((0, 0, 3, 40)), HISTORY + DAY - 1 - made.at)):
                made.play(1)
            made.start()
        else:
            made.bus.pump()
            made.kill_analyzer(victim)
            made.bus.pump()
        kills += 1
    trades, market_ms, engine = finish(made)
    if market_ms < undisturbed[1]:  # killed after the last minute: nothing newer has shown yet that it was missed
        for symbol in SYMBOLS:
            made.publish_bar(symbol, made.bars[symbol].bar(HISTORY + DAY - 1))
        trades, market_ms, engine = finish(made)
    assert kills > 10
    assert trades == undisturbed[0]
    assert (market_ms, engine) == undisturbed[1:]
    assert "notice.row_missing" not in made.notices and "notice.minutes_missing" not in made.notices


def test_a_hole_of_the_market_is_passed_without_decisions(tmp_path: Path) -> None:
    made = program(tmp_path / "p", HISTORY + 60)
    made.start()
    made.play(10)
    made.can_ensure = False
    for _ in range(5):  # the exchange has nothing of the first symbol for five minutes
        made.writer.append(SYMBOLS[1], made.bars[SYMBOLS[1]].slice(made.at, made.at + 1))
        made.publish_bar(SYMBOLS[1], made.bars[SYMBOLS[1]].bar(made.at))
        made.at += 1
        made.bus.pump()
    made.play(20)
    made.wait(30.0)
    assert made.manager is not None
    account = made.manager.book.account("paper")
    assert account.market_ms == T0 + made.at * MINUTE_MS and not account.failure


def test_trading_off_keeps_stops_and_takes_no_exposure(tmp_path: Path) -> None:
    made = program(tmp_path / "p")
    made.start()
    made.play(200)
    while not made.manager.book.account("paper").open_symbols():  # type: ignore[union-attr]
        made.play(1)
    assert made.ask(SetTrading("paper", False)) == Done()
    before = len(made.fills)
    made.play(600)
    after = made.fills[before:]
    assert all(trade.reason is not TradeReason.ENTRY for trade in after)
    made.kill()
    made.start()
    assert not made.manager.book.account("paper").setup.trading  # type: ignore[union-attr]


def test_new_filters_of_the_exchange_hold_for_the_next_orders(tmp_path: Path) -> None:
    made = program(tmp_path / "p")
    made.start()
    made.play(DAY // 2)
    made.exchange.publish(
        Instruments(
            tuple(msgspec.structs.replace(instrument(s), market_step_size="10", min_quantity="10") for s in SYMBOLS)
        )
    )
    made.bus.pump()
    held = made.manager.book.account("paper").engine.snapshot()  # type: ignore[union-attr]
    made.play(DAY // 2)
    changed_ms = T0 + (HISTORY + DAY // 2) * MINUTE_MS
    entries = [trade for trade in made.fills if trade.reason is TradeReason.ENTRY]
    before = [trade.quantity for trade in entries if trade.time_ms <= changed_ms]
    after = [trade.quantity for trade in entries if trade.time_ms > changed_ms + MINUTE_MS]
    assert held and before and after
    assert any(quantity % 10 for quantity in before)
    assert all(quantity % 10 == 0 for quantity in after)


def test_force_clear_closes_at_the_next_open_even_if_killed_meanwhile(tmp_path: Path) -> None:
    made = program(tmp_path / "p")
    made.start()
    made.play(200)
    while not (opened := made.manager.book.account("paper").open_symbols()):  # type: ignore[union-attr]
        made.play(1)
    symbol = min(opened)
    assert made.ask(ForceClear("paper", symbol)) == Done()
    at = made.at
    made.kill()
    made.start()
    made.play(3)
    made.wait(5.0)
    cleared = [t for t in made.stored()[0] if t.reason is TradeReason.FORCE_CLEAR]
    assert [(t.symbol, t.time_ms, t.quantity_after) for t in cleared] == [(symbol, T0 + at * MINUTE_MS, 0.0)]
    with pytest.raises(ATMError, match="symbol"):
        made.ask(ForceClear("paper", "ZZZUSDT"))


def test_the_kill_switch_is_done_though_an_account_cannot_be_opened_which_then_begins_without_trading(
    tmp_path: Path,
) -> None:
    made = program(tmp_path / "p")
    made.start()
    gone = msgspec.structs.replace(ACCOUNT, name="gone", positions=(PositionSetup("GONEUSDT", "A5", "T"),))
    made.manager.book._database.accounts.put(gone)  # type: ignore[union-attr]
    made.kill()
    made.start()
    made.play(2)
    assert made.ask(KillSwitch()) == Done()
    assert made.ask(KillSwitch()) == Done()
    made.kill()
    made.start()
    listed = (*SYMBOLS, "GONEUSDT")
    made.exchange.publish(Instruments(tuple(instrument(symbol) for symbol in listed)))
    made.bus.pump()
    book = made.manager.book  # type: ignore[union-attr]
    assert {name: account.setup.trading for name, account in book.accounts.items()} == {"paper": False, "gone": False}
    assert made.ask(SetTrading("gone", True)) == Done()
    made.kill()
    made.start()
    made.exchange.publish(Instruments(tuple(instrument(symbol) for symbol in listed)))
    made.bus.pump()
    assert made.manager.book.account("gone").setup.trading  # type: ignore[union-attr]


def test_the_kill_switch_closes_virtual_positions_and_trading_stays_off_after_a_restart(tmp_path: Path) -> None:
    made = program(tmp_path / "p")
    made.start()
    made.play(200)
    while not made.manager.book.account("paper").open_symbols():  # type: ignore[union-attr]
        made.play(1)
    assert made.ask(KillSwitch()) == Done()
    assert made.ask(KillSwitch("paper")) == Done()
    made.kill()
    made.start()
    made.play(300)
    account = made.manager.book.account("paper")  # type: ignore[union-attr]
    assert not account.open_symbols()
    assert not account.setup.trading
    assert made.notices.count("notice.killed") == 1
    with pytest.raises(Invalid, match="account"):
        made.ask(KillSwitch("nobody"))


def test_rules_and_halts_of_an_actual_account_are_set_shown_and_survive_a_restart(tmp_path: Path) -> None:
    made = program(tmp_path / "p")
    assets = {"USDT": AssetSetup(0)}
    made.start()
    setup = msgspec.structs.replace(ACCOUNT, name="own", kind=AccountKind.ACTUAL, assets=assets)
    assert made.ask(PutAccount(setup)) == Done()
    rules = LiveRules(RiskLimits(max_notional=500.0, daily_loss=0.1), OutsidePolicy.STOP, None, 30.0)
    assert made.ask(SetLiveRules("own", rules)) == Done()
    assert made.ask(KillSwitch("own")) == Done()
    made.kill()
    made.start()
    account = made.manager.book.account("own")  # type: ignore[union-attr]
    assert account.setup.live == rules
    assert not account.setup.trading
    assert [(halt.scope, halt.reason) for halt in account.snapshot({}).halts] == [("", KILLED)]
    assert made.ask(ResumeLive("own")) == Done()
    assert account.snapshot({}).halts == ()
    with pytest.raises(Invalid, match="not halted"):
        made.ask(ResumeLive("own"))
    with pytest.raises(Invalid, match="actual"):
        made.ask(SetLiveRules("paper", rules))


def test_an_account_that_cannot_be_opened_is_seen_with_the_reason(tmp_path: Path) -> None:
    made = program(tmp_path / "p")
    lost = msgspec.structs.replace(
        ACCOUNT, name="lost", positions=(PositionSetup("ZZZUSDT", ANALYSIS.code, TRADE.code),)
    )
    Database(made.url).accounts.put(lost)
    made.start()
    made.play(3)
    seen = [update for update in made.updates if update.setup.name == "lost"]
    assert [(each.snapshot.state, each.snapshot.trading) for each in seen] == [("FAILED", False)]
    assert "ZZZUSDT" in seen[0].snapshot.reason
    assert made.notices.count("notice.account_failed") == 1


def test_refusals_name_field_and_uses(tmp_path: Path) -> None:
    made = program(tmp_path / "p")
    made.start()
    with pytest.raises(Refused, match="paper: AAAUSDT; paper: BBBUSDT"):
        made.ask(RemoveConfiguration("analysis", ANALYSIS.code))
    with pytest.raises(Invalid, match="code"):
        made.ask(RemoveConfiguration("trade", "none"))
    bad = msgspec.structs.replace(ACCOUNT, positions=(PositionSetup("ZZZUSDT", "A5", "T"),), name="other")
    with pytest.raises(Invalid, match="ZZZUSDT"):
        made.ask(PutAccount(bad))
    rich = msgspec.structs.replace(ACCOUNT, assets={"USDT": AssetSetup(1e6)})
    with pytest.raises(Invalid, match=r"assets\.USDT\.initial_balance"):
        made.ask(PutAccount(rich))
    with pytest.raises(Invalid, match="full_stop_loss_close"):
        made.ask(PutTradeConfiguration(msgspec.structs.replace(TRADE, full_stop_loss_close=0.5)))
    made.play(200)
    while not (opened := made.manager.book.account("paper").open_symbols()):  # type: ignore[union-attr]
        made.play(1)
    with pytest.raises(Refused, match=f"paper: {min(opened)}"):
        made.ask(PutTradeConfiguration(msgspec.structs.replace(TRADE, leverage=2)))
    with pytest.raises(Refused, match="open"):
        made.ask(RemoveAccount("paper"))
    with pytest.raises(Refused, match="open"):
        made.ask(PutAccount(msgspec.structs.replace(ACCOUNT, positions=())))


def test_a_second_account_and_a_changed_configuration(tmp_path: Path) -> None:
    made = program(tmp_path / "p")
    made.start()
    made.play(10)
    faster = msgspec.structs.replace(ANALYSIS, code="A5b")
    assert made.ask(PutAnalysisConfiguration(faster)) == Done()
    second = msgspec.structs.replace(ACCOUNT, name="second", positions=(PositionSetup(SYMBOLS[0], "A5b", "T"),))
    assert made.ask(PutAccount(second)) == Done()
    assert made.ask(PutAnalysisConfiguration(changed(faster, swing_range=0.05))) == Done()
    made.play(500)
    made.wait(10.0)
    trades, market_ms, _ = made.stored("second")
    assert market_ms == T0 + made.at * MINUTE_MS and trades
    assert trades[0].time_ms >= T0 + (HISTORY + 10) * MINUTE_MS
    assert {u.setup.name for u in made.updates} == {"paper", "second"}


def test_a_full_disk_stops_the_account_and_loses_nothing(
    tmp_path: Path, undisturbed: tuple[list[TradeRecord], int, bytes | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = program(tmp_path / "p")
    manager = made.start()
    made.play(300)

    def full(*_: object) -> None:
        raise Unavailable("the database could not be used: disk full")

    assert made.database is not None
    with monkeypatch.context() as patched:
        patched.setattr(made.database.accounts, "save_progress", full)
        made.play(200)
        made.wait(6.0)
        assert manager.book.save_error and made.notices.count("notice.account_not_stored") == 1
    made.play(DAY - 500)
    trades, market_ms, engine = finish(made)
    assert trades == undisturbed[0] and (market_ms, engine) == undisturbed[1:]


def test_shown_accounts_are_valued_at_the_newest_price(tmp_path: Path) -> None:
    made = program(tmp_path / "p")
    made.start()
    made.play(200)
    while not (opened := made.manager.book.account("paper").open_symbols()):  # type: ignore[union-attr]
        made.play(1)
    symbol = min(opened)
    made.wait(1.0)
    price = 5.5
    bar = msgspec.structs.replace(made.bars[symbol].bar(made.at), close=price)
    made.publish_open(symbol, bar)
    made.wait(1.0)
    (position,) = [p for p in made.updates[-1].snapshot.positions if p.symbol == symbol]
    assert position.mark_price == price and position.entry_price is not None
    np.testing.assert_allclose(position.unrealized_profit, (price - position.entry_price) * position.quantity)


def test_minutes_fetched_for_the_past_do_not_begin_an_account(tmp_path: Path) -> None:
    made = program(tmp_path / "p", HISTORY + 10)
    manager = made.start()
    for symbol in SYMBOLS:
        for index in range(HISTORY - 5, HISTORY):
            made.publish_bar(symbol, made.bars[symbol].bar(index), Source.REST)
    made.wait(1.0)
    assert not manager.book.account("paper").begun
    made.publish_open(SYMBOLS[0], made.bars[SYMBOLS[0]].bar(HISTORY))
    made.wait(1.0)
    assert manager.book.account("paper").market_ms == T0 + HISTORY * MINUTE_MS
    made.play(10)
    assert manager.book.account("paper").market_ms == T0 + (HISTORY + 10) * MINUTE_MS


def test_analysis_ids() -> None:
    assert analysis_id(ACCOUNT.positions[0]) == "AAAUSDT/A5"


def test_configurations_are_copied_renamed_exported_and_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atm.managers.examined.apart", lambda work: work())
    made = program(tmp_path / "p")
    made.start()
    seen: list[ConfigurationsUpdated] = []
    made.user.subscribe(ConfigurationsUpdated, seen.append)
    file = tmp_path / "kept" / "c.toml"
    for request in (
        CopyConfiguration("analysis", ANALYSIS.code, "B"),
        CopyConfiguration("trade", TRADE.code, "U"),
        RenameConfiguration("analysis", "B", "C"),
        RenameConfiguration("trade", "U", "V"),
        ExportConfiguration("C", str(file)),
        RemoveConfiguration("analysis", "C"),
        ImportConfiguration(str(file)),
        ImportConfiguration(str(file), replace=True),
    ):
        assert made.ask(request) == Done()
    for request, words in (
        (CopyConfiguration("analysis", "none", "D"), "A5, C"),
        (CopyConfiguration("analysis", "C", "A5"), "no other configuration has"),
        (CopyConfiguration("analysis", "C", ""), "new_code: ''"),
        (CopyConfiguration("other", "C", "D"), "analysis or trade"),
        (RenameConfiguration("analysis", ANALYSIS.code, "D"), "keeps its code .*paper: AAAUSDT"),
        (ExportConfiguration("C", "c.yaml"), "yaml"),
        (ImportConfiguration(str(file)), "code: 'C'"),
        (ImportConfiguration(str(tmp_path / "none.json")), "existing file"),
    ):
        with pytest.raises(ATMError, match=words):
            made.ask(request)
    made.wait(1.0)
    assert [each.code for each in seen[-1].analysis] == ["A5", "C"]
    assert seen[-1].analysis[1].intervals == ANALYSIS.intervals
    file.write_text('code = "X"\n[[intervals]]\ninterval = "15m"\nsma = [{ window = 1 }, { windw = 5 }]\n')
    with pytest.raises(Invalid) as refused:
        made.ask(ImportConfiguration(str(file)))
    assert str(refused.value).count("\n") == 1, "one line for each of the two mistakes"
    made.kill()
    made.start()
    assert sorted(made.manager.book.configurations.analysis) == ["A5", "C"]  # type: ignore[union-attr]
    assert sorted(made.manager.book.configurations.trade) == ["T", "V"]  # type: ignore[union-attr]


def test_a_changed_indicator_begins_the_analyses_of_flat_positions_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "strategies"
    folder.mkdir()
    example = (Path(__file__).parent.parent.parent / "strategies" / "example_indicator.py").read_text()
    (folder / "mine.py").write_text(example)
    monkeypatch.setattr("atm.managers.examined.apart", lambda work: work())
    monkeypatch.setattr(installed, "_users", UserIndicators([folder], None, lambda _path: Verdict(True)))
    monkeypatch.setattr("atm.managers.trade_commands.BuiltInVerdicts", lambda path: BuiltInVerdicts(path, dict))
    made = program(tmp_path / "p")
    made.start()
    assert made.ask(PutAnalysisConfiguration(changed(ANALYSIS, user={"ROC": ({"window": 3},)}))) == Done()
    badge = IndicatorBadge(str(folder / "mine.py"), ("ROC",), True)
    assert made.ask(ListIndicators()) == UserIndicatorList((badge,))
    made.play(200)
    while len(made.manager.book.account("paper").open_symbols()) != 1:  # type: ignore[union-attr]
        made.play(1)
    (opened,) = made.manager.book.account("paper").open_symbols()  # type: ignore[union-attr]
    (flat,) = set(SYMBOLS) - {opened}
    started: list[str] = []
    desk = made.manager.desk  # type: ignore[union-attr]
    monkeypatch.setattr(desk._placement, "restart", started.append)
    (folder / "mine.py").write_text(example + "\n# a change\n")
    assert made.ask(ListIndicators()) == UserIndicatorList((badge,))
    assert started == [f"{flat}/A5"]


def test_the_window_is_told_of_all_indicators_and_ours_are_examined_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    examined: list[int] = []

    def examine() -> dict[str, Verdict]:
        examined.append(1)
        return {"SMA": Verdict(True), "EMA": Verdict(False, "the indicator EMA looks ahead")}

    monkeypatch.setattr("atm.managers.examined.apart", lambda work: work())
    monkeypatch.setattr("atm.managers.trade_commands.BuiltInVerdicts", lambda path: BuiltInVerdicts(path, examine))
    folder = Path(__file__).parent.parent.parent / "strategies"
    monkeypatch.setattr(installed, "_users", UserIndicators([folder], None, lambda _path: Verdict(True)))
    made = program(tmp_path / "p")
    made.start()
    seen: list[IndicatorsUpdated] = []
    made.user.subscribe(IndicatorsUpdated, seen.append)
    for _ in range(2):
        made.ask(ListIndicators())
        made.wait(0.5)
    known = {each.name: each for each in seen[-1].indicators}
    assert (known["SMA"].analyses, known["SMA"].state) == ("sma", "passed")
    assert (known["EMA"].state, known["EMA"].sentence) == ("failed", "the indicator EMA looks ahead")
    assert known["PIP"].state == "waiting"
    assert "FLOW" not in known
    assert {each.name for each in seen[-1].indicators if each.style is not None} >= set(BUILT_IN)
    assert [(each.name, each.kind, each.least) for each in known["ROC"].parameters] == [("window", "whole", 1.0)]
    assert examined == [1]
    made.kill()
    made.start()
    made.ask(ListIndicators())
    assert examined == [1], "the verdicts of this version are in a file"


def test_a_configuration_is_described_before_it_is_stored(tmp_path: Path) -> None:
    made = program(tmp_path / "p")
    made.start()
    analyses = (
        IntervalAnalyses(Interval.M5, sma=(MovingAverageLine(20),), woi=(OrderFlowLine(),)),
        IntervalAnalyses(Interval.H1),
    )
    five, hour = made.ask(DescribeAnalyses(AnalysisConfiguration("new", analyses))).intervals  # type: ignore[attr-defined]
    assert (five.interval, five.look_back_minutes % 5, five.unrecorded) == (Interval.M5, 0, ("WOI",))
    assert five.columns == 9 + 1 + 1 + 5 + 3, "bar, SMA, order flow, WOI, SWING"
    assert (hour.columns, hour.unrecorded) == (9 + 3, ())
    broken = IntervalAnalyses(pip=ClassicalSignal(enter_threshold=0.1, leave_threshold=0.2))
    described = made.ask(DescribeAnalyses(AnalysisConfiguration("new", (broken, broken))))
    assert len(described.problems) >= 2, "the interval stands twice, and leave is above enter"  # type: ignore[attr-defined]
    assert not described.intervals  # type: ignore[attr-defined]


def test_an_analysis_is_begun_again_when_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = program(tmp_path / "p")
    made.start()
    started: list[str] = []
    monkeypatch.setattr(made.manager.desk._placement, "restart", started.append)  # type: ignore[union-attr]
    assert made.ask(RestartAnalysis("AAAUSDT/A5")) == Done()
    assert started == ["AAAUSDT/A5"]
    with pytest.raises(Invalid, match="AAAUSDT/A5"):
        made.ask(RestartAnalysis("ZZZUSDT/A5"))
