"""Tables of results as files for other programs: Parquet or CSV, by the ending of the name.

The first two columns are `open_time` and `close_time` of the decision bar (UTC, close exclusive: the row is known from then
on); the others have the names by which strategies, charts and networks read them, `interval.analysis.line.field`. A value
that does not exist is empty (null).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from atm.analyzers.table import AnalysisTable
from atm.model.errors import Invalid, Unavailable

ENDINGS = (".parquet", ".csv")


def export(table: AnalysisTable, path: Path) -> None:
    """Write a file, replacing what was there only once the new one is whole.

    Raises Invalid for another ending, Unavailable when it cannot be written.
    """
    check_ending(path)
    aside = path.with_name(f".{path.name}.writing")
    try:
        if path.suffix.lower() == ".csv":
            pyarrow.csv.write_csv(to_arrow(table), aside)
        else:
            pyarrow.parquet.write_table(to_arrow(table), aside, compression="zstd")
        aside.replace(path)
    except OSError as error:
        raise Unavailable(f"{path} could not be written: {error.strerror or error}") from error
    finally:
        aside.unlink(missing_ok=True)


def check_ending(path: Path) -> None:
    """Raises Invalid for a file that is neither Parquet nor CSV."""
    if path.suffix.lower() not in ENDINGS:
        raise Invalid("file", str(path), f"a name that ends in {' or '.join(ENDINGS)}")


def to_arrow(table: AnalysisTable) -> pa.Table:
    """The table with named columns; NaN becomes null."""
    moment = pa.timestamp("ms", "UTC")
    columns = {"open_time": pa.array(table.open_time, moment), "close_time": pa.array(table.close_time, moment)}
    for name, values in zip(table.columns, table.values, strict=True):
        columns[name] = pa.array(np.ascontiguousarray(values), pa.float64(), from_pandas=True)
    return pa.table(columns)
