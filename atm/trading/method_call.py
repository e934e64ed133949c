"""Calls a user's method from the kernels without compiling them anew for it: by the address of its machine code.

A method is compiled with bounds checked, in it and in what it calls of its own file, behind a C entry that catches every
exception. It gets pointers to arrays that are not the engine's own, except for its memory; so nothing that it
does to an array, short of pointers of its own making, can harm the engine.
"""

from __future__ import annotations

import types as python_types
import zlib
from functools import lru_cache
from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.core import imputils
from numba.core.registry import CPUDispatcher
from numba.extending import intrinsic

from atm.model.trade_method import Answer, Decide, Held

_types: Any = types
_POINTER = _types.CPointer(types.float64)
_ENTRY = types.int64(_POINTER, types.int64, _POINTER, types.int64, _POINTER, types.int64, _POINTER, _POINTER)
_OPTIONS: Any = {"boundscheck": True, "error_model": "numpy", "nogil": True}
_HELD, _ANSWER = len(Held), len(Answer)
_LAYOUT = zlib.crc32(repr((Held, Answer)).encode())
_njit: Any = numba.njit  # the compiler's own annotations know nothing of what it makes of a function
_impl_ret_borrowed: Any = imputils.impl_ret_borrowed
carray: Any = numba.carray  # type: ignore[attr-defined]


def _read_only(_context: Any, array: Any) -> Any:
    """The same array, into which compiled code cannot write."""
    seen = types.Array(array.dtype, array.ndim, array.layout, readonly=True)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _impl_ret_borrowed(context, builder, signature.return_type, args[0])

    return seen(array), codegen


read_only: Any = intrinsic(_read_only)


def _call_method(_context: Any, address: Any, params: Any, memory: Any, row: Any, position: Any, out: Any) -> Any:
    """Call the entry at `address` with five float64 arrays, each contiguous. 1, or 0 where the method has failed."""
    arrays = params, memory, row, position, out

    def codegen(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        number, pointer = ir.IntType(64), ir.DoubleType().as_pointer()
        made = [context.make_array(kind)(context, builder, each) for kind, each in zip(arrays, args[1:], strict=True)]
        data = [each.data for each in made]
        sizes = [builder.extract_value(each.shape, 0) for each in made]
        kind = ir.FunctionType(number, [pointer, number, pointer, number, pointer, number, pointer, pointer])
        entry = builder.inttoptr(args[0], kind.as_pointer())
        return builder.call(entry, [data[0], sizes[0], data[1], sizes[1], data[2], sizes[2], data[3], data[4]])

    return types.int64(address, *arrays), codegen


call_method: Any = intrinsic(_call_method)


def _entry(
    params: Any, parameters: int, memory: Any, remembered: int, row: Any, columns: int, position: Any, out: Any
) -> int:
    try:
        checked(  # type: ignore[name-defined]  # noqa: F821  (the method, given to each copy of this function)
            read_only(carray(params, parameters)),
            carray(memory, remembered),
            read_only(carray(row, columns)),
            read_only(carray(position, _HELD)),
            carray(out, _ANSWER),
        )
    except Exception:  # noqa: BLE001  (compiled: whatever the method raises is its failure)
        return 0
    return 1


@lru_cache(maxsize=64)
def compiled(decide: Decide) -> Any:
    """The C entry of a method, from the disk if it was compiled before; whoever uses its address keeps it.

    Raises numba's errors for what does not compile.
    """
    plain = decide.py_func  # type: ignore[attr-defined]
    name = f"entry_of_{plain.__name__}_{plain.__code__.co_firstlineno}_{_LAYOUT:08x}"
    # under the method's file and not this one, so that what is on the disk goes with that file's contents and this name,
    # which says as well what the numbers meant that the compiled code looks up
    code = _entry.__code__.replace(co_filename=plain.__code__.co_filename, co_name=name, co_qualname=name)
    names = {**_entry.__globals__, "checked": with_bounds_checked(decide), "__name__": plain.__module__}
    entry = python_types.FunctionType(code, names, name)
    try:
        return numba.cfunc(_ENTRY, cache=True)(entry)
    except RuntimeError:
        return numba.cfunc(_ENTRY)(entry)  # there is no folder to keep it in


def with_bounds_checked(dispatcher: Any) -> Any:
    """The compiled function anew, with bounds checked in it and in all that it calls of its own file."""
    done: dict[Any, Any] = {}

    def copy_of(original: Any) -> Any:
        plain = original.py_func
        names = dict(plain.__globals__)
        copy = python_types.FunctionType(plain.__code__, names, plain.__name__, plain.__defaults__, plain.__closure__)
        done[original] = _njit(**_OPTIONS)(copy)
        for name in plain.__code__.co_names:
            used = names.get(name)
            if isinstance(used, CPUDispatcher) and used.py_func.__module__ == plain.__module__:
                names[name] = done[used] if used in done else copy_of(used)
        return done[original]

    return copy_of(dispatcher)
