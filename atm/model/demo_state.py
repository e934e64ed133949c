"""The state of the demo exchange, as its control end point tells it and the window shows it, and what it can be told to do."""

from __future__ import annotations

from typing import Any

import msgspec

from atm.model.fault import FaultSchedule

SLOWEST, FASTEST = 1.0, 1_000.0
"""Market time per real time."""


class DemoAccount(msgspec.Struct, frozen=True):
    """balance: wallet balance in USDT, isolated wallets included; keys: the API keys that belong to it, oldest first."""

    name: str
    balance: float
    positions: int
    open_orders: int
    keys: tuple[str, ...] = ()


class DemoState(msgspec.Struct, frozen=True):
    """Times are market time, Unix ms. first_ms: where the recording begins; last_ms: where the present pass over it ends, after
    which it begins anew (the farthest that a jump may go); sockets: open stream connections."""

    market_ms: int
    speed: float
    paused: bool
    first_ms: int
    last_ms: int
    sockets: int
    accounts: tuple[DemoAccount, ...] = ()


class DemoDeposit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Pay USDT into an account; a negative amount out of it."""

    account: str
    amount: float


class DemoKeyForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How a key is made. public_key: Ed25519 in PEM, then no secret is made; the others: what it is permitted."""

    public_key: str = ""
    futures: bool = True
    withdrawals: bool = False
    ip_restricted: bool = True


class DemoModes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Switch an account, as its owner could by hand."""

    account: str
    hedge: bool = False
    multi_assets: bool = False


class DemoCommand(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Body of POST /demo/control; what is left out stays as it is.

    speed: 1 to 1000; pause: hold the market or let it go on; step: hold it so many minutes (1 to 1,440) later; jump: market time to
    move forward to, Unix ms; drop_connections: cut every stream socket; make_key: a new key pair for the account of that name,
    made if there is none, as `key` says; modes: of an account; reset: name of an account that begins anew; fault,
    faults, clear, clear_faults: see `FaultCommand`, whose `fault` may leave out what has a default (`read_fault`).
    """

    speed: float | None = None
    pause: bool | None = None
    step: int = 0
    jump: int | None = None
    drop_connections: bool = False
    make_key: str = ""
    key: DemoKeyForm = DemoKeyForm()
    modes: DemoModes | None = None
    deposit: DemoDeposit | None = None
    reset: str = ""
    fault: dict[str, Any] | None = None
    faults: FaultSchedule | None = None
    clear: tuple[int, ...] = ()
    clear_faults: bool = False


class DemoKeyPair(msgspec.Struct, frozen=True):
    """A key pair that has just been made: the only time that the secret is told."""

    account: str
    key: str
    secret: str

    def __repr__(self) -> str:
        return f"DemoKeyPair({self.account!r}, …)"
