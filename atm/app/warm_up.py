"""Compiles all kernels once, with a progress display: `python -m atm.app.warm_up`."""

from __future__ import annotations

import sys
import time

from atm.analyzers.warm_up import warm_up as warm_up_analyzers
from atm.simulators.warm_up import warm_up as warm_up_engine


def main() -> int:
    begun = time.monotonic()

    def progress(name: str) -> None:
        sys.stderr.write(f"\rsetup: compiling the kernels: {name:<40}")
        sys.stderr.flush()

    warm_up_analyzers(progress)
    warm_up_engine(progress)
    sys.stderr.write(f"\rsetup: kernels compiled in {time.monotonic() - begun:.0f} s{'':<40}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
