"""The process that examines a user's file, with its indicators and its trade-control methods (see `atm.analyzers.examine`)."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from atm.analyzers.apart import end_with_asker
from atm.analyzers.user_indicators import examine_here
from atm.trading.method_checker import check_method


def main() -> None:
    """What the process does: the verdict is the last line of what it prints."""
    end_with_asker()
    verdict = examine_here(Path(sys.argv[1]), check_method)
    sys.stdout.write(f"\n{msgspec.json.encode(verdict).decode()}\n")
