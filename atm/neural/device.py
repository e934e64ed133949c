"""The device on which networks would run. torch is loaded when this is asked for and not before (it costs seconds and
hundreds of megabytes)."""

from __future__ import annotations

import importlib

import msgspec

from atm.model.errors import Unavailable


class Device(msgspec.Struct, frozen=True):
    """kind: "cuda", "mps" or "cpu"; name: of the hardware, "" for the CPU; threads: of torch on the CPU."""

    kind: str
    name: str
    threads: int
    torch_version: str


def describe_device() -> Device:
    """The best device that torch can use here. Raises Unavailable when torch cannot be loaded."""
    try:
        torch = importlib.import_module("torch")
    except (ImportError, OSError) as error:
        raise Unavailable(f"torch cannot be loaded: {error}") from error
    if torch.cuda.is_available():
        kind, name = "cuda", str(torch.cuda.get_device_name(0))
    elif torch.backends.mps.is_available():
        kind, name = "mps", "Apple GPU"
    else:
        kind, name = "cpu", ""
    return Device(kind, name, int(torch.get_num_threads()), str(torch.__version__))
