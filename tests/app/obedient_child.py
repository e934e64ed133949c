"""A child process for the tests of the supervisor: answers, hangs, or dies when asked to."""

from __future__ import annotations

import ctypes
import os
import signal
import time

from atm.ipc.assistant import IPCAssistant
from atm.ipc.messages import Done, LastStored, LastStoredReply, Reply, RetireWorker, StopAnalysis
from atm.model.program import ProgramContext

PR_GET_DUMPABLE = 3


def run(assistant: IPCAssistant, context: ProgramContext) -> None:
    def obey(request: StopAnalysis) -> Reply:
        if request.analysis == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if request.analysis == "hang":
            time.sleep(3600)
        if request.analysis == "dumpable":
            return Done("", {"dumpable": str(ctypes.CDLL(None).prctl(PR_GET_DUMPABLE, 0, 0, 0, 0))})
        return Done(request.analysis, {"pid": str(os.getpid()), "home": str(context.home)})

    def relay(request: RetireWorker) -> Reply:
        reply = assistant.request(request.name, StopAnalysis("hello"))
        assert isinstance(reply, Done)
        return reply

    assistant.answer(StopAnalysis, obey)
    assistant.answer(RetireWorker, relay)
    assistant.answer(LastStored, lambda _: LastStoredReply({"pid": os.getpid()}))
    assistant.run()
