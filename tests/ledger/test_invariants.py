"""What holds after any sequence of fills, funding, transfers and liquidations in both margin modes (spec: trading §16, no. 12)."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atm.ledger.balance import available_balance, is_liquidated, max_addable, max_removable, max_withdrawal
from atm.ledger.fill import after_fill, commission, funding_payment, initial_margin, realized_profit, unrealized_profit
from atm.ledger.liquidation import Pool, cross_reductions, cross_remainder, liquidation_remainder
from atm.ledger.margin import bracket_of, liquidation_price, maintenance_margin, max_notional

STEP = 1_000
TABLE = np.array([(0, 5e4, 0.01, 0, 50), (5e4, 2e5, 0.02, 500, 25), (2e5, 1e9, 0.1, 16_500, 5)])
FEE, CLEARANCE = 0.0005, 0.015


@dataclass
class Held:
    isolated: bool
    leverage: float
    q: float = 0.0
    entry: float = 0.0
    wallet: float = 0.0
    mark: float = 100.0

    @property
    def profit(self) -> float:
        return unrealized_profit(self.q, self.entry, self.mark)

    @property
    def maintenance(self) -> float:
        return maintenance_margin(TABLE, abs(self.q) * self.mark)

    @property
    def initial(self) -> float:
        return initial_margin(self.q, self.mark, self.leverage)


@dataclass
class Book:
    """An account of one asset, composed of the ledger's functions as the exchange would."""

    positions: list[Held]
    cross: float = 10_000.0
    flows: dict[str, float] = field(
        default_factory=lambda: dict.fromkeys(("realized", "fees", "funding", "transfers", "insurance"), 0.0)
    )

    def sums(self) -> tuple[float, float, float]:
        pool = [p for p in self.positions if not p.isolated]
        return sum(p.profit for p in pool), sum(p.initial for p in pool), sum(p.maintenance for p in pool)

    @property
    def available(self) -> float:
        profit, initial, _ = self.sums()
        return available_balance(self.cross, profit, initial, 0.0)

    @property
    def balance(self) -> float:
        return self.cross + sum(p.wallet for p in self.positions)

    def fill(self, p: Held, quantity: float) -> None:
        """As the exchange: refused beyond the bracket of the leverage, or when margin and commission are not available."""
        after = p.q + quantity
        adds = abs(after) > abs(p.q) or p.q * after < 0
        fee = commission(quantity, p.mark, FEE)
        profit, initial, _ = self.sums()
        free = min(self.available, self.cross + min(0.0, profit) - initial) if p.isolated else self.available
        if quantity == 0 or (adds and abs(after) * p.mark > max_notional(TABLE, p.leverage)):
            return
        if adds and initial_margin(after, p.mark, p.leverage) + fee > free:
            return
        p.q, p.entry, p.wallet, realized, moved = after_fill(
            p.q, p.entry, p.wallet, p.isolated, p.leverage, quantity, p.mark
        )
        p.q = round(p.q * STEP) / STEP
        self.cross += realized - fee - moved
        self.flows["realized"] += realized
        self.flows["fees"] += fee

    def fund(self, p: Held, rate: float) -> None:
        paid = funding_payment(p.q, p.mark, rate)
        self.flows["funding"] -= paid
        if p.isolated:
            p.wallet -= paid
        else:
            self.cross -= paid

    def move(self, p: Held, share: float) -> None:
        """Add margin to an isolated position (share > 0 of what may be), or take some back."""
        if not p.isolated or p.q == 0:
            return
        most = max_addable(self.cross, self.sums()[2], 0.0, self.available)
        least = max_removable(p.wallet, p.q, p.entry, p.mark, p.leverage, p.maintenance)
        amount = share * (most if share > 0 else least)
        p.wallet += amount
        self.cross -= amount

    def transfer(self, share: float) -> None:
        amount = share * (max_withdrawal(self.cross, *self.sums()[:2], 0.0) if share < 0 else 1_000.0)
        self.cross += amount
        self.flows["transfers"] += amount

    def liquidate(self) -> None:
        for p in self.positions:
            if p.isolated and is_liquidated(p.wallet + p.profit, p.maintenance):
                fee, lost = liquidation_remainder(p.wallet, p.profit, abs(p.q) * p.mark * CLEARANCE)
                self.flows["fees"] += fee
                self.flows["realized"] -= lost - fee
                p.q = p.entry = p.wallet = 0.0
        profit, _, maintenance = self.sums()
        if not is_liquidated(self.cross + profit, maintenance):
            return
        pool = [p for p in self.positions if not p.isolated]
        rows = np.array([(p.q, p.entry, p.mark, p.mark, CLEARANCE, STEP, 0) for p in pool], float)
        n = len(pool)
        cross_reductions(self.cross, rows, np.concatenate([TABLE] * n), np.arange(n + 1) * len(TABLE))
        taken = rows[:, Pool.TAKEN]
        for p, size in zip(pool, taken, strict=True):
            if size > 0:
                self.take_over(p, size)
        profit, _, maintenance = self.sums()
        assert maintenance == 0 or self.cross + profit > maintenance

    def take_over(self, p: Held, size: float) -> None:
        side = 1.0 if p.q > 0 else -1.0
        realized = realized_profit(size, p.entry, p.mark, side)
        others = self.sums()[0] - realized
        fee, covered = cross_remainder(self.cross, others, realized, size * p.mark * CLEARANCE)
        self.cross += realized + covered - fee
        self.flows["realized"] += realized
        self.flows["insurance"] += covered
        self.flows["fees"] += fee
        p.q = round((p.q - side * size) * STEP) / STEP
        if p.q == 0:
            p.entry = 0.0


_EVENTS = st.one_of(
    st.tuples(st.just("open"), st.integers(0, 3), st.floats(-1, 1)),
    st.tuples(st.just("open"), st.integers(0, 1), st.sampled_from([-0.95, 0.95])),
    st.tuples(st.just("close"), st.integers(0, 3), st.floats(0, 1.5)),
    st.tuples(st.just("price"), st.integers(0, 3), st.floats(-0.25, 0.25)),
    st.tuples(st.just("price"), st.integers(0, 1), st.sampled_from([-0.036, -0.02, 0.02, 0.036])),
    st.tuples(st.just("fund"), st.integers(0, 3), st.floats(-0.003, 0.003)),
    st.tuples(st.just("move"), st.integers(0, 3), st.floats(-1, 1)),
    st.tuples(st.just("transfer"), st.just(0), st.floats(-1, 1)),
)


@settings(max_examples=300, deadline=None)
@given(events=st.lists(_EVENTS, min_size=20, max_size=60))
def test_the_books_balance_after_every_event(events: list[tuple[str, int, float]]) -> None:
    book = Book([Held(False, 20), Held(False, 5), Held(True, 20), Held(True, 3)])
    for kind, index, value in events:
        p = book.positions[index]
        if kind == "open":
            book.fill(p, round(value * book.available * p.leverage / p.mark * STEP) / STEP)
        elif kind == "close":  # more than all of it turns the position
            book.fill(p, round(-value * p.q * STEP) / STEP)
        elif kind == "fund":
            book.fund(p, value)
        elif kind == "move":
            book.move(p, value)
        elif kind == "transfer":
            book.transfer(value)
        else:
            p.mark *= 1 + value
        book.liquidate()
        flows = book.flows
        change = flows["realized"] - flows["fees"] + flows["funding"] + flows["transfers"] + flows["insurance"]
        assert book.balance == pytest.approx(10_000 + change, abs=1e-8)
        equity = book.balance + sum(held.profit for held in book.positions)
        assert book.available <= max(0.0, equity) + 1e-8
        pool = [held for held in book.positions if not held.isolated]
        assert book.cross + sum(held.profit for held in pool) >= -1e-8  # nobody owes the exchange
        if all(held.q == 0 for held in pool):
            assert book.cross >= -1e-8
        for held in book.positions:
            assert (held.q == 0) == (held.entry == 0)
            assert held.q != 0 or held.wallet == 0
            assert held.isolated or held.wallet == 0
            assert held.wallet + held.profit >= -1e-8 or not held.isolated


@st.composite
def tables(draw: st.DrawFn) -> np.ndarray:
    """Random brackets, continuous as the exchange makes them: cumₙ = cumₙ₋₁ + floorₙ · (rateₙ − rateₙ₋₁)."""
    count = draw(st.integers(1, 8))
    widths = draw(st.lists(st.floats(1_000, 1e6), min_size=count, max_size=count))
    steps = draw(st.lists(st.floats(0.001, 0.06), min_size=count, max_size=count))
    rows, floor, rate, cum = [], 0.0, 0.0, 0.0
    for width, step in zip(widths, steps, strict=True):
        cum += floor * step if rows else 0.0
        rate += step
        rows.append((floor, floor + width, rate, cum, 1 / rate))
        floor += width
    rows[-1] = (*rows[-1][:1], np.inf, *rows[-1][2:])
    return np.array(rows)


@settings(max_examples=400, deadline=None)
@given(tables(), st.floats(0.01, 10_000), st.sampled_from([-1.0, 1.0]), st.floats(1, 1_000), st.floats(0.01, 1.5))
def test_at_the_liquidation_price_the_balance_is_the_maintenance_margin(
    table: np.ndarray, size: float, side: float, entry: float, share: float
) -> None:
    wallet = size * entry * share
    price = liquidation_price(table, side * size, entry, wallet)
    if price == 0.0:
        assert side > 0
        assert wallet >= size * entry * (1 - 1e-12)
        return
    balance = wallet + side * size * (price - entry)
    assert balance == pytest.approx(maintenance_margin(table, size * price), abs=1e-9 * size * max(entry, price))
    assert 0 <= bracket_of(table, size * price) < len(table)
    # bankruptcy lies beyond it
    assert side * (max(0.0, entry - side * wallet / size) - price) <= 1e-9 * entry
