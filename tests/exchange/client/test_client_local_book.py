"""The local book against a model of the exchange: whatever arrives in whatever order, it is right or says that it is not."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atm.exchange.client import local_book
from atm.exchange.client.local_book import MOST_OLD, DepthEvent, DepthSnapshot, LocalBook

Side = dict[float, float]


@dataclass
class Exchange:
    """A book whose ids jump; every state is remembered by the first and the last id at which it stood."""

    draw: random.Random
    bids: Side = field(default_factory=lambda: {float(price): 1.0 for price in range(90, 100)})
    asks: Side = field(default_factory=lambda: {float(price): 1.0 for price in range(101, 111)})
    update_id: int = 1_000

    def __post_init__(self) -> None:
        self.told_id = self.update_id
        self.states = {self.update_id: (dict(self.bids), dict(self.asks))}

    def move(self) -> DepthEvent:
        """Some updates, told as one difference."""
        touched: tuple[set[float], set[float]] = (set(), set())
        first_id = 0
        for _ in range(self.draw.randint(1, 4)):
            self.update_id += self.draw.randint(1, 5)
            first_id = first_id or self.update_id
            side, places = self.draw.choice(((self.bids, 0), (self.asks, 1)))
            price = float(self.draw.randint(80, 100) if places == 0 else self.draw.randint(101, 121))
            if self.draw.random() < 0.4:
                side.pop(price, None)
            else:
                side[price] = self.draw.randint(1, 9) / 10
            touched[places].add(price)
            self.states[self.update_id] = (dict(self.bids), dict(self.asks))
        bids, asks = (
            tuple((price, side.get(price, 0.0)) for price in sorted(prices))
            for side, prices in zip((self.bids, self.asks), touched, strict=True)
        )
        event = DepthEvent(self.update_id, "X", first_id, self.update_id, self.told_id, bids, asks)
        self.told_id = self.update_id
        return event

    def snapshot(self, ago: int = 0) -> DepthSnapshot:
        """The book as it was some states ago."""
        known = sorted(self.states)
        update_id = known[max(0, len(known) - 1 - ago)]
        bids, asks = self.states[update_id]
        return DepthSnapshot(update_id, update_id, tuple(bids.items()), tuple(asks.items()), 1_000)

    def is_equal(self, book: LocalBook) -> bool:
        bids, asks = self.states[book.update_id]
        return book.top(1_000) == (tuple(sorted(bids.items(), reverse=True)), tuple(sorted(asks.items())))


def synchronised(seed: int = 0) -> tuple[Exchange, LocalBook]:
    exchange, book = Exchange(random.Random(seed)), LocalBook()
    book.take(exchange.move())
    assert book.set_snapshot(exchange.snapshot())
    return exchange, book


@settings(max_examples=600, deadline=None)
@given(seed=st.integers(0, 2**32), damages=st.lists(st.sampled_from("nnnnnndlrsoi"), min_size=5, max_size=80))
def test_a_book_is_right_or_says_that_it_is_not(seed: int, damages: list[str]) -> None:
    """n: normal, d: doubled, l: lost, r: reordered with the next ones, s: a fresh snapshot, o: an old one, i: connected anew."""
    exchange, book, held = Exchange(random.Random(seed)), LocalBook(), []
    for damage in damages:
        if damage == "i":
            book.interrupt()
        elif damage in "so":
            book.set_snapshot(exchange.snapshot(0 if damage == "s" else exchange.draw.randint(1, 12)))
        else:
            event = exchange.move()
            if damage == "r":
                held.append(event)
            elif damage != "l":
                arriving = [event, *([event] if damage == "d" else []), *held]
                held = []
                for each in arriving:
                    book.take(each)
                    assert not book.is_synchronised or exchange.is_equal(book)
        assert not book.is_synchronised or exchange.is_equal(book)
    # And it comes right as soon as what the exchange sends arrives again.
    for _ in range(3):
        book.take(exchange.move())
    assert book.set_snapshot(exchange.snapshot())
    book.take(exchange.move())
    assert book.is_synchronised and book.update_id == exchange.update_id and exchange.is_equal(book)


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32), overlap=st.integers(0, 12), ago=st.integers(0, 11))
def test_any_snapshot_inside_what_waits_will_do(seed: int, overlap: int, ago: int) -> None:
    exchange, book = Exchange(random.Random(seed)), LocalBook()
    for _ in range(12):
        book.take(exchange.move())
    known_from = 1_000 if ago else exchange.update_id  # everything since 1,000 was told
    snapshot = exchange.snapshot(ago)
    assert snapshot.update_id >= known_from
    assert book.set_snapshot(snapshot) and book.update_id == exchange.update_id and exchange.is_equal(book)


def test_the_recorded_pair_of_the_exchange_is_continuous() -> None:
    """Two successive differences as recorded (ids of the exchange), and one that is missing its predecessor."""
    book = LocalBook()
    book.take(DepthEvent(1, "X", 1801732831593, 1801732832589, 1801732831561, ((1.0, 1.0),), ()))
    assert book.set_snapshot(DepthSnapshot(1801732832000, 1, ((0.9, 1.0),), ((1.1, 1.0),)))
    book.take(DepthEvent(2, "X", 1801732832805, 1801732834115, 1801732832589, (), ((1.2, 3.0),)))
    assert book.is_synchronised and book.top(9) == (((1.0, 1.0), (0.9, 1.0)), ((1.1, 1.0), (1.2, 3.0)))
    book.take(DepthEvent(3, "X", 1801732835000, 1801732836000, 1801732834999, (), ()))
    assert not book.is_synchronised and book.gaps == 1


def test_a_snapshot_from_before_what_waits_is_refused() -> None:
    exchange, book = Exchange(random.Random(1)), LocalBook()
    old = exchange.snapshot()
    exchange.move()
    book.take(exchange.move())
    assert not book.set_snapshot(old)
    assert not book.is_synchronised


def test_a_late_difference_mends_the_gap_without_a_snapshot() -> None:
    exchange, book = synchronised()
    late, early = exchange.move(), exchange.move()
    book.take(early)
    assert not book.is_synchronised
    book.take(late)
    assert book.is_synchronised and exchange.is_equal(book) and book.update_id == exchange.update_id


def test_what_waits_is_bounded_and_the_newest_stays() -> None:
    exchange, book = Exchange(random.Random(2)), LocalBook(most_waiting=5)
    events = [exchange.move() for _ in range(9)]
    for event in events:
        book.take(event)
    assert not book.set_snapshot(exchange.snapshot(len(exchange.states)))
    assert book.set_snapshot(exchange.snapshot(0)) and book.update_id == exchange.update_id


def test_an_exchange_that_counts_anew_is_noticed() -> None:
    book = LocalBook()
    book.set_snapshot(Exchange(random.Random(3), update_id=40_000).snapshot())
    again = Exchange(random.Random(4), update_id=10)
    for _ in range(MOST_OLD + 1):
        assert book.is_synchronised
        book.take(again.move())
    assert not book.is_synchronised
    assert book.set_snapshot(again.snapshot()) and again.is_equal(book)


def test_a_market_set_back_in_time_is_noticed_at_once() -> None:
    exchange, book = synchronised(5)
    event = exchange.move()
    book.take(event)
    book.time_ms += local_book.SET_BACK_MS + 10
    book.take(event)
    assert not book.is_synchronised


def levels(first: float, step: float, count: int) -> tuple[tuple[float, float], ...]:
    return tuple((first + step * place, 1.0) for place in range(count))


def test_beyond_the_range_of_its_snapshot_a_book_knows_nothing() -> None:
    book = LocalBook()
    book.set_snapshot(DepthSnapshot(10, 1, levels(100.0, -1.0, 60), levels(101.0, 1.0, 60), 60))
    book.take(DepthEvent(2, "X", 11, 11, 10, ((40.0, 5.0), (41.0, 7.0)), ((161.0, 5.0),)))
    bids, asks = book.top(100)
    assert (bids[-1], len(bids), asks[-1], len(asks)) == ((41.0, 7.0), 60, (160.0, 1.0), 60)
    gone = tuple((100.0 - place, 0.0) for place in range(11))
    book.take(DepthEvent(3, "X", 12, 12, 11, gone, ()))
    assert not book.is_synchronised  # 49 levels are left of which anything is known: another snapshot is needed
    later = DepthEvent(4, "X", 13, 14, 12, ((88.0, 2.0),), ())
    book.take(later)
    assert not book.is_synchronised
    assert book.set_snapshot(DepthSnapshot(13, 4, levels(89.0, -1.0, 60), levels(101.0, 1.0, 60), 60))
    assert book.update_id == 14 and book.top(2)[0] == ((89.0, 1.0), (88.0, 2.0))


def test_a_snapshot_alone_makes_no_book_right_whose_connection_is_cut() -> None:
    exchange, book = synchronised()
    book.interrupt()
    assert not book.set_snapshot(exchange.snapshot())
    assert not book.is_synchronised
    book.take(exchange.move())
    assert book.set_snapshot(exchange.snapshot()) and exchange.is_equal(book)


def test_a_side_with_fewer_levels_than_asked_for_says_so_where_there_may_be_more() -> None:
    book = LocalBook()
    book.take(DepthEvent(1, "X", 9, 9, 8, (), ()))
    book.set_snapshot(DepthSnapshot(10, 1, levels(100.0, -1.0, 60), levels(101.0, 1.0, 8), 60))
    assert not book.is_short(60)  # the exchange has no ninth ask
    assert book.is_short(61)
    book.take(DepthEvent(2, "X", 11, 11, 10, ((100.0, 0.0), (1.0, 5.0)), ()))
    assert book.is_synchronised and book.is_short(60) and not book.is_short(59)


def test_a_side_that_was_told_whole_is_never_worn() -> None:
    book = LocalBook()
    book.set_snapshot(DepthSnapshot(10, 1, levels(100.0, -1.0, 3), levels(101.0, 1.0, 60), 60))
    book.take(DepthEvent(2, "X", 11, 11, 10, ((1.0, 5.0),), ()))
    assert book.is_synchronised and book.top(9)[0][-1] == (1.0, 5.0)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_book, "MOST_LEVELS", 200)
    book = LocalBook()
    book.set_snapshot(DepthSnapshot(10, 1, levels(100.0, -1.0, 60), levels(101.0, 1.0, 60)))
    for turn in range(50):
        new = tuple((102.0 + 10 * turn + place, 1.0) for place in range(10))
        book.take(DepthEvent(turn, "X", 11 + turn, 11 + turn, 10 + turn, new, new))
        bids, asks = book.top(10_000)
        assert book.is_synchronised and max(len(bids), len(asks)) <= 210
    assert book.top(1)[0][0] == (601.0, 1.0)
