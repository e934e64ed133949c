"""Reading a market store in a process of its own, for one that must stay small: pyarrow, and what it keeps, ends with it.

A request is one JSON line; an answer is eight bytes of length and as many bytes of MessagePack.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from atm.model.bars import N_COLUMNS, Bars, TimeRange
from atm.model.errors import Refused, Unavailable
from atm.model.interval import Interval

_PACKAGE_ROOT = Path(__file__).parents[2]


class Request(msgspec.Struct):
    """`wanted`: "symbols", "coverage" (of `symbol`) or "read" (its minutes from start_ms to before end_ms)."""

    wanted: str
    symbol: str = ""
    start_ms: int = 0
    end_ms: int = 0


class Answer(msgspec.Struct):
    """`refusal` says why there is no answer. The columns of bars are raw bytes as in `Bars`."""

    refusal: str = ""
    symbols: list[str] = []
    ranges: tuple[TimeRange, ...] = ()
    open_time: bytes = b""
    values: bytes = b""
    source: bytes = b""


class StoreAside:
    """The reading part of a `MarketStore`. The process is started at once, so that it is ready when it is first asked.

    Methods raise `Refused` with the store's own words, `Unavailable` when the process is gone.
    """

    def __init__(self, root: Path) -> None:
        command = [sys.executable, "-m", "atm.storage.read_aside", str(root.absolute())]
        self._process = subprocess.Popen(command, cwd=_PACKAGE_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def symbols(self) -> list[str]:
        """Symbols with any stored minute, sorted."""
        return self._ask(Request("symbols")).symbols

    def coverage(self, symbol: str) -> tuple[TimeRange, ...]:
        """The minutes that are stored, as disjoint ascending ranges."""
        return self._ask(Request("coverage", symbol)).ranges

    def read(self, symbol: str, start_ms: int, end_ms: int) -> Bars:
        """Stored minutes with start_ms <= open time < end_ms, ascending; holes are absent."""
        answer = self._ask(Request("read", symbol, start_ms, end_ms))
        values = np.frombuffer(answer.values, np.float64).reshape(N_COLUMNS, -1)
        times, source = np.frombuffer(answer.open_time, np.int64), np.frombuffer(answer.source, np.uint8)
        return Bars(Interval.M1, times, values, source)

    def close(self) -> None:
        """End the process: at once, since it only reads and its own way out takes longer than its work."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> StoreAside:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _ask(self, request: Request) -> Answer:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(msgspec.json.encode(request) + b"\n")
            self._process.stdin.flush()
            length = int.from_bytes(self._process.stdout.read(8), "little")
            answer = msgspec.msgpack.decode(self._process.stdout.read(length), type=Answer)
        except (OSError, ValueError, msgspec.DecodeError) as error:  # ValueError: closed
            raise Unavailable(f"the process that reads the market store has ended: {error}") from error
        if answer.refusal:
            raise Refused(answer.refusal)
        return answer
