"""Logs of a process that holds keys: lines, traces and failures of threads have none."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from atm.app import logs

KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"


@pytest.fixture
def restored() -> Iterator[None]:
    """Logging as it was."""
    root = logging.getLogger()
    handlers, level, hook = root.handlers[:], root.level, threading.excepthook
    yield
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers[:], threading.excepthook = handlers, hook
    root.setLevel(level)


def failing() -> None:
    raise RuntimeError(f"a library says {KEY}")


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("keeps_secrets", [True, False])
def test_lines_traces_and_threads_write_no_key_where_keys_are_held(
    home: Path, keeps_secrets: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.set_up(home, "binance_api", keeps_secrets=keeps_secrets)
    logging.warning("refused: %s", KEY)
    try:
        failing()
    except RuntimeError:
        logging.exception("it has failed")
    thread = threading.Thread(target=failing, name="worker")
    thread.start()
    thread.join()
    written = (home / "logs" / "binance_api.log").read_text()
    assert "refused" in written and "thread worker has failed" in written
    assert written.count("in failing") == 2, "traces are there"
    assert (KEY in written) is not keeps_secrets
    assert (KEY in capsys.readouterr().err) is not keeps_secrets
