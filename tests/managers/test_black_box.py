"""The black box of the trade manager: recorded while virtual accounts trade, exported and replayed by command."""

from __future__ import annotations

import zipfile
from pathlib import Path

import msgspec
import pytest

from atm.app.command_line import main
from atm.ipc.messages import ForceClear, PutAccount, SetTrading
from atm.model.account import PositionSetup
from atm.model.interval import MINUTE_MS
from atm.storage.home import black_box
from atm.trading.black_box.incident import Incident
from atm.trading.black_box.records import EngineFills, EngineMinute
from atm.trading.engine import AccountEngine
from atm.trading.phases import run_minutes
from tests.managers.trade_harness import ACCOUNT, SYMBOLS, T0, Program, walk

HISTORY, MINUTES = 300, 240


def traded(folder: Path) -> Program:
    """An account that trades, is switched, cleared, changed, killed and taken up again."""
    made = Program(folder, {s: walk(n, HISTORY + MINUTES) for n, s in enumerate(SYMBOLS, 7)}, HISTORY)
    made.seed()
    made.start()
    made.play(90)
    made.ask(SetTrading("paper", False))
    made.play(10)
    made.ask(SetTrading("paper", True))
    made.play(40)
    held = [each.symbol for each in made.manager.book.accounts["paper"].engine.snapshot().positions if each.quantity]
    if held:
        made.ask(ForceClear("paper", held[0]))
    made.play(20)
    made.kill()
    made.start()
    made.play(50)
    made.ask(
        PutAccount(msgspec.structs.replace(ACCOUNT, name="second", positions=(PositionSetup(SYMBOLS[0], "A5", "T"),)))
    )
    made.play(30)
    made.wait(20.0)
    assert made.manager is not None
    made.manager.finish()
    return made


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    traded(folder)
    return folder


def command(home: Path, *words: str) -> int:
    return main(["incident", *words, "--home", str(home)])


def test_an_export_is_replayed_by_command(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = home / "all.atmincident"
    # Wall time in this program is 1970: its clock stands.
    assert command(home, "export", "--last", "1e9", "--out", str(file)) == 0
    assert "paper" in capsys.readouterr().out
    kinds = [type(line.record) for line in Incident(file).lines() if line.account == "paper"]
    assert kinds.count(EngineMinute) >= MINUTES
    assert EngineFills in kinds
    assert command(home, "replay", str(file)) == 0
    told = capsys.readouterr().out
    assert "0 differences" in told
    assert "missing" not in told
    assert command(home, "show", str(file), "--account", "paper") == 0
    story = capsys.readouterr().out
    assert "command trading_off" in story
    assert "fill TradeRecord" in story
    assert "second" not in story


def test_a_core_that_decides_otherwise_is_noticed(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = home / "all2.atmincident"
    assert command(home, "export", "--last", "1e9", "--out", str(file), "--account", "paper") == 0

    def changed(positions, assets, setups, *others):
        return run_minutes(positions, assets, setups * 1.0000001, *others)

    monkeypatch.setattr("atm.trading.engine.run_minutes", changed)
    capsys.readouterr()
    assert command(home, "replay", str(file)) == 1
    told = capsys.readouterr().out
    assert "1 differences" in told
    assert "paper: the minute differs at" in told
    assert "recorded" in told and "replayed" in told


def test_what_is_not_there_is_said_in_words(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(tmp_path, "export") == 1
    assert "the black box has nothing of this time" in capsys.readouterr().err
    assert command(home, "export", "--last", "-1") == 2
    assert "--last" in capsys.readouterr().err
    assert command(home, "export", "--account", "nobody", "--last", "1e9") == 1
    (tmp_path / "x.atmincident").write_bytes(b"no archive")
    assert command(home, "replay", str(tmp_path / "x.atmincident")) == 2
    assert "a file that Export incident made" in capsys.readouterr().err


def test_a_changed_file_is_refused(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, forged = home / "b.atmincident", home / "forged.atmincident"
    assert command(home, "export", "--last", "1e9", "--out", str(file)) == 0
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(forged, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, data.replace(b"paper", b"other") if name == "records.jsonl" else data)
        new.comment = old.comment
    assert command(home, "show", str(forged)) == 2
    assert "records.jsonl was not changed" in capsys.readouterr().err


def test_a_disk_that_refuses_ends_the_recording_and_not_the_account(tmp_path: Path) -> None:
    black_box(tmp_path).write_bytes(b"in the way")
    made = Program(tmp_path, {s: walk(n, HISTORY + 30) for n, s in enumerate(SYMBOLS, 7)}, HISTORY)
    made.seed()
    made.start()
    made.play(30, pause=10.0)
    assert made.manager is not None
    assert made.manager.book.accounts["paper"].market_ms == T0 + (HISTORY + 30) * MINUTE_MS
    assert made.notices.count("notice.black_box_stopped") == 1, "said once, not at every try"


def test_the_minute_that_an_engine_fails_at_is_recorded_and_fails_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, whole = T0 + (HISTORY + 12) * MINUTE_MS, AccountEngine.minute

    def breaks(engine: AccountEngine, minute_ms: int, *given: object) -> float:
        if minute_ms == bad:
            raise ValueError("a defect")
        return whole(engine, minute_ms, *given)  # type: ignore[arg-type]

    file = tmp_path / "failed.atmincident"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AccountEngine, "minute", breaks)
        made = Program(tmp_path, {s: walk(n, HISTORY + 30) for n, s in enumerate(SYMBOLS, 7)}, HISTORY)
        made.seed()
        made.start()
        made.play(30)
        assert made.manager is not None
        assert made.manager.book.accounts["paper"].failure == "ValueError: a defect"
        made.manager.finish()
        assert command(tmp_path, "export", "--last", "1e9", "--out", str(file)) == 0
        minutes = [line.record for line in Incident(file).lines() if isinstance(line.record, EngineMinute)]
        assert (minutes[-1].at, minutes[-1].raised, set(minutes[-1].bars)) == (bad, "ValueError: a defect", {*SYMBOLS})
        assert command(tmp_path, "replay", str(file)) == 0
        assert command(tmp_path, "show", str(file)) == 0
        assert "RAISED ValueError: a defect" in capsys.readouterr().out
    assert command(tmp_path, "replay", str(file)) == 1
    assert "paper: the minute differs at" in capsys.readouterr().out
