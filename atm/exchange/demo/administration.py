"""What the owner of the demo exchange may do with its accounts: look, pay in and out, switch modes, begin anew."""

from __future__ import annotations

import re

from atm.exchange.demo import algo, documents
from atm.exchange.demo.account import START_BALANCE, Account, booked
from atm.exchange.demo.engine import Engine
from atm.ledger.balance import max_withdrawal
from atm.model.demo_state import DemoAccount, DemoModes
from atm.model.errors import Invalid

LARGEST_AMOUNT = 1e12
_NAME = re.compile(r"[\w .-]{1,40}")


def check_name(name: str) -> None:
    """Raises Invalid for a name that no account can have."""
    if not _NAME.fullmatch(name) or name != name.strip():
        raise Invalid("account", name, "1 to 40 letters, digits, spaces, '.', '-' and '_'")


def described(engine: Engine) -> tuple[DemoAccount, ...]:
    """All accounts with their keys, without secrets."""
    keys: dict[str, list[str]] = {}
    for key, pair in engine.state.keys.items():
        keys.setdefault(pair.account, []).append(key)
    return tuple(
        DemoAccount(
            name,
            account.balance(),
            sum(position.amount != 0 for position in account.positions.values()),
            len(account.open_orders) + len(account.waiting()),
            tuple(keys.get(name, ())),
        )
        for name, account in engine.state.accounts.items()
    )


def deposit(engine: Engine, name: str, amount: float, now_ms: int) -> None:
    """Pay in (> 0) or out (< 0) in USDT; at most what the margin of open positions and orders leaves. Raises Invalid."""
    account = _account(engine, name)
    if not 0 < abs(amount) <= LARGEST_AMOUNT:
        raise Invalid("amount", amount, f"an amount of USDT other than 0, up to {LARGEST_AMOUNT:.0e}")
    sums = engine.margins(account, now_ms)
    most = float(max_withdrawal(account.wallet, sums.cross_profit, sums.cross_initial, sums.order_initial))
    if amount < -most:
        raise Invalid("amount", amount, f"at most {most:.2f} USDT can be paid out")
    amount = booked(amount)
    account.wallet = booked(account.wallet + amount)
    account.update_ms = now_ms
    engine.earn(account, "", "TRANSFER", amount, "", now_ms)
    reason = "DEPOSIT" if amount > 0 else "WITHDRAW"
    engine.changed = True
    engine.emit(account, documents.account_event(account, reason, amount, now_ms, "", 0.0))


def switch(engine: Engine, modes: DemoModes) -> None:
    """Change the modes of an account. Raises Invalid."""
    account = _account(engine, modes.account)
    account.hedge, account.multi_assets = modes.hedge, modes.multi_assets
    engine.changed = True


def reset(engine: Engine, name: str, now_ms: int) -> None:
    """Cancel all orders, forget all positions and trades and begin with the start balance; keys stay valid, and so does the
    record of income, in which the change is a transfer. Raises Invalid."""
    account = _account(engine, name)
    account.countdowns.clear()
    for symbol in sorted(account.watched_symbols):
        engine.cancel_all(account, symbol, now_ms)
        algo.cancel_all(engine, account, symbol, now_ms)
    held = [symbol for symbol, position in account.positions.items() if position.amount]
    change = booked(START_BALANCE - account.balance())
    fresh = Account(
        name=name, incomes=account.incomes, update_ms=now_ms, listen_key=account.listen_key,
        listen_until_ms=account.listen_until_ms,
    )  # fmt: skip
    engine.state.accounts[name] = fresh
    if change:
        engine.earn(fresh, "", "TRANSFER", change, "", now_ms)
    engine.changed = True
    for symbol in held or [""]:
        engine.emit(fresh, documents.account_event(fresh, "ADMIN_DEPOSIT", change, now_ms, symbol, 0.0))
        change = 0.0


def _account(engine: Engine, name: str) -> Account:
    account = engine.state.accounts.get(name)
    if account is None:
        known = ", ".join(sorted(engine.state.accounts))
        raise Invalid("account", name, f"one of the accounts: {known}")
    return account
