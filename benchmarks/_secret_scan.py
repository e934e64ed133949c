"""Looks for secrets in bytes of any kind: twelve bytes of one in a row are found in any of its forms.

The forms are the text itself, reversed, in UTF-16 and UTF-32, in base64 (all three alignments), in hexadecimal digits, percent-encoded,
and as HMAC and its pads hold it. Windows are looked up by two hashes in one pass over the data, then compared.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import numpy as np
from numba import njit
from numpy.typing import NDArray

from benchmarks._secret_archive import contents

WINDOW = 12
PIECE = 1 << 24
_LONGEST = 4 * WINDOW
_TABLE_BITS = 20
_FACTOR = 2_654_435_761


class Form(NamedTuple):
    """How a secret may be written. window: bytes of it that hold twelve of the secret, so that nothing is found by accident."""

    written: bytes
    window: int = WINDOW


class Found(NamedTuple):
    """A window of a secret's form at an offset of the data."""

    secret: str
    form: str
    offset: int


def forms(plain: bytes) -> dict[str, Form]:
    """Every form of a secret by its name."""
    found = {
        "raw": Form(plain),
        "reversed": Form(plain[::-1]),
        "hex": Form(plain.hex().encode(), 2 * WINDOW),
        "HEX": Form(plain.hex().upper().encode(), 2 * WINDOW),
        "inner pad": Form(bytes(each ^ 0x36 for each in plain)),
        "outer pad": Form(bytes(each ^ 0x5C for each in plain)),
    }
    for shift in range(3):
        # The first and the last digits depend on what stands beside the secret.
        digits = base64.b64encode(bytes(shift) + plain).rstrip(b"=")[:-1]
        found[f"base64 +{shift}"] = Form(digits[(0, 2, 3)[shift] :], WINDOW * 4 // 3)
    try:
        text = plain.decode("ascii")
    except UnicodeDecodeError:
        return found
    found |= {
        "UTF-16": Form(text.encode("utf-16-le"), 2 * WINDOW),
        "UTF-32": Form(text.encode("utf-32-le"), 4 * WINDOW),
    }
    if quote(text, safe="") != text:
        found["percent"] = Form(quote(text, safe="").encode())
    return found


class Scanner:
    """secrets: by name, what must not be seen: text as ASCII bytes, or raw bytes; at least `WINDOW` each."""

    def __init__(self, secrets: Mapping[str, bytes]) -> None:
        self._known: dict[bytes, list[tuple[str, str, bytes]]] = {}
        self._first = np.zeros(1 << _TABLE_BITS, np.uint8)
        self._last = np.zeros(1 << _TABLE_BITS, np.uint8)
        for name, plain in secrets.items():
            if len(plain) < WINDOW:
                raise ValueError(f"{name} has {len(plain)} bytes, {WINDOW} are needed")
            for form, (written, length) in forms(plain).items():
                for at in range(len(written) - length + 1):
                    window = written[at : at + length]
                    self._known.setdefault(window[:WINDOW], []).append((name, form, window))
        for begin in self._known:
            self._first[_slot(begin[:4])] = 1
            self._last[_slot(begin[-4:])] = 1

    def find(self, data: bytes) -> list[Found]:
        """Every window that is there; overlapping ones of one secret as one."""
        found: list[Found] = []
        if len(data) < WINDOW:
            return found
        reached: dict[str, int] = {}
        for at in _candidates(np.frombuffer(data, np.uint8), self._first, self._last):
            for name, form, window in self._known.get(data[at : at + WINDOW], ()):
                if data[at : at + len(window)] == window:
                    if at > reached.get(name, -1):
                        found.append(Found(name, form, int(at)))
                    reached[name] = int(at) + len(window)
        return found

    def find_in_file(self, path: Path) -> list[Found]:
        """As `find`, piece by piece, and in what is packed in it."""
        found: list[Found] = []
        for offset, data in _pieces(path):
            found += [each._replace(offset=offset + each.offset) for each in self.find(data)]
        for data in contents(path):
            found += self.find(data)
        return found


def _pieces(path: Path) -> Iterator[tuple[int, bytes]]:
    """Pieces that overlap by less than a window."""
    with path.open("rb") as file:
        rest, offset = b"", 0
        while data := file.read(PIECE):
            yield offset - len(rest), rest + data
            offset += len(data)
            rest = (rest + data)[-_LONGEST + 1 :]


def _slot(four: bytes) -> int:
    return (int.from_bytes(four, "little") * _FACTOR & 0xFFFFFFFF) >> (32 - _TABLE_BITS)


@njit(nogil=True)  # type: ignore[untyped-decorator]
def _candidates(data: NDArray[np.uint8], first: NDArray[np.uint8], last: NDArray[np.uint8]) -> list[int]:
    """Offsets whose first and last four bytes may be those of a window."""
    found = [0 for _ in range(0)]
    begin = np.uint32(0)
    end = np.uint32(0)
    for at in range(3):
        begin |= np.uint32(data[at]) << np.uint32(8 * (at + 1))
        end |= np.uint32(data[at + 8]) << np.uint32(8 * (at + 1))
    for at in range(len(data) - 11):
        begin = (begin >> np.uint32(8)) | (np.uint32(data[at + 3]) << np.uint32(24))
        end = (end >> np.uint32(8)) | (np.uint32(data[at + 11]) << np.uint32(24))
        slot = np.uint32(begin * np.uint32(2_654_435_761)) >> np.uint32(12)
        if first[slot] and last[np.uint32(end * np.uint32(2_654_435_761)) >> np.uint32(12)]:
            found.append(at)
    return found
