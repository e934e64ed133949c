"""The control end point of the demo exchange, `/demo/control`: what its owner, not its clients, may ask.

GET answers the state. POST with a `DemoCommand` carries out what it names, in the order of its fields, and answers the state as
it is then; the first thing that cannot be done is answered 400 with {"error": sentence, "field": name} and ends it.
"""

from __future__ import annotations

from typing import Protocol

import msgspec
from aiohttp import web

from atm.exchange.demo import access, administration
from atm.exchange.demo.engine import Engine
from atm.exchange.demo.faults import Faults, FaultWish
from atm.exchange.demo.rest import Rest
from atm.exchange.demo.streams import Streams
from atm.model.demo_state import DemoCommand, DemoKeyPair, DemoState
from atm.model.errors import Invalid

MOST_STEPS = 1_440


class Exchange(Protocol):
    """The part of the demo exchange that can be controlled."""

    engine: Engine
    rest: Rest
    streams: Streams
    faults: Faults

    def set_speed(self, speed: float) -> None: ...

    def set_pause(self, paused: bool) -> None: ...

    def step(self, minutes: int) -> None: ...

    async def jump(self, ms: int) -> None: ...

    def state(self) -> DemoState: ...

    def keep(self) -> None: ...


async def handle(exchange: Exchange, request: web.Request) -> web.StreamResponse:
    """Answer one request."""
    made: DemoKeyPair | None = None
    if request.method == "POST":
        try:
            wanted = msgspec.json.decode(await request.read(), type=DemoCommand)
            made = await _carry_out(exchange, wanted)
        except msgspec.DecodeError as error:
            return web.json_response({"error": f"the body cannot be read: {error}"}, status=400)
        except Invalid as error:
            return web.json_response({"error": str(error), "field": error.field}, status=400)
    answer = msgspec.to_builtins(exchange.state())
    if made is not None:
        answer |= {"key": made.key, "secret": made.secret}
    return web.json_response(answer)


async def _carry_out(exchange: Exchange, wanted: DemoCommand) -> DemoKeyPair | None:
    if not 0 <= wanted.step <= MOST_STEPS:
        raise Invalid("step", wanted.step, f"1 to {MOST_STEPS:,} minutes")
    made = None
    if wanted.make_key:
        administration.check_name(wanted.make_key)
        access.check_public(wanted.key.public_key)
    if wanted.speed is not None:
        exchange.set_speed(wanted.speed)
    if wanted.pause is not None:
        exchange.set_pause(wanted.pause)
    if wanted.step:
        exchange.step(wanted.step)
    if wanted.jump is not None:
        await exchange.jump(wanted.jump)
    if wanted.drop_connections:
        exchange.streams.drop()
    if wanted.make_key:
        made = DemoKeyPair(wanted.make_key, *exchange.rest.make_key(wanted.make_key, wanted.key))
    if wanted.modes is not None:
        administration.switch(exchange.engine, wanted.modes)
    if wanted.deposit is not None:
        now_ms = exchange.state().market_ms
        administration.deposit(exchange.engine, wanted.deposit.account, wanted.deposit.amount, now_ms)
    if wanted.reset:
        administration.reset(exchange.engine, wanted.reset, exchange.state().market_ms)
    if wanted.deposit is not None or wanted.modes is not None or wanted.reset:
        exchange.keep()
    exchange.faults.command(FaultWish(wanted.fault, wanted.faults, wanted.clear, wanted.clear_faults))
    return made
