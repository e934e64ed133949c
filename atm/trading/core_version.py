"""Which core decides: a hash of the sources that make rows, decisions and fills."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import atm.ledger
import atm.trading
from atm.analyzers.cache import program_version


@cache
def core_version() -> str:
    """16 hexadecimal digits; any change of a kernel, or of how they are driven, gives others."""
    whole = hashlib.sha256(program_version().encode())
    for package in (atm.ledger, atm.trading):
        for path in sorted(Path(str(package.__file__)).parent.glob("*.py")):
            whole.update(path.name.encode() + path.read_bytes())
    return whole.hexdigest()[:16]
