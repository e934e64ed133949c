"""From the target of a symbol to orders: settings first, then what closes, then what opens, one lot of orders at a time.

The next orders are made only when all earlier ones are final, so a size is always that of the position plus nothing unknown.
Whatever crosses zero is closed first by a reduce-only order and opened by another: an error of ours can then not turn into a
position on the other side.
"""

from __future__ import annotations

from collections import deque
from decimal import Decimal

import msgspec

from atm.model.account_facts import SettingsSeen
from atm.model.journal import FORCE_CLEAR, KILLED, WHOLE_ACCOUNT, GivenUp, Halted, Target
from atm.model.live_order import NOTHING, LiveOrder, Purpose
from atm.model.live_request import Failure, FailureKind, SetLeverage, SetMarginMode
from atm.model.order import Side
from atm.trading.live.desk import Desk
from atm.trading.live.order_desk import OrderDesk
from atm.trading.live.reconciliation import Reconciler
from atm.trading.live.risk import Breach, RiskView, breach
from atm.trading.live.sizing import is_large_enough, limit_price, on_step, slices

MOST_ORDERS = 40
"""Of one decision of a symbol; then nothing more of it is opened, and what is to be closed takes its time."""
MOST_FAILURES = 6
"""In a row after which what is to be opened is given up. What is to be closed never is."""
FIRST_PAUSE_MS, LONGEST_PAUSE_MS = 500, 30_000
CLOSING_PATIENCE_MS, CLOSING_ALARM_MS = 60_000, 300_000
"""How long a position may take to become smaller before there is an alarm, and between two alarms."""
REDUCE_ONLY_REFUSED = -2022
MAY_PASS = frozenset((-1001, -1003, -1008, -1015, -1021, -2022, -2023, -4131, -5028))
"""Refusals after which the same may be tried again (exchange §1.8)."""
LOOK_AT_FILTERS = frozenset((-1111, -4014, -4023, -4164))
USER_CLOSES = frozenset((FORCE_CLEAR, KILLED))
"""Reasons of targets that close even what is to be left alone."""
DAY_MS = 86_400_000


class _Trouble(msgspec.Struct):
    """Failures of a symbol in a row, and the reason of the newest."""

    failures: int = 0
    next_ms: int = 0
    reason: str = ""


class PositionDesk:
    """See the module. `closing_since`: by symbol, since when a position is to become smaller and does not."""

    def __init__(self, desk: Desk, orders: OrderDesk, reconciler: Reconciler) -> None:
        self.closing_since: dict[str, int] = {}
        self._alarm_ms: dict[str, int] = {}
        self._desk, self._orders, self._reconciler = desk, orders, reconciler
        self._settings: dict[str, SettingsSeen] = {}
        self._trouble: dict[str, _Trouble] = {}
        self._sent: deque[int] = deque()
        self._held: dict[str, str] = {}
        self._worths: dict[str, float] | None = None
        self._worth = self.equity = 0.0
        self.unpriced: tuple[str, ...] = ()

    def settings(self, seen: SettingsSeen) -> None:
        """Leverage and margin mode that the exchange has for a symbol."""
        before = self._settings.get(seen.symbol, SettingsSeen(seen.symbol))
        leverage = before.leverage if seen.leverage is None else seen.leverage
        isolated = before.isolated if seen.isolated is None else seen.isolated
        self._settings[seen.symbol] = SettingsSeen(seen.symbol, leverage, isolated)

    def new_decision(self, symbol: str) -> None:
        """Failures of the one before do not count any more."""
        self._trouble.pop(symbol, None)

    def valued(self, equity: float, unpriced: tuple[str, ...]) -> None:
        """Equity in quote asset, 0 where it is not known; what the positions are worth is added up anew for the next limit."""
        self.equity, self.unpriced, self._worths = equity, unpriced, None

    def sent_order(self, now_ms: int) -> None:
        """Count an order for the limit of orders per minute."""
        self._sent.append(now_ms)
        while self._sent and self._sent[0] <= now_ms - 60_000:
            self._sent.popleft()

    def orders_last_minute(self, now_ms: int) -> int:
        """Orders that count for the limit of orders per minute."""
        return sum(1 for ms in self._sent if ms > now_ms - 60_000)

    def waits(self) -> dict[str, str]:
        """Symbols with an order that waits for a limit, and the limit's name."""
        return dict(self._held)

    def given_up(self) -> list[str]:
        """Symbols whose present decision was given up."""
        return sorted(self._desk.state.given_up)

    def not_closed(self) -> dict[str, str]:
        """Symbols for which the alarm of a position that does not become smaller stands, and why."""
        return {symbol: self._trouble_of(symbol).reason for symbol in sorted(self._alarm_ms)}

    # --- work -------------------------------------------------------------------------------------------------

    def work(self, symbol: str, now_ms: int) -> None:
        """Do what brings the position nearer to its target."""
        target, halt = self._desk.state.targets.get(symbol), self._desk.halt_of(symbol, now_ms)
        if target is None:
            return
        wanted = self._allowed(symbol, target, halt)
        working = [order for order in self._desk.orders(symbol) if not order.intent.is_conditional]
        if working:
            self._withdraw(working, target, wanted, now_ms)
            return
        if halt is not None and halt.hands_off and target.reason not in USER_CLOSES:
            return
        if self._is_waiting(symbol, now_ms):
            return
        own, instrument = self._desk.book(symbol).own, self._desk.instruments[symbol]
        change = on_step(wanted - own, instrument)
        if own * change < NOTHING and self._close(symbol, target, change, now_ms):
            return
        has_lapsed = 0 < target.cancel_ms <= now_ms
        if change and symbol in self._desk.setup.symbols and not has_lapsed and not self._is_given_up(target):
            self._open(symbol, target, change, now_ms)
        else:
            self._held.pop(symbol, None)

    def watch(self, symbol: str, now_ms: int) -> None:
        """Raise an alarm, again and again, while a position does not become smaller although it should."""
        own, change = self._desk.book(symbol).own, self._change_to_close(symbol, now_ms)
        if not change:
            self.closing_since.pop(symbol, None)
            self._alarm_ms.pop(symbol, None)
            return
        since_ms = self.closing_since.setdefault(symbol, now_ms)
        due_ms = self._alarm_ms.get(symbol, since_ms + CLOSING_PATIENCE_MS)
        if now_ms >= due_ms:
            self._alarm_ms[symbol] = now_ms + CLOSING_ALARM_MS
            reason = self._trouble_of(symbol).reason or "no order has closed it yet"
            self._desk.note("notice.live_not_closed", symbol, f"{own} -> {own + change}: {reason}", urgent=True)

    def _change_to_close(self, symbol: str, now_ms: int) -> Decimal:
        """What the target wants closed now and an order can close; 0 for nothing, or while the user wants the symbol left alone."""
        target, halt = self._desk.state.targets.get(symbol), self._desk.halt_of(symbol, now_ms)
        if target is None or (halt is not None and halt.hands_off and target.reason not in USER_CLOSES):
            return NOTHING
        book, instrument = self._desk.book(symbol), self._desk.instruments[symbol]
        change = on_step(self._allowed(symbol, target, halt) - book.own, instrument)
        if book.own * change >= NOTHING:
            return NOTHING
        quantity = min(abs(change), abs(book.own))
        return change if quantity >= Decimal(instrument.min_quantity) else NOTHING

    def _is_given_up(self, target: Target) -> bool:
        given_up = self._desk.state.given_up.get(target.symbol)
        return given_up is not None and given_up.decision_ms == target.decision_ms

    def _allowed(self, symbol: str, target: Target, halt: Halted | None) -> Decimal:
        """The target, or as much of it as only reduces while new exposure is halted."""
        own = self._desk.book(symbol).own
        if halt is None:
            return target.quantity
        if own * target.quantity <= NOTHING:
            return NOTHING
        return min(abs(own), abs(target.quantity)).copy_sign(own)

    def _is_waiting(self, symbol: str, now_ms: int) -> bool:
        """Whether something has to be known before an order of this symbol may be made."""
        seen, amount = self._desk.positions.get(symbol), self._desk.book(symbol).amount
        differs = seen is not None and seen.amount != amount
        if differs and not self._reconciler.is_suspect(symbol):
            self._reconciler.soon(now_ms + 2_000)
        fired = any(stop.rests and stop.order_id for stop in self._desk.stops(symbol))
        return (
            not self._reconciler.ready
            or self._reconciler.is_suspect(symbol)
            or differs
            or fired
            or now_ms < self._trouble_of(symbol).next_ms
        )

    def _trouble_of(self, symbol: str) -> _Trouble:
        return self._trouble.setdefault(symbol, _Trouble())

    def _withdraw(self, working: list[LiveOrder], target: Target, wanted: Decimal, now_ms: int) -> None:
        """Cancel resting orders that are of an earlier decision, lapsed, or too much now."""
        for order in working:
            lapsed = 0 < order.intent.cancel_ms <= now_ms
            other = order.intent.decision_ms != target.decision_ms or wanted != target.quantity
            is_stale = lapsed or other or target.price is None
            if order.intent.price is not None and order.rests and not order.cancel_asked_ms and is_stale:
                self._orders.cancel(order, now_ms)

    # --- closing and opening ----------------------------------------------------------------------------------

    def _close(self, symbol: str, target: Target, change: Decimal, now_ms: int) -> bool:
        """Close what is ours of a change. False where that is too small by itself since it cannot be reduce-only: then the change
        goes as a whole."""
        book, instrument = self._desk.book(symbol), self._desk.instruments[symbol]
        quantity = on_step(min(abs(change), abs(book.own)), instrument)
        # What is left alone may lie on the other side; then our part cannot be reduce-only.
        reduces = book.amount * book.own > NOTHING and quantity <= abs(book.amount)
        if is_large_enough(quantity, self._desk.price(symbol), instrument, reduces):
            self._send(symbol, target, Purpose.CLOSE, change, quantity, now_ms, reduce_only=reduces)
            return True
        return reduces

    def _open(self, symbol: str, target: Target, change: Decimal, now_ms: int) -> None:
        instrument, book = self._desk.instruments[symbol], self._desk.book(symbol)
        price = None if target.price is None else limit_price(target.price, instrument, change > NOTHING)
        worth = self._desk.price(symbol) if price is None else price
        if not is_large_enough(abs(change), worth, instrument, reduce_only=False):
            return
        if not book.amount and not self._is_set(symbol, now_ms):
            return
        found = breach(self._desk.setup.limits, self._view(symbol, book.amount + change, now_ms))
        if found is not None:
            self._stop(symbol, found, now_ms)
            return
        self._held.pop(symbol, None)
        self._send(symbol, target, Purpose.OPEN, change, abs(change), now_ms, price=price)

    def _send(
        self, symbol: str, target: Target, purpose: Purpose, change: Decimal, quantity: Decimal, now_ms: int, *,
        price: Decimal | None = None, reduce_only: bool = False,
    ) -> None:  # fmt: skip
        side = Side.BUY if change > NOTHING else Side.SELL
        book = self._desk.book(symbol)
        used = book.next_slice if book.minute_ms == target.decision_ms - target.decision_ms % 60_000 else 0
        pieces = slices(quantity, self._desk.instruments[symbol])
        if used + len(pieces) > MOST_ORDERS:
            if purpose is Purpose.OPEN:
                self._give_up(target, f"{MOST_ORDERS} orders have not been enough", now_ms)
                return
            self._trouble_of(symbol).next_ms = now_ms + LONGEST_PAUSE_MS
        for piece in pieces:
            again = self._orders.unplaced(symbol, target.decision_ms, (purpose,))
            intent = self._desk.intend(
                symbol, side, purpose, piece, target.decision_ms, now_ms, price=price, reduce_only=reduce_only,
                cancel_ms=target.cancel_ms if price is not None else 0, again=again,
            )  # fmt: skip
            self._orders.place(self._desk.state.orders[intent.client_id], now_ms)
            self.sent_order(now_ms)

    # --- settings ---------------------------------------------------------------------------------------------

    def _is_set(self, symbol: str, now_ms: int) -> bool:
        """Whether margin mode and leverage are the wanted ones; if not, asks for what is next."""
        wanted, known = self._desk.setup.symbols[symbol], self._settings.get(symbol, SettingsSeen(symbol))
        if known.isolated != wanted.isolated:
            self._desk.ask(SetMarginMode(symbol, wanted.isolated), ("settings", symbol), now_ms)
            return False
        if known.leverage != wanted.leverage:
            self._desk.ask(SetLeverage(symbol, wanted.leverage), ("settings", symbol), now_ms)
            return False
        return True

    def settings_answered(self, request: SetLeverage | SetMarginMode, failure: Failure | None, now_ms: int) -> None:
        """A setting was changed, or not. Asking for it again does no harm, so an unknown outcome is tried again."""
        if failure is not None:
            self.failed(request.symbol, failure, now_ms, closes=False)
        elif isinstance(request, SetLeverage):
            self.settings(SettingsSeen(request.symbol, leverage=request.leverage))
        else:
            self.settings(SettingsSeen(request.symbol, isolated=request.isolated))

    def accepted(self, symbol: str) -> None:
        """An order went out: failures before it do not count any more."""
        self._trouble_of(symbol).failures = 0

    # --- trouble ----------------------------------------------------------------------------------------------

    def failed(self, symbol: str, failure: Failure, now_ms: int, *, closes: bool) -> None:
        """An order or a setting was not accepted: wait a little longer each time, and give up what was to be opened in the end. What
        closes goes on at the slowest pace until it is done or not wanted any more."""
        trouble, target = self._trouble_of(symbol), self._desk.state.targets.get(symbol)
        trouble.failures += 1
        trouble.reason = f"{failure.reason} ({failure.code})"
        pause_ms = min(FIRST_PAUSE_MS * 2 ** min(trouble.failures - 1, 10), LONGEST_PAUSE_MS)
        trouble.next_ms = now_ms + max(pause_ms, failure.retry_after_ms)
        if failure.code == REDUCE_ONLY_REFUSED:
            self._reconciler.soon(now_ms)
        if failure.code in LOOK_AT_FILTERS:
            self._desk.note("notice.live_filters_changed", symbol, failure.reason)
        is_passing = failure.kind is not FailureKind.REFUSED or failure.code in MAY_PASS
        if target is not None and not closes and (not is_passing or trouble.failures >= MOST_FAILURES):
            self._give_up(target, trouble.reason, now_ms)

    def _give_up(self, target: Target, reason: str, now_ms: int) -> None:
        if not self._is_given_up(target):
            self._desk.record(GivenUp(target.symbol, target.decision_ms, reason, now_ms))
            self._desk.note("notice.live_decision_given_up", target.symbol, reason, urgent=True)

    def _stop(self, symbol: str, found: Breach, now_ms: int) -> None:
        """A limit is broken: its scope is halted, or the order waits."""
        if not found.lasting:
            if self._held.get(symbol) != found.limit:
                self._held[symbol] = found.limit
                self._desk.note("notice.live_risk_wait", symbol, found.reason)
            return
        until_ms = now_ms - now_ms % DAY_MS + DAY_MS if found.limit == "daily_loss" else 0
        self._desk.record(Halted(found.scope, found.reason, False, now_ms, until_ms))
        self._desk.note("notice.live_risk_stop", found.scope or WHOLE_ACCOUNT, found.reason, urgent=True)

    def _view(self, symbol: str, amount_after: Decimal, now_ms: int) -> RiskView:
        prices, marked = self._desk.prices, self._desk.state.equity
        worth = float(abs(amount_after) * self._desk.price(symbol))
        if self._worths is None:
            books = self._desk.state.books.items()
            self._worths = {other: float(abs(book.amount) * self._desk.price(other)) for other, book in books}
            self._worth = sum(self._worths.values())
        others = self._worth - self._worths.get(symbol, 0.0)
        known, recent = prices.get(symbol), self.orders_last_minute(now_ms)
        return RiskView(
            symbol=symbol, position_worth=worth, account_worth=worth + others, equity=self.equity, unpriced=self.unpriced,
            day_equity=marked.day_equity if marked else 0.0, peak_equity=marked.peak_equity if marked else 0.0,
            orders_last_minute=recent, last=float(known.last) if known else 0.0,
            mark=float(known.mark) if known else 0.0, price_age_ms=now_ms - known.time_ms if known else 0,
        )  # fmt: skip
