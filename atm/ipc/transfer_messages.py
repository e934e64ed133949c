"""Money paid into and out of virtual accounts. See `atm.ipc.messages`, through which all are imported."""

from __future__ import annotations

from atm.ipc.message_forms import Request


class Deposit(Request, frozen=True):
    """To trade: pay into a virtual account. amount: as typed; request_id: 1 … 2⁶³ − 1, of the user's wish: the same one again changes
    nothing. → Done"""

    name: str
    asset: str
    amount: str
    request_id: int


class Withdraw(Request, frozen=True):
    """To trade: pay out of a virtual account, at most what is free of it; fields as of Deposit. → Done"""

    name: str
    asset: str
    amount: str
    request_id: int
