"""What is recorded of an account engine."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from atm.model.account import AccountSetup, TradeRecord
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.bars import Bar
from atm.model.instrument import Instrument
from atm.model.journal import Target
from atm.model.trade_configuration import TradeConfiguration
from atm.trading.actual import ActualEngine, Held
from atm.trading.black_box.box import Box
from atm.trading.black_box.memory import plain
from atm.trading.black_box.records import (
    ENCODER,
    EngineCommand,
    EngineFailed,
    EngineFills,
    EngineMemory,
    EngineMinute,
    MinuteOutcome,
)
from atm.trading.engine import AccountEngine

Floats = NDArray[np.float64]


class EngineWatch:
    """What an account engine was given, and its answers. setup, analysis, trade and instruments are those that it was made of."""

    def __init__(
        self,
        recorder: Box,
        setup: AccountSetup,
        engine: AccountEngine,
        actual: ActualEngine | None,
        analysis: tuple[AnalysisConfiguration, ...],
        trade: tuple[TradeConfiguration, ...],
        instruments: Mapping[str, Instrument],
    ) -> None:
        self._recorder, self.setup, self._engine, self._actual = recorder, setup, engine, actual
        self._analysis, self._trade = analysis, trade
        self.instruments = dict(instruments)

    def memory(self, table: str, fresh: bool) -> EngineMemory:
        """The engine as it is. table: id of its instruments."""
        engine = self._engine
        last = None if self._actual is None else plain(self._actual.last)
        return EngineMemory(
            engine.market_ms, self.setup, self._analysis, self._trade, table, engine.dump(), engine.method_versions, fresh, last,
        )  # fmt: skip

    def minute(self, minute_ms: int, bars: Mapping[str, Bar], rows: Mapping[str, Floats], equity: float) -> None:
        """A minute of a virtual account."""
        if not self._recorder.is_recording:
            return

        def write() -> None:
            outcome = MinuteOutcome(digest_of(self._engine), equity)
            self._write(EngineMinute(minute_ms, dict(bars), rows_of(rows), msgspec.Raw(ENCODER.encode(outcome))))

        self._recorder.safely(write)

    def actual_minute(
        self,
        minute_ms: int,
        bars: Mapping[str, Bar],
        rows: Mapping[str, Floats],
        held: Mapping[str, Held],
        wallets: Mapping[str, float],
        targets: Sequence[Target],
    ) -> None:
        """A minute of an actual account."""
        if not self._recorder.is_recording:
            return

        def write() -> None:
            outcome = msgspec.Raw(ENCODER.encode(MinuteOutcome(digest_of(self._engine), targets=tuple(targets))))
            self._write(EngineMinute(minute_ms, dict(bars), rows_of(rows), outcome, dict(held), dict(wallets)))

        self._recorder.safely(write)

    def raised(
        self,
        minute_ms: int,
        bars: Mapping[str, Bar],
        rows: Mapping[str, Floats],
        error: Exception,
        held: Mapping[str, Held] | None = None,
        wallets: Mapping[str, float] | None = None,
    ) -> None:
        """A minute that the engine has failed at."""
        said = self._said(error)
        given = None if held is None else dict(held)
        self._recorder.safely(
            lambda: self._write(
                EngineMinute(minute_ms, dict(bars), rows_of(rows), held=given, wallets=dict(wallets or {}), raised=said)
            )
        )

    def failed(self, error: Exception) -> None:
        """The engine could not go on; the account stands still."""
        said = self._said(error)
        self._recorder.safely(lambda: self._write(EngineFailed(said)))

    def _said(self, error: Exception) -> str:
        return self._recorder.redactor.text(f"{type(error).__name__}: {error}")

    def fills(self, fills: Sequence[TradeRecord]) -> None:
        """The engine gave its fills away."""
        if fills:
            self._recorder.safely(lambda: self._write(EngineFills(msgspec.Raw(ENCODER.encode(fills)))))

    def commanded(self, name: str, symbols: Sequence[str] = ()) -> None:
        """The user's word, which the engine has obeyed: trading_on, trading_off, force_clear."""
        self._recorder.safely(lambda: self._write(EngineCommand(name, digest_of(self._engine), tuple(symbols))))

    def transferred(self, asset: str, amount: float) -> None:
        """Money came into the engine's wallet, or left it (amount < 0)."""
        self._recorder.safely(
            lambda: self._write(EngineCommand("transfer", digest_of(self._engine), asset=asset, amount=amount))
        )

    def reloaded(self, changed: Mapping[str, Instrument]) -> None:
        """The engine has other instruments."""
        self.instruments.update({symbol: each for symbol, each in changed.items() if symbol in self.instruments})
        listed = tuple(each for symbol, each in changed.items() if symbol in self.instruments)

        def write() -> None:
            self._write(EngineCommand("instruments", digest_of(self._engine), instruments=listed))

        self._recorder.safely(write)

    def _write(self, record: EngineMinute | EngineFills | EngineCommand | EngineFailed) -> None:
        self._recorder.write(self.setup.name, record)


def digest_of(engine: AccountEngine) -> int:
    """CRC-32 over every number of an engine's state."""
    found = 0
    for table in engine.tables():
        found = zlib.crc32(np.ascontiguousarray(table).data, found)
    return found


def rows_of(rows: Mapping[str, Floats]) -> dict[str, bytes]:
    """Rows as they are written."""
    return {name: np.ascontiguousarray(row, "<f8").tobytes() for name, row in rows.items()}
