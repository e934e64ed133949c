"""Examines a user's file in a process of its own, so that a kernel that never returns, or crashes, harms nothing else.

The verdict is the last line of what that process prints."""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec

from atm.analyzers.apart import printed_apart
from atm.analyzers.checker import Verdict

LONGEST_S = 120.0
EXAMINER = "atm.trading.examine"
"""The module whose `main` is that process: on a higher floor, as it examines trade-control methods too."""


def examine_apart(path: Path, longest_s: float = LONGEST_S) -> Verdict:
    """The verdict on a file; one that takes longer, or ends its process, has failed."""
    try:
        code, lines = printed_apart(EXAMINER, str(path.absolute()), longest_s=longest_s)
    except subprocess.TimeoutExpired:
        return Verdict(False, f"examining it took longer than {longest_s:g} s: does a loop never end?")
    try:
        return msgspec.json.decode(lines[-1], type=Verdict)
    except (IndexError, ValueError):
        return Verdict(False, f"examining it ended its process (exit code {code})")
