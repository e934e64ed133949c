"""What a review says of a virtual account that has run, against its engine and against a backtest's way of looking."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from atm.managers.account_review import review
from atm.model.account_review import TOLERANCE
from atm.model.errors import Invalid, Refused
from atm.model.interval import MINUTE_MS, parse_time
from atm.storage.database import Database
from tests.managers.trade_harness import ACCOUNT, SYMBOLS, T0, Program, instrument, walk

HISTORY, PLAYED = 300, 1_200
INSTRUMENTS = tuple(instrument(symbol) for symbol in SYMBOLS)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """An account that has traded two symbols for twenty hours, charged funding every hour."""
    folder = tmp_path_factory.mktemp("review")
    bars = {symbol: walk(seed, HISTORY + PLAYED) for seed, symbol in enumerate(SYMBOLS, 3)}
    program = Program(folder, bars, HISTORY)
    costs = msgspec.structs.replace(ACCOUNT.costs, funding_hours=1)
    program.seed(msgspec.structs.replace(ACCOUNT, costs=costs))
    program.start()
    program.play(PLAYED)
    program.wait(10.0)
    assert program.manager is not None
    program.manager.finish()
    return program


def test_all_that_is_stored_of_an_account_adds_up(ran: Program) -> None:
    database = Database(ran.url)
    found = review(database, ran.reader, INSTRUMENTS, "paper")
    fills, market_ms, _ = ran.stored()
    stored = database.accounts.equity("paper")
    database.close()
    assert len(fills) > 50
    assert {(check.what, check.asset) for check in found.checks} == {
        ("fills", ""), ("profit", "USDT"), ("fees", "USDT"), ("wallet", "USDT"), ("funding", ""), ("equity", "")
    }  # fmt: skip
    for check in found.checks:
        assert check.holds, (check.what, check.difference)
    by_name = {check.what: check for check in found.checks}
    assert by_name["funding"].found != 0.0
    assert ran.manager is not None
    engine = ran.manager.book.accounts["paper"].engine
    assert found.summary.fees == pytest.approx(engine.fees_paid(), abs=TOLERANCE)
    assert found.summary.funding == pytest.approx(engine.funding_paid(), abs=TOLERANCE)
    assert found.summary.trades == len(fills)
    curve = dict(zip(found.curve[0].astype(int).tolist(), found.curve[1].tolist(), strict=True))
    assert max(abs(curve[time] - value) for time, value in stored[1:]) <= TOLERANCE
    assert int(found.curve[0, -1]) == market_ms
    assert found.summary.final_equity == pytest.approx(engine.snapshot().assets[0].margin_balance, abs=TOLERANCE)
    hourly = found.details.hourly
    assert hourly.column("fills").sum() == len(fills)
    assert hourly.column("fees").sum() == pytest.approx(engine.fees_paid(), abs=TOLERANCE)


def test_a_range_begins_where_nothing_is_held(ran: Program) -> None:
    database = Database(ran.url)
    whole = review(database, ran.reader, INSTRUMENTS, "paper")
    later = review(database, ran.reader, INSTRUMENTS, "paper", T0 + 900 * MINUTE_MS, T0 + 1_300 * MINUTE_MS)
    database.close()
    start = parse_time(later.spec.start)
    assert start <= T0 + 900 * MINUTE_MS
    fills, _, _ = ran.stored()
    held: dict[str, float] = {}
    for fill in fills:
        if fill.time_ms < start:
            held[fill.symbol] = fill.quantity_after
    assert set(held.values()) <= {0.0}
    assert int(later.curve[0, -1]) == T0 + 1_300 * MINUTE_MS
    together = np.isin(whole.curve[0], later.curve[0])
    assert np.abs(whole.curve[1][together] - later.curve[1]).max() <= TOLERANCE


def test_a_lost_fill_is_said_with_its_amount(ran: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(ran.url)
    fills = database.accounts.trades("paper", 1_000_000)
    lost = next(fill for fill in fills if fill.quantity_after == 0.0)
    kept = [fill for fill in fills if fill is not lost]
    monkeypatch.setattr(type(database.accounts), "trades", lambda *_: kept)
    by_name = {check.what: check for check in review(database, ran.reader, INSTRUMENTS, "paper").checks}
    database.close()
    assert by_name["fills"].difference == -1
    assert by_name["fees"].difference == pytest.approx(-lost.fee, abs=TOLERANCE)
    assert by_name["wallet"].difference == pytest.approx(lost.fee - lost.profit, abs=TOLERANCE)
    assert not by_name["equity"].holds


def test_what_cannot_be_looked_at_says_why(ran: Program, tmp_path: Path) -> None:
    database = Database(ran.url)
    with pytest.raises(Invalid, match="'nobody' is not allowed; allowed: a stored account"):
        review(database, ran.reader, INSTRUMENTS, "nobody")
    with pytest.raises(Invalid, match="start_ms"):
        review(database, ran.reader, INSTRUMENTS, "paper", T0 + 10_000 * MINUTE_MS)
    database.close()
    fresh = Database(f"sqlite:///{tmp_path / 'fresh.sqlite3'}")
    fresh.accounts.put(ACCOUNT)
    with pytest.raises(Refused, match="has not begun"):
        review(fresh, ran.reader, INSTRUMENTS, "paper")
    fresh.close()
