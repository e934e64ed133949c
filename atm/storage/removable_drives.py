"""Drives that a user plugs in: where activation files are looked for."""

from __future__ import annotations

import select
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

import psutil

_MOUNT_FOLDERS = ("/media/", "/run/media/", "/mnt/", "/Volumes/")
_ASK_AGAIN_S = 5.0


class Partition(Protocol):
    """What is needed of a mounted partition (psutil's names)."""

    @property
    def mountpoint(self) -> str: ...

    @property
    def opts(self) -> str: ...


def removable(partitions: Iterable[Partition]) -> tuple[Path, ...]:
    """Mount points of the drives that can be pulled out, in a fixed order. Pure."""
    return tuple(
        sorted(
            Path(each.mountpoint)
            for each in partitions
            if "removable" in each.opts.split(",") or each.mountpoint.startswith(_MOUNT_FOLDERS)
        )
    )


def mounted() -> tuple[Path, ...]:
    """The drives that are there now."""
    return removable(psutil.disk_partitions(all=False))


def wait_for_change(
    known: tuple[Path, ...], seconds: float, look: Callable[[], tuple[Path, ...]] = mounted
) -> tuple[Path, ...]:
    """Wait until the drives differ from the known ones, at most so long. Returns those that are there then.

    On Linux the kernel says when something is mounted, so nothing is asked meanwhile; elsewhere every few seconds.
    """
    if sys.platform != "linux":
        return _ask(known, seconds, look)
    with Path("/proc/self/mounts").open() as mounts:
        watch = select.poll()
        watch.register(mounts, select.POLLPRI | select.POLLERR)
        now = look()
        if now == known:
            watch.poll(seconds * 1_000)
            now = look()
        return now


def _ask(known: tuple[Path, ...], seconds: float, look: Callable[[], tuple[Path, ...]]) -> tuple[Path, ...]:
    until = time.monotonic() + seconds
    while (now := look()) == known and (left := until - time.monotonic()) > 0:
        time.sleep(min(left, _ASK_AGAIN_S))
    return now
