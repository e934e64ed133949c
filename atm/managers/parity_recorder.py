"""Keeps what a day of an account needs to be worked again, beside the engine's own state and stored with it. No I/O, no clock."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from atm.managers.minute_barrier import Minute
from atm.managers.trade_setups import Configurations
from atm.model.account import AccountSetup
from atm.model.instrument import Instrument
from atm.model.interval import DAY_MS, HOUR_MS, MINUTE_MS
from atm.model.parity_record import (
    DAY_BEGAN,
    MISSING,
    RENEWED,
    HeldFact,
    HourRecord,
    MinuteFacts,
    RecordProgress,
    Segment,
)
from atm.trading.actual import Held
from atm.trading.core_version import core_version
from atm.trading.decision_trace import Floats, bar_digest, row_digest, traced
from atm.trading.engine import AccountEngine, Ints

_DIGEST = struct.Struct("<I")
_DIGESTS = _DIGEST.size * (HOUR_MS // MINUTE_MS)
"""Bytes of an hour of digests."""


MOST_PENDING = 1_440
"""Minutes that wait for their digests while nothing can be stored."""


class Recorded(Protocol):
    """The account that is recorded."""

    setup: AccountSetup
    engine: AccountEngine

    @property
    def market_ms(self) -> int: ...


@dataclass(slots=True)
class _Minute:
    """What a minute was worked with, until it is stored. wanted: `traced` after it, None when the engine has failed."""

    engine: AccountEngine
    minute: Minute
    rows: Mapping[str, Floats]
    due: tuple[str, ...]
    newest_ms: int
    facts: MinuteFacts | None = None
    wanted: Floats | None = None


class ParityRecorder:
    """Of one account. instruments: the exchange's, as they are; `mark` wherever something from outside has changed the account."""

    def __init__(self, configurations: Configurations, instruments: Mapping[str, Instrument]) -> None:
        self._configurations, self._instruments = configurations, instruments
        self._hour: HourRecord | None = None
        self._segments: dict[int, Segment] = {}
        self._dirty: dict[int, HourRecord] = {}
        self._last: dict[str, bytes] = {}
        self._facts: MinuteFacts | None = None
        self._engine: AccountEngine | None = None
        self._reads: dict[str, Ints] = {}
        self._pending: list[_Minute] = []
        self._breaks: set[int] = set()
        self._newest: Segment | None = None

    def resume(self, hour: HourRecord | None) -> None:
        """Go on in an hour that is stored."""
        self._hour = hour

    def go_on(self, other: ParityRecorder) -> None:
        """Take over from the recorder of the same account before it was changed."""
        self._hour, self._newest = other._hour, other._newest

    # --- what happens -----------------------------------------------------------------------------------------

    def mark(
        self, account: Recorded, why: str, cleared: Iterable[str] = (), transferred: Mapping[str, float] | None = None
    ) -> None:
        """A new segment begins with the next minute."""
        self._begin(account, account.market_ms, why, tuple(cleared), transferred or {})

    def unmark(self) -> None:
        """What was marked since the last time that it was stored has not happened."""
        self._segments.clear()

    def renewed(self, account: Recorded, last: Segment | None) -> None:
        """The account was opened again: a segment begins if anything but the state has changed since the last one."""
        self._newest = last
        now = self._segment(account, account.market_ms, (RENEWED,), (), {})
        if last is None or (last.version, last.configuration, last.methods) != (
            now.version,
            now.configuration,
            now.methods,
        ):
            self.mark(account, RENEWED)

    def before(
        self, account: Recorded, minute: Minute, rows: Mapping[str, Floats], due: Iterable[str], newest_ms: int
    ) -> None:
        """The engine is about to work a minute. rows: its inputs; due: analyses that have a row at its close; newest_ms: how far the
        market is. Digests are made when they are stored, after what was decided is on its way."""
        if minute.open_ms % DAY_MS == 0:
            self._begin(account, minute.open_ms, DAY_BEGAN, (), {})
        self._pending.append(_Minute(account.engine, minute, rows, tuple(due), newest_ms))

    def facts(self, held: Mapping[str, Held], wallets: Mapping[str, float], equity: float) -> None:
        """What the exchange says of an actual account before this minute."""
        told = {symbol: HeldFact(each.quantity, each.entry, each.stopped) for symbol, each in held.items()}
        minute = self._pending[-1]
        minute.facts = MinuteFacts(minute.minute.open_ms, told, dict(wallets), equity)

    def after(self, engine: AccountEngine) -> None:
        """The engine has worked the minute."""
        self._pending[-1].wanted = traced(engine)
        if len(self._pending) >= MOST_PENDING:
            self._flush()

    # --- storing ----------------------------------------------------------------------------------------------

    def progress(self, starts: Callable[[Iterable[str]], Mapping[str, int]]) -> RecordProgress:
        """What is to be stored now. starts: tells the first minutes of analyses, as far as they are known."""
        self._flush()
        hours = self._dirty.values()
        lacking = {key for hour in hours for key in hour.rows if key not in hour.starts}
        found = starts(lacking) if lacking else {}
        for hour in hours:
            hour.starts.update({key: value for key, value in found.items() if key in hour.rows})
        return RecordProgress(tuple(self._segments.values()), tuple(hours))

    def saved(self) -> None:
        """The progress was stored."""
        if self._segments:
            self._newest = self._segments[max(self._segments)]
        self._segments.clear()
        self._dirty.clear()

    # --- parts ------------------------------------------------------------------------------------------------

    def _flush(self) -> None:
        for minute in self._pending:
            self._take(minute)
        self._pending.clear()

    def _take(self, worked: _Minute) -> None:
        open_ms = worked.minute.open_ms
        if open_ms in self._breaks:
            self._breaks.discard(open_ms)
            self._last.clear()  # a segment is read by itself: its first minute says all
        hour, place = self._place(open_ms)
        for symbol in worked.engine.symbols:
            bar = worked.minute.bars.get(symbol)
            _put(hour.bars, symbol, place, MISSING if bar is None else bar_digest(bar))
        for analysis in worked.due:
            row = worked.rows.get(analysis)
            read = self._read(worked.engine, analysis)
            _put(hour.rows, analysis, place, MISSING if row is None else row_digest(row[read]))
        if worked.newest_ms > open_ms:
            hour.late[place] = (worked.newest_ms - open_ms) // MINUTE_MS
        self._take_facts(hour, worked.facts)
        self._take_wanted(hour, worked)

    def _take_facts(self, hour: HourRecord, told: MinuteFacts | None) -> None:
        last = self._facts
        if told is None:
            return
        if last is None or not hour.facts or (last.held, last.wallets) != (told.held, told.wallets):
            self._facts = told
            hour.facts.append(told)

    def _take_wanted(self, hour: HourRecord, worked: _Minute) -> None:
        if worked.wanted is None:
            return
        for symbol, row in zip(worked.engine.symbols, worked.wanted, strict=True):
            now = row.tobytes()
            if self._last.get(symbol) != now:
                self._last[symbol] = now
                hour.decisions.append((worked.minute.open_ms, symbol, now))

    def _begin(
        self, account: Recorded, begin_ms: int, why: str, cleared: tuple[str, ...], transferred: Mapping[str, float]
    ) -> None:
        known = self._known(begin_ms)
        whys: tuple[str, ...] = (why,)
        gone, moved = cleared, dict(transferred)
        if known is not None:
            whys = tuple(dict.fromkeys((*known.why, why)))
            gone = tuple(dict.fromkeys((*known.cleared, *cleared)))
            moved = {**known.transferred, **{a: known.transferred.get(a, 0.0) + each for a, each in moved.items()}}
        self._breaks.add(begin_ms)
        self._segments[begin_ms] = self._segment(account, begin_ms, whys, gone, moved)

    def _known(self, begin_ms: int) -> Segment | None:
        """What began then already: a stored segment is replaced by one that has everything of it."""
        newest = self._newest if self._newest is not None and self._newest.begin_ms == begin_ms else None
        return self._segments.get(begin_ms, newest)

    def _segment(
        self, account: Recorded, begin_ms: int, why: tuple[str, ...], cleared: tuple[str, ...], moved: dict[str, float]
    ) -> Segment:
        setup, engine = account.setup, account.engine
        analysis = dict.fromkeys(position.analysis for position in setup.positions)
        trade = dict.fromkeys(position.trade for position in setup.positions)
        return Segment(
            begin_ms,
            why,
            setup,
            engine.dump(),
            engine.method_versions,
            tuple(self._configurations.analysis[code] for code in analysis),
            tuple(self._configurations.trade[code] for code in trade),
            tuple(self._instruments[symbol] for symbol in dict.fromkeys(engine.symbols)),
            core_version(),
            cleared,
            moved,
        )

    def _read(self, engine: AccountEngine, analysis: str) -> Ints:
        """Places in a row that a decision of this analysis reads."""
        if engine is not self._engine:
            self._engine, self._reads = engine, {}
        if analysis not in self._reads:
            symbol, _, code = analysis.partition("/")
            self._reads[analysis] = engine.decided_on(symbol, self._configurations.analysis[code].decision)
        return self._reads[analysis]

    def _place(self, open_ms: int) -> tuple[HourRecord, int]:
        hour_ms = open_ms // HOUR_MS * HOUR_MS
        if self._hour is None or self._hour.hour_ms != hour_ms:
            self._hour = HourRecord(hour_ms)
        self._dirty[hour_ms] = self._hour
        return self._hour, (open_ms - hour_ms) // MINUTE_MS


def _put(digests: dict[str, bytearray], key: str, place: int, digest: int) -> None:
    if key not in digests:
        digests[key] = bytearray(_DIGESTS)
    _DIGEST.pack_into(digests[key], _DIGEST.size * place, digest)
