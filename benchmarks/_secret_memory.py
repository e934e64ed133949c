"""Reads the live memory of other processes, as their administrator could (Linux, as root)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

PAGE = 4_096
PIECE = 1 << 24
OVERLAP = 64
_PRESENT = np.uint64(3 << 62)
"""In memory or swapped out."""


def can_be_read(pid: int) -> bool:
    """Whether this process may look into that one."""
    try:
        with Path(f"/proc/{pid}/mem").open("rb"):
            return True
    except OSError:
        return False


def memory(pid: int) -> Iterator[tuple[str, bytes]]:
    """(name of the mapping, bytes) of everything that a process can write to, pages that it has never touched left out."""
    try:
        lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    except OSError:
        return  # it has ended
    with Path(f"/proc/{pid}/mem").open("rb", 0) as content, Path(f"/proc/{pid}/pagemap").open("rb", 0) as pages:
        for line in lines:
            parts = line.split(None, 5)
            if "w" not in parts[1]:
                continue
            start, end = (int(each, 16) for each in parts[0].split("-"))
            name = parts[5] if len(parts) > 5 else "anonymous"
            for begin, stop in _touched(pages, start, end):
                for at in range(begin, stop, PIECE):
                    # A window may lie across two pieces.
                    yield name, _read(content, at, min(stop, at + PIECE + OVERLAP) - at)


def _touched(pages: object, start: int, end: int) -> list[tuple[int, int]]:
    """Runs of pages that are there."""
    pages.seek(start // PAGE * 8)  # type: ignore[attr-defined]
    entries = np.frombuffer(pages.read((end - start) // PAGE * 8), np.uint64)  # type: ignore[attr-defined]
    present = np.concatenate(([False], (entries & _PRESENT) != 0, [False]))
    edges = np.flatnonzero(present[1:] != present[:-1])
    return [(start + int(a) * PAGE, start + int(b) * PAGE) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _read(content: object, at: int, size: int) -> bytes:
    try:
        content.seek(at)  # type: ignore[attr-defined]
        data: bytes = content.read(size)  # type: ignore[attr-defined]
    except (OSError, ValueError, OverflowError):
        return b""  # unmapped meanwhile, or not memory ([vvar])
    return data
