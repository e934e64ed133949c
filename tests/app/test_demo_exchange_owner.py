"""The demo exchange of a program takes no part in its queues, so nothing but the program's death tells it to end."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from atm.app.command_line import ROOT


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.timeout(180)
def test_the_demo_exchange_ends_with_the_program_that_owns_it(home: Path) -> None:
    """A second one beside the first would write over what it keeps."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    owner = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    arguments = f"{port}, 60.0, Path({str(home)!r}), Path({str(ROOT / 'assets')!r}), {owner.pid}"
    code = f"from pathlib import Path; from atm.app.demo_exchange import serve_child; serve_child({arguments})"
    exchange = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    try:
        deadline = time.monotonic() + 90
        while not _answers(port):
            assert time.monotonic() < deadline and exchange.poll() is None
            time.sleep(0.1)
        owner.kill()
        owner.wait(10)
        assert exchange.wait(30) == 0
    finally:
        for process in (owner, exchange):
            process.kill()
            process.wait(10)
