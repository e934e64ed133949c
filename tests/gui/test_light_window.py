"""The window's process loads no library that its pages do not need."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
HEAVY = ("numba", "pandas", "scipy", "sqlalchemy", "pyarrow", "torch", "aiohttp")


def test_the_window_loads_nothing_heavy_before_it_reads_a_store() -> None:
    code = f"import sys, atm.gui.application; print('loaded', *({set(HEAVY)!r} & sys.modules.keys()))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert result.stdout.splitlines()[-1] == "loaded"
