"""Overwrites what is left of a secret anywhere in this process's memory: copies that Python and libraries have made and freed.

Linux only (`process_vm_readv`, which says so where memory has gone meanwhile, instead of ending the process). Only what looks like
chance is looked for, and pieces of keys alone: a word of a password, as any text that may stand somewhere for another reason, would be
overwritten there as well, in names and messages of the program itself.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable, Iterator
from itertools import pairwise
from mmap import PAGESIZE
from pathlib import Path
from typing import NamedTuple

LEAST = 12
"""Bytes in a row by which a piece of a key counts as one."""
KEY_LENGTH = 32
"""From this length on a piece of a key is overwritten as well; of anything shorter the whole only."""
LEAST_OF_PASSWORD = 16
"""The same of a password of such a length, if the piece has small and large letters and digits, as words have not."""
_ANCHOR = LEAST // 2
_SLICE = 1 << 22
_MOST_PASSES = 3
_FILL = ord("0")
_ASCENDING, _ASCENDING_KEY, _DIFFERENT = 3, 7, 10
"""Most neighbours in a row that follow each other in the alphabet, and of a whole key, in 0.5 % of which (hexadecimal) four do by chance;
least different characters."""


class _Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class _Trace(NamedTuple):
    """letters: the bytes, as numbers, so that they do not lie in memory in a row; least: how many in a row must be there; has_words:
    whether a piece may be a word."""

    letters: list[int]
    least: int
    has_words: bool = False

    def counts(self, piece: bytearray) -> bool:
        """Whether it can only be of this secret."""
        is_long_enough = len(piece) >= self.least
        return is_long_enough and (not self.has_words or len(piece) == len(self.letters) or _kinds(piece) == 3)

    def extent(self, data: bytearray, at: int, offset: int) -> tuple[int, int]:
        """Where the piece begins and ends of which letter `offset` stands at `at`."""
        begin, first = at, offset
        while begin > 0 and first > 0 and data[begin - 1] == self.letters[first - 1]:
            begin, first = begin - 1, first - 1
        end, last = at, offset
        while end < len(data) and last < len(self.letters) and data[end] == self.letters[last]:
            end, last = end + 1, last + 1
        return begin, end


def looks_random(text: bytes | bytearray) -> bool:
    """Whether nobody would write this by hand: enough different characters of three kinds, or bytes, and no row of the alphabet."""
    if len(text) < LEAST or len(set(text)) < _DIFFERENT:
        return False
    run, most = 0, _ASCENDING if len(text) < KEY_LENGTH else _ASCENDING_KEY
    for before, after in pairwise(text):
        run = run + 1 if after - before in (0, 1) else 0
        if run > most:
            return False
    others = any(not (48 <= c < 58 or 65 <= c < 91 or 97 <= c < 123) for c in text)
    return _kinds(text) + others >= (3 if len(text) < KEY_LENGTH else 2)


def _kinds(text: bytes | bytearray) -> int:
    """How many there are of digits, large and small letters."""
    return sum(any(first <= c <= last for c in text) for first, last in (b"09", b"AZ", b"az"))


def wipe_remains(keys: Iterable[bytearray], passwords: Iterable[bytearray] = ()) -> int:
    """Overwrite what is left of them, themselves included; the number of places. Takes some tenths of a second a secret: not for a
    dispatch thread. keys: made by a machine; passwords: what a user made up, of which no words are looked for, only the whole and, of a
    long one, what is no word. What does not look random is overwritten only itself. Whoever still uses one has it no longer."""
    traces = []
    for secret, has_words in (*((each, False) for each in keys), *((each, True) for each in passwords)):
        if looks_random(secret):
            least = LEAST_OF_PASSWORD if has_words else LEAST
            traces.append(_Trace(list(secret), least if len(secret) >= KEY_LENGTH else len(secret), has_words))
        secret[:] = bytes(len(secret))
    if not traces or sys.platform != "linux":
        return 0
    return _wipe(traces)


def _wipe(traces: list[_Trace]) -> int:
    """Again as long as something was found: what was copied meanwhile may lie where had been looked already."""
    anchors = [
        (trace, offset, bytes(trace.letters[offset : offset + _ANCHOR]))
        for trace in traces
        for offset in range(0, len(trace.letters) - _ANCHOR + 1, _ANCHOR)
    ]
    scratch, wiped = bytearray(_SLICE + max(len(trace.letters) for trace in traces)), 0
    for _ in range(_MOST_PASSES):
        found = _wipe_once(anchors, scratch)
        wiped += found
        if not found:
            break
    scratch[:] = bytes(len(scratch))
    return wiped


def _wipe_once(anchors: list[tuple[_Trace, int, bytes]], scratch: bytearray) -> int:
    wiped = 0
    for base, size in _slices(scratch):
        for trace, offset, anchor in () if _is_empty(scratch, size) else anchors:
            for at in _places(scratch, size, anchor):
                first, last = trace.extent(scratch, at, offset)
                piece = scratch[first:last]
                if last <= size and trace.counts(piece):
                    wiped += _overwrite(base + first, piece)
                    scratch[first:last] = bytes(last - first)
                piece[:] = bytes(len(piece))
    return wiped


def _slices(scratch: bytearray) -> Iterator[tuple[int, int]]:
    """(address, size) of all memory, copied into the buffer piece by piece; pieces overlap by what it has more than a slice. Where
    memory has gone meanwhile there is a hole, and what lies behind it is looked at all the same."""
    for base, end in _regions():
        while base < end:
            size = _copy(base, scratch, min(end - base, len(scratch)), into_memory=False)
            if size:
                yield base, size
            base += _SLICE if size == len(scratch) else size or PAGESIZE - base % PAGESIZE


def _is_empty(data: bytearray, size: int) -> bool:
    """Whether there are only zeros, as on pages that were never written to."""
    address = ctypes.addressof((ctypes.c_char * len(data)).from_buffer(data))
    return size == 0 or (data[0] == 0 and _memcmp(address, address + 1, size - 1) == 0)


def _places(data: bytearray, size: int, anchor: bytes) -> Iterator[int]:
    """Where it stands in the first `size` bytes. By the C library, which other threads need not wait for as for `find`."""
    address = ctypes.addressof((ctypes.c_char * len(data)).from_buffer(data))
    at = 0
    while found := _memmem(address + at, size - at, anchor, len(anchor)):
        at = found - address
        yield at
        at += 1


def _overwrite(address: int, found: bytearray) -> bool:
    """Whether it still stood there: memory may have become something else since it was read."""
    there = bytearray(len(found))
    if _copy(address, there, len(there), into_memory=False) != len(there) or there != found:
        return False
    found[:] = there[:] = bytearray([_FILL]) * len(found)
    return _copy(address, there, len(there), into_memory=True) == len(there)


def _regions() -> Iterator[tuple[int, int]]:
    """What belongs to this process alone and can be written to."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, rights = line.split(None, 2)[:2]
        if rights.startswith("rw") and rights.endswith("p"):
            begin, _, end = span.partition("-")
            yield int(begin, 16), int(end, 16)


def _copy(address: int, buffer: bytearray, size: int, into_memory: bool) -> int:
    """Bytes that were copied; 0 where there is nothing any more."""
    here = (ctypes.c_char * len(buffer)).from_buffer(buffer)
    local, remote = _Vector(ctypes.addressof(here), size), _Vector(address, size)
    call = _write if into_memory else _read
    done: int = call(os.getpid(), ctypes.byref(local), 1, ctypes.byref(remote), 1, 0)
    return max(0, done)


if sys.platform == "linux":
    _library = ctypes.CDLL(None)
    _read, _write, _memmem = _library.process_vm_readv, _library.process_vm_writev, _library.memmem
    _read.restype = _write.restype = ctypes.c_ssize_t
    _memmem.restype = ctypes.c_void_p
    _memcmp = _library.memcmp
    _memcmp.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
    _memmem.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t)
