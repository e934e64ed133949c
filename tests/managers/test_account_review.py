"""What a review says of a virtual account that has run, against its engine and against a backtest's way of looking."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from atm.ipc.local import LocalBus
from atm.ipc.messages import AccountReviewed, ReviewAccount
from atm.ipc.shared_array import take
from atm.managers import review_desk
from atm.managers.account_review import review
from atm.managers.trade_accounts import AccountState
from atm.model.account import AccountKind, TradeReason, TradeRecord
from atm.model.account_review import TOLERANCE
from atm.model.errors import Invalid, Refused
from atm.model.interval import MINUTE_MS, parse_time
from atm.model.journal import Resumed
from atm.model.order import Side
from atm.model.statistics import SimulationDetails
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


def test_an_actual_account_is_the_exchanges_equity_and_the_logged_fills(ran: Program) -> None:
    database = Database(ran.url)
    (stored,) = [each for each in database.accounts.load() if each.setup.name == "paper"]
    points = database.accounts.equity("paper")
    setup = msgspec.structs.replace(stored.setup, name="live", kind=AccountKind.ACTUAL)
    state = msgspec.structs.replace(AccountState.parse(stored.engine or b""), setup=setup)
    database.accounts.put(setup)
    database.accounts.save_progress("live", state.dump(), stored.market_ms, [], points)
    at = points[0][0] + 30 * MINUTE_MS
    bought = TradeRecord(0, at + 400, at, SYMBOLS[0], Side.BUY, TradeReason.ENTRY, 2.0, 5.0, 0.0, 0.1, 2.0, 5.0, 1.0)
    sold = TradeRecord(
        0, at + MINUTE_MS + 400, at, SYMBOLS[0], Side.SELL, TradeReason.EXIT, 2.0, 6.0, 2.0, 0.2, 0.0, math.nan, 1.0
    )
    database.orders.append("live", [Resumed("", at)], [bought, sold])
    found = review(database, ran.reader, INSTRUMENTS, "live")
    database.accounts.remove("live")
    database.close()
    assert found.checks == ()
    assert (found.summary.trades, found.summary.round_trips) == (2, 1)
    assert found.summary.fees == pytest.approx(0.3)
    assert found.details.trips[0].profit == pytest.approx(2 - 0.3)
    assert not np.isnan(found.details.hourly.values).any()
    assert found.summary.final_equity == points[-1][1]
    curve = dict(zip(found.curve[0].astype(int).tolist(), found.curve[1].tolist(), strict=True))
    assert all(curve[time] == value for time, value in points[1:])


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


class Immediately:
    def submit(self, function: Callable[[], None], /) -> None:
        function()


def test_the_desk_answers_with_what_the_window_takes(ran: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(review_desk, "load_instruments", lambda _assets: INSTRUMENTS)
    monkeypatch.setattr(review_desk, "open_store", lambda *_args, **_named: ran.reader)
    bus = LocalBus(lambda: 0.0)
    review_desk.ReviewDesk(bus.assistant("simulation"), ran.context, Immediately())
    user = bus.assistant("gui")
    reply = user.request("simulation", ReviewAccount("paper"))
    assert isinstance(reply, AccountReviewed)
    fills, market_ms, _ = ran.stored()
    assert int(take(reply.curve)[0, -1]) == market_ms
    assert len(SimulationDetails.unpack(reply.details).trips) == reply.summary.round_trips > 0
    assert reply.summary.trades == len(fills)
    with pytest.raises(Invalid, match="'nobody'"):
        user.request("simulation", ReviewAccount("nobody"))
