"""No core dumps: the image of a process may hold API keys and passwords."""

from __future__ import annotations

import ctypes
import sys

_PR_SET_DUMPABLE = 4
_REFUSED_TO_PIPES = 1
"""Bytes. Too few for a file, and what makes Linux call no crash reporter either (0 would: core(5) and fs/coredump.c)."""


def forbid_core_dumps() -> None:
    """For this process and those that it starts. Windows makes none of its own accord."""
    if sys.platform != "win32":
        import resource

        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        limit = _REFUSED_TO_PIPES if hard == resource.RLIM_INFINITY else min(hard, _REFUSED_TO_PIPES)
        resource.setrlimit(resource.RLIMIT_CORE, (limit, limit))


def hide_memory() -> None:
    """Let no other process of this user read the memory of this one, a debugger included (Linux). Not inherited by programs that it
    starts."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
