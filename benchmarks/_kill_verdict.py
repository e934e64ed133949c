"""What must hold after a run of the kill campaign: between the journal and the exchange, and between decisions and the market."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal

import numpy as np

from atm.exchange.demo.account import START_BALANCE
from atm.model.interval import MINUTE_MS
from atm.model.live_order import NOTHING, Purpose
from atm.simulators.orders.agreement import repeated, unequal
from atm.trading.live.client_id import read
from atm.trading.live.protection import is_protected
from benchmarks._kill_books import Books, Journal
from benchmarks._kill_world import ACCOUNTS, SYMBOLS, WAITING, Market

CENTS = 1e-6
DIGITS = 1.1e-8
"""Fees are told with eight digits."""
LEAST_NOTIONAL = Decimal(5)


def differences(journal: Journal, books: Books) -> list[str]:
    """What is not yet, or not any more, the same on both sides. It passes while something is under way."""
    found = unequal(journal.orders, books.orders.values(), books.conditionals.values())
    found += _fills(journal, books) + _balance(journal, books)
    for symbol in SYMBOLS:
        found += _position(symbol, journal, books)
    return [f"{journal.account}: {each}" for each in found]


def _fills(journal: Journal, books: Books) -> list[str]:
    """The same trades at the same prices and fees."""
    owners = {order.order_id: order.client_order_id for order in books.orders.values()}
    theirs = {
        (owners.get(each.order_id, "?"), each.trade_id): (each.quantity, each.price, each.commission)
        for each in books.trades.values()
    }
    ours = {
        (name, fill.trade_id): (float(fill.quantity), float(fill.price), float(fill.commission or 0))
        for name, order in journal.orders.items()
        for fill in order.fills
    }
    found = [
        f"fill {name}: {ours.get(name)} in the journal, {theirs.get(name)} on the exchange"
        for name in ours.keys() | theirs.keys()
        if name not in ours or name not in theirs or not np.allclose(ours[name], theirs[name], rtol=0, atol=DIGITS)
    ]
    return sorted(found)[:3]


def _balance(journal: Journal, books: Books) -> list[str]:
    """The wallet is what was paid in and earned, and the records of trades say the same of it."""
    found = []
    earned = sum(amount for _, amount in books.incomes.values())
    traded = sum(trade.profit - trade.commission for trade in books.trades.values())
    if abs(books.now.balance() - START_BALANCE - earned) > CENTS:
        found.append(f"the exchange's balance {books.now.balance():.8f} is not what it has booked: {earned:.8f}")
    if abs(journal.logged() - traded) > CENTS:
        found.append(f"trade records add up to {journal.logged():.8f}, trades of the exchange to {traded:.8f}")
    return found


def _position(symbol: str, journal: Journal, books: Books) -> list[str]:
    found, amount = [], books.amount(symbol)
    book, target = journal.state.books.get(symbol), journal.state.targets.get(symbol)
    own = NOTHING if book is None else book.own
    if amount != (NOTHING if book is None else book.amount):
        found.append(f"{symbol}: the journal has {own}, the exchange {amount}")
    if target is not None and symbol not in WAITING and not _is_close(symbol, own, target.quantity, books):
        found.append(f"{symbol}: {own} held, {target.quantity} wanted")
    stops = [each for each in journal.orders.values() if each.intent.symbol == symbol and not each.is_final]
    stops = [each for each in stops if each.intent.is_conditional]
    if not is_protected(amount, stops):
        found.append(f"{symbol}: {amount} without a stop")
    if not amount and stops:
        found.append(f"{symbol}: {len(stops)} stops rest without a position")
    return found


def _is_close(symbol: str, own: Decimal, wanted: Decimal, books: Books) -> bool:
    """Whether what is missing is nothing, or smaller than any order that may open."""
    prices = [each.price for each in books.trades.values() if each.symbol == symbol]
    worth = abs(wanted - own) * Decimal(str(prices[-1] if prices else 0.0))
    return own == wanted or (0 < worth < LEAST_NOTIONAL and abs(own) < abs(wanted))


# --- what no time heals --------------------------------------------------------------------------------------------


class Sentence:
    """What is wrong for good, told once."""

    def __init__(self, market: Market, begin_ms: int) -> None:
        """begin_ms: decisions later than this are expected."""
        self._market, self._begin_ms = market, begin_ms
        self._next = dict.fromkeys(ACCOUNTS, begin_ms)
        self._told: set[str] = set()
        self.decisions = self.excused = 0

    def new(self, found: list[str]) -> list[str]:
        """Those that were not told before."""
        fresh = [each for each in found if each not in self._told]
        self._told.update(fresh)
        return fresh

    def of(self, journal: Journal, books: Books) -> list[str]:
        """Duplicates, orders that led too far, changes that nobody made."""
        found = repeated(books.orders.values(), books.conditionals.values()) + _overshoots(journal, books)
        found += [f"a change from outside was booked that there was not: {each}" for each in journal.adjusted]
        found += [f"a strange order: {each}" for each in books.foreign]
        return self.new([f"{journal.account}: {each}" for each in found])

    def missed(self, journal: Journal, now_ms: int, was_up: Callable[[int, int], bool]) -> list[str]:
        """Decisions of bars that have closed before and could be acted on, which were not made or made otherwise. was_up(from, to):
        whether the program was up, with time enough to decide, between two market times."""
        name, found = journal.account, []
        step = ACCOUNTS[name][0].nominal_ms
        first = self._next[name] // step * step + step
        for close_ms in range(first, now_ms - step, step):
            self._next[name] = close_ms
            silent = []
            for symbol in SYMBOLS:
                target, wanted = journal.targets.get((symbol, close_ms)), self._market.exposure(name, symbol, close_ms)
                self.decisions += 1
                if target is not None:
                    if wanted is not None and target.quantity and target.exposure != wanted:
                        found.append(f"{symbol} at {close_ms}: decided {target.exposure}, right is {wanted}")
                elif not was_up(close_ms, close_ms + step):
                    self.excused += 1
                else:
                    silent.append(symbol)
            if silent:
                found.append(f"nothing was decided at {close_ms} of {len(silent)} symbols: {', '.join(silent)}")
        return [f"{name}: {each}" for each in found]


def _overshoots(journal: Journal, books: Books) -> list[str]:
    """Fills that led beyond what the decision of their order wanted."""
    found, amounts = [], defaultdict[str, Decimal](Decimal)
    orders = {order.order_id: order.client_order_id for order in books.orders.values()}
    wanted = {(symbol, at // MINUTE_MS * MINUTE_MS): each.quantity for (symbol, at), each in journal.targets.items()}
    for trade in sorted(books.trades.values(), key=lambda each: each.trade_id):
        buys = trade.side == "BUY"
        amounts[trade.symbol] += Decimal(str(trade.quantity)) * (1 if buys else -1)
        known, amount = read(orders.get(trade.order_id, "")), amounts[trade.symbol]
        if known is None:
            continue
        is_stop = known.purpose in (Purpose.STOP, Purpose.BRIDGE)
        most = least = NOTHING if is_stop else wanted.get((trade.symbol, known.minute_ms), NOTHING)
        if known.purpose is Purpose.CLOSE:
            most, least = max(most, NOTHING), min(least, NOTHING)
        if (buys and amount > most) or (not buys and amount < least):
            found.append(f"{orders[trade.order_id]} led {trade.symbol} to {amount}, beyond {most}")
    return found
