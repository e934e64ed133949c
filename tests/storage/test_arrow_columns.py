import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from atm.storage.arrow_columns import to_arrow, to_numpy


@pytest.mark.parametrize("dtype", [np.float64, np.int64, np.uint8])
def test_a_column_comes_back_as_it_was_in_pieces_and_slices_too(dtype: type[np.generic]) -> None:
    values = np.array([1, 2, 3, 250, 5], dtype)
    assert to_arrow(values[::2]).to_pylist() == [1, 3, 5]
    column = pa.chunked_array([to_arrow(values).slice(1, 3), to_arrow(values[:0]), to_arrow(values[4:])])
    found = to_numpy(column, dtype)
    assert found.dtype == dtype
    assert found.tolist() == [2, 3, 250, 5]
    assert to_numpy(pa.chunked_array([], pa.from_numpy_dtype(np.dtype(dtype))), dtype).tolist() == []


def test_missing_values_and_other_types_are_refused() -> None:
    with pytest.raises(ValueError, match="1 values are missing"):
        to_numpy(pa.chunked_array([[1.0, None]]), np.float64)
    with pytest.raises(ValueError, match="the type int64 instead of float64"):
        to_numpy(pa.chunked_array([[1, 2]]), np.float64)


def test_reading_and_writing_months_does_not_import_pandas() -> None:
    code = """
import sys, tempfile
from pathlib import Path
from atm.storage.market_store import MarketStore
store = MarketStore(Path(tempfile.mkdtemp()), read_only=False, sample=Path("assets/sample"))
bars = store.read("AVAXUSDT", 0, 2_000_000_000_000)
store.put("AVAXUSDT", bars)
print(len(bars), len(store.read("AVAXUSDT", 0, 2_000_000_000_000)), "pandas" in sys.modules)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["43200", "43200", "False"]
