"""Which part of the black box is exported."""

from __future__ import annotations

import msgspec

INCIDENT_SUFFIX = ".atmincident"


class Wanted(msgspec.Struct, frozen=True):
    """from_ms, to_ms: Unix ms UTC by the wall clock; accounts: empty = all; reason: for the manifest."""

    from_ms: int
    to_ms: int
    accounts: frozenset[str] = frozenset()
    reason: str = ""
