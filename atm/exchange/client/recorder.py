"""Records a session: every raw message with its time of receipt, and the REST answers that a replay needs.

Taking a message costs an append; a thread of its own packs and writes, once a second or when enough has come. Everything is
bounded: what waits (then messages are left out and counted), a file (then another is begun), all files together (then the
oldest go).
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import msgspec

from atm.exchange.session_file import SUFFIX, answer_line, frame_line, lost_line, packed
from atm.model.errors import Unavailable

logger = logging.getLogger(__name__)

PATHS = ("depth", "klines", "aggTrades", "premiumIndex", "fundingRate", "exchangeInfo", "time")
"""Public REST answers that are recorded, by the last part of their path; no signed one is."""
REMEMBERED = "exchangeInfo"
"""Its newest answer is repeated at the beginning of every file, so that each can be replayed for itself."""


class RecorderLimits(msgspec.Struct, frozen=True):
    """Bytes, but period in seconds. waiting: not yet written; piece: written at once when so much waits."""

    waiting: int = 64_000_000
    piece: int = 1_000_000
    file: int = 64_000_000
    total: int = 1_000_000_000
    period: float = 1.0


class RecorderState(msgspec.Struct, frozen=True):
    """path: the file that is written; bytes: of all files of this session; error: why it ended by itself."""

    path: str
    bytes: int
    messages: int
    lost: int
    since_ms: int
    error: str = ""


class SessionRecorder:
    """Writes to `folder` until `close`. Raises Unavailable when nothing can be written there. now_ns(): the local clock."""

    def __init__(
        self,
        folder: Path,
        limits: RecorderLimits | None = None,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._folder, self._limits, self._now_ns = folder, limits or RecorderLimits(), now_ns
        self._since_ms = now_ns() // 1_000_000
        self._lines: deque[bytes] = deque()
        # Each counter is changed by one thread alone: the first three by whoever adds, the others by the writer.
        self._added = self._messages = self._lost = 0
        self._taken = self._told_lost = 0
        self._remembered = b""
        self._error = ""
        self._number = self._file_bytes = self._bytes = 0
        self._path = folder
        self._file: BinaryIO | None = None
        self._due = threading.Event()
        self._closing = False
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._begin_file()
        except OSError as error:
            raise Unavailable(f"no recording can be written to {folder}: {error.strerror}") from None
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    @property
    def state(self) -> RecorderState:
        """How far it is."""
        return RecorderState(str(self._path), self._bytes, self._messages, self._lost, self._since_ms, self._error)

    def frame(self, frame: bytes) -> None:
        """A stream message has come."""
        self._add(frame_line(self._now_ns(), frame))

    def answer(self, path: str, request: str, answer: bytes) -> None:
        """A REST answer has come. path: without the query; request: with it."""
        name = path.rsplit("/", 1)[-1]
        if name not in PATHS:
            return
        line = answer_line(self._now_ns(), request, answer)
        if name == REMEMBERED:
            self._remembered = line
        self._add(line)

    def close(self) -> RecorderState:
        """Write what waits and end."""
        self._closing = True
        self._due.set()
        self._thread.join(10.0)
        return self.state

    def _add(self, line: bytes) -> None:
        waiting = self._added - self._taken + len(line)
        if self._error or waiting > self._limits.waiting:
            self._lost += 1
            return
        self._messages += 1
        self._added += len(line)
        self._lines.append(line)
        if waiting > self._limits.piece and not self._due.is_set():
            self._due.set()

    # --- the thread -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._closing:
            self._due.wait(self._limits.period)
            self._due.clear()
            self._write()
        self._write()
        if self._file is not None:
            self._file.close()

    def _write(self) -> None:
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        self._taken += sum(map(len, lines))
        if self._lost != self._told_lost and not self._error:
            lines.append(lost_line(self._now_ns(), self._lost - self._told_lost))
            self._told_lost = self._lost
        if not lines or self._file is None:
            return
        try:
            if self._file_bytes > self._limits.file:
                self._begin_file()
                lines.insert(0, self._remembered)
            self._put(packed(b"".join(lines)))
        except OSError as error:
            self._error = error.strerror or type(error).__name__
            logger.error("the recording of the session has ended: %s", self._error)

    def _put(self, piece: bytes) -> None:
        assert self._file is not None
        self._file.write(piece)
        self._file.flush()
        self._file_bytes += len(piece)
        self._bytes += len(piece)

    def _begin_file(self) -> None:
        if self._file is not None:
            self._file.close()
        self._number += 1
        begun = datetime.fromtimestamp(self._since_ms / 1000, UTC).strftime("%Y%m%d-%H%M%S")
        self._path = self._folder / f"session-{begun}-{self._number:04d}{SUFFIX}"
        self._file = self._path.open("xb")
        self._file_bytes = 0
        self._forget_oldest()

    def _forget_oldest(self) -> None:
        """Keep all sessions together within their limit."""
        files = sorted(self._folder.glob(f"session-*{SUFFIX}"))
        sizes = {file: file.stat().st_size for file in files}
        total = sum(sizes.values())
        for file in files[:-1]:
            if total <= self._limits.total:
                return
            file.unlink()
            total -= sizes[file]
