"""The minutes that the exchange was asked for and lacks, one small file per symbol.

    <root>/<SYMBOL>/absent.json      [[start_ms, end_ms], ...]

It only says what need not be asked for again; a file that is lost or broken costs a question to the exchange.
"""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from atm.model.bars import TimeRange
from atm.storage.coverage import missing, union
from atm.storage.file_lock import write_whole

log = logging.getLogger(__name__)

NAME = "absent.json"
MOST = 1_000
"""Ranges kept per symbol; of more the newest."""


class AbsentRanges:
    """One writer. `root`: of the market store."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def of(self, symbol: str) -> tuple[TimeRange, ...]:
        """Disjoint, ascending."""
        path = self._root / symbol / NAME
        try:
            return union(msgspec.json.decode(path.read_bytes(), type=list[TimeRange]))
        except FileNotFoundError:
            return ()
        except (msgspec.DecodeError, OSError) as error:
            log.warning("%s cannot be read: %s", path, error)
            return ()

    def add(self, symbol: str, ranges: tuple[TimeRange, ...]) -> None:
        self._write(symbol, union((*self.of(symbol), *ranges))[-MOST:])

    def forget(self, symbol: str, within: TimeRange) -> None:
        """Let the exchange be asked again for what lies in `within`."""
        known = self.of(symbol)
        kept = tuple(rest for piece in known for rest in missing((within,), piece))
        if kept != known:
            self._write(symbol, kept)

    def _write(self, symbol: str, ranges: tuple[TimeRange, ...]) -> None:
        path = self._root / symbol / NAME
        try:
            write_whole(path, msgspec.json.encode(ranges))
        except OSError as error:  # a full disk: it is asked for again after the next start
            log.warning("%s cannot be written: %s", path, error)
