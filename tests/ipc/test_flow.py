"""The hub, its outlets, the inboxes and the credit of the senders, driven through any interleaving without a thread."""

import queue
import threading
from collections import defaultdict, deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atm.ipc import flow
from atm.ipc.envelope import Envelope, Kind, Subscription, decode_envelope, encode, seal
from atm.ipc.flow import Hub, Outlet, SendCredit
from atm.ipc.inbox import Inbox

NAMES = ("a", "b", "c")


@pytest.fixture(autouse=True, scope="module")
def small_limits():
    """Limits so small that every interleaving meets them."""
    patch = pytest.MonkeyPatch()
    for name, value in {"WINDOW": 4, "BATCH": 2, "SEND_CREDIT": 6, "OUTLET_LIMIT": 5, "CUT_LIMIT": 400}.items():
        patch.setattr(flow, name, value)
    yield
    patch.undo()


class Process:
    """A child as the hub sees it: what it still wants to publish, its credit and its inbox."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.credit = flow.SEND_CREDIT
        self.inbox = Inbox()
        self.wanted: deque[Envelope] = deque()
        self.seen: list[Envelope] = []
        self.unacknowledged = 0


class World:
    """Processes a, b and c, each subscribed to everything that the others publish."""

    def __init__(self) -> None:
        self.cut: list[str] = []
        self.hub = Hub("main", lambda _: None, lambda _: None, self.cut.append)
        self.processes = {name: Process(name) for name in NAMES}
        self.sent = 0
        for name in NAMES:
            self.hub.add(name)

    def subscribe(self, name: str, topic: str) -> None:
        self.hub.arrived(seal(Envelope(Kind.SUBSCRIBE, name, payload=encode(Subscription(topic, None)))))

    def want(self, name: str, topic: str, key: str = "", latest: bool = False) -> None:
        self.sent += 1
        event = Envelope(Kind.EVENT, name, topic=topic, key=key, number=self.sent, latest=latest)
        self.processes[name].wanted.append(event)

    def publish(self, name: str) -> bool:
        """The next wanted event leaves, if there is credit for it."""
        process = self.processes[name]
        if not process.wanted or (process.wanted[0].ordered and process.credit == 0):
            return False
        event = process.wanted.popleft()
        process.credit -= event.ordered
        self.hub.arrived(seal(event))
        return True

    def carry(self, name: str) -> bool:
        """One letter goes from the outlet to the inbox."""
        data = self.hub.take(name)
        if data is None:
            return False
        envelope = decode_envelope(data)
        if envelope.kind == Kind.CREDIT:
            self.processes[name].credit += envelope.number
        else:
            self.processes[name].inbox.put(envelope)
        return True

    def handle(self, name: str) -> bool:
        """The dispatch thread handles one item; not while it waits for credit."""
        process = self.processes[name]
        if process.wanted and process.wanted[0].ordered and process.credit == 0:
            return False
        try:
            envelope = process.inbox.get()
        except queue.Empty:
            return False
        assert isinstance(envelope, Envelope)
        process.seen.append(envelope)
        process.unacknowledged += envelope.ordered
        if process.unacknowledged >= flow.BATCH:
            self.hub.arrived(seal(Envelope(Kind.CREDIT, name, number=process.unacknowledged)))
            process.unacknowledged = 0
        return True

    def bounded(self) -> None:
        """Ordered events by the window; and there are six keys of "latest" ones."""
        for process in self.processes.values():
            assert len(process.inbox) <= flow.WINDOW + 6

    def come_to_rest(self) -> None:
        while sum(step(name) for name in NAMES for step in (self.publish, self.carry, self.handle)):
            self.bounded()


moves = st.lists(
    st.tuples(
        st.sampled_from(["order", "order", "order", "latest", "publish", "publish", "carry", "handle"]),
        st.sampled_from(NAMES),
        st.sampled_from(["x", "y"]),
    ),
    max_size=250,
)


@settings(max_examples=150, deadline=None)
@given(moves)
def test_nothing_ordered_is_lost_or_reordered_and_everything_comes_to_rest_whatever_the_interleaving(plan) -> None:
    world = World()
    for name in NAMES:
        for sender in NAMES:
            world.subscribe(name, f"bar-{sender}")
            world.subscribe(name, f"price-{sender}")
    events = defaultdict(list)
    for move, name, key in plan:
        if move == "order":
            world.want(name, f"bar-{name}")
            events[name].append(world.sent)
        elif move == "latest":
            world.want(name, f"price-{name}", key, latest=True)
            events[name, key].append(world.sent)
        else:
            {"publish": world.publish, "carry": world.carry, "handle": world.handle}[move](name)
        world.bounded()
    world.come_to_rest()
    assert not world.cut
    for process in world.processes.values():
        assert not process.wanted
        for sender in NAMES:
            assert [e.number for e in process.seen if e.topic == f"bar-{sender}"] == events[sender]
            for key in ("x", "y"):
                prices = [e.number for e in process.seen if (e.topic, e.key) == (f"price-{sender}", key)]
                assert prices == sorted(prices)
                assert prices[-1:] == events[sender, key][-1:]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["publish", "publish", "carry", "handle"]), st.sampled_from(NAMES)), max_size=300
    )
)
def test_memory_is_bounded_by_the_outlet_and_the_credits(plan) -> None:
    world = World()
    world.subscribe("b", "from-a")
    world.subscribe("c", "from-a")
    world.subscribe("c", "from-b")
    for _ in range(100):
        world.want("a", "from-a")
        world.want("b", "from-b")
    for move, name in plan:
        {"publish": world.publish, "carry": world.carry, "handle": world.handle}[move](name)
        assert world.hub.backlog("b") <= flow.OUTLET_LIMIT + flow.SEND_CREDIT + flow.SEND_CREDIT // flow.BATCH
        assert world.hub.backlog("c") <= flow.OUTLET_LIMIT + 2 * flow.SEND_CREDIT
        world.bounded()
    world.come_to_rest()
    assert [e.number for e in world.processes["b"].seen] == list(range(1, 200, 2))
    assert len(world.processes["c"].seen) == 200


def test_a_receiver_that_does_not_read_makes_its_sender_wait_and_takes_all_in_the_end() -> None:
    world = World()
    world.subscribe("b", "bar")
    for _ in range(200):
        world.want("a", "bar")
    while world.publish("a"):
        pass
    while world.carry("b") or world.carry("a") or world.publish("a"):
        pass
    assert world.hub.waits("a")
    assert not world.hub.waits("b")
    assert len(world.processes["b"].inbox) == flow.WINDOW
    world.come_to_rest()
    assert [e.number for e in world.processes["b"].seen] == list(range(1, 201))
    assert not world.hub.waits("a")


def test_requests_and_prices_pass_a_backlog_of_ordered_events() -> None:
    world = World()
    world.subscribe("b", "bar")
    world.subscribe("b", "price")
    for _ in range(9):
        world.want("a", "bar")
        world.publish("a")
    while world.carry("b"):
        pass
    world.want("c", "price", "x", latest=True)
    world.publish("c")
    world.hub.arrived(seal(Envelope(Kind.REQUEST, "c", "b", number=77)))
    assert [decode_envelope(world.hub.take("b") or b"").kind for _ in range(2)] == [Kind.EVENT, Kind.REQUEST]
    assert world.hub.take("b") is None


def test_two_that_publish_to_each_other_while_both_are_full_do_not_wait_for_each_other() -> None:
    world = World()
    world.subscribe("a", "from-b")
    world.subscribe("b", "from-a")
    for _ in range(40):
        world.want("a", "from-a")
        world.want("b", "from-b")
    while any([world.publish("a"), world.publish("b"), world.carry("a"), world.carry("b")]):
        pass
    assert [world.hub.waits("a"), world.hub.waits("b")].count(True) <= 1
    world.come_to_rest()
    assert len(world.processes["a"].seen) == len(world.processes["b"].seen) == 40


def test_the_death_of_the_receiver_lets_its_senders_go_on() -> None:
    world = World()
    world.subscribe("b", "bar")
    for _ in range(100):
        world.want("a", "bar")
    while world.publish("a") or world.carry("a"):
        pass
    assert world.hub.waits("a")
    world.hub.remove("b")
    world.come_to_rest()
    assert not world.processes["a"].wanted
    assert world.hub.backlog("b") == 0


def test_credit_of_a_sender_that_died_is_not_given_to_its_successor() -> None:
    world = World()
    world.subscribe("b", "bar")
    for _ in range(100):
        world.want("a", "bar")
    while world.publish("a") or world.carry("a"):
        pass
    world.hub.remove("a")
    world.hub.add("a")
    while world.carry("b") or world.handle("b"):
        pass
    assert world.hub.take("a") is None


def test_a_circle_that_feeds_itself_is_cut_instead_of_filling_the_memory() -> None:
    world = World()
    world.subscribe("b", "bar")
    for number in range(2 * flow.CUT_LIMIT):
        world.hub.arrived(seal(Envelope(Kind.EVENT, "main", topic="bar", number=number)))
    assert world.cut == ["b"]
    assert world.hub.backlog("b") == 0


def test_an_outlet_bounds_latest_events_by_their_keys() -> None:
    outlet = Outlet()
    for number in range(100):
        outlet.put(seal(Envelope(Kind.EVENT, "a", topic="price", key="X", latest=True, number=number)))
    assert len(outlet) == 1
    taken = outlet.take()
    assert taken is not None
    assert taken.letter.envelope.number == 99


def test_whoever_waits_for_credit_goes_on_when_there_is_some_or_when_main_is_gone() -> None:
    credit = SendCredit(amount=1)
    credit.take()
    passed: queue.SimpleQueue[int] = queue.SimpleQueue()

    def publish() -> None:
        for number in range(3):
            credit.take()
            passed.put(number)

    thread = threading.Thread(target=publish)
    thread.start()
    assert passed.empty()
    credit.give(1)
    assert passed.get(timeout=10) == 0
    assert passed.empty()
    credit.close()
    assert [passed.get(timeout=10), passed.get(timeout=10)] == [1, 2]
    thread.join()
