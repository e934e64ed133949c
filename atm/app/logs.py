"""Logging of one process: a rotating file at home, warnings on the terminal too."""

from __future__ import annotations

import logging
import logging.handlers
from pathlib import Path

from atm.storage.home import logs

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def set_up(home: Path, name: str) -> None:
    """`<home>/logs/<name>.log`, 5 MB, three old ones kept."""
    logs(home).mkdir(parents=True, exist_ok=True)
    file = logging.handlers.RotatingFileHandler(logs(home) / f"{name}.log", maxBytes=5_000_000, backupCount=3)
    terminal = logging.StreamHandler()
    terminal.setLevel(logging.WARNING)
    logging.basicConfig(level=logging.INFO, format=FORMAT, handlers=[file, terminal], force=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("numba").setLevel(logging.WARNING)
