"""What is collected and kept, and the downloads that are open, in one small file beside the market store.

    <root>/collection.json

A file that cannot be read is put aside by another name and the defaults hold: collecting too much is better than nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

import msgspec

from atm.model.data_job import Collection, Retention
from atm.model.errors import Invalid, Unavailable
from atm.storage.file_lock import write_whole

log = logging.getLogger(__name__)

NAME = "collection.json"


class OpenDownload(msgspec.Struct, frozen=True):
    """A job that asks the exchange and is not over (kind: of `JobKind`), so that it goes on after a restart."""

    kind: str
    symbol: str
    start_ms: int
    end_ms: int
    paused: bool = False


class CollectionState(msgspec.Struct, frozen=True):
    """Everything in the file."""

    symbols: tuple[Collection, ...] = ()
    retention: Retention = Retention()
    downloads: tuple[OpenDownload, ...] = ()

    def of(self, symbol: str) -> Collection | None:
        return next((each for each in self.symbols if each.symbol == symbol), None)

    def stores_flow(self, symbol: str) -> bool:
        """Of symbols that are not in the list (those that only accounts trade) everything is stored."""
        found = self.of(symbol)
        return found is None or found.flow

    def stores_marks(self, symbol: str) -> bool:
        """The same for mark prices and funding rates."""
        found = self.of(symbol)
        return found is None or found.marks

    def collected(self) -> tuple[str, ...]:
        """Symbols whose bars are collected."""
        return tuple(each.symbol for each in self.symbols if each.bars)

    def without_flow(self) -> tuple[str, ...]:
        """Symbols whose bars are collected, but not their order flow."""
        return tuple(each.symbol for each in self.symbols if each.bars and not each.flow)

    def changed(self, wanted: Iterable[Collection]) -> CollectionState:
        """With these in the place of those of the same symbols."""
        by_symbol = {each.symbol: each for each in (*self.symbols, *wanted)}
        return msgspec.structs.replace(self, symbols=tuple(by_symbol[name] for name in sorted(by_symbol)))


def load(root: Path, symbols: Iterable[str]) -> CollectionState:
    """What is stored, and everything of `symbols` that was not in the list yet."""
    path = root / NAME
    defaults = CollectionState().changed(Collection(symbol) for symbol in symbols)
    try:
        found = msgspec.json.decode(path.read_bytes(), type=CollectionState)
        return found.changed(Collection(symbol) for symbol in symbols if found.of(symbol) is None)
    except FileNotFoundError:
        return defaults
    except (msgspec.DecodeError, Invalid) as error:
        broken = path.with_suffix(".broken")
        log.error("%s is no list of what is collected (%s); it is kept as %s", path, error, broken.name)
        path.replace(broken)
        return defaults


def store(root: Path, state: CollectionState) -> None:
    """Raises `Unavailable` when it cannot be written."""
    try:
        write_whole(root / NAME, msgspec.json.encode(state))
    except OSError as error:
        raise Unavailable(f"what is collected could not be written in {root}: {error.strerror or error}") from error
