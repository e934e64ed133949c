"""Imports files of the exchange's public data (data.binance.vision): one file, or all of a folder, month by month.

    FILUSDT-1m-2023-08.zip            a month (a day: FILUSDT-1m-2023-08-17.zip), one CSV inside; CSV and Parquet as well
    FILUSDT-1m-2023-08.zip.CHECKSUM   "<SHA-256 of the file>  <its name>", as sha256sum writes it

A file whose checksum is another is refused. The files of one symbol and month are stored all or none; a month that is refused
is told and does not keep the others from being stored.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Generator
from pathlib import Path

from atm.model.errors import Invalid
from atm.storage.importer import BarSink, import_files
from atm.storage.job_table import Outcome

_NAME = re.compile(r"(\w+)-1m-(\d{4}-\d{2})(?:-\d{2})?\.(?:zip|csv|parquet)")
_CHECKSUM = re.compile(r"([0-9a-fA-F]{64})\s+\*?(\S.*)")
MOST_NOTES = 50
Groups = dict[tuple[str, str], list[Path]]

Progress = Generator[tuple[int, int], None, Outcome]
"""Work in steps: yields (done, total), returns what came of it."""


def import_path(path: Path, symbol: str, store: BarSink) -> Progress:
    """One step per symbol and month. Raises `Invalid` when nothing can be imported, saying why."""
    groups = grouped(path, symbol)
    bars, unchecked, symbols = 0, 0, set()
    refused: list[str] = []
    for done, ((name, _), files) in enumerate(sorted(groups.items())):
        yield done, len(groups)
        try:
            checked = sum(verified(file) for file in files)
            bars += import_files(files, name, "1m", store)
        except Invalid as error:
            refused.append(str(error))
        else:
            symbols.add(name)
            unchecked += len(files) - checked
    if not symbols:
        raise Invalid("path", str(path), f"files that can be imported ({refused[0]})")
    parameters = {"bars": f"{bars:,}", "symbol": ", ".join(sorted(symbols)), "refused": str(len(refused))}
    parameters |= {"unchecked": str(unchecked)}
    return Outcome("job.imported", parameters, tuple(refused[:MOST_NOTES]))


def grouped(path: Path, symbol: str) -> Groups:
    """Files by symbol and month. Raises `Invalid` when there are none, or a file's symbol is not known."""
    if path.is_dir():
        named = [(found, file) for file in sorted(path.rglob("*")) if (found := _NAME.fullmatch(file.name))]
        if not named:
            raise Invalid("path", str(path), "a folder with files named as FILUSDT-1m-2023-08.zip")
    elif path.is_file():
        found = _NAME.fullmatch(path.name)
        if found is None:
            if not symbol:
                raise Invalid("symbol", symbol, f"a symbol: the name {path.name} does not tell it")
            return {(symbol, ""): [path]}
        named = [(found, path)]
    else:
        raise Invalid("path", str(path), "a file or a folder that exists")
    groups: Groups = defaultdict(list)
    for match, file in named:
        groups[match[1], match[2]].append(file)
    return dict(groups)


def verified(path: Path) -> bool:
    """Whether a CHECKSUM file lies beside it. Raises `Invalid` when that says something else than what the file is."""
    beside = path.with_name(f"{path.name}.CHECKSUM")
    if not beside.is_file():
        return False
    stated = _CHECKSUM.fullmatch(beside.read_text("utf-8", "replace").strip())
    if stated is None:
        raise Invalid("file", beside.name, "one line: the SHA-256 of the file in 64 hexadecimal digits and its name")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != stated[1].lower():
        allowed = f"a file whose SHA-256 is {stated[1].lower()[:12]}… as {beside.name} says; download it again"
        raise Invalid("file", f"{path.name} (SHA-256 {digest[:12]}…)", allowed)
    return True
