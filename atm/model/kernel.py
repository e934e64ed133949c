"""One place for the way numeric kernels are compiled.

`kernel` compiles a function with numba in nopython mode and keeps the machine code on disk, so that
only the first start after an installation pays for it (`./run.sh` does that with a progress display).
fastmath is off: results must be the same bits on every run, in backtest and live alike.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")

_interpreted = False


def interpret_kernels() -> None:
    """From now on this process runs kernels as plain Python: for one that calls a few of them a second, and for which
    numba (65 MB, half a second) is too dear. To be called before the first import of a module with kernels."""
    global _interpreted
    _interpreted = True


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` lazily by argument types; `error_model="numpy"` makes x / 0.0 an infinity or NaN."""
    return _compiled(function, _nrt=True)  # else one that a lean kernel calls could make no array either


def lean_kernel(function: Callable[P, R]) -> Callable[P, R]:
    """A `kernel` that makes and returns no array: views of its arguments are not counted.

    Counting them took two thirds of the time of a kernel that passes rows of tables to many small ones.
    """
    return _compiled(function, _nrt=False)


def _compiled(function: Callable[P, R], **options: bool) -> Callable[P, R]:
    if _interpreted:
        return function
    import numba  # noqa: PLC0415  (see interpret_kernels)

    settings: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy", "fastmath": False, **options}
    compiled = numba.njit(**settings)(function)
    return cast("Callable[P, R]", compiled)
