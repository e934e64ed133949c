"""An actual account in the trade manager: the minutes, rows and storage of a virtual one, its positions the exchange's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from atm.managers.minute_barrier import Minute
from atm.managers.trade_accounts import EQUITY_STEP_MS, VirtualAccount
from atm.model.account import AccountSetup, AccountSnapshot
from atm.model.interval import MINUTE_MS
from atm.model.journal import Halted, Target
from atm.trading.actual import ActualEngine, Held
from atm.trading.engine import AccountEngine


class Facts(msgspec.Struct, frozen=True):
    """What the exchange says of an account: positions by symbol, wallet balances by asset, equity in quote asset."""

    held: Mapping[str, Held]
    wallets: Mapping[str, float]
    equity: float


class FactSource(Protocol):
    """Who knows what the exchange says of an account."""

    def facts(self, name: str) -> Facts | None:
        """None while the exchange has not been compared."""

    def consumed(self, name: str) -> None:
        """The engine has taken the facts in."""

    def halts(self, name: str) -> tuple[Halted, ...]:
        """What is halted of the account."""

    def engaged(self, name: str) -> set[str]:
        """Symbols in which it has, wants or is about to get something."""


class ActualAccount(VirtualAccount):
    """Its minutes wait while its facts are not known. `targets`: the newest of each symbol that are not in the journal of orders yet; until
    they are, the minutes that made them are not stored, so that a killed process makes them again."""

    def __init__(self, setup: AccountSetup, engine: AccountEngine, source: FactSource) -> None:
        super().__init__(setup, engine)
        self.actual = ActualEngine(engine)
        self._source = source
        self._known: Facts | None = None
        self.targets: dict[str, Target] = {}

    def process(self, limit: int) -> int:
        """As of a virtual account; nothing while the exchange's positions are not known."""
        self._known = self._source.facts(self.setup.name)
        done = 0 if self._known is None else super().process(limit)
        if done:
            self._source.consumed(self.setup.name)
        return done

    def take_over(self, old: ActualAccount) -> None:
        """What the account, as it was set up before, has decided and its journal has not taken yet is still wanted."""
        self.targets = {symbol: old.targets[symbol] for symbol in self.engine.symbols if symbol in old.targets}

    def committed(self) -> None:
        """What is newly wanted is in the journal of orders."""
        self.targets = {}

    def _minute(self, minute: Minute) -> None:
        assert self._known is not None
        close = minute.open_ms + MINUTE_MS
        rows = {key: self._inputs(key, values, close) for key, values in minute.rows.items()}
        known = self._known
        self._before(minute, rows)
        if self.recorder is not None:
            self.recorder.facts(known.held, known.wallets, known.equity)
        try:
            targets = self.actual.minute(minute.open_ms, minute.bars, rows, known.held, known.wallets)
        except Exception as error:
            if self.watch is not None:
                self.watch.raised(minute.open_ms, minute.bars, rows, error, known.held, known.wallets)
            raise
        if self.watch is not None:
            self.watch.actual_minute(minute.open_ms, minute.bars, rows, known.held, known.wallets, targets)
        for target in targets:
            self.targets[target.symbol] = target
        self._after()
        # A stop of the exchange is told once, to the first minute after it.
        held = {symbol: msgspec.structs.replace(each, stopped=0) for symbol, each in known.held.items()}
        self._known = msgspec.structs.replace(known, held=held)
        if close % EQUITY_STEP_MS == 0 and known.equity > 0:
            self._unsaved.equity.append((close, known.equity))

    def open_symbols(self) -> set[str]:
        """Those of the engine, and those in which the exchange has or may soon have something."""
        return super().open_symbols() | self._source.engaged(self.setup.name)

    def mark_beginning(self) -> None:
        """The curve begins with the first equity that the exchange tells."""

    def snapshot(self, marks: Mapping[str, float]) -> AccountSnapshot:
        """As of a virtual account, saying what it waits for."""
        shown = super().snapshot(marks)
        shown = msgspec.structs.replace(shown, halts=self._source.halts(self.setup.name))
        waits = self._source.facts(self.setup.name) is None and not self.failure
        return msgspec.structs.replace(shown, reason="waits for the exchange") if waits else shown
