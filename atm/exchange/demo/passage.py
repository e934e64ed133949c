"""What the passing of market time does to orders and positions: resting and conditional orders, dates and countdowns,
funding, liquidation.

The market is walked minute by minute. A cheap test on the lowest and highest price of the stretch says whether anything can
happen in it at all; only then its price moves are walked one by one, so that no fill is missed or comes out of order.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from atm.exchange.demo import algo, documents
from atm.exchange.demo.account import Account, Order, Trade, booked, margins
from atm.exchange.demo.conditional import may_fire
from atm.exchange.demo.engine import LIQUIDATED, Engine
from atm.exchange.demo.market_events import force_order
from atm.exchange.demo.marks import FUNDING_PERIOD_MS, FUNDING_RATE
from atm.exchange.demo.matching import by_priority, is_passed
from atm.ledger.balance import available_balance, is_liquidated, max_addable, max_removable, max_withdrawal
from atm.ledger.fill import commission, funding_payment, realized_profit
from atm.ledger.liquidation import Pool, cross_reductions, cross_remainder
from atm.ledger.margin import liquidation_price, maintenance_margin, max_notional
from atm.ledger.settings import leverage_change, mode_change
from atm.model.interval import MINUTE_MS

MARGIN_CALL_RATIO = 0.8
"""Maintenance margin per margin at which the owner is told; the exchange does not document its own (spec: exchange §3.7)."""
_MARK_LAG_MS = MINUTE_MS
_MARK_SLACK = 2 * FUNDING_RATE


def advance(engine: Engine, to_ms: int) -> None:
    """Let the market run from where the engine's state is to `to_ms`."""
    state = engine.state
    while state.reached_ms < to_ms:
        if not is_busy(engine):
            state.reached_ms = to_ms
            return
        from_ms = state.reached_ms
        due = [account.due_ms(from_ms) for account in state.accounts.values()]
        state.reached_ms = min(to_ms, (from_ms // MINUTE_MS + 1) * MINUTE_MS, *(ms for ms in due if ms is not None))
        for account in state.accounts.values():
            _pass(engine, account, from_ms, state.reached_ms)
            _end_by_clock(engine, account, state.reached_ms)
        if state.reached_ms % FUNDING_PERIOD_MS == 0:
            for account in state.accounts.values():
                _settle_funding(engine, account, state.reached_ms)


def is_busy(engine: Engine) -> bool:
    """Whether the passing of time can change anything."""
    return any(account.watched_symbols or account.countdowns for account in engine.state.accounts.values())


def _end_by_clock(engine: Engine, account: Account, now_ms: int) -> None:
    """Countdowns that have run down cancel the orders of their symbol; orders end whose date has passed."""
    for symbol, due_ms in list(account.countdowns.items()):
        if due_ms <= now_ms:
            del account.countdowns[symbol]
            engine.changed = True
            engine.cancel_all(account, symbol, now_ms)
    for order in list(account.open_orders.values()):
        if 0 < order.good_till_ms <= now_ms:
            engine.end(account, order, "EXPIRED", now_ms)
    algo.expire(engine, account, now_ms)


def _pass(engine: Engine, account: Account, from_ms: int, to_ms: int) -> None:
    symbols = account.watched_symbols
    spans = {symbol: engine.markets[symbol].span(from_ms, to_ms) for symbol in symbols}
    resting = any(is_passed(order, *spans[order.symbol]) for order in account.open_orders.values())
    marks = {symbol: _mark_span(engine, symbol, from_ms, to_ms) for symbol in symbols}
    endangered = _is_endangered(engine, account, marks)
    if not endangered:
        _forget_warnings(account)
    firing = any(
        may_fire(conditional, *(marks if conditional.by_mark else spans)[conditional.symbol])
        for conditional in account.waiting()
    )
    if not resting and not endangered and not firing:
        return
    by_mark = {each.symbol for each in account.waiting() if each.by_mark}
    moments = sorted(
        (ms, symbol)
        for symbol in symbols
        for ms in engine.markets[symbol].moments(from_ms, to_ms, with_mark=endangered or symbol in by_mark)
    )
    for ms, symbol in moments:
        if engine.markets[symbol].halted_ms is not None:
            continue
        price = engine.markets[symbol].price(ms)
        _fill_resting(engine, account, symbol, price, ms)
        if account.conditionals:
            algo.watch(engine, account, symbol, price, engine.markets[symbol].mark(ms), ms)
        # A fill may have opened the position that is in danger now.
        if any(position.amount for position in account.positions.values()):
            _warn(engine, account, ms)
            _liquidate(engine, account, ms)


def _fill_resting(engine: Engine, account: Account, symbol: str, price: float, ms: int) -> None:
    """Orders that the price goes through share what is traded at this moment, the best priced first."""
    for side in ("BUY", "SELL"):
        passed = [
            order
            for order in account.open_orders.values()
            if order.symbol == symbol and order.side == side and is_passed(order, price, price)
        ]
        left = engine.markets[symbol].traded_at(ms) if passed else 0.0
        for order in by_priority(passed):
            quantity = min(left, order.rest)
            if quantity > 0 and order.order_id in account.open_orders:
                engine.fill(account, order, float(order.price), quantity, True, ms)
                left = round(left - quantity, 9)


def _warn(engine: Engine, account: Account, ms: int) -> None:
    """Tell the owner once when the maintenance margin reaches so much of the margin: of each isolated position for itself, of
    the crossed ones together."""
    crossed: list[tuple[str, float, float]] = []
    for symbol, position in account.positions.items():
        if not position.amount:
            position.called = False
            continue
        mark = engine.markets[symbol].mark(ms)
        needed = float(maintenance_margin(engine.brackets[symbol], abs(position.amount) * mark))
        if not position.isolated:
            crossed.append((symbol, mark, needed))
            continue
        is_low = needed >= MARGIN_CALL_RATIO * (position.isolated_wallet + position.profit(mark))
        if is_low and not position.called:
            engine.emit(account, documents.margin_call(account, [(symbol, mark, needed)], False, ms))
        position.called = is_low
    margin = account.wallet + sum(account.position(symbol).profit(mark) for symbol, mark, _ in crossed)
    is_low = bool(crossed) and sum(row[2] for row in crossed) >= MARGIN_CALL_RATIO * margin
    if is_low and not account.called:
        engine.emit(account, documents.margin_call(account, crossed, True, ms))
    account.called = is_low


def _forget_warnings(account: Account) -> None:
    account.called = False
    for position in account.positions.values():
        position.called = False


def _mark_span(engine: Engine, symbol: str, from_ms: int, to_ms: int) -> tuple[float, float]:
    """(lowest, highest) that the mark price can be in a stretch."""
    low, high = engine.markets[symbol].span(from_ms - _MARK_LAG_MS, to_ms)
    return low * (1 - _MARK_SLACK), high * (1 + _MARK_SLACK)


def _is_endangered(engine: Engine, account: Account, marks: Mapping[str, tuple[float, float]]) -> bool:
    """Whether a warning or a liquidation could be due if every mark price of the stretch came at its worst, together."""
    equity, needed = account.wallet, 0.0
    for symbol, position in account.positions.items():
        if not position.amount:
            continue
        low, high = marks[symbol]
        worst = low if position.amount > 0 else high
        maintenance = float(maintenance_margin(engine.brackets[symbol], abs(position.amount) * high))
        if not position.isolated:
            equity += position.profit(worst)
            needed += maintenance
        elif MARGIN_CALL_RATIO * (position.isolated_wallet + position.profit(worst)) <= maintenance:
            return True
    return needed > 0.0 and MARGIN_CALL_RATIO * equity <= needed


def _settle_funding(engine: Engine, account: Account, stamp_ms: int) -> None:
    for symbol, position in account.positions.items():
        if not position.amount:
            continue
        mark = engine.markets[symbol].mark(stamp_ms)
        paid = booked(funding_payment(position.amount, mark, FUNDING_RATE))
        if position.isolated:
            position.isolated_wallet = booked(position.isolated_wallet - paid)
        else:
            account.wallet = booked(account.wallet - paid)
        account.update_ms = stamp_ms
        engine.earn(account, symbol, "FUNDING_FEE", -paid, "", stamp_ms)
        named = symbol if position.isolated else ""
        event = documents.account_event(account, "FUNDING_FEE", -paid, stamp_ms, named, mark)
        event["a"]["S"] = symbol
        engine.emit(account, event)
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
    profit = booked(realized_profit(quantity, position.entry, mark, side))
    clearance = quantity * mark * engine.rules[symbol].liquidation_fee
    if position.isolated:
        insurance = booked(-(position.isolated_wallet + profit))
    else:
        others = sum(
            held.profit(marks[name]) for name, held in account.positions.items() if held.amount and not held.isolated
        )
        fee, covered = cross_remainder(account.wallet, others - profit, profit, clearance)
        insurance = booked(covered - fee)
        account.wallet = booked(account.wallet + profit + insurance)
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
    engine.publish(force_order(symbol, action, order.quantity, order.price, ms))
    engine.fit_reductions(account, symbol, ms)


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
