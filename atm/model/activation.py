"""Activation of an actual account: what became of it, why, and what its API keys are permitted."""

from __future__ import annotations

from enum import Enum

import msgspec


class ActivationStatus(Enum):
    """BLOCKED: the keys are good, yet the account is in a mode in which nothing is traded."""

    INACTIVE = "INACTIVE"
    ACTIVATING = "ACTIVATING"
    ACTIVE = "ACTIVE"
    BLOCKED = "BLOCKED"
    FAILED = "FAILED"


class ActivationReason(Enum):
    """Why an account is not active; a sentence each in the catalogues, `activation_reason.…`."""

    NONE = "none"
    KEYS_REFUSED = "keys_refused"
    SIGNATURE_REFUSED = "signature_refused"
    NETWORK = "network"
    CLOCK = "clock"
    RATE_LIMIT = "rate_limit"
    UNEXPECTED = "unexpected"
    NO_FUTURES = "no_futures"
    WRONG_UID = "wrong_uid"
    HEDGE_MODE = "hedge_mode"
    MULTI_ASSETS = "multi_assets"
    FILE_MISSING = "file_missing"
    FILE_UNREADABLE = "file_unreadable"
    FILE_OF_OTHER = "file_of_other"
    CANNOT_OPEN = "cannot_open"


class KeyWarning(Enum):
    """What is unsafe about keys that work; a sentence each in the catalogues, `key_warning.…`."""

    WITHDRAWALS = "withdrawals"
    NO_IP_RESTRICTION = "no_ip_restriction"
    PERMISSIONS_UNKNOWN = "permissions_unknown"
    UID_UNKNOWN = "uid_unknown"


class KeyPermission(Enum):
    """What the exchange lets keys do."""

    READING = "reading"
    FUTURES = "futures"
    WITHDRAWALS = "withdrawals"
    IP_RESTRICTED = "ip_restricted"


class KeyReport(msgspec.Struct, frozen=True):
    """What the exchange says of keys. reason: NONE where they can trade; details: the exchange's words, without secrets; uid: 0 where it
    is not told."""

    reason: ActivationReason = ActivationReason.NONE
    permissions: tuple[KeyPermission, ...] = ()
    warnings: tuple[KeyWarning, ...] = ()
    uid: int = 0
    details: str = ""


BLOCKING = frozenset((ActivationReason.HEDGE_MODE, ActivationReason.MULTI_ASSETS))
"""Reasons that pass when the account is switched."""
