"""Paying into a virtual account and out of it, as a person does it on the Accounts page."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import numpy as np
import pytest

from atm.gui.equity_chart import EquityCurve
from atm.gui.history.transfers_tab import rows
from atm.gui.result.view import stretch
from atm.gui.ui import PageName
from atm.ipc.messages import TRADE, AccountUpdated, Deposit, Done, Failed, Withdraw
from atm.model.account import AccountKind
from atm.model.errors import Invalid
from atm.model.income import TRANSFER, IncomeRecord
from tests.gui.filled import account
from tests.gui.pilot import Pilot


@pytest.fixture
def paper(pilot: Pilot) -> Pilot:
    pilot.show(PageName.ACCOUNTS)
    return pilot


def test_a_deposit_is_sent_as_it_was_typed(paper: Pilot) -> None:
    paper.click("accounts.deposit")
    paper.type("accounts.transfer.amount", "1,250.5")
    assert not paper.sent
    paper.click("accounts.transfer.send")
    command = paper.sent[-1]
    request = command.request
    assert command.to == TRADE and isinstance(request, Deposit)
    assert (request.name, request.asset, request.amount) == ("paper-1", "USDT", "1,250.5")
    assert 1 <= request.request_id < 2**63
    paper.answer(Done())
    assert not paper.sees("accounts.transfer.amount")


def test_what_is_no_amount_is_not_sent(paper: Pilot) -> None:
    paper.click("accounts.deposit")
    paper.type("accounts.transfer.amount", "much")
    paper.click("accounts.transfer.send")
    assert not paper.sent and paper.sees("accounts.transfer.amount")
    paper.click("accounts.transfer.cancel")
    assert not paper.sees("accounts.transfer.amount")


def test_a_wish_keeps_its_number_while_its_answer_is_lost(paper: Pilot) -> None:
    paper.click("accounts.withdraw")
    paper.type("accounts.transfer.amount", "100")
    paper.click("accounts.transfer.send")
    first = paper.sent[-1].request
    assert isinstance(first, Withdraw)
    paper.answer(Failed("Unavailable", "trade has not answered Withdraw within 5 s", ""))
    paper.click("accounts.transfer.send")
    assert paper.sent[-1].request == first
    paper.answer(Failed("Invalid", str(Invalid("amount", "100", "nothing: nothing is free")), "amount"))
    assert paper.sees("accounts.transfer.amount")
    paper.type("accounts.transfer.amount", "50")
    paper.click("accounts.transfer.send")
    other = paper.sent[-1].request
    assert isinstance(other, Withdraw) and other.request_id != first.request_id
    paper.answer(Done())
    paper.click("accounts.withdraw")
    paper.type("accounts.transfer.amount", "50")
    paper.click("accounts.transfer.send")
    assert paper.sent[-1].request.request_id != other.request_id  # type: ignore[attr-defined]


def test_an_actual_account_has_no_such_buttons(paper: Pilot) -> None:
    view = paper.ui.model.accounts["paper-1"]
    view.setup = msgspec.structs.replace(view.setup, kind=AccountKind.ACTUAL)
    view.snapshot = msgspec.structs.replace(view.snapshot, kind=AccountKind.ACTUAL)
    paper.frames(2)
    assert not paper.sees("accounts.deposit") and not paper.sees("accounts.withdraw")


def test_todays_change_leaves_transfers_out(paper: Pilot) -> None:
    model = paper.ui.model
    model.apply(account(equity=10_300.0))
    begin = model.accounts["paper-1"].today("USDT")
    told = account(equity=12_310.0)
    (state,) = told.snapshot.assets
    richer = msgspec.structs.replace(told.snapshot, assets=(msgspec.structs.replace(state, transferred=2_000.0),))
    model.apply(AccountUpdated(richer, told.setup))
    after = model.accounts["paper-1"].today("USDT")
    assert begin is not None and after is not None and after - begin == pytest.approx(10.0)


def test_the_list_says_what_was_paid_in_by_then() -> None:
    def record(number: int, amount: str, asset: str = "USDT") -> IncomeRecord:
        return IncomeRecord(number, TRANSFER, "", asset, Decimal(amount), number)

    found = rows((record(1, "100"), record(2, "5", "USDC"), record(3, "-30.5")))
    assert [(each.record.transaction_id, each.total) for each in found] == [
        (3, Decimal("69.5")), (2, Decimal(5)), (1, Decimal(100)),
    ]  # fmt: skip


def test_a_curve_in_sight_takes_no_transfer_for_a_profit() -> None:
    time_ms = np.array([0, 1_000, 2_000, 3_000])
    # 100 → 110; 90 paid in at 1 s: 200 → 220; 120 paid out at 2 s: 100 → 90.
    curve = EquityCurve.of(time_ms, np.array([100.0, 110.0, 220.0, 90.0]), ((1_000, 90.0), (2_000, -120.0)))
    assert curve.worth.tolist() == pytest.approx([100.0, 110.0, 121.0, 108.9])
    assert curve.drawdown.tolist() == pytest.approx([0.0, 0.0, 0.0, -0.1])
    seen = stretch(curve, 0.0, 3.0)
    assert seen is not None
    assert (seen.change, seen.profit, seen.fall) == (pytest.approx(0.089), pytest.approx(20.0), pytest.approx(0.1))
