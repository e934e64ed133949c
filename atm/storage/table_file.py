"""Tables as files for other programs: Parquet or CSV, by the ending of the name."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from atm.model.errors import Invalid, Unavailable

ENDINGS = (".parquet", ".csv")


def write_table(table: pa.Table, path: Path) -> None:
    """Write a file, replacing what was there only once the new one is whole.

    Raises Invalid for another ending, Unavailable when it cannot be written.
    """
    check_ending(path)
    aside = path.with_name(f".{path.name}.writing")
    try:
        if path.suffix.lower() == ".csv":
            pyarrow.csv.write_csv(table, aside)
        else:
            pyarrow.parquet.write_table(table, aside, compression="zstd")
        aside.replace(path)
    except OSError as error:
        raise Unavailable(f"{path} could not be written: {error.strerror or error}") from error
    finally:
        aside.unlink(missing_ok=True)


def check_ending(path: Path) -> None:
    """Raises Invalid for a file that is neither Parquet nor CSV."""
    if path.suffix.lower() not in ENDINGS:
        raise Invalid("file", str(path), f"a name that ends in {' or '.join(ENDINGS)}")
