"""Client order ids that are made from an order's place in the journal, and can be read back.

`account-position-minute-purpose slice-attempt`, for example `t1a2b3c-x9k2lm-hv3k5-O0-0`: the names of account and symbol as
check sums, the decision minute, slice and attempt as numbers, all in base 36. At most 36 of the letters that every endpoint
takes (spec: exchange §3.2). The exchange holds ids unique among open orders only; that ours are never used twice follows
from the journal, which gives a slice number once.
"""

from __future__ import annotations

import re
from zlib import crc32

import msgspec

from atm.model.errors import Invalid
from atm.model.interval import MINUTE_MS
from atm.model.live_order import Purpose

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_FORM = re.compile(r"([0-9a-z]{7})-([0-9a-z]{7})-([0-9a-z]{1,7})-([OCSB])([0-9a-z]{1,4})-([0-9a-z]{1,2})")
MOST_SLICES, MOST_ATTEMPTS = 36**4, 36**2


class ClientId(msgspec.Struct, frozen=True):
    """What a client order id says. account, position: check sums of the names (`tag`)."""

    account: str
    position: str
    minute_ms: int
    purpose: Purpose
    slice: int
    attempt: int


def tag(name: str) -> str:
    """Seven letters that stand for a name."""
    return _base36(crc32(name.encode())).rjust(7, "0")


def client_id(account: str, symbol: str, decision_ms: int, purpose: Purpose, piece: int, attempt: int) -> str:
    """The id of an order. Raises Invalid for a slice or attempt beyond what the id can hold."""
    if not 0 <= piece < MOST_SLICES:
        raise Invalid("slice", piece, f"0 to {MOST_SLICES - 1}")
    if not 0 <= attempt < MOST_ATTEMPTS:
        raise Invalid("attempt", attempt, f"0 to {MOST_ATTEMPTS - 1}")
    minute = _base36(decision_ms // MINUTE_MS)
    return f"{tag(account)}-{tag(symbol)}-{minute}-{purpose.value}{_base36(piece)}-{_base36(attempt)}"


def read(text: str) -> ClientId | None:
    """What an id says; None for one that this program has not made."""
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    account, position, minute, purpose, piece, attempt = found.groups()
    return ClientId(
        account, position, int(minute, 36) * MINUTE_MS, Purpose(purpose), int(piece, 36), int(attempt, 36)
    )  # fmt: skip


def belongs_to(text: str, account: str) -> bool:
    """Whether an id was made for this account."""
    found = read(text)
    return found is not None and found.account == tag(account)


def _base36(value: int) -> str:
    digits = ""
    while value or not digits:
        value, digit = divmod(value, 36)
        digits = _DIGITS[digit] + digits
    return digits
