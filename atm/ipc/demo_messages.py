"""Messages about the demo exchange. See `atm.ipc.messages`, through which all are imported.

All go to `binance_api`, which talks to the demo exchange, and are `Refused` on the other endpoints; `Unavailable` while the demo
exchange cannot be reached. Faults never strike them.
"""

from __future__ import annotations

import msgspec

from atm.ipc.message_forms import Reply, Request
from atm.model.fault import Fault, FaultReport, FaultSchedule


class ControlDemo(Request, frozen=True):
    """Change the demo exchange; what is left out stays. → DemoState as it is then; Failed for bad input: nothing was changed.

    speed: 1 to 1000. paused: market time stands still. step_ms: market time goes on by so much (paused or not), and everything
    on the way is streamed. jump_ms: market time (Unix ms, in the future) to go to at once; what lies between happens without
    being streamed. fault, schedule: set, beside what is set already. clear: numbers of faults. clear_faults: all of them.
    """

    speed: float | None = None
    paused: bool | None = None
    step_ms: int = 0
    jump_ms: int = 0
    drop_connections: bool = False
    fault: Fault | None = None
    schedule: FaultSchedule | None = None
    clear: tuple[int, ...] = ()
    clear_faults: bool = False


class AskDemo(Request, frozen=True):
    """How the demo exchange is. → DemoState"""


class MakeDemoKey(Request, frozen=True):
    """A new key pair for the account of that name, which is made if there is none. → DemoKey"""

    account: str


class DemoKey(Reply, frozen=True):
    """A key pair of the demo exchange; it opens nothing else."""

    account: str
    key: str
    secret: str


class DemoAccount(msgspec.Struct, frozen=True):
    """An account of the demo exchange: how many key pairs it has."""

    name: str
    keys: int


class DemoState(Reply, frozen=True):
    """market_ms: market time at `faults.wall_ms`; rest, stream: addresses for clients of one's own."""

    speed: float
    paused: bool
    market_ms: int
    rest: str
    stream: str
    accounts: tuple[DemoAccount, ...]
    faults: FaultReport
