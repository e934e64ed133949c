"""Columns of one-minute values of several symbols, in memory, or in a temporary file where they would take too much of it.

The account engine wants all symbols of a stretch of time, the statistics all times of one symbol. Of what lies in a file
only that is in memory at a time. Ten symbols of five years: 950 MB of prices and volumes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from atm.model.errors import Unavailable

MOST_BYTES = 256_000_000
"""What is kept in memory: two symbols of five years, which are thereby not written anywhere."""


class MinuteShelf:
    """types: of the columns; minutes, symbols: of each column. most_bytes (None = MOST_BYTES): beyond it a file is used, which
    has no name and goes with this object; folder: where, None = the system's place for temporary files."""

    def __init__(
        self,
        types: Sequence[DTypeLike],
        minutes: int,
        symbols: int,
        folder: Path | None = None,
        most_bytes: int | None = None,
    ) -> None:
        self._types = tuple(np.dtype(each) for each in types)
        self._minutes, self._symbols = minutes, symbols
        self._file: IO[bytes] | None = None
        self._columns: tuple[NDArray[Any], ...] = ()
        if sum(each.itemsize for each in self._types) * minutes * symbols > (
            MOST_BYTES if most_bytes is None else most_bytes
        ):
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115  # closed in `close`
        else:
            self._columns = tuple(np.empty((symbols, minutes), each) for each in self._types)

    @property
    def on_disk(self) -> bool:
        return self._file is not None

    def put(self, column: int, symbol: int, values: NDArray[Any]) -> None:
        """The whole column of a symbol, (minutes,). Raises `Unavailable` when the disk is full."""
        if self._file is None:
            self._columns[column][symbol] = values
            return
        data = np.ascontiguousarray(values, self._types[column]).data.cast("B")
        self._file.seek(self._place(column, symbol, 0))
        try:
            while data:
                data = data[self._file.write(data) :]
        except OSError as error:
            reason = error.strerror or error
            raise Unavailable(
                f"the minutes of a simulation could not be put into a temporary file: {reason}"
            ) from error

    def whole(self, column: int, symbol: int) -> NDArray[Any]:
        """The column of a symbol, (minutes,); a view where it is in memory."""
        if self._file is None:
            row: NDArray[Any] = self._columns[column][symbol]
            return row
        return self._read(column, symbol, 0, self._minutes)

    def part(self, column: int, symbol: int, first: int, last: int) -> NDArray[Any]:
        """Minutes first … last − 1 of the column of a symbol; a view where it is in memory."""
        if self._file is None:
            row: NDArray[Any] = self._columns[column][symbol, first:last]
            return row
        return self._read(column, symbol, first, last)

    def stretch(self, column: int, first: int, last: int) -> NDArray[Any]:
        """Minutes first … last − 1 of all symbols, (last − first, symbols), C-contiguous."""
        if self._file is None:
            return np.ascontiguousarray(self._columns[column][:, first:last].T)
        found = np.empty((last - first, self._symbols), self._types[column])
        for symbol in range(self._symbols):
            found[:, symbol] = self._read(column, symbol, first, last)
        return found

    def close(self) -> None:
        """Give the file back; what was in memory goes with its last view."""
        if self._file is not None:
            self._file.close()

    def _read(self, column: int, symbol: int, first: int, last: int) -> NDArray[Any]:
        assert self._file is not None
        found = np.empty(last - first, self._types[column])
        data = found.data.cast("B")
        self._file.seek(self._place(column, symbol, first))
        while data:
            data = data[self._file.readinto(data) :]  # type: ignore[attr-defined]  # it is a raw file
        return found

    def _place(self, column: int, symbol: int, minute: int) -> int:
        before = sum(each.itemsize for each in self._types[:column]) * self._symbols
        size = self._types[column].itemsize
        return self._minutes * (before + size * symbol) + size * minute
