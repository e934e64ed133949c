"""Tables of results as files for other programs: Parquet or CSV, by the ending of the name.

The first two columns are `open_time` and `close_time` of the decision bar (UTC, close exclusive: the row is known from then
on); the others have the names by which strategies, charts and networks read them, `interval.analysis.line.field`. A value
that does not exist is empty (null).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from atm.analyzers.table import AnalysisTable
from atm.storage.table_file import write_table


def export(table: AnalysisTable, path: Path) -> None:
    """Write a file, replacing what was there only once the new one is whole.

    Raises Invalid for another ending, Unavailable when it cannot be written.
    """
    write_table(to_arrow(table), path)


def to_arrow(table: AnalysisTable) -> pa.Table:
    """The table with named columns; NaN becomes null."""
    moment = pa.timestamp("ms", "UTC")
    columns = {"open_time": pa.array(table.open_time, moment), "close_time": pa.array(table.close_time, moment)}
    for name, values in zip(table.columns, table.values, strict=True):
        columns[name] = pa.array(np.ascontiguousarray(values), pa.float64(), from_pandas=True)
    return pa.table(columns)
