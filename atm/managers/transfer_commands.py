"""Paying into and out of virtual accounts, as the user asks for it: each wish once, however often it is told."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal

from atm.ipc.assistant import IPCAssistant
from atm.ipc.messages import Deposit, Done, Reply, Withdraw
from atm.managers.trade_accounts import VirtualAccount
from atm.managers.trade_book import AccountBook
from atm.model.account import AccountKind
from atm.model.errors import Invalid, Refused
from atm.model.income import TRANSFER, IncomeRecord
from atm.model.transfer import DECIMALS, MOST, parse_amount
from atm.storage.income import IncomeRepository

LAST_ID = 2**63 - 1


class TransferCommands:
    """income: the store of transfers."""

    def __init__(self, assistant: IPCAssistant, book: AccountBook, income: IncomeRepository) -> None:
        self._book, self._income = book, income
        assistant.answer(Deposit, self._deposit)
        assistant.answer(Withdraw, self._withdraw)

    def _deposit(self, request: Deposit) -> Reply:
        account = self._account(request)
        amount = parse_amount(request.amount)
        if not self._is_done(request, amount):
            self._book.transfer(account, _record(request, amount, account.market_ms))
        return Done()

    def _withdraw(self, request: Withdraw) -> Reply:
        account = self._account(request)
        amount = parse_amount(request.amount)
        if not self._is_done(request, -amount):
            free = withdrawable(account, request.asset)
            if amount > free:
                said = (
                    f"above 0 and at most {free:f} {request.asset}, which is free"
                    if free
                    else "nothing: nothing is free"
                )
                raise Invalid("amount", request.amount, said)
            self._book.transfer(account, _record(request, -amount, account.market_ms))
        return Done()

    def _account(self, request: Deposit | Withdraw) -> VirtualAccount:
        account = self._book.account(request.name)
        if account.setup.kind is not AccountKind.VIRTUAL:
            raise Invalid("name", request.name, "a virtual account; money of an actual one is moved on its exchange")
        if request.asset not in account.setup.assets:
            raise Invalid("asset", request.asset, ", ".join(account.setup.assets))
        if not 1 <= request.request_id <= LAST_ID:
            raise Invalid("request_id", request.request_id, f"1 to {LAST_ID}")
        if account.failure:
            raise Refused(f"the account {request.name} stands still: {account.failure}")
        if not account.begun:
            raise Refused(f"the account {request.name} has not begun: it waits for its first minute")
        return account

    def _is_done(self, request: Deposit | Withdraw, amount: Decimal) -> bool:
        """Whether this wish was fulfilled before. Raises Invalid when its number was that of another one."""
        known = self._income.find(request.name, request.request_id, TRANSFER)
        if known is not None and (known.asset, known.amount) != (request.asset, amount):
            raise Invalid("request_id", request.request_id, "a number that no other transfer of the account has")
        return known is not None


def withdrawable(account: VirtualAccount, asset: str) -> Decimal:
    """What is free of an asset at the last minute's mark prices: the wallet less margin in use, waiting orders and losses in cross
    margin that are not realised (`atm.ledger.balance.max_withdrawal`); rounded down to eight decimals, at most the largest transfer."""
    states = {state.asset: state for state in account.engine.snapshot().assets}
    free = Decimal(states[asset].withdrawable).quantize(Decimal(1).scaleb(-DECIMALS), ROUND_FLOOR)
    return min(free, MOST).normalize()


def _record(request: Deposit | Withdraw, amount: Decimal, market_ms: int) -> IncomeRecord:
    return IncomeRecord(request.request_id, TRANSFER, "", request.asset, amount, market_ms)
