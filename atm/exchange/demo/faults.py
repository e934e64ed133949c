"""Faults of the demo exchange: set and cleared by its control end point, begun and ended by a task on the wall clock.

Behind them the market stays true: what a fault withholds or falsifies can be had by REST afterwards.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import msgspec
from aiohttp import web

from atm.exchange.demo.fault_answers import FaultAnswers
from atm.exchange.demo.fault_effects import FaultEffects
from atm.exchange.demo.fault_lines import FaultLines
from atm.exchange.demo.fault_schedule import of_request
from atm.exchange.demo.fault_state import FaultState, Standing
from atm.exchange.demo.rest import Rest
from atm.exchange.demo.streams import Streams, Subscriber
from atm.model.errors import Invalid
from atm.model.fault import FORMS, Fault, FaultKind, FaultReport, FaultSchedule, read_fault

SHORTEST_CUT_S = 0.1
_SYMBOLS = frozenset((FaultKind.SUSPENDED, FaultKind.FILTER_CHANGE))


class FaultWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be done about faults, as it comes from outside: `fault` as `read_fault` takes it."""

    fault: dict[str, Any] | None = None
    schedule: FaultSchedule | None = msgspec.field(default=None, name="faults")
    clear: tuple[int, ...] = ()
    clear_faults: bool = False


class Faults:
    """All faults of one exchange. present_ms(): lets the market run up to the present and returns its time; end_keys(): tells the
    user streams of listen keys that have run out; wall_ms(): the machine's clock."""

    def __init__(
        self,
        streams: Streams,
        rest: Rest,
        effects: Callable[[FaultState], FaultEffects],
        present_ms: Callable[[], int],
        end_keys: Callable[[], None],
        wall_ms: Callable[[], float],
    ) -> None:
        self._streams, self._rest, self._wall_ms = streams, rest, wall_ms
        self._present_ms, self._end_keys = present_ms, end_keys
        self.state = FaultState()
        self._lines = FaultLines(self.state, lambda: streams.subscribers)
        self._answers = FaultAnswers(self.state, wall_ms)
        self._effects = effects(self.state)
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()
        streams.faults = self

    # --- control ----------------------------------------------------------------------------------------------

    def command(self, wish: FaultWish) -> FaultReport:
        """Carry out a command. Raises Invalid; then nothing was changed."""
        new: list[Fault] = [] if wish.fault is None else [self._checked(read_fault(wish.fault))]
        if wish.schedule is not None:
            new += map(self._checked, of_request(wish.schedule))
        now_ms = self._wall_ms()
        self.state.check_room(len(new))
        if wish.clear_faults or wish.clear:
            self._ended(self.state.clear(None if wish.clear_faults else wish.clear, now_ms).ended)
        self.state.set(new, now_ms)
        self.turn()
        self._changed.set()
        return self.report()

    def _checked(self, fault: Fault) -> Fault:
        """The fault, if what it names by name exists. Raises Invalid."""
        target, kind = fault.target, FORMS[fault.kind].target
        if kind == "symbol" and target and target not in self._rest.markets:
            raise Invalid("target", target, f"one of {', '.join(sorted(self._rest.markets))}, or nothing for all")
        if kind == "connection" and target not in ("", "one", "public", "market", "private") and (
            not target.startswith("#") or not target[1:].isdecimal()
        ):  # fmt: skip
            raise Invalid("target", target, "public, market, private, one, # and a number, or nothing for all")
        if fault.kind is FaultKind.DISCONNECT and 0 < fault.amount < SHORTEST_CUT_S:
            raise Invalid("every_s", fault.amount, f"0 (once), or from {SHORTEST_CUT_S} up")
        return fault

    def report(self) -> FaultReport:
        """All faults, and the connections that can be named."""
        return FaultReport(int(self._wall_ms()), self.state.records(), self._lines.connections())

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """GET /demo/faults: the report. POST with a wish: carry it out, and the report as it is then."""
        try:
            if request.method == "POST":
                self.command(msgspec.json.decode(await request.read(), type=FaultWish))
        except (msgspec.DecodeError, Invalid) as error:
            field = error.field if isinstance(error, Invalid) else ""
            return web.json_response({"error": str(error), "field": field}, status=400)
        return web.json_response(body=msgspec.json.encode(self.report()))

    # --- time -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Begin and end faults when their time has come."""
        while True:
            self._changed.clear()
            self.turn()
            next_ms = self.state.next_ms()
            wait_s = None if next_ms is None else max(0.0, next_ms - self._wall_ms()) / 1000
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()

    def turn(self) -> None:
        """Begin and end what is due."""
        changes = self.state.turn(self._wall_ms())
        for standing in changes.begun:
            self._begin(standing)
        self._ended(changes.ended)
        if changes.begun:
            self._hook()

    def close(self) -> None:
        """End what runs for faults, and let go of the requests that they hold."""
        self._ended(self.state.clear(None, self._wall_ms()).ended)

    def _begin(self, standing: Standing) -> None:
        kind = standing.fault.kind
        if kind is FaultKind.DISCONNECT:
            self._lines.cut(standing)
            if standing.fault.amount:
                self._start(standing, self._lines.cut_again(standing))
        elif kind is FaultKind.HALF_OPEN:
            self._lines.kill(standing)
        elif kind is FaultKind.FLOOD:
            self._start(standing, self._lines.flood(standing))
        elif kind is FaultKind.SLOW_CONNECTION:
            self._lines.pace()
        elif kind is FaultKind.MAINTENANCE:
            self._streams.drop()
        elif kind is FaultKind.CLOCK_SKEW:
            self._rest.shown.jump(self._effects.ahead_ms())
        elif kind is FaultKind.LISTEN_KEY_EXPIRED:
            self._effects.expire_keys(standing)
            self._end_keys()
        elif kind in _SYMBOLS:
            self._effects.restate(self._present_ms())

    def _ended(self, ended: tuple[Standing, ...]) -> None:
        for standing in ended:
            if (task := self._tasks.pop(standing.number, None)) is not None:
                task.cancel()
            self._answers.ended(standing)
            self._lines.bury(standing)
            if standing.fault.kind in _SYMBOLS:
                self._effects.restate(self._present_ms())
        if ended:
            self._lines.pace()
            self._rest.shown.jump(self._effects.ahead_ms())
            self._lines.settle()
            self._hook()

    def _start(self, standing: Standing, work: Coroutine[Any, Any, None]) -> None:
        self._tasks[standing.number] = asyncio.create_task(work)

    def _hook(self) -> None:
        """Lead messages and requests past the faults only while there are any."""
        self._streams.tampered = self._lines.needed
        self._rest.tamper = self._answers.answer if self.state.requests else None

    # --- what the streams ask -----------------------------------------------------------------------------------

    def refused_handshake(self, address: str) -> web.Response | None:
        """How a new stream connection is refused now."""
        return self._answers.refused_handshake(address)

    def came(self, subscriber: Subscriber) -> None:
        """A connection has been opened."""
        self._lines.pace()

    def gone(self, subscriber: Subscriber) -> None:
        """A connection has ended."""
        self._lines.gone(subscriber)

    def deliver(self, subscriber: Subscriber, stream: str, closing: bool, text: str) -> None:
        """Send a message as the active faults let it."""
        self._lines.deliver(subscriber, stream, closing, text)
        self._streams.tampered = self._lines.needed
