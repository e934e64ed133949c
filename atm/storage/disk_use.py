"""Bytes of the market store by symbol and kind, and what is left on its disk."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

from atm.model.data_job import KindUse

LOW_BYTES, LOW_SHARE = 2 << 30, 0.05
CRITICAL_BYTES, CRITICAL_SHARE = 512 << 20, 0.01


class DiskUse(NamedTuple):
    """free, total: bytes of the disk; level: "ok", "low" or "critical"."""

    uses: tuple[KindUse, ...]
    free: int
    total: int
    level: str


def level(free: int, total: int) -> str:
    """Low and critical: below the absolute limit, or below the share where that is less."""
    if free < min(CRITICAL_BYTES, CRITICAL_SHARE * total):
        return "critical"
    return "low" if free < min(LOW_BYTES, LOW_SHARE * total) else "ok"


def disk_use(root: Path) -> DiskUse:
    """Scan the store. A file that vanishes meanwhile counts nothing."""
    uses = []
    for folder in sorted(root.glob("*/*/")):
        uses.append(KindUse(folder.parent.name, folder.name, sum(_size(path) for path in folder.iterdir())))
    disk = shutil.disk_usage(root)
    return DiskUse(tuple(uses), disk.free, disk.total, level(disk.free, disk.total))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except FileNotFoundError:
        return 0
