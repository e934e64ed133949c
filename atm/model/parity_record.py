"""What the program keeps of a live account so that each of its days can be worked again: what it began with, what the market
store does not know, and what was decided (docs/parity.md).
"""

from __future__ import annotations

import hashlib

import msgspec

from atm.model.account import AccountSetup
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.instrument import Instrument
from atm.model.trade_configuration import TradeConfiguration

DAY_BEGAN, ACCOUNT_BEGAN, TRADING = "day", "account", "trading"
CLEARED, CHANGED, RENEWED, TRANSFERRED = "clear", "changed", "renewed", "transfer"
"""Why a segment begins: 00:00 UTC of the market; the account's first minute; trading switched; positions cleared by the user;
another set-up, configuration or filter; another version of the program or of a user's method has gone on;
money paid in or out."""

NOT_WORKED, MISSING = 0, 1
"""Digests of a minute or row that the engine has not worked, and that it has gone on without. Others are above them."""


class Segment(msgspec.Struct, frozen=True):
    """The account at `begin_ms` (Unix ms, open time of its next minute): all that its engine goes on from.

    why: see above, more than one where several things happened between two minutes; cleared: symbols that the user has closed;
    transferred: what the user has paid in (out: below 0), by asset; engine: the dumped state after all of that; methods: versions of
    users' methods in it; version: of the program.
    """

    begin_ms: int
    why: tuple[str, ...]
    setup: AccountSetup
    engine: bytes
    methods: dict[str, str]
    analysis: tuple[AnalysisConfiguration, ...]
    trade: tuple[TradeConfiguration, ...]
    instruments: tuple[Instrument, ...]
    version: str
    cleared: tuple[str, ...] = ()
    transferred: dict[str, float] = {}

    @property
    def configuration(self) -> str:
        """Fingerprint of everything in it that is set by somebody: set-up, configurations, filters."""
        known = msgspec.json.encode((self.setup, self.analysis, self.trade, self.instruments))
        return hashlib.sha256(known).hexdigest()[:16]

    def pack(self) -> bytes:
        return msgspec.msgpack.encode(self)

    @staticmethod
    def unpack(data: bytes) -> Segment:
        """Raises `msgspec.MsgspecError` for bytes that are none."""
        return msgspec.msgpack.decode(data, type=Segment)


class HeldFact(msgspec.Struct, frozen=True, array_like=True):
    """A position as the exchange told it: signed quantity, entry price, side that a stop of the exchange has closed (0 = none)."""

    quantity: float
    entry: float
    stopped: int = 0


class MinuteFacts(msgspec.Struct, frozen=True, array_like=True):
    """What the exchange said before the engine worked the minute `open_ms`: positions by symbol, whole wallet balances by asset,
    equity. In force until the next."""

    open_ms: int
    held: dict[str, HeldFact]
    wallets: dict[str, float]
    equity: float


class HourRecord(msgspec.Struct):
    """The minutes of an account that begin in one hour (`hour_ms`, Unix ms). What is not here is in the market store.

    bars: by symbol, rows: by analysis id, 60 little-endian uint32 each, one a minute: digests of what the engine was given;
    late: minutes of the hour → how many minutes the market was ahead when they were worked; decisions: (open time, symbol, what
    was wanted after it, see `atm.trading.decision_trace`), only where it differs from that symbol's before; facts: of actual
    accounts, where they differ; starts: first minute of each analysis.
    """

    hour_ms: int
    bars: dict[str, bytearray] = {}
    rows: dict[str, bytearray] = {}
    late: dict[int, int] = {}
    decisions: list[tuple[int, str, bytes]] = []
    facts: list[MinuteFacts] = []
    starts: dict[str, int] = {}

    def pack(self) -> bytes:
        return msgspec.msgpack.encode(self)

    @staticmethod
    def unpack(data: bytes) -> HourRecord:
        """Raises `msgspec.MsgspecError` for bytes that are none."""
        return msgspec.msgpack.decode(data, type=HourRecord)


class RecordProgress(msgspec.Struct, frozen=True):
    """What is stored of the record in the transaction that stores the account's state; hours replace those of the same time."""

    segments: tuple[Segment, ...] = ()
    hours: tuple[HourRecord, ...] = ()


NOTHING_RECORDED = RecordProgress()
