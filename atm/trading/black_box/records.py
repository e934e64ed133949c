"""What the black box writes: one line a record, in the order of things. Only what these structs name can be in it.

A *state* is everything from which a replay can begin; it is written when an account is taken up and every few minutes. The other
records are what a core was given and, encoded, what it answered (`Raw`), or what is told beside them.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import msgspec

from atm.model.account import AccountSetup, TradeRecord
from atm.model.account_facts import LiveFact
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.bars import Bar
from atm.model.flow import Flow
from atm.model.instrument import Instrument
from atm.model.journal import LiveState, Target, Transferred
from atm.model.live_request import Answer
from atm.model.mark import Mark
from atm.model.risk import LiveSetup
from atm.model.trade_configuration import TradeConfiguration
from atm.trading.actual import Held

FORMAT = 1
Numbers = list[Any]
"""A bar as JSON has it: its numbers, then those of its flow and of its mark or null; null in place of a number = NaN."""


# --- what a live account is given -----------------------------------------------------------------------------


class Started(msgspec.Struct, frozen=True, tag=True):
    pass


class Reconnected(msgspec.Struct, frozen=True, tag=True):
    pass


class Ticked(msgspec.Struct, frozen=True, tag=True):
    pass


class Learned(msgspec.Struct, frozen=True, tag=True):
    facts: tuple[LiveFact, ...]


class Answered(msgspec.Struct, frozen=True, tag=True):
    answer: Answer


class Aimed(msgspec.Struct, frozen=True, tag=True):
    targets: tuple[Target, ...]


class HaltAsked(msgspec.Struct, frozen=True, tag=True):
    scope: str
    reason: str
    hands_off: bool


class ResumeAsked(msgspec.Struct, frozen=True, tag=True):
    scope: str


class FlattenAsked(msgspec.Struct, frozen=True, tag=True):
    reason: str


class HoldAsked(msgspec.Struct, frozen=True, tag=True):
    pass


class TransfersTold(msgspec.Struct, frozen=True, tag=True):
    transfers: tuple[Transferred, ...]


class Reloaded(msgspec.Struct, frozen=True, tag=True):
    instruments: tuple[Instrument, ...]


LiveInput = (
    Started
    | Reconnected
    | Ticked
    | Learned
    | Answered
    | Aimed
    | HaltAsked
    | ResumeAsked
    | FlattenAsked
    | HoldAsked
    | TransfersTold
    | Reloaded
)


class PriceSeen(msgspec.Struct, frozen=True, array_like=True):
    symbol: str
    last: Decimal
    mark: Decimal
    time_ms: int


class QuietTick(msgspec.Struct, frozen=True, array_like=True):
    """A tick that nothing followed from. prices: those that had come before it."""

    at: int
    prices: tuple[PriceSeen, ...] = ()


# --- records --------------------------------------------------------------------------------------------------


class Segment(msgspec.Struct, frozen=True, tag="segment"):
    """The beginning of a segment."""

    format: int
    version: str
    process: int


class InstrumentTable(msgspec.Struct, frozen=True, tag="instruments"):
    """Instruments that states refer to by `id`."""

    id: str
    instruments: tuple[Instrument, ...]


class LiveMemory(msgspec.Struct, frozen=True, tag="live_state"):
    """A live account. state: journalled; memory: the rest; fresh: it was made anew; otherwise a replay has to have come to the same."""

    at: int
    setup: LiveSetup
    table: str
    state: LiveState
    memory: dict[str, Any]
    fresh: bool


class LiveCall(msgspec.Struct, frozen=True, tag="live", omit_defaults=True):
    """prices: of before the call; at: exchange time; step: what followed; raised: the error instead of it."""

    at: int
    input: LiveInput
    step: msgspec.Raw = msgspec.Raw(b"null")
    prices: tuple[PriceSeen, ...] = ()
    raised: str = ""


class QuietTicks(msgspec.Struct, frozen=True, tag="quiet", omit_defaults=True):
    """after: prices that came after the last of them."""

    ticks: tuple[QuietTick, ...] = ()
    after: tuple[PriceSeen, ...] = ()


class EngineMemory(msgspec.Struct, frozen=True, tag="engine_state"):
    """An account engine. engine: its dump; last: what an actual account wanted last, None of a virtual one; methods: versions of
    users' methods by name; fresh as of LiveMemory."""

    at: int
    setup: AccountSetup
    analysis: tuple[AnalysisConfiguration, ...]
    trade: tuple[TradeConfiguration, ...]
    table: str
    engine: bytes
    methods: dict[str, str]
    fresh: bool
    last: dict[str, Any] | None = None


class MinuteOutcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """equity at the close, None of an actual account; digest: CRC-32 of all tables of the engine; targets: what is newly wanted."""

    digest: int
    equity: float | None = None
    targets: tuple[Target, ...] = ()


class EngineMinute(msgspec.Struct, frozen=True, tag="minute", omit_defaults=True):
    """A minute. at: its open; bars: Numbers by symbol; rows: decision inputs, float64 little endian; held, wallets: of an actual
    account; outcome: MinuteOutcome; raised: the error instead of it, redacted."""

    at: int
    bars: dict[str, Any]
    rows: dict[str, bytes]
    outcome: msgspec.Raw = msgspec.Raw(b"null")
    held: dict[str, Held] | None = None
    wallets: dict[str, float] = {}
    raised: str = ""


class EngineFills(msgspec.Struct, frozen=True, tag="fills"):
    """Fills of a virtual account since the last such record. fills: list of TradeRecord."""

    fills: msgspec.Raw


class EngineCommand(msgspec.Struct, frozen=True, tag="command", omit_defaults=True):
    """name: trading_on, trading_off, force_clear (of symbols), instruments or transfer (of an amount of an asset, below 0: out)."""

    name: str
    digest: int
    symbols: tuple[str, ...] = ()
    instruments: tuple[Instrument, ...] = ()
    asset: str = ""
    amount: float = 0.0


class EngineFailed(msgspec.Struct, frozen=True, tag="failed"):
    """The account stands still since its engine raised this error."""

    error: str


class Told(msgspec.Struct, frozen=True, tag="notice"):
    """What the user was told. text: its key in the catalogues."""

    severity: str
    text: str
    parameters: dict[str, str]


Record = (
    Segment
    | InstrumentTable
    | LiveMemory
    | LiveCall
    | QuietTicks
    | EngineMemory
    | EngineMinute
    | EngineFills
    | EngineCommand
    | EngineFailed
    | Told
)


class Line(msgspec.Struct, frozen=True):
    """run: number of the segment in which the recorder began; n: counts the records of an account in a run; wall: Unix ms UTC;
    account: "" of what belongs to all."""

    run: int
    n: int
    wall: int
    account: str
    record: Record


ENCODER = msgspec.json.Encoder()
LINES = msgspec.json.Decoder(Line)
FILLS = msgspec.json.Decoder(tuple[TradeRecord, ...])


def bar_of(written: Numbers) -> Bar:
    """The bar again."""
    row = [_number(each) for each in written[1:10]]
    flow = None if written[10] is None else Flow(*map(_number, written[10]))
    mark = None if written[11] is None else Mark(*map(_number, written[11]))
    return msgspec.structs.replace(_plain(written[0], row), flow=flow, mark=mark)


def _plain(open_time: int, row: list[Any]) -> Bar:
    return Bar(open_time, *row)


def _number(value: float | None) -> float:
    return math.nan if value is None else value
