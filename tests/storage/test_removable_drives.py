"""Which drives can be pulled out."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from atm.storage.removable_drives import removable, wait_for_change

STICK = SimpleNamespace(mountpoint="/media/ann/KEYS", opts="rw,nosuid")
DISK = SimpleNamespace(mountpoint="/", opts="rw")


def test_drives_by_their_place_or_their_mark() -> None:
    windows = SimpleNamespace(mountpoint="E:\\", opts="rw,removable")
    fixed = SimpleNamespace(mountpoint="C:\\", opts="rw,fixed")
    assert removable([DISK, STICK, windows, fixed]) == (Path("/media/ann/KEYS"), Path("E:\\"))


def test_a_drive_that_is_there_already_is_told_at_once() -> None:
    assert wait_for_change((), 60.0, lambda: (Path("/media/x"),)) == (Path("/media/x"),)


def test_waiting_ends_without_a_change() -> None:
    asked = []
    assert wait_for_change((), 0.05, lambda: (asked.append(1), ())[1]) == ()
    assert len(asked) == 2
