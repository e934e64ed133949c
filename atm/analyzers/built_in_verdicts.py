"""The verdicts on the built-in indicators: what the checker asks of a user's file it asks of ours too.

Examining all of them takes most of a minute, so it is done once for a version of the program, when someone first wants to
know, by a process of its own that gives way to every other; then the verdicts are read from a file.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from atm.analyzers.apart import end_with_asker, printed_apart
from atm.analyzers.builtin import built_in
from atm.analyzers.cache import program_version
from atm.analyzers.checker import Verdict, check
from atm.analyzers.warm_up import EVERYTHING
from atm.storage.file_lock import write_whole

log = logging.getLogger(__name__)

LONGEST_S = 900.0


class _Stored(msgspec.Struct):
    version: str
    verdicts: dict[str, Verdict]


def examine_all() -> dict[str, Verdict]:
    """Examine every built-in indicator, by name, in this process."""
    return {indicator.name: check(indicator, EVERYTHING.intervals[0]) for indicator in built_in()}


def examine_all_apart() -> dict[str, Verdict]:
    """The same in a process of low priority. Raises OSError or ValueError when it gives no verdicts."""
    try:
        code, lines = printed_apart(__name__, longest_s=LONGEST_S)
    except subprocess.TimeoutExpired:
        raise OSError(f"examining them took longer than {LONGEST_S:g} s") from None
    if code or not lines:
        raise OSError(f"the process that examines them ended with {code}")
    return msgspec.json.decode(lines[-1], type=dict[str, Verdict])


def main() -> None:
    """What that process does."""
    end_with_asker()
    if hasattr(os, "nice"):
        os.nice(15)
    sys.stdout.write(f"\n{msgspec.json.encode(examine_all()).decode()}\n")


class BuiltInVerdicts:
    """See the module. path: where they are kept; examine: how they are made. `examine` may run on another thread."""

    def __init__(self, path: Path, examine: Callable[[], dict[str, Verdict]] = examine_all_apart) -> None:
        self._path = path
        self._examine = examine
        self._known: dict[str, Verdict] | None = None

    @property
    def known(self) -> dict[str, Verdict]:
        """By name; empty until this version has been examined."""
        if self._known is None:
            self._known = self._read()
        return self._known

    def examine(self) -> None:
        """Examine and store. Raises OSError or ValueError."""
        found = self._examine()
        self._known = found
        write_whole(self._path, msgspec.json.encode(_Stored(program_version(), found)))

    def _read(self) -> dict[str, Verdict]:
        try:
            stored = msgspec.json.decode(self._path.read_bytes(), type=_Stored)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            log.warning("the verdicts in %s cannot be read, the indicators are examined again: %s", self._path, error)
            return {}
        return stored.verdicts if stored.version == program_version() else {}
