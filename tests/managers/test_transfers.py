"""Money paid into virtual accounts and out of them: what is allowed, exactly once, and what the records make of it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from atm.app.command_line import main
from atm.ipc.messages import Deposit, ForceClear, PutAccount, SetTrading, Withdraw
from atm.managers.account_review import review
from atm.managers.trade_accounts import AccountState
from atm.model.account import AccountKind
from atm.model.account_review import TOLERANCE
from atm.model.errors import Invalid, Refused, Unavailable
from atm.model.income import TRANSFER, IncomeRecord
from atm.model.interval import MINUTE_MS
from atm.model.parity import Verdict
from atm.model.parity_record import TRANSFERRED
from atm.simulators.parity.day import worked_again
from atm.simulators.parity.stored_day import stored_day
from atm.storage.database import Database
from tests.managers.trade_harness import ACCOUNT, SYMBOLS, T0, Program, instrument, walk

HISTORY, PLAYED = 300, 240
INSTRUMENTS = tuple(instrument(symbol) for symbol in SYMBOLS)


def program(folder: Path, seeds: int = 7) -> Program:
    folder.mkdir(exist_ok=True)
    made = Program(folder, {s: walk(n, HISTORY + PLAYED) for n, s in enumerate(SYMBOLS, seeds)}, HISTORY)
    made.seed(msgspec.structs.replace(ACCOUNT, costs=msgspec.structs.replace(ACCOUNT.costs, funding_hours=1)))
    made.start()
    return made


def wallet(made: Program) -> float:
    assert made.manager is not None
    return made.manager.book.accounts["paper"].engine.snapshot().assets[0].wallet_balance


def transfers(made: Program) -> list[tuple[int, str]]:
    database = Database(made.url)
    found = [(each.transaction_id, str(each.amount)) for each in database.income.records("paper")]
    database.close()
    return found


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """Deposits, withdrawals and a kill while positions are open."""
    made = program(tmp_path_factory.mktemp("transfers") / "home")
    made.play(70)
    made.ask(Deposit("paper", "USDT", "2,500.12345678", 11))
    made.play(37)
    made.ask(Withdraw("paper", "USDT", "1000", 12))
    made.ask(Deposit("paper", "USDT", "0.5", 13))
    made.kill()
    made.start()
    made.play(60)
    made.ask(Deposit("paper", "USDT", "700", 14))
    made.play(30)
    made.wait(10.0)
    assert made.manager is not None
    made.manager.finish()
    return made


def test_the_wallet_is_first_balance_transfers_profit_fees_and_funding(busy: Program) -> None:
    assert busy.manager is not None
    state = busy.manager.book.accounts["paper"].snapshot({}).assets[0]
    made = 10_000 + 2_500.12345678 - 1_000 + 0.5 + 700 + state.realized_profit - state.fees_paid - state.funding_paid
    assert state.wallet_balance == pytest.approx(made, abs=1e-8)
    assert state.transferred == pytest.approx(2_200.62345678, abs=1e-9)
    assert len(busy.stored()[0]) > 5 and state.funding_paid != 0.0
    assert transfers(busy) == [(11, "2500.12345678"), (12, "-1000"), (13, "0.5"), (14, "700")]


def test_the_review_adds_up_and_takes_no_transfer_for_a_profit(busy: Program) -> None:
    database = Database(busy.url)
    found = review(database, busy.reader, INSTRUMENTS, "paper")
    whole = database.accounts.equity("paper")
    database.close()
    assert {each.what for each in found.checks} >= {"transfers", "wallet", "equity"}
    for check in found.checks:
        assert check.holds, (check.what, check.difference)
    assert busy.manager is not None
    shown = busy.manager.book.accounts["paper"].snapshot({})
    equity = shown.assets[0].margin_balance
    assert found.summary.final_equity == pytest.approx(equity, abs=TOLERANCE)
    assert found.summary.net_profit == pytest.approx(equity - 10_000 - 2_200.62345678, abs=1e-7)
    # Two ways to the same: minute by minute, and link by link at each transfer.
    assert shown.reference is not None
    assert found.summary.total_return == pytest.approx(equity / shown.reference - 1, abs=1e-12)
    before = [
        value for time, value in whole if time in (T0 + 370 * MINUTE_MS, T0 + 407 * MINUTE_MS, T0 + 467 * MINUTE_MS)
    ]
    assert len(before) == 3
    one, two, three = before
    linked = one / 10_000 * two / (one + 2_500.12345678) * three / (two - 999.5) * equity / (three + 700)
    assert found.summary.total_return == pytest.approx(linked - 1, abs=1e-10)
    assert found.summary.max_drawdown < 0.09  # a withdrawal of a tenth is no fall


def test_the_day_is_its_backtest_with_the_same_transfers(busy: Program) -> None:
    database = Database(busy.url)
    assert busy.manager is not None
    account = busy.manager.book.accounts["paper"]
    last = database.parity.last_segment("paper")
    assert last is not None and last.why == (TRANSFERRED,) and last.transferred == {"USDT": 700.0}
    now = msgspec.structs.replace(last, begin_ms=account.market_ms, engine=account.engine.dump(), transferred={})
    recorded = stored_day(database, "paper", T0, now)
    twice = next(each for each in recorded.segments if each.begin_ms == T0 + 407 * MINUTE_MS)
    assert twice.transferred == {"USDT": pytest.approx(-999.5)}
    worked = worked_again(recorded, busy.reader)
    database.close()
    assert worked.verdict is Verdict.EQUAL
    assert worked.money is not None and abs(worked.money.difference) <= TOLERANCE


def test_the_black_box_replays_transfers(busy: Program, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home, file = str(busy.context.home), str(tmp_path / "all.atmincident")
    assert main(["incident", "export", "--last", "1e9", "--out", file, "--home", home]) == 0
    assert main(["incident", "replay", file, "--home", home]) == 0
    assert "0 differences" in capsys.readouterr().out
    assert main(["incident", "show", file, "--home", home]) == 0
    assert "command transfer -1000 USDT" in capsys.readouterr().out


def test_a_kill_between_any_two_steps_changes_nothing(tmp_path: Path) -> None:
    """Before the transaction, after it and before the answer, and not at all: the same trades and the same bytes."""
    results = []
    for place in ("none", "before", "after"):
        made = program(tmp_path / place)
        made.play(100)
        wish = Deposit("paper", "USDT", "5000", 77)
        if place == "before":
            assert made.manager is not None
            made.manager.book.accounts["paper"].transfer(_record(made))  # in memory only
            made.kill()
            made.start()
            made.at -= 1
            made.play(1)  # the last minute once more: it is fetched up to there
            made.wait(20.0)
            assert transfers(made) == []
        if place == "after":
            made.ask(wish)
            made.kill()
            made.start()
        made.ask(wish)
        made.play(60)
        made.kill()
        made.start()
        made.ask(wish)
        made.play(20)
        made.wait(10.0)
        assert made.manager is not None
        made.manager.finish()
        assert transfers(made) == [(77, "5000")]
        trades, market_ms, state = made.stored()
        assert state is not None
        parsed = AccountState.parse(state)
        results.append((trades, market_ms, parsed.engine, parsed.capital))
    assert results[0] == results[1] == results[2]


def _record(made: Program) -> IncomeRecord:
    assert made.manager is not None
    return IncomeRecord(77, TRANSFER, "", "USDT", Decimal(5_000), made.manager.book.accounts["paper"].market_ms)


def test_what_is_asked_twice_or_wrongly_changes_nothing(tmp_path: Path) -> None:
    made = program(tmp_path / "home")
    with pytest.raises(Refused, match="has not begun"):
        made.ask(Deposit("paper", "USDT", "1", 1))
    made.play(40)
    made.ask(SetTrading("paper", False))
    made.play(1)
    held = [each.symbol for each in made.manager.book.accounts["paper"].engine.snapshot().positions if each.quantity]
    if held:
        made.ask(ForceClear("paper"))
        made.play(2)
    made.ask(Deposit("paper", "USDT", "100", 1))
    begin = wallet(made)
    made.ask(Deposit("paper", "USDT", "100", 1))
    for amount in ("", "x", "0", "-5", "nan", "Infinity", "100000001", "0.000000001"):
        with pytest.raises(Invalid, match="amount") as refused:
            made.ask(Deposit("paper", "USDT", amount, 2))
        assert "a number above 0, at most 100000000" in str(refused.value)
    with pytest.raises(Invalid, match="request_id"):
        made.ask(Deposit("paper", "USDT", "101", 1))
    with pytest.raises(Invalid, match="request_id"):
        made.ask(Withdraw("paper", "USDT", "100", 1))
    with pytest.raises(Invalid, match="asset: 'BTC'"):
        made.ask(Deposit("paper", "BTC", "1", 2))
    with pytest.raises(Invalid, match="name"):
        made.ask(Deposit("nobody", "USDT", "1", 2))
    actual = msgspec.structs.replace(
        ACCOUNT, name="real", kind=AccountKind.ACTUAL, trading=False,
        assets={"USDT": msgspec.structs.replace(ACCOUNT.assets["USDT"], initial_balance=0.0)},
    )  # fmt: skip
    made.ask(PutAccount(actual))
    with pytest.raises(Invalid, match="moved on its exchange"):
        made.ask(Deposit("real", "USDT", "1", 2))
    with pytest.raises(Invalid, match="which is free"):
        made.ask(Withdraw("paper", "USDT", f"{begin + 0.01:.8f}", 2))
    assert wallet(made) == begin and len(transfers(made)) == 1
    assert made.manager is not None
    free = made.manager.book.accounts["paper"].snapshot({}).assets[0].withdrawable
    assert free == begin  # nothing is held
    made.ask(Withdraw("paper", "USDT", f"{int(free)}", 2))
    assert 0.0 <= wallet(made) < 1.0


def test_a_transfer_that_cannot_be_stored_has_not_happened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = program(tmp_path / "home")
    made.play(50)
    assert made.manager is not None and made.database is not None
    account = made.manager.book.accounts["paper"]
    before = account.engine.dump(), account.capital

    def full(*_: object) -> None:
        raise Unavailable("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(made.database.accounts, "save_progress", full)
        with pytest.raises(Unavailable, match="the disk is full"):
            made.ask(Deposit("paper", "USDT", "100", 5))
    assert (account.engine.dump(), account.capital) == before
    made.wait(10.0)
    made.ask(Deposit("paper", "USDT", "100", 5))
    made.play(5)
    assert transfers(made) == [(5, "100")]


def test_only_what_is_free_leaves_an_account_that_holds_something(tmp_path: Path) -> None:
    made = program(tmp_path / "home")
    assert made.manager is not None
    account = made.manager.book.accounts["paper"]
    for _ in range(PLAYED):
        made.play(1)
        account = made.manager.book.accounts["paper"]
        if account.open_symbols():
            break
    assert account.open_symbols()
    state = account.snapshot({}).assets[0]
    assert 0.0 < state.withdrawable < state.wallet_balance
    with pytest.raises(Invalid, match="which is free"):
        made.ask(Withdraw("paper", "USDT", f"{state.withdrawable + 0.01:.8f}", 3))
    made.ask(Withdraw("paper", "USDT", f"{state.withdrawable - 0.01:.8f}", 3))
    assert account.snapshot({}).assets[0].available_balance >= 0.0
    made.play(30)
    assert account.failure == ""
