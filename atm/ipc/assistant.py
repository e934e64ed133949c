"""The IPCAssistant: the one face of inter-process communication, one per process.

Handlers, timers and replies run on a single thread, the one that calls `run` or `step`. `publish`, `request`,
`request_async` and `call_soon` may be called from any thread. Nothing polls: `run` blocks until a message arrives, a
timer is due or somebody calls `call_soon`.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, cast

from atm.ipc.envelope import Envelope, Kind, Subscription, decode_envelope, decode_message, encode
from atm.ipc.flow import BATCH, SendCredit
from atm.ipc.inbox import Inbox
from atm.ipc.messages import Done, Event, Failed, FieldProblem, Ping, Reply, Request, Stop
from atm.model import errors
from atm.model.errors import ATMError, Invalid, Problems, Unavailable

log = logging.getLogger(__name__)

E = TypeVar("E", bound=Event)
Q = TypeVar("Q", bound=Request)


class Transport(Protocol):
    """Carries encoded envelopes to the router."""

    def send(self, data: bytes) -> None: ...

    def pump(self) -> None:
        """Make progress while a blocking request waits: only a bus without threads has anything to do here."""


@dataclass(order=True, slots=True)
class Timer:
    """A call that will be made once, or again and again every `period` seconds, until `cancel()`."""

    due: float
    serial: int
    function: Callable[[], None] = field(compare=False)
    period: float | None = field(compare=False, default=None)
    cancelled: bool = field(compare=False, default=False)

    def cancel(self) -> None:
        self.cancelled = True


class Deferred:
    """Returned by a handler that answers later; exactly one of `reply` and `fail` must be called, from any thread."""

    def __init__(self) -> None:
        self._send: Callable[[Reply], None] | None = None
        self._early: Reply | None = None
        self._lock = threading.Lock()

    def reply(self, reply: Reply) -> None:
        with self._lock:
            if self._send is None:
                self._early = reply
                return
        self._send(reply)

    def fail(self, error: ATMError) -> None:
        self.reply(failed_by(error))

    def bind(self, send: Callable[[Reply], None]) -> None:
        with self._lock:
            self._send = send
            early = self._early
        if early is not None:
            send(early)


def failed_by(error: ATMError) -> Failed:
    """The reply that carries an error over a process boundary."""
    if isinstance(error, Invalid):
        found = error.found if isinstance(error, Problems) else ()
        return Failed("Invalid", str(error), error.field, tuple(FieldProblem.of(each) for each in found))
    return Failed(kind=type(error).__name__, message=str(error))


class RemoteInvalid(Invalid):
    """An `Invalid` that another process raised: its sentence as it was."""

    def __init__(self, field_name: str, message: str) -> None:
        super().__init__(field_name, "", "")
        self.args = (message,)


def error_of(reply: Failed) -> ATMError:
    """The error that a `Failed` describes, to be raised on this side."""
    if reply.kind == "Invalid":
        return RemoteInvalid(reply.field, reply.message)
    known = getattr(errors, reply.kind, None)
    if known in (errors.Refused, errors.Unknown, errors.Unavailable, errors.Fatal):
        return cast("ATMError", known(reply.message))
    return errors.Refused(reply.message)


class IPCAssistant:
    """See the module. `name` is the process name under which requests reach it.

    `credit`: what flow control lets it publish; without one there is no flow control (main itself, buses of one thread).
    """

    def __init__(
        self,
        name: str,
        transport: Transport,
        clock: Callable[[], float] = time.monotonic,
        credit: SendCredit | None = None,
    ) -> None:
        self.name = name
        self.stopped = False
        self._transport = transport
        self._clock = clock
        self._credit = credit
        self._handled = 0
        self._inbox = Inbox()
        self._subscribers: dict[str, list[Callable[[Any], None]]] = {}
        self._answers: dict[type[Request], Callable[[Any], Reply | Deferred]] = {}
        self._pending: dict[int, tuple[Callable[[Reply], None], Timer | None]] = {}
        self._blocking: dict[int, queue.SimpleQueue[Reply]] = {}
        self._timers: list[Timer] = []
        self._serial = itertools.count(1)
        self._lock = threading.Lock()
        self._wake: Callable[[], None] | None = None
        self.answer(Ping, lambda _: Done())
        self.answer(Stop, self._on_stop)

    # --- outgoing

    def publish(self, event: Event, key: str = "") -> None:
        """Hand an event to the router. An ordered one waits while its receivers have too many before it."""
        kind = type(event)
        latest = kind.delivery == "latest"
        envelope = Envelope(Kind.EVENT, self.name, "", kind.__name__, key, latest=latest, payload=encode(event))
        if not latest and self._credit is not None:
            self._credit.take()
        self._transport.send(encode(envelope))

    def request(self, to: str, request: Request, timeout: float = 5.0) -> Reply:
        """Ask and wait. Raises the error that a `Failed` describes, `Unavailable` after `timeout` seconds.

        The reply is taken in by the receiver thread, so this may be called on any other, the dispatch thread included,
        which then handles nothing else meanwhile.
        """
        arrived: queue.SimpleQueue[Reply] = queue.SimpleQueue()
        number = next(self._serial)
        self._blocking[number] = arrived
        self._send_request(to, request, number)
        self._transport.pump()
        try:
            reply = arrived.get(timeout=timeout)
        except queue.Empty:
            raise Unavailable(f"{to} has not answered {type(request).__name__} within {timeout:g} s") from None
        finally:
            del self._blocking[number]
        if isinstance(reply, Failed):
            raise error_of(reply)
        return reply

    def request_async(self, to: str, request: Request, on_reply: Callable[[Reply], None], timeout: float = 5.0) -> None:
        """Ask; `on_reply` gets the reply (or a `Failed`) exactly once, on the dispatch thread."""

        def answered(reply: Reply) -> None:
            self.call_soon(lambda: on_reply(reply))

        number = next(self._serial)
        with self._lock:
            self._pending[number] = (answered, None)

        def expired() -> None:
            with self._lock:
                waiting = self._pending.pop(number, None)
            if waiting is not None:
                text = f"{to} has not answered {type(request).__name__} within {timeout:g} s"
                on_reply(Failed(kind="Unavailable", message=text))

        def arm() -> None:
            timer = self.call_later(timeout, expired)
            with self._lock:
                if number in self._pending:
                    self._pending[number] = (answered, timer)
                else:
                    timer.cancel()

        self.call_soon(arm)
        self._send_request(to, request, number)

    def _send_request(self, to: str, request: Request, number: int) -> None:
        envelope = Envelope(Kind.REQUEST, self.name, to, type(request).__name__, number=number, payload=encode(request))
        self._transport.send(encode(envelope))

    # --- set-up

    def subscribe(self, event_type: type[E], handler: Callable[[E], None], keys: Iterable[str] | None = None) -> None:
        """Have `handler` called for every such event (of these keys); the newest of a "latest" event comes at once."""
        topic = event_type.__name__
        self._subscribers.setdefault(topic, []).append(handler)
        wanted = Subscription(topic, None if keys is None else tuple(keys))
        self._transport.send(encode(Envelope(Kind.SUBSCRIBE, self.name, payload=encode(wanted))))

    def answer(self, request_type: type[Q], handler: Callable[[Q], Reply | Deferred]) -> None:
        """Have `handler` answer such requests. An ATMError that it raises becomes the `Failed` reply."""
        self._answers[request_type] = handler

    def call_soon(self, function: Callable[[], None]) -> None:
        """Run `function` on the dispatch thread."""
        self._inbox.put_call(function)
        self._notify()

    def call_later(self, seconds: float, function: Callable[[], None]) -> Timer:
        """Run `function` once, `seconds` from now. Dispatch thread only."""
        return self._add_timer(Timer(self._clock() + seconds, next(self._serial), function))

    def every(self, seconds: float, function: Callable[[], None]) -> Timer:
        """Run `function` every `seconds`. Dispatch thread only."""
        return self._add_timer(Timer(self._clock() + seconds, next(self._serial), function, period=seconds))

    def _add_timer(self, timer: Timer) -> Timer:
        heapq.heappush(self._timers, timer)
        return timer

    def set_waker(self, wake: Callable[[], None]) -> None:
        """`wake` is called from the receiver thread whenever work has arrived (for loops that wait elsewhere)."""
        self._wake = wake

    # --- incoming

    def deliver(self, data: bytes) -> None:
        """Called by the transport's receiver thread with an encoded envelope."""
        self.accept(decode_envelope(data))

    def accept(self, envelope: Envelope) -> None:
        """Take in an envelope. Never waits, so that a receiver thread always goes on reading."""
        if envelope.kind == Kind.CREDIT:
            if self._credit is not None:
                self._credit.give(envelope.number)
            return
        waiting = self._blocking.get(envelope.number) if envelope.kind == Kind.REPLY else None
        if waiting is not None:
            waiting.put(cast("Reply", decode_message(envelope.payload)))
            return
        self._inbox.put(envelope)
        self._notify()

    def _notify(self) -> None:
        if self._wake is not None:
            self._wake()

    def stop(self) -> None:
        """Let `run` return after the present handler."""
        self.stopped = True
        self._inbox.put_call(_nothing)
        self._notify()

    def run(self) -> None:
        """Dispatch until `stop()`."""
        while not self.stopped:
            self.step(self.seconds_to_next_timer(3600.0))

    def seconds_to_next_timer(self, most: float) -> float:
        """How long nothing is due, at most `most` seconds; for loops that wait elsewhere."""
        while self._timers and self._timers[0].cancelled:
            heapq.heappop(self._timers)
        if not self._timers:
            return most
        return max(0.0, min(most, self._timers[0].due - self._clock()))

    def step(self, timeout: float = 0.0) -> int:
        """Dispatch what waits; wait up to `timeout` seconds for something. Returns how much was dispatched."""
        done = self._run_timers()
        if done:
            timeout = 0.0
        try:
            item = self._inbox.get(timeout)
            while True:
                self._handle(item)
                done += 1
                if self.stopped:
                    break
                item = self._inbox.get()
        except queue.Empty:
            pass
        return done + self._run_timers()

    def _run_timers(self) -> int:
        done = 0
        now = self._clock()
        while self._timers and self._timers[0].due <= now:
            timer = heapq.heappop(self._timers)
            if timer.cancelled:
                continue
            self._guard(timer.function)
            done += 1
            if timer.period is not None and not timer.cancelled:
                timer.due = max(timer.due + timer.period, now)
                heapq.heappush(self._timers, timer)
        return done

    def _handle(self, item: Envelope | Callable[[], None]) -> None:
        if not isinstance(item, Envelope):
            self._guard(item)
        elif item.kind == Kind.EVENT:
            self._on_event(item)
            if item.ordered:
                self._acknowledge()
        elif item.kind == Kind.REQUEST:
            self._on_request(item)
        elif item.kind == Kind.REPLY:
            self._on_reply(item)

    def _acknowledge(self) -> None:
        """Tell the router that there is room for more ordered events."""
        self._handled += 1
        if self._credit is not None and self._handled >= BATCH:
            self._transport.send(encode(Envelope(Kind.CREDIT, self.name, number=self._handled)))
            self._handled = 0

    def _on_event(self, envelope: Envelope) -> None:
        handlers = self._subscribers.get(envelope.topic)
        if not handlers:
            return
        event = decode_message(envelope.payload)
        for handler in handlers:
            self._guard(lambda handler=handler: handler(event))  # type: ignore[misc]

    def _on_request(self, envelope: Envelope) -> None:
        def send(reply: Reply) -> None:
            answer = Envelope(Kind.REPLY, self.name, envelope.sender, number=envelope.number, payload=encode(reply))
            self._transport.send(encode(answer))

        request = decode_message(envelope.payload)
        handler = self._answers.get(cast("type[Request]", type(request)))
        if handler is None:
            send(Failed(kind="Refused", message=f"{self.name} does not answer {envelope.topic}"))
            return
        try:
            result = handler(request)
        except ATMError as error:
            send(failed_by(error))
        except Exception as error:
            # A defect of one handler must not end the process; the asker is told and the log has the trace.
            log.exception("handler of %s failed", envelope.topic)
            send(
                Failed(kind="Refused", message=f"{type(error).__name__} in {self.name} while handling {envelope.topic}")
            )
        else:
            if isinstance(result, Deferred):
                result.bind(send)
            else:
                send(result)

    def _on_reply(self, envelope: Envelope) -> None:
        with self._lock:
            waiting = self._pending.pop(envelope.number, None)
        if waiting is None:
            return
        on_reply, timer = waiting
        if timer is not None:
            timer.cancel()
        on_reply(cast("Reply", decode_message(envelope.payload)))

    def _guard(self, function: Callable[[], None]) -> None:
        try:
            function()
        except Exception:
            # A defect of one handler must not end the process; the log has the trace.
            log.exception("%s: a handler failed", self.name)

    def _on_stop(self, _: Stop) -> Reply:
        self.call_soon(self.stop)
        return Done()


def _nothing() -> None:
    """Wakes the dispatch thread."""
