"""Lines of an interval at every minute: what each says when that minute counts as the last of its bar. Numba kernels.

A minute that ends its bar advances the state of a line; any other one advances a copy of it, which is thrown away. So the
results are those of previews, and of the closed bars, to the bit. Many minutes go through a compiled loop, which calls a
line by the address of its machine code: no loop is compiled anew for it.
"""

from __future__ import annotations

import types as python_types
import zlib
from functools import lru_cache
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core.registry import CPUDispatcher
from numba.extending import intrinsic
from numpy.typing import NDArray

from atm.analyzers.aggregate import FLOW_COUNT, FLOW_SUM, fold, fold_flow, mean_flow
from atm.analyzers.contract import Advance, Floats
from atm.model.bars import N_COLUMNS
from atm.model.interval import MINUTE_MS
from atm.model.kernel import kernel

FEW = 2_000
"""So many minutes are done one by one from outside, which takes less time than loading the machine code for the loop."""

_MINUTE = MINUTE_MS
_types: Any = types
_POINTER, _NUMBER = _types.CPointer(types.float64), types.int64
_ENTRY = _NUMBER(_POINTER, _NUMBER, _POINTER, _NUMBER, _POINTER, _NUMBER, _NUMBER, _NUMBER, _POINTER, _NUMBER)
carray: Any = numba.carray  # type: ignore[attr-defined]


@kernel
def unfold(
    partial: Floats, first_ms: int, minutes: Floats, edges: NDArray[np.int64], out: Floats, number: NDArray[np.int64]
) -> None:
    """The running bar after each of the dense minutes (9, n), the first of which opens at `first_ms`.

    edges: `open_times` of the range; out (≥ 9, n): rows 0 … 8 receive the bar so far; number (n,): that of the bar, 0 for
    the one that opens at edges[0]; partial is the running bar before and after.
    """
    bar = 0
    for i in range(minutes.shape[1]):
        fold(partial, minutes, i)
        number[i] = bar
        for row in range(N_COLUMNS):
            out[row, i] = partial[row]
        if first_ms + (i + 1) * _MINUTE == edges[bar + 1]:
            for row in range(N_COLUMNS):
                partial[row] = np.nan
            bar += 1


@kernel
def unfold_flow(
    partial: Floats, first_ms: int, close: Floats, imbalances: Floats, edges: NDArray[np.int64], out: Floats
) -> None:
    """What `unfold` does for bars, for order flow: closes and imbalances (n,) of the minutes; out (n,)."""
    bar = 0
    for i in range(len(imbalances)):
        fold_flow(partial, close[i], imbalances[i])
        out[i] = mean_flow(partial)
        if first_ms + (i + 1) * _MINUTE == edges[bar + 1]:
            partial[FLOW_SUM], partial[FLOW_COUNT] = 0.0, 0.0
            bar += 1


def advance_every_minute(
    advance: Advance, params: Floats, state: Floats, frame: Floats, ends: NDArray[np.bool_], begin: int, out: Floats
) -> None:
    """Results of a line for the minutes from `begin` on.

    frame (rows, n): bars so far and results of the lines before, a column a minute; ends (n,): whether the minute ends its bar;
    out (f, n): the rows of the line. Raises RuntimeError when the line fails.
    """
    count = len(ends)
    scratch = np.empty_like(state)
    if count - begin > FEW and isinstance(advance, CPUDispatcher):
        address = entry_of(advance).address
        if not _advance_all(address, params, state, scratch, frame, ends, begin, out):
            raise RuntimeError(f"{advance.py_func.__name__} of {advance.py_func.__module__} fails")
        return
    for t in range(begin, count):
        if ends[t]:
            advance(params, state, frame, t, t + 1, out)
        else:
            scratch[:] = state
            advance(params, scratch, frame, t, t + 1, out)


def _call_line(_context: Any, address: Any, params: Any, state: Any, frame: Any, at: Any, out: Any) -> Any:
    """Call the entry at `address` for column `at`; all arrays float64 and contiguous. 1, or 0 where it fails."""
    arrays = params, state, frame, out

    def codegen(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        number, pointer = ir.IntType(64), ir.DoubleType().as_pointer()
        given = (args[1], args[2], args[3], args[5])
        made = [context.make_array(kind)(context, builder, each) for kind, each in zip(arrays, given, strict=True)]
        params, state, frame, out = made

        def size(array: Any, axis: int) -> Any:
            return builder.extract_value(array.shape, axis)

        values = [
            params.data, size(params, 0), state.data, size(state, 0), frame.data, size(frame, 0), size(frame, 1),
            args[4], out.data, size(out, 0),
        ]  # fmt: skip
        kinds = [pointer, number, pointer, number, pointer, number, number, number, pointer, number]
        entry = builder.inttoptr(args[0], ir.FunctionType(number, kinds).as_pointer())
        return builder.call(entry, values)

    return types.int64(address, params, state, frame, at, out), codegen


call_line: Any = intrinsic(_call_line)


@kernel
def _advance_all(
    address: int,
    params: Floats,
    state: Floats,
    scratch: Floats,
    frame: Floats,
    ends: NDArray[np.bool_],
    begin: int,
    out: Floats,
) -> bool:
    for t in range(begin, len(ends)):
        if ends[t]:
            done = call_line(address, params, state, frame, t, out)
        else:
            scratch[:] = state
            done = call_line(address, params, scratch, frame, t, out)
        if done == 0:
            return False
    return True


def _entry(
    params: Any,
    parameters: int,
    state: Any,
    size: int,
    frame: Any,
    rows: int,
    count: int,
    at: int,
    out: Any,
    fields: int,
) -> int:
    try:
        line(  # type: ignore[name-defined]  # noqa: F821  (the line's function, given to each copy of this one)
            carray(params, parameters),
            carray(state, size),
            carray(frame, (rows, count)),
            at,
            at + 1,
            carray(out, (fields, count)),
        )
    except Exception:  # noqa: BLE001  (compiled: whatever the line raises is its failure)
        return 0
    return 1


@lru_cache(maxsize=256)
def entry_of(advance: Advance) -> Any:
    """The C entry of a line's function, from the disk if it was compiled before; it must live as long as its address is in use."""
    plain = advance.py_func  # type: ignore[attr-defined]
    mark = zlib.crc32(_entry.__code__.co_code)
    name = f"minute_of_{plain.__name__}_{plain.__code__.co_firstlineno}_{mark:08x}"
    # under the line's own file, so that what is on the disk goes with that file's contents
    code = _entry.__code__.replace(co_filename=plain.__code__.co_filename, co_name=name, co_qualname=name)
    entry = python_types.FunctionType(code, {**_entry.__globals__, "line": advance, "__name__": plain.__module__}, name)
    try:
        return numba.cfunc(_ENTRY, cache=True)(entry)
    except RuntimeError:
        return numba.cfunc(_ENTRY)(entry)  # there is no folder to keep it in
