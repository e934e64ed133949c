"""Keys that are typed into the window: its memory is read from outside while they stand there and after they were sent."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks._secret_memory import can_be_read, memory
from benchmarks._secret_scan import Scanner

ROOT = Path(__file__).parents[2]
LONGEST_S = 60.0


def held(pid: int, scanner: Scanner) -> set[str]:
    """Names of the secrets in the memory of a process."""
    return {each.secret for _, data in memory(pid) for each in scanner.find(data)}


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of another process as Linux offers it")
def test_nothing_of_a_typed_key_is_left_in_the_window_once_it_was_sent() -> None:
    key, secret = secrets.token_urlsafe(96).replace("-", "x").replace("_", "y")[:64], secrets.token_hex(32)
    scanner = Scanner({"key": key.encode(), "secret": secret.encode()})
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.gui.typing_child"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    try:
        assert child.stdin is not None and child.stdout is not None
        child.stdin.write(f"{key}\n{secret}\n")
        child.stdin.flush()
        assert child.stdout.readline() == "typed\n"
        if not can_be_read(child.pid):
            pytest.skip("this user may not read the memory of processes")
        assert held(child.pid, scanner) == {"key", "secret"}
        child.stdin.write("send\n")
        child.stdin.flush()
        assert child.stdout.readline() == "sent\n"
        deadline = time.monotonic() + LONGEST_S
        while left := held(child.pid, scanner):
            assert time.monotonic() < deadline, f"after {LONGEST_S:g} s still there: {left}"
            time.sleep(0.5)  # another process overwrites it and cannot tell
    finally:
        child.kill()
        child.wait()
