from hypothesis import given
from hypothesis import strategies as st

from atm.model.bars import TimeRange
from atm.model.errors import ATMError, Invalid, Refused, Unavailable
from atm.model.interval import MINUTE_MS
from atm.storage import fetch_plan
from atm.storage.coverage import union
from atm.storage.fetch_plan import CHUNK_MINUTES, MAX_FLIGHTS, TRIES, Fetch, FetchPlan, Settle


def minutes(start: int, end: int) -> TimeRange:
    return TimeRange(start * MINUTE_MS, end * MINUTE_MS)


class Market:
    """A store and an exchange, as sets of minutes by symbol."""

    def __init__(self, stored: dict[str, set[int]], exchange: dict[str, set[int]]) -> None:
        self.stored, self.exchange = stored, exchange
        self.plan = FetchPlan(self.coverage, self.newest)
        self.asked: list[Fetch] = []
        self.settled: dict[int, ATMError | None] = {}

    def coverage(self, symbol: str) -> tuple[TimeRange, ...]:
        return union(minutes(m, m + 1) for m in self.stored.get(symbol, ()))

    def newest(self, symbol: str) -> int | None:
        return max(self.stored.get(symbol, ()), default=None) and max(self.stored[symbol]) * MINUTE_MS

    def want(self, symbol: str, start: int, end: int) -> int:
        ticket, instructions = self.plan.want(symbol, minutes(start, end))
        self.take(instructions)
        return ticket

    def take(self, instructions: list[Fetch | Settle]) -> None:
        for instruction in instructions:
            if isinstance(instruction, Fetch):
                self.asked.append(instruction)
            else:
                assert instruction.ticket not in self.settled
                self.settled[instruction.ticket] = instruction.error

    def answer(self, fetch: Fetch) -> None:
        span = range(fetch.piece.start_ms // MINUTE_MS, fetch.piece.end_ms // MINUTE_MS)
        self.stored.setdefault(fetch.symbol, set()).update(self.exchange.get(fetch.symbol, set()) & set(span))
        self.take(self.plan.fetched(fetch.symbol, fetch.piece))


def test_what_is_stored_is_settled_at_once() -> None:
    market = Market({"X": {1, 2, 3}}, {})
    assert market.settled == {} and market.settled.get(market.want("X", 1, 4), "open") is None
    assert market.asked == []


def test_holes_are_fetched_in_chunks_one_at_a_time() -> None:
    market = Market({"X": set(range(100, 200))}, {"X": set(range(5_000))})
    ticket = market.want("X", 0, 2_000)
    for expected in ((0, 100), (200, 1_700), (1_700, 2_000)):
        (fetch,) = market.asked
        assert fetch == Fetch("X", minutes(*expected))
        assert ticket not in market.settled
        market.asked.clear()
        market.answer(fetch)
    assert market.settled == {ticket: None}
    assert market.asked == []


def test_minutes_that_the_exchange_lacks_are_named_and_not_asked_for_again() -> None:
    market = Market({}, {"X": set(range(1, 50)) | set(range(60, 100))})
    ticket = market.want("X", 1, 100)
    market.answer(market.asked.pop())
    error = market.settled[ticket]
    assert isinstance(error, Refused)
    assert "no bars of X for 10 minutes of 1970-01-01 00:50 to 1970-01-01 01:00" in str(error)
    again = market.want("X", 45, 65)
    assert isinstance(market.settled[again], Refused)
    assert market.asked == []


def test_minutes_newer_than_anything_are_asked_for_again_next_time() -> None:
    market = Market({}, {"X": set(range(10))})
    ticket = market.want("X", 1, 20)
    market.answer(market.asked.pop())
    assert isinstance(market.settled[ticket], Refused)
    market.exchange["X"] = set(range(20))
    ticket = market.want("X", 1, 20)
    (fetch,) = market.asked
    assert fetch.piece == minutes(10, 20)
    market.answer(fetch)
    assert market.settled[ticket] is None


def test_a_failing_chunk_is_tried_a_bounded_number_of_times_then_all_that_need_it_are_told() -> None:
    market = Market({"X": {50}}, {})
    first, second, other = market.want("X", 0, 10), market.want("X", 5, 20), market.want("X", 50, 51)
    assert market.settled == {other: None}
    pauses = []
    for _ in range(TRIES):
        fetch = market.asked.pop()
        pauses.append(fetch.delay_s)
        market.take(market.plan.failed("X", fetch.piece, Unavailable("down")))
    assert pauses == [0.0, 1.0, 3.0, 9.0]
    assert str(market.settled[first]) == "down"
    assert second in market.settled
    assert market.plan.wants == 0


def test_a_refusal_is_final() -> None:
    for error in (Refused("no such symbol"), Invalid("symbol", "X", "one that is listed")):
        market = Market({}, {})
        ticket = market.want("X", 0, 10)
        market.take(market.plan.failed("X", market.asked.pop().piece, error))
        assert market.settled == {ticket: error}
        assert market.asked == []


def test_asking_has_a_bound() -> None:
    market = Market({}, {})
    for number in range(fetch_plan.MAX_WANTS):
        market.want(f"S{number}", 0, 10)
    assert len(market.asked) == MAX_FLIGHTS
    try:
        market.want("T", 0, 10)
    except Unavailable as error:
        assert "256 ranges" in str(error)
    else:
        raise AssertionError("no bound")


spans = st.tuples(st.sampled_from("AB"), st.integers(1, 60), st.integers(1, 60))


@given(
    st.sets(st.integers(1, 120)),
    st.sets(st.integers(1, 120)),
    st.lists(spans, min_size=1, max_size=5),
    st.lists(st.booleans(), max_size=30),
)
def test_every_want_ends_once_and_truly(
    stored: set[int], exchange: set[int], wants: list[tuple[str, int, int]], failures: list[bool]
) -> None:
    market = Market({"A": set(stored), "B": set()}, {"A": exchange, "B": exchange})
    tickets = {market.want(s, start, start + length): (s, start, start + length) for s, start, length in wants}
    fails = iter(failures)
    for _ in range(500):
        if not market.asked:
            break
        assert len({fetch.symbol for fetch in market.asked}) == len(market.asked) <= MAX_FLIGHTS
        fetch = market.asked.pop(0)
        assert 0 < fetch.piece.minutes <= CHUNK_MINUTES
        if next(fails, False):
            market.take(market.plan.failed(fetch.symbol, fetch.piece, Unavailable("down")))
        else:
            market.answer(fetch)
    assert set(market.settled) == set(tickets)
    for ticket, (symbol, start, end) in tickets.items():
        complete = set(range(start, end)) <= market.stored[symbol]
        if market.settled[ticket] is None:
            assert complete
        if not failures:
            assert complete == (market.settled[ticket] is None)


def test_downloads_leave_a_flight_free_and_wait_behind_what_is_urgent() -> None:
    market = Market({}, {"X": set(range(9_000)), "Y": set(range(100)), "Z": set(range(100))})
    for symbol in ("X", "Y"):
        market.take(market.plan.want(symbol, minutes(0, 100), urgent=False)[1])
    assert [(fetch.symbol, fetch.urgent) for fetch in market.asked] == [("X", False)]
    market.take(market.plan.want("X", minutes(100, 2_000), urgent=False)[1])
    market.want("X", 5_000, 5_010)
    market.want("Z", 0, 10)
    assert [(fetch.symbol, fetch.urgent) for fetch in market.asked[1:]] == [("Z", True)]
    market.answer(market.asked[0])
    assert (market.asked[2].piece, market.asked[2].urgent) == (minutes(5_000, 5_010), True)


def test_what_the_exchange_lacks_is_remembered_for_the_next_start() -> None:
    market = Market({"X": {50}}, {"X": set(range(10, 51))})
    kept: list[tuple[str, tuple[TimeRange, ...]]] = []
    market.plan = FetchPlan(market.coverage, market.newest, remember=lambda *found: kept.append(found))
    market.want("X", 0, 51)
    market.answer(market.asked[0])
    assert kept == [("X", (minutes(0, 10),))]
    again = FetchPlan(market.coverage, market.newest, empty=lambda _: kept[0][1])
    _, instructions = again.want("X", minutes(0, 51))
    assert [type(each) for each in instructions] == [Settle]
