"""Logging of one process: a rotating file at home, warnings on the terminal too. Processes that hold keys write none: the text of an
error may repeat what a library was given, traces included.
"""

from __future__ import annotations

import logging
import logging.handlers
import threading
from pathlib import Path

from atm.model.key_like import without_keys
from atm.storage.home import logs

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


log = logging.getLogger(__name__)


class KeylessFormatter(logging.Formatter):
    """Writes lines and traces without what a key could be."""

    def format(self, record: logging.LogRecord) -> str:
        return without_keys(super().format(record))


def set_up(home: Path, name: str, *, keeps_secrets: bool = False) -> None:
    """`<home>/logs/<name>.log`, 5 MB, three old ones kept. The failure of a thread goes there as well."""
    logs(home).mkdir(parents=True, exist_ok=True)
    file = logging.handlers.RotatingFileHandler(logs(home) / f"{name}.log", maxBytes=5_000_000, backupCount=3)
    terminal = logging.StreamHandler()
    terminal.setLevel(logging.WARNING)
    formatter = KeylessFormatter(FORMAT) if keeps_secrets else logging.Formatter(FORMAT)
    for handler in (file, terminal):
        handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[file, terminal], force=True)
    threading.excepthook = _thread_failed
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("numba").setLevel(logging.WARNING)


def _thread_failed(failed: threading.ExceptHookArgs) -> None:
    """Python's own way is the terminal alone, as it is."""
    if failed.exc_type is SystemExit or failed.exc_value is None:
        return
    name = failed.thread.name if failed.thread is not None else "?"
    log.error("thread %s has failed", name, exc_info=(failed.exc_type, failed.exc_value, failed.exc_traceback))
