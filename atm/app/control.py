"""The running program's door for other commands (`attach`): a local listener with a secret key, both kept at home."""

from __future__ import annotations

import json
import logging
import os
import secrets
import threading
from collections.abc import Callable
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Listener
from pathlib import Path
from typing import Any

from atm.model.errors import Refused, Unavailable
from atm.storage.home import control_file

log = logging.getLogger(__name__)

DISPLAY_VARIABLES = ("DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR", "LIBGL_ALWAYS_SOFTWARE")


class ControlServer:
    """Answers one command after the other on its own thread. `handle` gets the command and returns its answer."""

    def __init__(self, home: Path, handle: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        key = secrets.token_bytes(32)
        self._listener = Listener(("127.0.0.1", 0), authkey=key)
        self._handle = handle
        self._path = control_file(home)
        self._path.unlink(missing_ok=True)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump({"port": self._listener.address[1], "key": key.hex()}, file)
        threading.Thread(target=self._serve, name="control", daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                with self._listener.accept() as connection:
                    connection.send(self._handle(connection.recv()))
            except (AuthenticationError, EOFError) as error:
                log.warning("a control connection was refused: %s", type(error).__name__)
            except OSError:
                return

    def close(self) -> None:
        self._listener.close()
        self._path.unlink(missing_ok=True)


def ask_running(home: Path, command: dict[str, Any]) -> dict[str, Any]:
    """Send a command to the running program. Raises `Unavailable` when none runs, `Refused` when it says no."""
    try:
        known = json.loads(control_file(home).read_text())
        with Client(("127.0.0.1", known["port"]), authkey=bytes.fromhex(known["key"])) as connection:
            connection.send(command)
            answer: dict[str, Any] = connection.recv()
    except (OSError, EOFError, AuthenticationError, ValueError):
        raise Unavailable(f"no program is running on {home}") from None
    if "error" in answer:
        raise Refused(answer["error"])
    return answer
