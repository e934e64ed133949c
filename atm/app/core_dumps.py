"""No core dumps: the image of a process may hold API keys and passwords."""

from __future__ import annotations

import sys


def forbid_core_dumps() -> None:
    """For this process and those that it starts. Windows makes none of its own accord."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
