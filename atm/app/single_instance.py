"""One running program per home folder: a file lock that dies with its owner."""

from __future__ import annotations

import os
from pathlib import Path

from atm.model.errors import Refused
from atm.storage.file_lock import try_lock
from atm.storage.home import lock_file


class SingleInstance:
    """Holds the lock until `release` or the end of the process. Raises `Refused` naming the owner's process id.

    The id stands in a file of its own: on Windows others cannot read a locked one.
    """

    def __init__(self, home: Path) -> None:
        path = lock_file(home)
        owner = path.with_suffix(".pid")
        file = try_lock(path)
        if file is None:
            name = owner.read_text().strip() if owner.exists() else ""
            raise Refused(f"the program is running already on {home} (process {name or 'unknown'})")
        self._file = file
        owner.write_text(str(os.getpid()))

    def release(self) -> None:
        self._file.close()
