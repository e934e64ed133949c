"""Messages about the demo exchange. See `atm.ipc.messages`, through which all are imported."""

from __future__ import annotations

from typing import ClassVar

from atm.ipc.message_forms import Delivery, Event, Reply, Request
from atm.model.demo_state import DemoCommand, DemoKeyPair, DemoState


class DemoUpdated(Event, frozen=True):
    """From binance_api, whenever it has asked. Key: "". wall_ms: when that was; rest: base address, for other clients too."""

    delivery: ClassVar[Delivery] = "latest"
    state: DemoState
    wall_ms: int
    rest: str = ""


class DescribeDemo(Request, frozen=True):
    """To binance_api: ask the demo exchange for its state, which follows as DemoUpdated. → Done"""


class ControlDemo(Request, frozen=True):
    """To binance_api: carry out a command without `make_key` at the demo exchange; its state follows as DemoUpdated. → Done"""

    command: DemoCommand


class MakeDemoKey(Request, frozen=True):
    """To binance_api: a new key pair for an account of the demo exchange, which is made if there is none. → DemoKeyMade"""

    account: str


class DemoKeyMade(Reply, frozen=True):
    pair: DemoKeyPair
