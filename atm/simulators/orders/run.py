"""One seed: a live account trades on the demo exchange through a bad network, dies and comes back, and is compared at the end."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import msgspec

from atm.exchange.client.live_calls import Call
from atm.exchange.client.live_facts import user_event
from atm.exchange.demo.refusal import ExchangeRefusal
from atm.model.errors import Unavailable
from atm.model.interval import MINUTE_MS
from atm.model.journal import KILLED, WHOLE_ACCOUNT, JournalEntry, Target
from atm.model.live_order import NOTHING
from atm.model.live_request import Answer
from atm.model.risk import LiveSetup, RiskLimits, SymbolSetup
from atm.simulators.orders.exchange import MINUTES, START_MS, SYMBOLS, SimulatedExchange
from atm.simulators.orders.network import Network
from atm.simulators.orders.plan import UNITS, ByHand, Decision, Faults, Plan, plan
from atm.simulators.orders.scheduler import Scheduler
from atm.simulators.orders.verdict import Watch
from atm.storage.orders import decoded, encoded
from atm.trading.live.desk import LiveNotice, Step
from atm.trading.live.journal_fold import restored
from atm.trading.live.live_account import LiveAccount
from atm.trading.live.sizing import on_step

NAME = "main"
TICK_MS = 1_000
AGAIN_MS = 2_000
"""After which an account is taken up anew whose journal has refused, and the user's word is said again."""
LARGEST_WORTH = 12_000
"""Of a position, in quote asset: it takes several levels of the book."""
LEVERAGE = 5


class Journal(Protocol):
    """Where entries are committed."""

    def append(self, account: str, entries: Sequence[JournalEntry]) -> None: ...

    def load(self, account: str) -> list[JournalEntry]: ...


class MemoryJournal:
    """A journal of encoded entries: what comes back has gone through the encoding as on a disk."""

    def __init__(self) -> None:
        self._rows: list[bytes] = []

    def append(self, account: str, entries: Sequence[JournalEntry]) -> None:
        """Keep entries."""
        self._rows += [encoded(entry) for entry in entries]

    def load(self, account: str) -> list[JournalEntry]:
        """All entries."""
        return [decoded(row) for row in self._rows]


class Outcome(msgspec.Struct, frozen=True):
    """What became of a seed. violations: sentences; account_ms: simulated time; unprotected_ms: longest time that a position had
    no resting stop while the process was up; closing_ms: that one did not become smaller although it should and could; unready_ms: that
    the account was not compared."""

    seed: int
    violations: tuple[str, ...]
    account_ms: int
    orders: int
    fills: int
    crashes: int
    unprotected_ms: int
    closing_ms: int
    unready_ms: int
    faults: dict[str, int]


class _Crash(Exception):
    """The process dies here."""


class Run:
    """See the module. `story`: what happened, when it is wanted."""

    def __init__(self, plan: Plan, assets: Path, journal: Journal | None = None, *, tell: bool = False) -> None:
        self.plan = plan
        self._start_ms = START_MS + plan.start_minute * MINUTE_MS
        self._draw = random.Random(plan.seed * 2 + 1)  # a scenario, no secret
        self.scheduler = Scheduler(self._start_ms)
        self.exchange = SimulatedExchange(assets, self._start_ms, self._emit)
        self.network = Network(
            self.scheduler, self.exchange, self._draw, self._faults, lambda: self._is_in(plan.refused_ms)
        )
        self.journal: Journal = journal or MemoryJournal()
        self.account: LiveAccount | None = None
        self.watch = Watch(self.exchange)
        self.story: list[str] | None = [] if tell else None
        self.notices: list[LiveNotice] = []
        self.crashes = 0
        self._generation = 0
        self._connected = True
        self._killed = False
        self._targets: dict[str, Target] = {}
        self._owed: dict[str, Target] = {}
        symbols = {symbol: SymbolSetup(LEVERAGE, isolated=True) for symbol in SYMBOLS}
        limits = RiskLimits(orders_per_minute=None)
        self.setup = LiveSetup(symbols, limits, plan.policy, stop_distance=0.05)

    def _faults(self) -> Faults:
        return self.plan.faults if self.scheduler.now_ms < self._start_ms + self.plan.active_ms else Faults()

    def _is_in(self, stretches: Iterable[tuple[int, int]]) -> bool:
        since_ms = self.scheduler.now_ms - self._start_ms
        return since_ms < self.plan.active_ms and any(begin <= since_ms < begin + length for begin, length in stretches)

    def tell(self, text: str) -> None:
        """Keep a line of the story."""
        if self.story is not None:
            self.story.append(f"{(self.scheduler.now_ms - self._start_ms) / 1000:8.3f}  {text}")

    # --- the run ----------------------------------------------------------------------------------------------

    def go(self) -> Outcome:
        """Let everything happen, then compare."""
        plan, at = self.plan, self.scheduler.at
        for decision in plan.decisions:
            at(self._start_ms + decision.at_ms, lambda decision=decision: self._decide(decision))  # type: ignore[misc]
        for deed in plan.by_hand:
            at(self._start_ms + deed.at_ms, lambda deed=deed: self._by_hand(deed))  # type: ignore[misc]
        for ms in plan.crashes_ms:
            at(self._start_ms + ms, self._die)
        for ms, length_ms in plan.cuts_ms:
            at(self._start_ms + ms, lambda length_ms=length_ms: self._cut(length_ms))  # type: ignore[misc]
        if plan.kill is not None:
            at(self._start_ms + plan.kill.at_ms, self._kill)
        if plan.kill is not None and plan.kill.resumed_ms:
            at(self._start_ms + plan.kill.resumed_ms, self._resume)
        at(self._start_ms + plan.active_ms, self._quiet)
        self._begin()
        self._tick()
        self.scheduler.run(self._start_ms + plan.end_ms)
        violations = self.watch.verdict(self.journal.load(NAME), self.account, plan, self._targets, self.notices)
        return Outcome(
            plan.seed, tuple(violations), plan.end_ms, len(self.exchange.orders()), len(self.exchange.account.trades),
            self.crashes, self.watch.longest_ms, self.watch.longest_closing_ms, self.watch.longest_unready_ms, dict(self.network.happened),
        )  # fmt: skip

    def _begin(self) -> None:
        """The account is taken up from its journal, and told what could not be committed before."""
        self._generation += 1
        state = restored(self.journal.load(NAME))
        self.account = LiveAccount(NAME, self.setup, self.exchange.instruments, state)
        self.tell("start")
        self._prices()
        self.watch.connected(self.scheduler.now_ms)
        if self._do(self.account.start(self.scheduler.now_ms)):
            self._deliver()

    def _die(self) -> None:
        """The process is killed; it comes back after a while."""
        if self.account is None:
            return
        self.tell("crash")
        self.crashes += 1
        self.account = None
        self._generation += 1
        self.scheduler.after(self._draw.uniform(300.0, 15_000.0), self._begin)

    def _cut(self, length_ms: int) -> None:
        self._connected = False
        self.tell(f"user stream cut for {length_ms} ms")
        self.scheduler.after(length_ms, self._quiet)

    def _quiet(self) -> None:
        """The user stream is there (again): a supervisor tells the account."""
        self._connected = True
        if self.account is not None:
            self.watch.connected(self.scheduler.now_ms)
            self._do(self.account.reconnected(self.scheduler.now_ms))

    def _tick(self) -> None:
        now_ms = self.scheduler.now_ms
        self.exchange.advance(now_ms)
        if self.account is not None:
            self._prices()
            self._do(self.account.tick(now_ms))
        self.watch.look(now_ms, self.account, may_close=not self._is_in(self.plan.refused_ms))
        self.scheduler.after(TICK_MS, self._tick)

    def _prices(self) -> None:
        assert self.account is not None
        now_ms = self.scheduler.now_ms
        for symbol, market in self.exchange.markets.items():
            last, mark = Decimal(str(market.price(now_ms))), Decimal(str(market.mark(now_ms)))
            self.account.priced(symbol, last, mark, now_ms)

    # --- the shell --------------------------------------------------------------------------------------------

    def _do(self, step: Step) -> bool:
        """Commit, then send; the process may die in between anywhere. Whether all of it was done."""
        try:
            self._carry_out(step)
        except _Crash:
            self._die()
            return False
        except Unavailable:
            self.tell("the journal refuses")
            self.account = None
            self._generation += 1
            self.scheduler.after(AGAIN_MS, self._begin)
            return False
        return True

    def _carry_out(self, step: Step) -> None:
        if not step.entries and not step.requests:
            self.notices += step.notices
            return
        if self.network.chance("crash_before_commit"):
            raise _Crash
        if step.entries and (self.network.chance("commit_fails") or self._is_in(self.plan.full_ms)):
            raise Unavailable("a full disk")
        self.journal.append(NAME, step.entries)
        for entry in step.entries:
            self.tell(f"journal {entry}")
        self.notices += step.notices
        for notice in step.notices:
            self.tell(f"notice {notice}")
        for number, request in step.requests:
            if self.network.chance("crash_before_send"):
                raise _Crash
            self.tell(f"send {number} {request}")
            self.network.send(number, request, self._receiver())
        if step.requests and self.network.chance("crash_after_send"):
            raise _Crash

    def _receiver(self) -> Any:
        """Answers reach only the process that asked."""
        generation = self._generation

        def done(answer: Answer) -> None:
            if self.account is not None and generation == self._generation:
                self.tell(f"answer {answer.number} {answer.failure or answer.facts or answer.trades}")
                self._do(self.account.answered(answer, self.scheduler.now_ms))

        return done

    def _emit(self, event: dict[str, Any]) -> None:
        self.watch.heard(event)
        if event["e"] == "ACCOUNT_UPDATE" and self.plan.faults.positions_lag:
            self.exchange.remember_positions(self.scheduler.now_ms)
        self.tell(f"exchange {event['e']} {event.get('o') or event.get('a') or ''}")
        if self._connected:
            self.network.deliver(event, self._hear)

    def _hear(self, event: dict[str, Any]) -> None:
        facts = user_event(event)
        if self.account is not None and self._connected and facts:
            self._do(self.account.learned(facts, self.scheduler.now_ms))

    # --- what is wanted ---------------------------------------------------------------------------------------

    def _decide(self, decision: Decision) -> None:
        now_ms, market = self.scheduler.now_ms, self.exchange.markets[decision.symbol]
        price = Decimal(str(market.price(now_ms)))
        most = Decimal(LARGEST_WORTH) / price
        quantity = on_step(most * decision.units / UNITS, market.instrument)
        buys = quantity > 0
        limit = None
        if decision.limit is not None:
            limit = price * (1 - Decimal(str(decision.limit)) * (1 if buys else -1))
        stop = None
        if decision.stop is not None and quantity:
            stop = price * (1 - Decimal(str(decision.stop)) * (1 if buys else -1))
        cancel_ms = now_ms + decision.life_ms if limit is not None else 0
        target = Target(decision.symbol, quantity, now_ms, limit, cancel_ms, stop)
        self.watch.wanted(target)
        self.tell(f"decision {target}")
        if self._killed and quantity:
            return
        self._targets[decision.symbol] = self._owed[decision.symbol] = target
        self._deliver()

    def _deliver(self) -> None:
        """Targets are the engine's until they are committed."""
        for symbol, target in list(self._owed.items()):
            if self.account is None or not self._do(self.account.aim(target, self.scheduler.now_ms)):
                return
            del self._owed[symbol]

    def _kill(self) -> None:
        """The kill switch, told again and again until it is committed."""
        self.tell("kill switch")
        now_ms = self.scheduler.now_ms
        if self.account is None or not self._do(self.account.flatten(KILLED, now_ms)):
            self.scheduler.after(AGAIN_MS, self._kill)
            return
        self._killed = True
        self._owed.clear()
        self._targets = {symbol: Target(symbol, NOTHING, now_ms) for symbol in self._targets}

    def _resume(self) -> None:
        if (
            self.account is None
            or not self._killed
            or not self._do(self.account.resume(WHOLE_ACCOUNT, self.scheduler.now_ms))
        ):
            self.scheduler.after(AGAIN_MS, self._resume)
            return
        self.tell("resumed")
        self._killed = False

    def _by_hand(self, deed: ByHand) -> None:
        now_ms, market = self.scheduler.now_ms, self.exchange.markets[deed.symbol]
        self.watch.by_hand = True
        self.tell(f"by hand {deed}")
        if deed.leverage:
            try:
                wanted = {"symbol": deed.symbol, "leverage": str(deed.leverage)}
                self.exchange.call(Call("POST", 1, "leverage", wanted), now_ms)
            except ExchangeRefusal as refusal:
                self.tell(f"refused: {refusal}")
            return
        most = Decimal(LARGEST_WORTH) / Decimal(str(market.price(now_ms)))
        quantity = abs(on_step(most * deed.units / UNITS, market.instrument))
        self.exchange.trade_by_hand(deed.symbol, format(quantity, "f"), deed.units > 0, now_ms)


def run_seed(seed: int, assets: Path, journal: Journal | None = None) -> Outcome:
    """One seed from its beginning to its end."""
    return Run(plan(seed, SYMBOLS, MINUTES), assets, journal).go()


def run_seeds(first: int, last: int, assets: Path) -> tuple[list[Outcome], float]:
    """(outcomes of the seeds first <= seed < last, CPU seconds)."""
    begun = time.process_time()
    return [run_seed(seed, assets) for seed in range(first, last)], time.process_time() - begun
