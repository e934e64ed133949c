"""Columns between pyarrow and numpy by their buffers.

pyarrow's own conversions import pandas at their first call if it is installed: 90 MB and 0.4 s in every process that
reads one file.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Scalar = TypeVar("Scalar", bound=np.generic)


def to_arrow(values: NDArray[np.generic]) -> pa.Array:
    """A column without nulls of the type of a one-dimensional numeric array, whose memory it shares when contiguous."""
    contiguous = np.ascontiguousarray(values)
    kind = pa.from_numpy_dtype(contiguous.dtype)
    return pa.Array.from_buffers(kind, len(contiguous), [None, pa.py_buffer(contiguous)])


def to_numpy(column: pa.ChunkedArray, dtype: type[Scalar]) -> NDArray[Scalar]:
    """The values of a column as an array of `dtype`. Raises ValueError for nulls or a column of another type."""
    if column.null_count:
        raise ValueError(f"{column.null_count} values are missing")
    if column.type != pa.from_numpy_dtype(np.dtype(dtype)):
        raise ValueError(f"the type {column.type} instead of {np.dtype(dtype)}")
    parts = [
        np.frombuffer(chunk.buffers()[1], dtype)[chunk.offset : chunk.offset + len(chunk)] for chunk in column.chunks
    ]
    return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, dtype), *parts])
