"""Exclusive locks on files, held by a process until it closes them or ends, however it ends."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: IO[str]) -> bool:
        file.seek(0)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _try_lock(file: IO[str]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def try_lock(path: Path) -> IO[str] | None:
    """The locked file, to be kept open as long as the lock is wanted; None while another holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a+")
    if not _try_lock(file):
        file.close()
        return None
    return file


@contextmanager
def locked(path: Path, patience: float = 60.0) -> Iterator[None]:
    """Hold the lock, waiting for it up to `patience` seconds. Raises TimeoutError."""
    give_up = time.monotonic() + patience
    while (file := try_lock(path)) is None:
        if time.monotonic() > give_up:
            raise TimeoutError(f"{path} is locked by another process since more than {patience:g} s")
        time.sleep(0.02)
    try:
        yield
    finally:
        file.close()


def write_whole(path: Path, data: bytes) -> None:
    """Replace a small file: it is the old one or the new one, never half of it. Makes its folder. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.writing")
    try:
        with aside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def sync_file(path: Path) -> None:
    """Make the contents of a file durable."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Make names made, renamed or removed in a folder durable (Windows does that by itself and opens no folders)."""
    if sys.platform == "win32":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
