"""One running program per home folder: a file lock that dies with its owner."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

from atm.model.errors import Refused
from atm.storage.home import lock_file


class SingleInstance:
    """Holds the lock until `release` or the end of the process. Raises `Refused` naming the owner's process id."""

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self._file: IO[str] = lock_file(home).open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.seek(0)
            owner = self._file.read().strip() or "unknown"
            self._file.close()
            raise Refused(f"the program is running already on {home} (process {owner})") from None
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def release(self) -> None:
        self._file.close()
