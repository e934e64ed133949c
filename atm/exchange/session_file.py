"""The file of a recorded session: what came from an exchange, as it came, each line with its local time of receipt.

    <Unix ns> <raw message of a stream in combined form: {"stream":…,"data":…}>
    <Unix ns> {"request":"/fapi/v1/depth?limit=1000&symbol=BTCUSDT","answer":<raw answer>}
    <Unix ns> {"lost":<messages that were not written>}

It is gzip, of one member for each piece that was written, so that a program that is killed loses the last piece at most, and any
gzip reader opens it. A line that is a bare depth snapshot, as other recorders write them, is understood as well.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import msgspec

from atm.model.errors import Invalid

SUFFIX = ".jsonl.gz"
_LEVEL = 3
_SECRETS = re.compile(rb'(?i)((?:signature|listenkey|apikey|secret)"?\s*[=:]\s*"?)[A-Za-z0-9%+/_=-]+')
_PRIVATE = (b"signature", b"listenkey", b"apikey", b"secret")


class SessionLine(msgspec.Struct, gc=False):
    """One line of a session; which of its parts there are says what it is."""

    stream: str = ""
    data: msgspec.Raw = msgspec.Raw(b"")
    request: str = ""
    answer: msgspec.Raw = msgspec.Raw(b"")
    update_id: int = msgspec.field(default=0, name="lastUpdateId")
    lost: int = 0


_LINES = msgspec.json.Decoder(SessionLine)


def redacted(raw: bytes) -> bytes:
    """A message without listen keys, signatures and API keys; itself if it has none."""
    lower = raw.lower()
    return _SECRETS.sub(rb"\1redacted", raw) if any(word in lower for word in _PRIVATE) else raw


def frame_line(received_ns: int, frame: bytes) -> bytes:
    """The line of a stream message."""
    return b"%d %s\n" % (received_ns, redacted(frame).replace(b"\n", b" "))


def answer_line(received_ns: int, request: str, answer: bytes) -> bytes:
    """The line of a REST answer. request: path and query."""
    asked = msgspec.json.encode(request)
    return b'%d {"request":%s,"answer":%s}\n' % (
        received_ns,
        redacted(asked),
        redacted(answer.strip()).replace(b"\n", b" "),
    )


def lost_line(received_ns: int, lost: int) -> bytes:
    """The line that says how many messages are missing here."""
    return b'%d {"lost":%d}\n' % (received_ns, lost)


def packed(lines: bytes) -> bytes:
    """Lines as one piece of a file."""
    return gzip.compress(lines, _LEVEL)


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """(Unix ns, raw message) of a file, gzip or plain, up to where it was cut. Raises Invalid for one that is none."""
    with _opened(path) as file:
        while True:
            try:
                line = file.readline()
            except (EOFError, zlib.error, gzip.BadGzipFile):
                return  # the writer was killed, or the disk was full
            stamp, _, raw = line.partition(b" ")
            if not line.endswith(b"\n") or not stamp.isdigit():
                if line and not line.endswith(b"\n"):
                    return
                if line:
                    raise Invalid("recording", str(path), "lines of a time in nanoseconds and a message")
                return
            yield int(stamp), raw.rstrip(b"\n")


def read_line(raw: bytes) -> SessionLine | None:
    """What a line says; None for one that cannot be read."""
    try:
        return _LINES.decode(raw)
    except msgspec.DecodeError:
        return None


def _opened(path: Path) -> BinaryIO:
    try:
        file = path.open("rb")
        is_packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
    except OSError as error:
        raise Invalid("recording", str(path), f"a file that can be read ({error.strerror})") from None
    return cast(BinaryIO, gzip.GzipFile(fileobj=file)) if is_packed else file
