"""What runs first in every child process."""

from __future__ import annotations

import ctypes
import importlib
import logging
import os
import signal
import sys
import time
from collections.abc import Callable

import psutil

from atm.app import logs
from atm.app.core_dumps import forbid_core_dumps, hide_memory
from atm.ipc.assistant import IPCAssistant
from atm.ipc.flow import SendCredit
from atm.ipc.messages import BINANCE_API, GUI, NOTIFIER, Done, Ping
from atm.ipc.queues import Channel, ChildTransport
from atm.model.program import ProgramContext

MEASURE_S = 60.0
PSS = "pss"
"""What a process that hides its memory says of it, in bytes, when it is asked whether it lives."""

log = logging.getLogger(__name__)

_PR_SET_PDEATHSIG = 1
_KEEP_SECRETS = frozenset((BINANCE_API, GUI, NOTIFIER))


def run_child(
    name: str, module: str, channel: Channel, context: ProgramContext, environment: dict[str, str], main_pid: int
) -> None:
    """Import `module` and run its `run(assistant, context)` until it is stopped or main is gone."""
    forbid_core_dumps()
    keeps_secrets = name.partition("-")[0] in _KEEP_SECRETS
    hidden = sys.platform == "linux" and keeps_secrets
    if hidden:
        hide_memory()
    os.environ.update(environment)
    # Ctrl+C and a service manager's SIGTERM reach the whole group; only main decides what they mean.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    die_with(main_pid)
    logs.set_up(context.home, name, keeps_secrets=keeps_secrets)
    transport = ChildTransport(channel)
    credit = SendCredit()
    assistant = IPCAssistant(name, transport, credit=credit)

    if hidden:  # main cannot measure it
        memory = OwnMemory()
        assistant.answer(Ping, lambda _: Done(parameters={PSS: str(memory.pss())}))

    def ended() -> None:
        credit.close()
        assistant.stop()

    transport.start(assistant.deliver, ended)
    try:
        importlib.import_module(module).run(assistant, context)
        log.info("%s ends", name)
    except Exception:
        # Main starts it again; the trace is in the log.
        log.exception("%s has failed", name)
        sys.exit(1)
    finally:
        logging.shutdown()
    transport.close()


class OwnMemory:
    """What this process uses, for itself to tell."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pss, self._due = 0, clock()

    def pss(self) -> int:
        """Bytes; measured once a minute, since it takes some milliseconds."""
        if self._clock() >= self._due:
            self._pss, self._due = psutil.Process().memory_full_info().pss, self._clock() + MEASURE_S
        return self._pss


def die_with(main_pid: int) -> None:
    """Linux ends this process when its parent dies. On paper that is the fork server, which outlives main for as long as any process
    that it has made; so whoever has no inbox, whose end tells of main's, has to watch main as well."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == 1 and main_pid != 1:
        sys.exit(1)
