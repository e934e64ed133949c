"""`./run.sh record`: through the running program's control door to the manager and back to the terminal."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from atm.app import program
from atm.app.command_line import main
from atm.app.control import ControlServer
from atm.ipc.messages import RecordSession, SessionRecording
from atm.model.endpoint import Addresses
from atm.model.errors import Invalid


def answering(told: SessionRecording) -> Any:
    def request(to: str, asked: Any, timeout: float = 5.0) -> SessionRecording:
        assert isinstance(asked, RecordSession)
        if asked.action not in ("start", "stop", "state"):
            raise Invalid("action", asked.action, "start, stop, state")
        return told

    return SimpleNamespace(assistant=SimpleNamespace(request=request))


@pytest.mark.parametrize(
    ("told", "code", "shown"),
    [
        (SessionRecording(True, "/home/x/session-1.jsonl.gz", 1_200, 34, 0, 1_694_131_200_000), 0, "34, 1,200 bytes"),
        (SessionRecording(False), 0, "nothing is recorded"),
        (SessionRecording(False, "/x", 5, 6, 7, 8, "No space left on device"), 1, "No space left on device"),
    ],
)
def test_what_is_told_reaches_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], told: SessionRecording, code: int, shown: str
) -> None:
    supervisor = answering(told)
    server = ControlServer(tmp_path, lambda command: program._handle(supervisor, Addresses("", ""), True, command))
    try:
        assert main(["record", "state", "--home", str(tmp_path)]) == code
    finally:
        server.close()
    assert shown in capsys.readouterr().out
