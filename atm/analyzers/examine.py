"""Examines a user's file in a process of its own, so that a kernel that never returns, or crashes, harms nothing else.

The verdict is the last line of what that process prints."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec

from atm.analyzers.checker import Verdict
from atm.analyzers.user_indicators import examine_here

LONGEST_S = 120.0
_ROOT = Path(__file__).parent.parent.parent


def examine_apart(path: Path, longest_s: float = LONGEST_S) -> Verdict:
    """The verdict on a file; one that takes longer, or ends its process, has failed."""
    program = f"from {__name__} import main; main()"
    command = [sys.executable, "-c", program, str(path.absolute())]
    try:
        done = subprocess.run(
            command, cwd=_ROOT, capture_output=True, timeout=longest_s, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        return Verdict(False, f"examining it took longer than {longest_s:g} s: does a loop never end?")
    try:
        return msgspec.json.decode(done.stdout.splitlines()[-1], type=Verdict)
    except (IndexError, ValueError):
        return Verdict(False, f"examining it ended its process (exit code {done.returncode})")


def main() -> None:
    """What the process does."""
    sys.stdout.write(f"\n{msgspec.json.encode(examine_here(Path(sys.argv[1]))).decode()}\n")
