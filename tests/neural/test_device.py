"""The neural network manager starts without torch and loads it only when its device is asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version

import msgspec

QUIET = """
import sys
import atm.managers.neural_network
assert "torch" not in sys.modules
"""
ASKED = """
import msgspec
from atm.ipc.local import LocalBus
from atm.ipc.messages import DescribeDevice
from atm.managers import neural_network
bus = LocalBus()
manager, user = bus.assistant("neural_network"), bus.assistant("gui")
manager.answer(DescribeDevice, neural_network._describe)
reply = user.request("neural_network", DescribeDevice(), timeout=60)
print(msgspec.json.encode(msgspec.structs.asdict(reply)).decode())
"""


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env={**os.environ})
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_starting_loads_no_torch() -> None:
    run(QUIET)


def test_asked_for_its_device_it_names_what_torch_names() -> None:
    told = msgspec.json.decode(run(ASKED))
    assert told["torch_version"].split("+")[0] == version("torch").split("+")[0]
    assert told["kind"] in ("cpu", "cuda", "mps") and told["threads"] >= 1
