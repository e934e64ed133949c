"""What the passing of market time does to orders and positions: resting orders, funding, liquidation.

The market is walked minute by minute. A cheap test on the lowest and highest price of the stretch says whether anything can
happen in it at all; only then its price moves are walked one by one, so that no fill is missed or comes out of order.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from atm.exchange.demo import documents
from atm.exchange.demo.account import Account, Order, Trade, margins
from atm.exchange.demo.engine import LIQUIDATED, Engine
from atm.exchange.demo.market import FUNDING_PERIOD_MS, FUNDING_RATE
from atm.ledger.balance import available_balance, is_liquidated, max_addable, max_removable, max_withdrawal
from atm.ledger.fill import commission, funding_payment, realized_profit
from atm.ledger.liquidation import Pool, cross_reductions, cross_remainder
from atm.ledger.margin import liquidation_price, maintenance_margin, max_notional
from atm.ledger.settings import leverage_change, mode_change
from atm.model.interval import MINUTE_MS

_MARK_LAG_MS = MINUTE_MS
_MARK_SLACK = 2 * FUNDING_RATE


def advance(engine: Engine, to_ms: int) -> None:
    """Let the market run from where the engine's state is to `to_ms`."""
    state = engine.state
    while state.reached_ms < to_ms:
        if not any(account.busy_symbols for account in state.accounts.values()):
            state.reached_ms = to_ms
            return
        from_ms = state.reached_ms
        state.reached_ms = min(to_ms, (from_ms // MINUTE_MS + 1) * MINUTE_MS)
        for account in state.accounts.values():
            _pass(engine, account, from_ms, state.reached_ms)
        if state.reached_ms % FUNDING_PERIOD_MS == 0:
            for account in state.accounts.values():
                _settle_funding(engine, account, state.reached_ms)


def is_busy(engine: Engine) -> bool:
    """Whether the passing of time can change anything."""
    return any(account.busy_symbols for account in engine.state.accounts.values())


def _pass(engine: Engine, account: Account, from_ms: int, to_ms: int) -> None:
    symbols = account.busy_symbols
    spans = {symbol: engine.markets[symbol].span(from_ms, to_ms) for symbol in symbols}
    resting = any(_is_crossed(order, *spans[order.symbol]) for order in account.open_orders.values())
    endangered = _is_endangered(engine, account, from_ms, to_ms)
    if not resting and not endangered:
        return
    moves = sorted(
        (ms, symbol, price) for symbol in symbols for ms, price in engine.markets[symbol].moves(from_ms, to_ms)
    )
    for ms, symbol, price in moves:
        for order in list(account.open_orders.values()):
            if order.symbol == symbol and _is_crossed(order, price, price):
                engine.fill(account, order, float(order.price), order.rest, True, ms)
        # A fill may have opened the position that is in danger now.
        if any(position.amount for position in account.positions.values()):
            _liquidate(engine, account, ms)


def _is_crossed(order: Order, low: float, high: float) -> bool:
    """Whether the price goes through the order's: at its price alone the orders before it are filled."""
    price = float(order.price)
    return low < price if order.sign > 0 else high > price


def _is_endangered(engine: Engine, account: Account, from_ms: int, to_ms: int) -> bool:
    """Whether a position could be liquidated if every price of the stretch came at its worst, together."""
    equity, needed = account.wallet, 0.0
    for symbol, position in account.positions.items():
        if not position.amount:
            continue
        low, high = engine.markets[symbol].span(from_ms - _MARK_LAG_MS, to_ms)
        low, high = low * (1 - _MARK_SLACK), high * (1 + _MARK_SLACK)
        worst = low if position.amount > 0 else high
        maintenance = float(maintenance_margin(engine.brackets[symbol], abs(position.amount) * high))
        if not position.isolated:
            equity += position.profit(worst)
            needed += maintenance
        elif position.isolated_wallet + position.profit(worst) <= maintenance:
            return True
    return needed > 0.0 and equity <= needed


def _settle_funding(engine: Engine, account: Account, stamp_ms: int) -> None:
    for symbol, position in account.positions.items():
        if not position.amount:
            continue
        mark = engine.markets[symbol].mark(stamp_ms)
        paid = float(funding_payment(position.amount, mark, FUNDING_RATE))
        if position.isolated:
            position.isolated_wallet -= paid
        else:
            account.wallet -= paid
        account.update_ms = stamp_ms
        engine.earn(account, symbol, "FUNDING_FEE", -paid, "", stamp_ms)
        named = symbol if position.isolated else ""
        engine.emit(account, documents.account_event(account, "FUNDING_FEE", -paid, stamp_ms, named, mark))
        engine.changed = True


def _liquidate(engine: Engine, account: Account, ms: int) -> None:
    """Take over what does not reach its maintenance margin at the mark price: each isolated position for itself, crossed
    ones together."""
    marks = {symbol: engine.markets[symbol].mark(ms) for symbol in account.busy_symbols}
    crossed: list[str] = []
    for symbol, position in account.positions.items():
        if position.amount and position.isolated:
            needed = float(maintenance_margin(engine.brackets[symbol], abs(position.amount) * marks[symbol]))
            if is_liquidated(position.isolated_wallet + position.profit(marks[symbol]), needed):
                engine.cancel_all(account, symbol, ms, "EXPIRED", LIQUIDATED)
                _take_over(engine, account, symbol, abs(position.amount), marks, ms)
        elif position.amount:
            crossed.append(symbol)
    if not crossed:
        return
    sums = margins(account, marks.__getitem__, engine.brackets)
    if is_liquidated(account.wallet + sums.cross_profit, sums.cross_maintenance):
        for order in list(account.open_orders.values()):
            engine.end(account, order, "EXPIRED", ms, LIQUIDATED)
        for symbol, quantity in zip(crossed, _reductions(engine, account, crossed, marks), strict=True):
            if quantity > 0.0:
                _take_over(engine, account, symbol, quantity, marks, ms)
        if not any(account.position(symbol).amount for symbol in crossed):
            account.wallet = max(0.0, account.wallet)  # the binary rest of the sums


def _reductions(engine: Engine, account: Account, crossed: list[str], marks: Mapping[str, float]) -> list[float]:
    """How much of each crossed position is taken over at the mark prices."""
    tables = [engine.brackets[symbol] for symbol in crossed]
    pool = np.zeros((len(crossed), len(Pool)))
    for row, symbol in zip(pool, crossed, strict=True):
        position, market = account.position(symbol), engine.markets[symbol]
        fee, units = engine.rules[symbol].liquidation_fee, 10.0**market.quantity_decimals
        row[: Pool.TAKEN] = position.amount, position.entry, marks[symbol], marks[symbol], fee, units
    cross_reductions(account.wallet, pool, np.concatenate(tables), np.cumsum([0] + [len(table) for table in tables]))
    return [float(quantity) for quantity in pool[:, Pool.TAKEN]]


def _take_over(
    engine: Engine, account: Account, symbol: str, quantity: float, marks: Mapping[str, float], ms: int
) -> None:
    """The liquidation engine closes so much of a position at the mark price. An isolated one loses all its margin, a crossed one
    its loss and the clearance fee; what is missing is paid by the insurance fund, so the wallet does not go below zero."""
    position, market, mark = account.position(symbol), engine.markets[symbol], marks[symbol]
    side = 1.0 if position.amount > 0 else -1.0
    profit = float(realized_profit(quantity, position.entry, mark, side))
    clearance = quantity * mark * engine.rules[symbol].liquidation_fee
    if position.isolated:
        insurance = -(position.isolated_wallet + profit)
    else:
        others = sum(
            held.profit(marks[name]) for name, held in account.positions.items() if held.amount and not held.isolated
        )
        fee, covered = cross_remainder(account.wallet, others - profit, profit, clearance)
        insurance = float(covered - fee)
        account.wallet += profit + insurance
    order_id = engine.state.take_id()
    action = "SELL" if position.amount > 0 else "BUY"
    order = Order(
        order_id, f"autoclose-{ms}{order_id}", symbol, action, "LIMIT", "IOC", market.quantity_text(quantity),
        market.price_text(mark), False, ms, ms,
    )  # fmt: skip
    account.open_orders[order_id] = order
    engine.report(account, order, "NEW", None, ms)
    position.amount = round(position.amount - side * quantity, 9)
    if not position.amount:
        position.entry = position.isolated_wallet = 0.0
    position.realized += profit
    position.update_ms = account.update_ms = ms
    fill = Trade(engine.state.take_id(), order_id, symbol, action, mark, quantity, profit, 0.0, False, ms)
    engine.book_trade(account, fill)
    engine.earn(account, symbol, "INSURANCE_CLEAR", insurance, "", ms)
    order.executed, order.quote, order.status = quantity, quantity * mark, "FILLED"
    engine.archive(account, order)
    engine.emit(account, documents.account_event(account, "ORDER", insurance, ms, symbol, mark))
    engine.report(account, order, "TRADE", fill, ms)


def compile_kernels(engine: Engine) -> None:
    """Have every kernel compiled before the first request: on a fresh installation that takes seconds."""
    trial, table = Account(), next(iter(engine.brackets.values()))
    trial.apply("", 1.0, 1.0, 0.0, 0)
    trial.position("").initial(trial.position("").profit(1.0))
    trial.apply("", -1.0, 1.0, 0.0, 0)
    maintenance_margin(table, 1.0)
    max_notional(table, 1.0)
    liquidation_price(table, 1.0, 1.0, 1.0)
    funding_payment(1.0, 1.0, FUNDING_RATE)
    available_balance(1.0, 1.0, 1.0, 1.0)
    max_withdrawal(1.0, 1.0, 1.0, 1.0)
    max_addable(1.0, 1.0, 1.0, 1.0)
    max_removable(1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    is_liquidated(1.0, 1.0)
    commission(1.0, 1.0, 1.0)
    cross_remainder(1.0, 1.0, 1.0, 1.0)
    leverage_change(table, 1.0, 1.0, False, 1.0, 1.0, 1.0)
    mode_change(False, True, False, False)
    cross_reductions(1.0, np.ones((1, len(Pool))), table, np.array([0, len(table)]))
