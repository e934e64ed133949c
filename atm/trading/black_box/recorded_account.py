"""A live account that is recorded: every input and step of it, as LiveAccount has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

import msgspec

from atm.model.account_facts import LiveFact
from atm.model.instrument import Instrument
from atm.model.journal import LiveState, Target, Transferred
from atm.model.live_request import Answer
from atm.model.risk import LiveSetup
from atm.trading.black_box.box import Box
from atm.trading.black_box.records import (
    ENCODER,
    Aimed,
    Answered,
    FlattenAsked,
    HaltAsked,
    HoldAsked,
    Learned,
    LiveCall,
    LiveInput,
    PriceSeen,
    QuietTick,
    QuietTicks,
    Reconnected,
    Reloaded,
    ResumeAsked,
    Started,
    Ticked,
    TransfersTold,
)
from atm.trading.live.desk import Step
from atm.trading.live.live_account import LiveAccount

MOST_QUIET = 20
"""Ticks without consequence that are written as one record; a kill loses no more than these."""

OWN = frozenset(("box", "box_name", "box_setup", "box_at", "box_table", "_box_inside", "_box_prices", "_box_quiet"))
"""Attributes that are not the account's."""


class RecordedAccount(LiveAccount):
    """A live account whose inputs and steps are recorded. Words of the exchange are redacted before the account hears them, so that
    everything that follows from them is."""

    def __init__(
        self,
        recorder: Box,
        name: str,
        setup: LiveSetup,
        instruments: Mapping[str, Instrument],
        state: LiveState | None,
    ) -> None:
        super().__init__(name, setup, instruments, state)
        self.box, self.box_name, self.box_setup, self.box_at = recorder, name, setup, 0
        self.box_table = ""
        self._box_inside = False
        self._box_prices: dict[str, PriceSeen] = {}
        self._box_quiet: list[QuietTick] = []

    @property
    def known_instruments(self) -> Mapping[str, Instrument]:
        return self._desk.instruments

    def flush(self, *, prices: bool = False) -> None:
        """Write the quiet ticks that wait, and if wanted the prices that came after them."""
        after = self._taken_prices() if prices else ()
        if self._box_quiet or after:
            ticks, self._box_quiet = tuple(self._box_quiet), []
            self.box.write(self.box_name, QuietTicks(ticks, after))

    def start(self, now_ms: int) -> Step:
        return self._recorded(Started(), now_ms, lambda: LiveAccount.start(self, now_ms))

    def reconnected(self, now_ms: int) -> Step:
        return self._recorded(Reconnected(), now_ms, lambda: LiveAccount.reconnected(self, now_ms))

    def tick(self, now_ms: int) -> Step:
        return self._recorded(Ticked(), now_ms, lambda: LiveAccount.tick(self, now_ms))

    def learned(self, facts: Iterable[LiveFact], now_ms: int) -> Step:
        given = tuple(facts)
        return self._recorded(Learned(given), now_ms, lambda: LiveAccount.learned(self, given, now_ms))

    def priced(self, symbol: str, last: Decimal, mark: Decimal, time_ms: int) -> None:
        self._box_prices[symbol] = PriceSeen(symbol, last, mark, time_ms)
        LiveAccount.priced(self, symbol, last, mark, time_ms)

    def answered(self, answer: Answer, now_ms: int) -> Step:
        given = self._clean(answer)
        return self._recorded(Answered(given), now_ms, lambda: LiveAccount.answered(self, given, now_ms))

    def aim(self, target: Target, now_ms: int) -> Step:
        return self.aim_all((target,), now_ms)

    def aim_all(self, targets: Iterable[Target], now_ms: int) -> Step:
        given = tuple(targets)
        return self._recorded(Aimed(given), now_ms, lambda: LiveAccount.aim_all(self, given, now_ms))

    def halt(self, scope: str, reason: str, now_ms: int, *, hands_off: bool = False) -> Step:
        def core() -> Step:
            return LiveAccount.halt(self, scope, reason, now_ms, hands_off=hands_off)

        return self._recorded(HaltAsked(scope, reason, hands_off), now_ms, core)

    def resume(self, scope: str, now_ms: int) -> Step:
        return self._recorded(ResumeAsked(scope), now_ms, lambda: LiveAccount.resume(self, scope, now_ms))

    def flatten(self, reason: str, now_ms: int) -> Step:
        return self._recorded(FlattenAsked(reason), now_ms, lambda: LiveAccount.flatten(self, reason, now_ms))

    def hold(self, now_ms: int) -> Step:
        return self._recorded(HoldAsked(), now_ms, lambda: LiveAccount.hold(self, now_ms))

    def transferred(self, told: Iterable[Transferred], now_ms: int) -> Step:
        given = tuple(told)
        return self._recorded(TransfersTold(given), now_ms, lambda: LiveAccount.transferred(self, given, now_ms))

    def reload(self, instruments: Mapping[str, Instrument]) -> None:
        LiveAccount.reload(self, instruments)
        self.box_table = ""
        if not instruments:
            return
        given = Reloaded(tuple(instruments.values()))
        self.box.safely(lambda: self._write(LiveCall(self.box_at, given, prices=self._taken_prices())))

    # --- inside -----------------------------------------------------------------------------------------------

    def _clean(self, answer: Answer) -> Answer:
        if answer.failure is None or not answer.failure.reason:
            return answer
        reason = self.box.redactor.text(answer.failure.reason)
        return msgspec.structs.replace(answer, failure=msgspec.structs.replace(answer.failure, reason=reason))

    def _recorded(self, given: LiveInput, now_ms: int, core: Callable[[], Step]) -> Step:
        if self._box_inside:
            return core()
        self._box_inside, self.box_at = True, now_ms
        try:
            step = core()
        except Exception as error:
            raised = f"{type(error).__name__}: {error}"
            self.box.safely(
                lambda: self._write(LiveCall(now_ms, given, prices=self._taken_prices(), raised=raised)),
            )
            raise
        finally:
            self._box_inside = False
        self.box.safely(lambda: self._note(given, now_ms, step))
        return step

    def _note(self, given: LiveInput, now_ms: int, step: Step) -> None:
        if isinstance(given, Ticked) and not (step.entries or step.requests or step.notices):
            self._box_quiet.append(QuietTick(now_ms, self._taken_prices()))
            if len(self._box_quiet) >= MOST_QUIET:
                self.flush()
            return
        answer = msgspec.Raw(ENCODER.encode(step))
        self._write(LiveCall(now_ms, given, answer, self._taken_prices()))

    def _write(self, call: LiveCall) -> None:
        self.flush()
        self.box.write(self.box_name, call)

    def _taken_prices(self) -> tuple[PriceSeen, ...]:
        """The newest of each symbol since they were taken: each replaces the one before."""
        taken = tuple(self._box_prices.values())
        self._box_prices.clear()
        return taken
