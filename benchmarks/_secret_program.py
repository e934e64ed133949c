"""Starts the program with things that only a test may have: a copy of every queue message, a door for requests, an exchange and a
library that say what they should not, and a window that tells where its controls are.

Every message passes main, so its queue ends are where all are seen. `--tap FILE` gets the bytes of each; the control door answers
`ask` (a request to a process) and `known` (how many of some events there were, and the newest) as well.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import msgspec

from atm.app import command_line, exchange_keeper, program, supervisor
from atm.app.process_table import Program
from atm.app.supervisor import Supervisor
from atm.ipc.envelope import decode_message, encode
from atm.ipc.messages import BINANCE_API, GUI, AccountUpdated, ActivationKey, ActivationState, Event
from atm.ipc.queues import OneWayQueue
from atm.model.errors import ATMError
from benchmarks import _secret_exchange


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


def replace_processes() -> None:
    """`_secret_manager`, `_secret_window` and `_secret_exchange` in place of what they wrap."""
    supervisor.WINDOW = Program(GUI, "benchmarks._secret_window")
    exchange_keeper._serve = _secret_exchange.serve
    start = Supervisor._start

    def started(of: Supervisor, wanted: Program, *rest: Any) -> None:
        start(of, Program(BINANCE_API, "benchmarks._secret_manager") if wanted.name == BINANCE_API else wanted, *rest)

    Supervisor._start = started  # type: ignore[method-assign]


if __name__ == "__main__":
    at = sys.argv.index("--tap")
    tap(Path(sys.argv[at + 1]))
    open_door()
    replace_processes()
    sys.exit(command_line.main(sys.argv[1:at] + sys.argv[at + 2 :]))
