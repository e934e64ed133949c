"""Bulk arrays by reference: the bytes lie in shared memory, and only their name crosses a queue.

*Ownership.* An array belongs to its maker until somebody takes it, and then to the taker alone: taking removes the name, so a
reference works once, and the memory is freed with the last numpy view over it, or with the death of its process. Arrays that
nobody took (the asker had gone) are withdrawn by their maker, the oldest first beyond `MOST_WAITING`, and all on `close`.

*Death.* Names are `atm-<program>-<owner>-<token>`. Main calls `sweep` when it begins, when a child has died and when it ends.
Where the system cannot list shared memory (macOS) an array whose maker is killed before it is taken stays until the system
restarts; Windows frees it with its last user.
"""

from __future__ import annotations

import hashlib
import secrets
import sys
from collections import deque
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from threading import Lock

import msgspec
import numpy as np
from numpy.typing import NDArray

from atm.model.errors import Invalid, Unavailable

MOST_WAITING = 8
_SYSTEM_FOLDER = Path("/dev/shm")
_KINDS = "biuf"


class ArrayReference(msgspec.Struct, frozen=True):
    """Where an array lies. dtype: numpy's array-protocol string, such as "<f8"; shape: in C order."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes."""
        return int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize


def program_id(home: Path) -> str:
    """Names the program that runs on a home folder (there is one at a time), so that nobody sweeps another's memory."""
    return hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:8]


class SharedArrays:
    """What one process has made and nobody has taken yet. Thread-safe."""

    def __init__(self, program: str, owner: str) -> None:
        self._prefix = f"atm-{program}-{owner}-"
        self._waiting: deque[tuple[str, SharedMemory | None]] = deque()
        self._lock = Lock()

    def share(self, array: NDArray[np.generic]) -> ArrayReference:
        """Copy an array of numbers into shared memory. Raises `Invalid` for one of anything else."""
        if array.dtype.kind not in _KINDS:
            raise Invalid("dtype", array.dtype, "numbers")
        reference = ArrayReference(self._prefix + secrets.token_hex(4), array.dtype.str, array.shape)
        memory = SharedMemory(reference.name, create=True, size=max(1, reference.size))
        _untrack(reference.name)
        np.ndarray(array.shape, array.dtype, memory.buf)[...] = array
        keep = memory if sys.platform == "win32" else None
        if keep is None:
            memory.close()
        with self._lock:
            self._waiting.append((reference.name, keep))
            self._withdraw(MOST_WAITING)
        return reference

    def close(self) -> None:
        """Withdraw what nobody has taken."""
        with self._lock:
            self._withdraw(0)

    def _withdraw(self, kept: int) -> None:
        while len(self._waiting) > kept:
            name, memory = self._waiting.popleft()
            if memory is not None:
                memory.close()
            _remove(name)


class _Mapping:
    """What a taken array is based on: numpy keeps it as long as there is a view, and the memory with it."""

    def __init__(self, memory: SharedMemory, reference: ArrayReference) -> None:
        self._memory = memory
        buffer = memory.buf
        assert buffer is not None, "it has just been mapped"
        address = np.frombuffer(buffer, np.uint8).__array_interface__["data"][0]
        self.__array_interface__ = {
            "version": 3,
            "data": (address, True),
            "typestr": reference.dtype,
            "shape": reference.shape,
        }


def take(reference: ArrayReference) -> NDArray[np.generic]:
    """The array, mapped and read-only. Raises `Unavailable` when it was withdrawn, swept or taken before."""
    try:
        memory = SharedMemory(reference.name)
    except (FileNotFoundError, ValueError):
        raise Unavailable(f"the shared array {reference.name} is not there any more") from None
    memory.unlink()
    if memory.size < reference.size:
        raise Invalid("shape", reference.shape, f"what fits into {memory.size} bytes")
    return np.asarray(_Mapping(memory, reference))


def sweep(program: str, owner: str = "") -> int:
    """Remove what a dead process (or, without `owner`, the whole program) has left. Returns how many."""
    prefix = f"atm-{program}-{owner}-" if owner else f"atm-{program}-"
    left = list(_SYSTEM_FOLDER.glob(prefix + "*")) if _SYSTEM_FOLDER.is_dir() else []
    for path in left:
        path.unlink(missing_ok=True)
    return len(left)


def _remove(name: str) -> None:
    """Remove a name if it is still there."""
    try:
        memory = SharedMemory(name)
    except (FileNotFoundError, ValueError):
        return
    memory.unlink()
    memory.close()


def _untrack(name: str) -> None:
    """Python's resource tracker would remove the memory with its maker and complain; here `sweep` does that, silently.

    Taking registers and unlinks, which is balanced.
    """
    if sys.platform != "win32":
        resource_tracker.unregister(f"/{name}", "shared_memory")
