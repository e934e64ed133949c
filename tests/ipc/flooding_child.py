"""A child process that publishes many ordered events, or counts those that it gets."""

from __future__ import annotations

from atm.ipc.assistant import IPCAssistant
from atm.ipc.messages import ClosedBar, Done, LastStored, LastStoredReply, Reply, StopAnalysis
from atm.model.bars import Bar
from atm.model.program import ProgramContext


def run(assistant: IPCAssistant, context: ProgramContext) -> None:
    seen = {"count": 0, "out of order": 0}

    def count(event: ClosedBar) -> None:
        seen["out of order"] += event.bar.open_time != seen["count"]
        seen["count"] += 1

    def obey(request: StopAnalysis) -> Reply:
        if request.analysis == "subscribe":
            assistant.subscribe(ClosedBar, count)
        else:
            for number in range(int(request.analysis)):
                assistant.publish(ClosedBar("X", Bar(number, 1, 1, 1, 1, 1, 1, 1, 1, 1), 1), "X")
        return Done()

    assistant.answer(StopAnalysis, obey)
    assistant.answer(LastStored, lambda _: LastStoredReply(dict(seen)))
    assistant.run()
