"""An incident in one file: what the black box has of some accounts in some time, and whatever explains it, each with its checksum.

It is a zip archive: `manifest.json` names the other files with their SHA-256, the archive's comment is the SHA-256 of the manifest,
`records.jsonl` has one line a record. docs/black-box.md describes all of it.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from atm.model.errors import Invalid, Unavailable
from atm.model.incident import Wanted
from atm.storage.flight_log import read_lines, segments
from atm.trading.black_box.records import FORMAT, LINES, Line

MANIFEST, RECORDS, README = "manifest.json", "records.jsonl", "README.txt"
LARGEST_FILE = 2_000_000_000
"""Bytes of one unpacked file that are read: an archive made by somebody else must not fill the memory."""
Place = tuple[int, int]
_STATES = ("live_state", "engine_state")
_TABLES = "instruments"
_README = """An incident of Auto Trade Machine.

manifest.json       what, when, which accounts; SHA-256 of every file here
records.jsonl       one JSON document a line: what the cores of accounts were given and what they answered, in order
configuration.json  settings of the program; versions.json: of the program and what it runs on
doctor.txt          what `./run.sh doctor` said; logs/: the ends of the logs
Format: docs/black-box.md. Replay: ./run.sh incident replay FILE. Story: ./run.sh incident show FILE.
"""


class Contents(msgspec.Struct, frozen=True):
    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """made_ms, from_ms, to_ms: Unix ms UTC; the records begin at the last state before from_ms. accounts: with their numbers of
    records; files: but the manifest itself."""

    format: int
    program: str
    made_ms: int
    from_ms: int
    to_ms: int
    reason: str
    accounts: dict[str, int]
    files: dict[str, Contents]


class _Kind(msgspec.Struct):
    type: str
    table: str = ""


class _Head(msgspec.Struct):
    wall: int
    account: str
    record: _Kind


_HEADS = msgspec.json.Decoder(_Head)
_MANIFESTS = msgspec.json.Decoder(Manifest)


# --- writing --------------------------------------------------------------------------------------------------


def export(
    folder: Path, path: Path, wanted: Wanted, beside: Mapping[str, bytes], program: str, made_ms: int
) -> Manifest:
    """Write the file: whole or not at all. folder: of the segments; beside: further files, redacted. Raises Unavailable where there is
    nothing to export or nothing can be written."""
    counts: dict[str, int] = {}
    aside = path.with_name(f".{path.name}.{os.getpid()}.writing")
    files: dict[str, Contents] = {}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            files[RECORDS] = _put_lines(archive, _chosen(folder, wanted, counts))
            if not counts:
                raise Unavailable("the black box has nothing of this time; it is written while the program runs")
            for name, data in {README: _README.encode(), **beside}.items():
                archive.writestr(name, data)
                files[name] = Contents(len(data), hashlib.sha256(data).hexdigest())
            span = wanted.from_ms, wanted.to_ms
            manifest = Manifest(FORMAT, program, made_ms, *span, wanted.reason, counts, files)
            written = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
            archive.writestr(MANIFEST, written)
            archive.comment = hashlib.sha256(written).hexdigest().encode()
        aside.replace(path)
    except OSError as error:
        raise Unavailable(f"the incident cannot be written to {path}: {error.strerror or error}") from error
    finally:
        aside.unlink(missing_ok=True)
    return manifest


def _put_lines(archive: zipfile.ZipFile, lines: Iterable[bytes]) -> Contents:
    size, digest = 0, hashlib.sha256()
    with archive.open(RECORDS, "w", force_zip64=True) as out:
        for line in lines:
            text = line + b"\n"
            out.write(text)
            digest.update(text)
            size += len(text)
    return Contents(size, digest.hexdigest())


def _chosen(folder: Path, wanted: Wanted, counts: dict[str, int]) -> Iterator[bytes]:
    """The lines that are wanted, tables of instruments first; counts them by account."""
    parts = _overlapping(folder, wanted)
    starts, tables = _starts(parts, wanted)
    yield from tables
    for place, text in _placed(parts):
        head = _HEADS.decode(text)
        start = starts.get(head.account)
        if head.wall <= wanted.to_ms and start is not None and place >= start:
            counts[head.account] = counts.get(head.account, 0) + 1
            yield text


def _placed(parts: Iterable[Path]) -> Iterator[tuple[Place, bytes]]:
    """The lines of segments with their places, which stay what they are when the oldest segment is let go meanwhile."""
    for part, path in enumerate(parts):
        for line, text in enumerate(read_lines(path)):
            yield (part, line), text


def _starts(parts: Iterable[Path], wanted: Wanted) -> tuple[dict[str, Place], list[bytes]]:
    """(place from which each account can be replayed, tables that its states refer to)."""
    states: dict[tuple[str, str], Place] = {}
    tables: dict[str, bytes] = {}
    for place, text in _placed(parts):
        head = _HEADS.decode(text)
        if head.record.type == _TABLES:
            tables.setdefault(_id_of(text), text)
        elif head.record.type in _STATES and head.wall <= wanted.to_ms and _is_wanted(head.account, wanted):
            key = head.account, head.record.type
            if head.wall <= wanted.from_ms or key not in states:
                states[key] = place
    starts: dict[str, Place] = {}
    for (account, _), at in states.items():
        starts[account] = min(at, starts.get(account, at))
    return starts, list(tables.values())


class _Table(msgspec.Struct):
    id: str


class _TableLine(msgspec.Struct):
    record: _Table


def _id_of(text: bytes) -> str:
    return msgspec.json.decode(text, type=_TableLine).record.id


def _is_wanted(account: str, wanted: Wanted) -> bool:
    return bool(account) and (not wanted.accounts or account in wanted.accounts)


def _overlapping(folder: Path, wanted: Wanted) -> list[Path]:
    """From the last segment that began before the time on: each begins with a state of every account."""
    found: list[Path] = []
    for path in segments(folder):
        first = next(read_lines(path), None)
        if first is None:
            continue
        begun_ms = _HEADS.decode(first).wall
        if begun_ms > wanted.to_ms:
            break
        if begun_ms <= wanted.from_ms:
            found.clear()
        found.append(path)
    return found


# --- reading --------------------------------------------------------------------------------------------------


class Incident:
    """An incident's file, whose checksums were compared. Raises Invalid for what is none, or was changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with zipfile.ZipFile(path) as archive:
                written = _bounded(archive, MANIFEST)
                if hashlib.sha256(written).hexdigest().encode() != archive.comment:
                    raise Invalid("incident", path.name, "a file whose manifest was not changed")
                self.manifest = _MANIFESTS.decode(written)
                for name, contents in self.manifest.files.items():
                    if _digest(archive, name) != contents.sha256:
                        raise Invalid("incident", path.name, f"a file whose {name} was not changed")
        except (OSError, KeyError, zipfile.BadZipFile, msgspec.DecodeError) as error:
            raise Invalid("incident", str(path), f"a file that Export incident made ({error})") from None
        if self.manifest.format != FORMAT:
            raise Invalid("incident", f"format {self.manifest.format}", f"format {FORMAT}, as this version writes it")

    def lines(self) -> Iterator[Line]:
        """Every record. Raises Invalid for one that this version does not know."""
        with zipfile.ZipFile(self.path) as archive, archive.open(RECORDS) as file:
            for number, text in enumerate(file, 1):
                try:
                    yield LINES.decode(text)
                except msgspec.DecodeError as error:
                    raise Invalid("incident", f"record {number}", f"a record of this version ({error})") from None

    def read(self, name: str) -> bytes:
        """Another file of it."""
        with zipfile.ZipFile(self.path) as archive:
            return _bounded(archive, name)


def _bounded(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > LARGEST_FILE:
        raise Invalid("incident", name, f"a file of at most {LARGEST_FILE:,} bytes")
    return archive.read(name)


def _digest(archive: zipfile.ZipFile, name: str) -> str:
    if archive.getinfo(name).file_size > LARGEST_FILE:
        raise Invalid("incident", name, f"a file of at most {LARGEST_FILE:,} bytes")
    digest = hashlib.sha256()
    with archive.open(name) as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()
