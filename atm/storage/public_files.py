"""Imports files of the exchange's public data (data.binance.vision): one file, or all of a folder, month by month.

    FILUSDT-1m-2023-08.zip                    bars of a month (a day: FILUSDT-1m-2023-08-17.zip), one CSV inside; CSV, Parquet as well
    markPriceKlines/…/FILUSDT-1m-2023-08.zip  its mark prices: named as the bars, so the folder that the exchange keeps them in tells
    FILUSDT-fundingRate-2023-08.zip           its settled funding rates
    FILUSDT-1m-2023-08.zip.CHECKSUM           "<SHA-256 of the file>  <its name>", as sha256sum writes it

A file whose checksum is another is refused. The files of one symbol, kind and month are stored all or none; a month that is
refused is told and does not keep the others from being stored.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Generator
from pathlib import Path
from typing import Protocol

from atm.model.errors import Invalid
from atm.storage.importer import BarSink, import_files
from atm.storage.job_table import Outcome
from atm.storage.mark_importer import MarkSink, import_funding, import_marks

BARS_KIND, MARKS_KIND, FUNDING_KIND = "klines", "markPriceKlines", "fundingRate"
"""As the exchange names them, and the folders in which it keeps them."""
_OTHER_KINDS = ("indexPriceKlines", "premiumIndexKlines")
_NAME = re.compile(r"(\w+)-(?:1m|fundingRate)-(\d{4}-\d{2})(?:-\d{2})?\.(?:zip|csv|parquet)")
_CHECKSUM = re.compile(r"([0-9a-fA-F]{64})\s+\*?(\S.*)")
MOST_NOTES = 50
Groups = dict[tuple[str, str, str], list[Path]]
"""Files by symbol, month and kind."""

Progress = Generator[tuple[int, int], None, Outcome]
"""Work in steps: yields (done, total), returns what came of it."""


class Sink(BarSink, MarkSink, Protocol):
    """The part of the market store that an import of any kind needs."""


def import_path(path: Path, symbol: str, store: Sink) -> Progress:
    """One step per symbol, month and kind. Raises `Invalid` when nothing can be imported, saying why."""
    groups = grouped(path, symbol)
    counts, unchecked, symbols = dict.fromkeys((BARS_KIND, MARKS_KIND, FUNDING_KIND), 0), 0, set()
    refused: list[str] = []
    for done, ((name, _, kind), files) in enumerate(sorted(groups.items())):
        yield done, len(groups)
        try:
            checked = sum(verified(file) for file in files)
            counts[kind] += _imported(kind, files, name, store)
        except Invalid as error:
            refused.append(str(error))
        else:
            symbols.add(name)
            unchecked += len(files) - checked
    if not symbols:
        raise Invalid("path", str(path), f"files that can be imported ({refused[0]})")
    parameters = {
        "bars": f"{counts[BARS_KIND]:,}",
        "marks": f"{counts[MARKS_KIND]:,}",
        "rates": f"{counts[FUNDING_KIND]:,}",
    }
    parameters |= {"symbol": ", ".join(sorted(symbols)), "refused": str(len(refused)), "unchecked": str(unchecked)}
    return Outcome("job.imported", parameters, tuple(refused[:MOST_NOTES]))


def _imported(kind: str, files: list[Path], symbol: str, store: Sink) -> int:
    if kind == MARKS_KIND:
        return import_marks(files, symbol, store)
    return import_funding(files, symbol, store) if kind == FUNDING_KIND else import_files(files, symbol, "1m", store)


def kind_of(path: Path) -> str:
    """What a file holds, by its name and the folders that it lies in."""
    if f"-{FUNDING_KIND}-" in path.name:
        return FUNDING_KIND
    return MARKS_KIND if MARKS_KIND in path.parts else BARS_KIND


def grouped(path: Path, symbol: str) -> Groups:
    """Files by symbol, month and kind. Raises `Invalid` when there are none, or a file's symbol is not known."""
    if path.is_dir():
        files = [file for file in sorted(path.rglob("*")) if not any(kind in file.parts for kind in _OTHER_KINDS)]
        named = [(found, file) for file in files if (found := _NAME.fullmatch(file.name))]
        if not named:
            raise Invalid("path", str(path), "a folder with files named as FILUSDT-1m-2023-08.zip")
    elif path.is_file():
        found = _NAME.fullmatch(path.name)
        if found is None:
            if not symbol:
                raise Invalid("symbol", symbol, f"a symbol: the name {path.name} does not tell it")
            return {(symbol, "", kind_of(path)): [path]}
        named = [(found, path)]
    else:
        raise Invalid("path", str(path), "a file or a folder that exists")
    groups: Groups = defaultdict(list)
    for match, file in named:
        groups[match[1], match[2], kind_of(file)].append(file)
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
