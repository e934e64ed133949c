"""Starts the program with two things that only a test may have: a copy of every queue message, and a door for requests.

Every message passes main, so its queue ends are where all are seen. `--tap FILE` gets the bytes of each; the control door answers
`ask` (a request to a process) and `known` (how many of some events there were, and the newest) as well.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import msgspec

from atm.app import command_line, program
from atm.app.supervisor import Supervisor
from atm.ipc.envelope import decode_message, encode
from atm.ipc.messages import AccountUpdated, ActivationKey, ActivationState, Event
from atm.ipc.queues import OneWayQueue
from atm.model.errors import ATMError


def tap(path: Path) -> None:
    """Copy what passes main's ends of all queues into a file."""
    file, lock = path.open("ab", buffering=0), threading.Lock()
    get, put = OneWayQueue.get, OneWayQueue.put

    def copied(data: bytes) -> bytes:
        with lock:
            file.write(data)
        return data

    OneWayQueue.get = lambda queue: copied(get(queue))  # type: ignore[method-assign]
    OneWayQueue.put = lambda queue, data: put(queue, copied(data))  # type: ignore[method-assign]


def open_door() -> None:
    """Let the control door pass requests on, and tell the newest events of activation and accounts."""
    newest: dict[str, tuple[int, bytes]] = {}
    handle = program._handle
    run = Supervisor.run

    def watched(supervisor: Supervisor) -> None:
        def keep(event: Event) -> None:
            name = getattr(event, "account", "") or getattr(getattr(event, "snapshot", None), "name", "")
            topic = f"{type(event).__name__}/{name}"
            newest[topic] = newest.get(topic, (0, b""))[0] + 1, encode(event)

        for kind in (ActivationKey, ActivationState, AccountUpdated):
            supervisor.assistant.subscribe(kind, keep)
        run(supervisor)

    def handled(supervisor: Supervisor, *rest: Any) -> dict[str, Any]:
        command = rest[-1]
        if command.get("command") == "known":
            return {"known": dict(newest)}
        if command.get("command") != "ask":
            return handle(supervisor, *rest)
        request: Any = decode_message(command["request"])
        try:
            reply = supervisor.assistant.request(command["to"], request, command.get("seconds", 30.0))
        except ATMError as error:
            return {"failed": f"{type(error).__name__}: {error}"}
        return {"reply": msgspec.to_builtins(reply)}

    Supervisor.run = watched  # type: ignore[method-assign]
    program._handle = handled


if __name__ == "__main__":
    at = sys.argv.index("--tap")
    tap(Path(sys.argv[at + 1]))
    open_door()
    sys.exit(command_line.main(sys.argv[1:at] + sys.argv[at + 2 :]))
