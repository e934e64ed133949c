"""Messages about the activation of actual accounts. Keys and passwords cross sealed for binance_api, for one account, one endpoint and one
use (`atm.ipc.sealed`). See `atm.ipc.messages`, through which all are imported.
"""

from __future__ import annotations

from typing import ClassVar

from atm.ipc.message_forms import Delivery, Event, Reply, Request
from atm.model.activation import ActivationReason, ActivationStatus, KeyPermission, KeyWarning
from atm.model.endpoint import Endpoint

KEYS, PASSWORD, NEW_PASSWORD = "keys", "password", "new password"
"""What is sealed: `key`, a line feed and `secret` (a PEM has lines of its own); a password."""


def activation_purpose(what: str, account: str, endpoint: Endpoint) -> str:
    """What a secret of an account is sealed for."""
    return f"activation/{what}/{account}/{endpoint.value}"


class ActivationKey(Event, frozen=True):
    """From binance_api at its start. Key: "". public: seals for this process; a successor tells another."""

    delivery: ClassVar[Delivery] = "latest"
    public: bytes


class ActivationState(Event, frozen=True):
    """From binance_api. Key: account. details: the exchange's or the system's words, without secrets; holds_password: the account
    activates itself when its file is found; public: as of `ActivationKey`, so that what a process said that has died since is known as
    such."""

    delivery: ClassVar[Delivery] = "latest"
    account: str
    status: ActivationStatus
    reason: ActivationReason = ActivationReason.NONE
    permissions: tuple[KeyPermission, ...] = ()
    warnings: tuple[KeyWarning, ...] = ()
    details: str = ""
    holds_password: bool = False
    public: bytes = b""


class ActivateAccount(Request, frozen=True):
    """To binance_api: activate with keys. uid: the exchange's number of the account that they must belong to, 0 = any. → Done as soon as it
    is tried, the outcome as ActivationState; Refused while it is too early for another attempt."""

    account: str
    keys: bytes
    uid: int = 0


class ActivateByFile(Request, frozen=True):
    """To binance_api: activate with the keys of a file; path "" = the newest of this account on removable drives and in the home folder.
    hold: keep the password, sealed, for when a drive with the file is plugged in. → as of ActivateAccount"""

    account: str
    password: bytes
    path: str = ""
    uid: int = 0
    hold: bool = False


class MakeActivationFile(Request, frozen=True):
    """To binance_api: write keys, b"" = those of the active account, into a folder under a password. → ActivationFileWritten"""

    account: str
    keys: bytes
    password: bytes
    folder: str


class RotateActivationFile(Request, frozen=True):
    """To binance_api: write the keys of a file into its folder again, under another password; the old file goes. path as of
    ActivateByFile. → ActivationFileWritten"""

    account: str
    password: bytes
    new_password: bytes
    path: str = ""


class ActivationFileWritten(Reply, frozen=True):
    path: str


class DeactivateAccount(Request, frozen=True):
    """To binance_api: disconnect and wipe keys and password. → Done"""

    account: str
