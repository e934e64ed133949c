"""What is recorded of an account is what happened, once, whatever the store does."""

from __future__ import annotations

from pathlib import Path

import pytest

from atm.ipc.messages import SetTrading
from atm.model.errors import Unavailable
from atm.model.interval import HOUR_MS, MINUTE_MS
from atm.model.parity_record import RENEWED, TRADING
from atm.simulators.parity.recorded_day import digests
from atm.storage.accounts import AccountRepository
from atm.storage.database import Database
from atm.trading import core_version
from atm.trading.decision_trace import bar_digest
from tests.managers.trade_harness import SYMBOLS, Program
from tests.simulators.parity.recorded import HISTORY, finish, program


def stored(ran: Program) -> Database:
    return Database(ran.url)


def why(ran: Program) -> list[tuple[str, ...]]:
    database = stored(ran)
    found = [segment.why for segment in database.parity.segments("paper", 0, 2**62)]
    database.close()
    return found


def test_every_minute_is_recorded_once_with_the_bar_that_it_had(tmp_path: Path) -> None:
    ran = program(tmp_path, 90)
    ran.play(40)
    ran.kill()
    ran.start()
    ran.play(50)
    finish(ran)
    database = stored(ran)
    hours = database.parity.hours("paper", 0, 2**62)
    database.close()
    assert [hour.hour_ms % HOUR_MS for hour in hours] == [0, 0]
    for symbol in SYMBOLS:
        bars = ran.bars[symbol].slice(HISTORY + 1, HISTORY + 90)
        expected = {int(time): bar_digest(bars.bar(index)) for index, time in enumerate(bars.open_time)}
        assert digests(hours, "bars", symbol, 0, 2**62) == expected
        closes = {time for time in expected if (time + MINUTE_MS) % (5 * MINUTE_MS) == 0}
        assert digests(hours, "rows", f"{symbol}/A5", 0, 2**62).keys() == closes
    assert set(hours[-1].starts) == {f"{symbol}/A5" for symbol in SYMBOLS}


def test_a_change_that_could_not_be_stored_has_not_happened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = program(tmp_path, 20)
    ran.play(10)
    ran.wait(10.0)

    def full(*_: object, **__: object) -> None:
        raise Unavailable("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(AccountRepository, "save_progress", full)
        with pytest.raises(Unavailable):
            ran.ask(SetTrading("paper", False))
    ran.play(5)
    ran.wait(10.0)
    assert why(ran) == [("account",)]
    ran.ask(SetTrading("paper", False))
    assert why(ran) == [("account",), (TRADING,)]


def test_another_version_begins_a_segment_the_same_one_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = program(tmp_path, 30)
    ran.play(10)
    ran.wait(10.0)
    ran.kill()
    ran.start()
    ran.play(5)
    ran.wait(10.0)
    assert why(ran) == [("account",)]
    ran.kill()
    monkeypatch.setattr("atm.managers.parity_recorder.core_version", lambda: "another")
    ran.start()
    ran.play(5)
    ran.wait(10.0)
    assert why(ran) == [("account",), (RENEWED,)]
    assert core_version.core_version() != "another"


def test_an_account_that_is_removed_takes_its_record_along(tmp_path: Path) -> None:
    ran = program(tmp_path, 20)
    ran.play(10)
    ran.wait(10.0)
    database = stored(ran)
    assert database.parity.begins("paper")
    database.accounts.remove("paper")
    assert database.parity.begins("paper") == [] and database.parity.hours("paper", 0, 2**62) == []
    database.close()
