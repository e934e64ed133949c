"""Work in a process of its own, which ends with the process that wanted it, however that ends."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

_ROOT = Path(__file__).parent.parent.parent


def printed_apart(module: str, *arguments: str, longest_s: float) -> tuple[int, list[bytes]]:
    """Exit code and lines of output of a module's `main()` in a process of its own, which calls `end_with_asker` first.

    Raises subprocess.TimeoutExpired, OSError.
    """
    command = [sys.executable, "-c", f"from {module} import main; main()", *arguments]
    with tempfile.TemporaryFile() as output:
        # its standard input stays open as long as this process lives
        process = subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.DEVNULL)
        try:
            code = process.wait(longest_s)
        finally:
            process.kill()
            process.wait()
            if process.stdin is not None:
                process.stdin.close()
        output.seek(0)
        return code, output.read().splitlines()


def end_with_asker() -> None:
    """End this process when the one that started it has closed its standard input or is gone."""

    def watch() -> None:
        os.read(0, 1)
        os._exit(1)

    threading.Thread(target=watch, name="asker", daemon=True).start()
