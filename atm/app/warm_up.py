"""Compiles all kernels once, with a progress display: `python -m atm.app.warm_up`."""

from __future__ import annotations

import sys
import time

from atm.analyzers import warm_up as analyzers
from atm.simulators import warm_up as simulators


def main() -> int:
    begun = time.monotonic()

    def progress(name: str) -> None:
        sys.stderr.write(f"\rsetup: compiling the kernels: {name:<40}")
        sys.stderr.flush()

    analyzers.warm_up(progress)
    simulators.warm_up(progress)
    sys.stderr.write(f"\rsetup: kernels compiled in {time.monotonic() - begun:.0f} s{'':<40}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
