"""Where the money goes between a live day and the backtest of it: every cent has a cause, or stands as unexplained. Pure.

    equity of a side = carried + Σ q·(M − p) − Σ fees − funding + rest        carried = wallet₀ + Σ Q₀·(M − entry₀)

over its fills (signed quantity q, price p), with the mark price M at the end and the same beginning on both sides. So the difference
of both equities is a sum over orders, and for an order that both sides have filled

    q·(M − p) − f − (q'·(M − p') − f')  =  −q·(p − p')  +  (q − q')·(M − p')  −  (f − f')
                                             price             quantity           fee
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from atm.model.account import TradeReason, TradeRecord
from atm.model.interval import MINUTE_MS
from atm.model.parity import MOST_DIFFERENCES, TOLERANCE, FillDifference, MoneyCause, MoneyReport
from atm.simulators.parity.orders import Order, Pair, pairs

C = MoneyCause
_SAME = 1e-9
"""Quantities nearer than this are equal."""
EXCHANGE_PRICE = 5e-9
"""Entry prices of an exchange have eight decimals: each unit of a position may be off by half of the last."""
EXCHANGE_AMOUNT = 1e-8
"""What it books has eight decimals as well: profit and commission of a fill."""


@dataclass(frozen=True)
class Rules:
    """Of a symbol: price tick, quantity step, smallest notional; M: mark price at the end."""

    tick: float
    step: float
    min_notional: float
    mark: float


@dataclass(frozen=True)
class Wish:
    """What a side wanted of a symbol after a minute: signed quantities held and wanted."""

    held: float = 0.0
    wanted: float = 0.0

    @property
    def order(self) -> float:
        return self.wanted - self.held


@dataclass(frozen=True)
class Books:
    """One side of a day. wallet: of all assets at the end; held: (signed quantity, entry price) at the end by symbol; funding: paid;
    credits: losses that an insurance fund has borne; wishes: by (decision, symbol)."""

    fills: Sequence[TradeRecord]
    wallet: float
    held: Mapping[str, tuple[float, float]]
    funding: float
    credits: float = 0.0
    wishes: Mapping[tuple[int, str], Wish] = field(default_factory=dict)

    def equity(self, rules: Mapping[str, Rules]) -> float:
        open_ = [quantity * (rules[symbol].mark - entry) for symbol, (quantity, entry) in self.held.items() if quantity]
        return math.fsum((self.wallet, *open_))


@dataclass(frozen=True)
class Scene:
    """What both sides share. wallet, held: at the beginning; opens: open price by (symbol, open time); differing: decisions
    (time, symbol) that were not the same; moved: amount of known transfers into the account, which the backtest has not; shared: of
    those that both sides have; is_closed: nobody but the account's own engine can change it (a virtual account)."""

    begin_ms: int
    equity: float
    wallet: float
    held: Mapping[str, tuple[float, float]]
    rules: Mapping[str, Rules]
    opens: Mapping[tuple[str, int], float]
    differing: frozenset[tuple[int, str]] = frozenset()
    moved: float = 0.0
    shared: float = 0.0
    is_closed: bool = False


def attributed(scene: Scene, live: Books, backtest: Books) -> MoneyReport:
    """Every difference with its cause; the causes add up to the difference of both equities."""
    ledger = _Ledger(scene, live, backtest)
    for pair in pairs(live.fills, backtest.fills):
        ledger.take(pair)
    ledger.take_rest()
    both = sum(ours is not None and theirs is not None for ours, theirs in ledger.seen)
    differences = [each for each in ledger.differences if any(abs(value) > 0.0 for value in each.causes.values())]
    return MoneyReport(
        scene.equity,
        live.equity(scene.rules),
        backtest.equity(scene.rules),
        {cause.value: math.fsum(values) for cause, values in ledger.amounts.items()},
        tuple(differences[:MOST_DIFFERENCES]),
        len(live.fills),
        len(backtest.fills),
        both,
        math.fsum(abs(value) for value in ledger.amounts.get(C.UNEXPLAINED, ())),
    )


class _Ledger:
    """Adds up; has_diverged: whether anything earlier has made the two sides unequal."""

    def __init__(self, scene: Scene, live: Books, backtest: Books) -> None:
        self._scene, self._live, self._backtest = scene, live, backtest
        self.amounts: dict[MoneyCause, list[float]] = {}
        self.differences: list[FillDifference] = []
        self.seen: list[Pair] = []
        self.has_diverged = False

    def take(self, pair: Pair) -> None:
        live, backtest = pair
        self.seen.append(pair)
        causes = self._both(live, backtest) if live and backtest else self._alone(live, backtest)
        order = live or backtest
        if order is None or not causes:
            return
        self._add(causes)
        named = {cause.value: amount for cause, amount in causes.items()}
        sides = (live.side() if live else None, backtest.side() if backtest else None)
        self.differences.append(FillDifference(order.symbol, order.decision_ms, order.reason.value, *sides, named))

    def take_rest(self) -> None:
        """What is no order: funding, what insurance bore, what came from outside."""
        live, backtest, scene = self._live, self._backtest, self._scene
        self._add({C.FUNDING: backtest.funding - live.funding, C.STOP_LEVEL: live.credits - backtest.credits})
        rest = self._rest(live) - scene.moved
        is_moved = not scene.is_closed and any(abs(amount) > _SAME for amount in self._unfilled(live).values())
        is_rounding = not scene.is_closed and abs(rest) <= self._exactness()
        cause = C.ROUNDING if is_rounding else C.OUTSIDE if is_moved else C.UNEXPLAINED
        self._add({C.OUTSIDE: scene.moved})
        self._add({cause: _rounded(rest)})
        self._add({C.UNEXPLAINED: -_rounded(self._rest(backtest))})

    def _exactness(self) -> float:
        """How far the exchange's own rounding of entry prices and bookings may have moved the equity of live."""
        held = (*self._scene.held.values(), *self._live.held.values())
        fills = self._live.fills
        units = sum(abs(quantity) for quantity, _ in held) + sum(fill.quantity for fill in fills)
        return EXCHANGE_PRICE * units + 2 * EXCHANGE_AMOUNT * len(fills)

    def _rest(self, side: Books) -> float:
        """What a side has at the end beyond what its fills, fees, funding and credits make."""
        rules = self._scene.rules
        made = [fill.quantity * fill.side.sign * (rules[fill.symbol].mark - fill.price) for fill in side.fills]
        carried = [quantity * (rules[s].mark - entry) for s, (quantity, entry) in self._scene.held.items() if quantity]
        spent = [-fill.fee for fill in side.fills]
        explained = (self._scene.wallet, self._scene.shared, *carried, *made, *spent, -side.funding, side.credits)
        return side.equity(rules) - math.fsum(explained)

    def _unfilled(self, side: Books) -> dict[str, float]:
        """Quantities at the end that no fill of the side has made, by symbol."""
        found: Counter[str] = Counter()
        for symbol, (quantity, _) in self._scene.held.items():
            found[symbol] -= quantity  # type: ignore[assignment]
        for symbol, (quantity, _) in side.held.items():
            found[symbol] += quantity  # type: ignore[assignment]
        for fill in side.fills:
            found[fill.symbol] -= fill.quantity * fill.side.sign  # type: ignore[assignment]
        return dict(found)

    def _add(self, causes: Mapping[MoneyCause, float]) -> None:
        for cause, amount in causes.items():
            if amount:
                self.amounts.setdefault(cause, []).append(amount)
                self.has_diverged = True

    # --- an order that both sides have filled

    def _both(self, live: Order, backtest: Order) -> dict[MoneyCause, float]:
        found: Counter[MoneyCause] = Counter()
        for part in (self._price(live, backtest), self._quantity(live, backtest), {C.FEE: backtest.fee - live.fee}):
            for cause, amount in part.items():
                found[cause] += amount  # type: ignore[assignment]
        return {cause: amount for cause, amount in found.items() if amount}

    def _price(self, live: Order, backtest: Order) -> dict[MoneyCause, float]:
        whole = -live.quantity * (live.price - backtest.price)
        if not whole:
            return {}
        tick = self._scene.rules[live.symbol].tick
        rounded = round(backtest.price / tick) * tick if tick > 0.0 else backtest.price
        to_tick = -live.quantity * (rounded - backtest.price)
        later = -live.quantity * self._moved(live, backtest)
        cause = C.STOP_LEVEL if live.is_stop or backtest.is_stop else C.FILL_PRICE
        return {C.ROUNDING: to_tick, C.LATENCY: later, cause: whole - to_tick - later}

    def _moved(self, live: Order, backtest: Order) -> float:
        """How far the market went between the minutes of the two fills."""
        opens = self._scene.opens
        ours = opens.get((live.symbol, live.time_ms // MINUTE_MS * MINUTE_MS))
        theirs = opens.get((live.symbol, backtest.time_ms // MINUTE_MS * MINUTE_MS))
        return 0.0 if ours is None or theirs is None else ours - theirs

    def _quantity(self, live: Order, backtest: Order) -> dict[MoneyCause, float]:
        missing = live.quantity - backtest.quantity
        if abs(missing) <= _SAME:
            return {C.ROUNDING: missing * self._worth(backtest)} if missing else {}
        wish = self._live.wishes.get((live.decision_ms, live.symbol))
        unfilled = 0.0
        if wish is not None and abs(wish.order) - abs(live.quantity) > _SAME and wish.order * live.quantity > 0.0:
            unfilled = live.quantity - wish.order
        worth = self._worth(backtest)
        if self._is_too_much(live):
            return {C.UNEXPLAINED: missing * worth}
        return {C.PARTIAL: unfilled * worth, self._size_cause(live, missing - unfilled): (missing - unfilled) * worth}

    def _worth(self, order: Order) -> float:
        return self._scene.rules[order.symbol].mark - order.price

    def _size_cause(self, order: Order, missing: float) -> MoneyCause:
        if (order.decision_ms, order.symbol) in self._scene.differing:
            return C.DECISION
        if abs(missing) <= self._scene.rules[order.symbol].step * (1.0 + _SAME):
            return C.ROUNDING
        return C.SIZE if self.has_diverged else C.UNEXPLAINED

    def _is_too_much(self, live: Order) -> bool:
        """Whether it took the position farther than what live itself wanted: what was decided otherwise earlier cannot explain that."""
        wish = self._live.wishes.get((live.decision_ms, live.symbol)) if live.decision_ms else None
        if wish is None:
            return False
        beyond = (live.quantity_after - wish.wanted) * math.copysign(1.0, live.quantity)
        return beyond > self._scene.rules[live.symbol].step * (1.0 + _SAME) + _SAME

    # --- an order of one side alone

    def _alone(self, live: Order | None, backtest: Order | None) -> dict[MoneyCause, float]:
        order = live or backtest
        assert order is not None
        sign = 1.0 if live else -1.0
        amount = sign * (order.quantity * self._worth(order) - order.fee)
        cause = self._why_live(order) if live else self._why_backtest(order)
        return {cause: amount} if amount else {}

    def _why_live(self, order: Order) -> MoneyCause:
        if order.is_stop:
            return C.STOP_LEVEL
        if order.reason is TradeReason.FORCE_CLEAR:
            return C.OUTSIDE
        if self._is_too_much(order):
            return C.UNEXPLAINED
        if 0 < order.decision_ms < self._scene.begin_ms:
            return C.LATENCY
        if (order.decision_ms, order.symbol) in self._scene.differing:
            return C.DECISION
        wish = self._backtest.wishes.get((order.decision_ms, order.symbol))
        if wish is not None and wish.order * order.quantity > 0.0:
            return C.PARTIAL
        return C.SIZE if self.has_diverged else C.UNEXPLAINED

    def _why_backtest(self, order: Order) -> MoneyCause:
        if order.is_stop:
            return C.STOP_LEVEL
        if order.reason is TradeReason.FORCE_CLEAR:
            return C.OUTSIDE
        if (order.decision_ms, order.symbol) in self._scene.differing:
            return C.DECISION
        wish = self._live.wishes.get((order.decision_ms, order.symbol))
        if wish is not None and wish.order * order.quantity > 0.0:
            small = abs(wish.order) * order.price < self._scene.rules[order.symbol].min_notional
            return C.MINIMUM if small else C.PARTIAL
        return C.SIZE if self.has_diverged else C.UNEXPLAINED


def _rounded(amount: float) -> float:
    """Rounding errors are no difference of their own."""
    return 0.0 if abs(amount) <= TOLERANCE else amount
