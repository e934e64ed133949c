"""The neural network manager. There are no networks yet: it says on which device they would run."""

from __future__ import annotations

from atm.ipc.assistant import IPCAssistant
from atm.ipc.messages import DescribeDevice, DeviceDescription, Reply
from atm.model.program import ProgramContext
from atm.neural.device import describe_device


def run(assistant: IPCAssistant, _context: ProgramContext) -> None:
    """Entry of the process; returns when the assistant is stopped."""
    assistant.answer(DescribeDevice, _describe)
    assistant.run()


def _describe(_request: DescribeDevice) -> Reply:
    device = describe_device()
    return DeviceDescription(device.kind, device.name, device.threads, device.torch_version)
