"""The state of an account engine as bytes. Every number goes by its name, so that a later version knows where it belongs.

    "ATME", version, sizes | identity of positions and assets | (from version 4 on) names | the tables, row by row

A number that an earlier version did not have begins at 0, one that this version has no more is dropped.
"""

from __future__ import annotations

import hashlib
import struct
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from atm.model.errors import Invalid
from atm.trading.layout import MEMORY, POSITION_WIDTH, AssetLayout, MetaLayout, PositionLayout

Tables = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]
"""positions (n, POSITION_WIDTH), assets (m, Asset), meta (Meta,)."""

VERSION = 4
_HEADER = struct.Struct("<4sHHHH")
_LENGTH = struct.Struct("<I")
_MEMORY = tuple(f"memory.{cell}" for cell in range(POSITION_WIDTH - MEMORY))
_NAMES = ((*PositionLayout._fields, *_MEMORY), AssetLayout._fields, MetaLayout._fields)

_FIRST_ASSETS = ("CROSS", "FEES", "FUNDING", "REALIZED", "RESERVED")
_FIRST_META = ("TRADES", "BUFFERED", "TRADING", "MARKET_MS", "LIQUIDATIONS")
_THIRD = (*PositionLayout._fields[:20], *_MEMORY[:7])
_UNNAMED = {version: (_THIRD[:width], _FIRST_ASSETS, _FIRST_META) for version, width in ((1, 17), (2, 18), (3, 27))}
"""Names of the tables of versions that did not write them."""


def dump(symbols: tuple[str, ...], assets: tuple[str, ...], tables: Tables) -> bytes:
    """The tables of an engine with these positions and assets."""
    names = msgspec.json.encode(_NAMES)
    body = b"".join(table.tobytes() for table in tables)
    return _prefix(VERSION, symbols, assets, len(_NAMES[2])) + _LENGTH.pack(len(names)) + names + body


def load(data: bytes, symbols: tuple[str, ...], assets: tuple[str, ...], tables: Tables) -> None:
    """Fill `tables` with a dumped state. Raises `Invalid`, and then changes nothing, when it is not one of these positions."""
    refused = Invalid("engine state", f"{len(data)} bytes", "a state of this version and these positions")
    if len(data) < _HEADER.size:
        raise refused
    _, version, _, _, meta = _HEADER.unpack_from(data)
    if not data.startswith(_prefix(version, symbols, assets, meta)):
        raise refused
    at = len(_prefix(version, symbols, assets, meta))
    try:
        if version == VERSION:
            (length,) = _LENGTH.unpack_from(data, at)
            at += _LENGTH.size + length
            names = msgspec.json.decode(data[at - length : at], type=tuple[tuple[str, ...], ...])
        else:
            names = _UNNAMED[version]
    except (KeyError, struct.error, msgspec.DecodeError) as error:
        raise refused from error
    counts = (len(symbols), len(assets), 1)
    sizes = [8 * count * len(row) for count, row in zip(counts, names, strict=False)]
    if len(names) != len(tables) or len(data) != at + sum(sizes):
        raise refused
    for table, known, stored, size in zip(tables, _NAMES, names, sizes, strict=True):
        _take(table, known, stored, data[at : at + size])
        at += size


def _take(table: NDArray[Any], known: tuple[str, ...], stored: tuple[str, ...], data: bytes) -> None:
    rows = table.reshape(-1, table.shape[-1])
    values = np.frombuffer(data, table.dtype).reshape(-1, len(stored))
    rows[:] = 0
    for column, name in enumerate(stored):
        if name in known:
            rows[:, known.index(name)] = values[:, column]


def _prefix(version: int, symbols: tuple[str, ...], assets: tuple[str, ...], meta: int) -> bytes:
    identity = hashlib.sha256(msgspec.json.encode([symbols, assets])).digest()
    return _HEADER.pack(b"ATME", version, len(symbols), len(assets), meta) + identity
