import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from atm.analyzers.apart import end_with_asker, printed_apart

MODULE = "tests.analyzers.test_apart"


def main() -> None:
    """What the process of these tests does: says its number, then waits when it is told to."""
    end_with_asker()
    print("ready", os.getpid(), flush=True)
    if sys.argv[1:] == ["wait"]:
        time.sleep(600)


def test_its_lines_and_exit_code_come_back() -> None:
    code, lines = printed_apart(MODULE, longest_s=60)
    assert code == 0
    assert lines[-1].startswith(b"ready")


def test_one_that_takes_too_long_is_ended() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        printed_apart(MODULE, "wait", longest_s=0.5)


def test_it_ends_with_a_killed_asker() -> None:
    ask = f"from atm.analyzers.apart import printed_apart; printed_apart({MODULE!r}, 'wait', longest_s=600)"
    asker = subprocess.Popen([sys.executable, "-c", ask])
    deadline = time.monotonic() + 60
    while not (children := psutil.Process(asker.pid).children()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    asker.send_signal(signal.SIGKILL)
    asker.wait()
    _, alive = psutil.wait_procs(children, 60)
    assert not alive
