"""One world of the kill campaign, and the runs in it: reach the instant, strike, wait until all is as it must be."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from atm.model.live_order import LiveOrder, OrderState
from benchmarks._kill_books import Books, Journal, exchange_accounts
from benchmarks._kill_plan import Instant, Plan
from benchmarks._kill_program import MAIN, NAMES, KillProgram, until
from benchmarks._kill_verdict import Sentence, differences
from benchmarks._kill_world import ACCOUNTS, Market, make_assets, make_home

START_S, BACK_S, DECIDED_S, SETTLE_S, REACH_S = 90.0, 60.0, 60.0, 45.0, 35.0
LOAD_S, LOAD_ALL_S = 5.0, 9.0
"""Wall time after which a process that has begun anew must be at work; the whole program."""
DECIDE_S = 1.5
"""Wall time in which a decision has to be made by a program that is up."""
HURT_MS = 2_500
"""How long a black hole or a maintenance lasts."""
LONG = 20
_CLOSED_S = 0.35
"""So long after the end of a minute its bars have reached the trade manager."""


class Interrupted(Exception):
    """The campaign is to end before this run does."""


class Outcome(msgspec.Struct):
    """hit: whether the instant was reached; settle_s: from the blow until all was equal."""

    plan: Plan
    hit: bool
    violations: list[str]
    seconds: float
    settle_s: float
    decisions: int = 0
    excused: int = 0
    story: list[str] = []


class World:
    """A program, its exchange, and everything that is known of both."""

    def __init__(self, folder: Path, speed: float, stopped: threading.Event) -> None:
        self.folder, self._stopped, self._speed = folder, stopped, speed
        home = folder / "home"
        self.program = KillProgram(home, make_assets(folder / "program" / "assets", speed), speed)
        make_home(home)
        self._home = home
        self.books = {name: Books(name) for name in ACCOUNTS}
        self._down: list[tuple[float, float]] = []
        self._story: list[str] = []
        self._found: list[str] = []
        self._killed: set[int] = set()
        self._began = time.monotonic()

    def open(self) -> None:
        """Start, and wait until the accounts trade. Raises RuntimeError when they do not, Interrupted."""
        self.program.start()
        if not self._until(self.program.is_up, START_S):
            raise RuntimeError("the program does not start")
        self.journals = {name: Journal(self._home, name) for name in ACCOUNTS}
        wall = time.time()
        self._offset = self.program.market_ms() - wall * 1000 * self._speed
        if not self._until(lambda: self._journal("one").targets, START_S):
            raise RuntimeError("no account trades")
        self.sentence = Sentence(Market(), self._market_ms(time.time()))

    def close(self) -> None:
        """Nothing is left running."""
        self.program.close()

    def _until(self, holds: Callable[[], Any], seconds: float) -> Any:
        """As `until`. Raises Interrupted when the campaign is to end."""
        found = until(lambda: holds() or self._stopped.is_set(), seconds)
        if self._stopped.is_set():
            raise Interrupted
        return found

    # --- looking ----------------------------------------------------------------------------------------------

    def _tell(self, text: str) -> None:
        self._story.append(f"{time.monotonic() - self._began:7.2f}  {text}")

    def _journal(self, name: str) -> Journal:
        journal = self.journals[name]
        journal.read()
        return journal

    def _market_ms(self, wall: float) -> int:
        return int(wall * 1000 * self._speed + self._offset)

    def _wall(self, market_ms: float) -> float:
        return (market_ms - self._offset) / self._speed / 1000

    def _was_up(self, from_ms: int, to_ms: int) -> bool:
        """Whether there was time to decide between two market times."""
        return had_time(self._wall(from_ms), self._wall(to_ms), self._down)

    def _look(self) -> list[str]:
        """What differs now. What the journal learned while the exchange was read is no difference."""
        accounts = exchange_accounts(self._home)
        found = []
        for name, journal in self.journals.items():
            if name in accounts:
                journal.read()
                self.books[name].take(accounts[name])
        again = exchange_accounts(self._home)
        for name, journal in self.journals.items():
            if name in accounts and (again.get(name) == accounts[name]):
                found += differences(journal, self.books[name])
            else:
                found.append(f"{name}: changes while it is looked at")
        return found

    def _unanswered(self) -> list[tuple[Journal, LiveOrder]]:
        return [
            (journal, order)
            for journal in map(self._journal, ACCOUNTS)
            for order in journal.orders.values()
            if order.is_unresolved or (order.cancel_asked_ms and not order.is_final)
        ]

    # --- the run ----------------------------------------------------------------------------------------------

    def run(self, plan: Plan) -> Outcome:
        """One run; never raises what a dying program causes. Raises Interrupted."""
        self._story, self._found, self._began = [], [], time.monotonic()
        self._killed.clear()
        self._tell(str(plan))
        before = self.sentence.decisions, self.sentence.excused
        hit = self._reach[plan.instant](self, plan)
        self._tell("the instant was reached" if hit else "the instant was missed")
        found = self._found + self._recover(plan)
        struck = time.monotonic()
        looks: list[list[str]] = []

        def is_settled() -> bool:
            looks.append(self._look())
            time.sleep(0.2)
            return not looks[-1]

        self._until(is_settled, SETTLE_S)
        problems = _lasting(looks)
        settle_s = time.monotonic() - struck
        self._tell(f"settled after {settle_s:.1f} s" if not problems else "not settled")
        found += self.sentence.new(problems)
        now_ms = self._market_ms(time.time())
        for name, journal in self.journals.items():
            found += self.sentence.of(journal, self.books[name])
            found += self.sentence.missed(journal, now_ms, self._was_up)
        for each in found:
            self._tell(f"VIOLATION {each}")
        counts = self.sentence.decisions - before[0], self.sentence.excused - before[1]
        return Outcome(plan, hit, found, time.monotonic() - self._began, settle_s, *counts, self._story)

    def _recover(self, plan: Plan) -> list[str]:
        """Until all processes run again and nothing is held any more."""
        if plan.network or plan.hold:
            time.sleep(HURT_MS / 1000 if plan.network in ("black hole", "maintenance") else 0.0)
            self._until(lambda: self.program.demo({"clear_faults": True}), 20)
        if not self._until(lambda: self.program.is_up(self._killed), BACK_S):
            return [f"not all of {', '.join(NAMES)} came back: {self.program.pids()}"]
        load_s = LOAD_ALL_S if MAIN in plan.victims else LOAD_S
        self._down[-1] = (self._down[-1][0], time.time() + load_s)
        self._tell("all processes run")
        struck_ms = self._market_ms(self._down[-1][0])
        if not self._until(lambda: any(at > struck_ms for _, at in self._journal("one").targets), DECIDED_S):
            return [f"no bar that closed after the blow was decided on within {DECIDED_S:g} s"]
        self._tell("a bar that closed after the blow was decided on")
        return []

    def _strike(self, plan: Plan) -> None:
        """The blow."""
        if plan.delay_s and plan.instant is not Instant.RANDOM:
            time.sleep(plan.delay_s)
        self._down.append((time.time(), time.time() + BACK_S))
        self._hurt(plan.network)
        others = [name for name in plan.victims if name != MAIN]
        if plan.frozen_s:
            for name in (*others, *(name for name in plan.victims if name == MAIN)):
                self.program.send(name, signal.SIGSTOP)
            time.sleep(plan.frozen_s)
        for name in others:
            pid = self.program.send(name, signal.SIGKILL)
            self._killed.add(pid)
            self._tell(f"{name} ({pid}) killed")
        if MAIN in plan.victims:
            left = self.program.kill_main()
            self._tell("the whole program killed")
            self._found += [f"{each} lived on after main was killed" for each in left]
            self.program.start()

    def _hurt(self, network: str) -> None:
        if not network:
            return
        self._tell(f"network: {network}")
        if network == "cut":
            self.program.demo({"fault": {"kind": "disconnect"}})
        elif network == "maintenance":
            self.program.demo({"fault": {"kind": "maintenance", "duration_ms": HURT_MS}})
        else:
            self.program.demo({"fault": {"kind": "half_open", "duration_ms": HURT_MS}})
            self.program.demo({"fault": {"kind": "no_answer_before", "target": "", "duration_ms": HURT_MS}})

    # --- instants ---------------------------------------------------------------------------------------------

    def _random(self, plan: Plan) -> bool:
        time.sleep(plan.delay_s)
        self._strike(plan)
        return True

    def _journal_send(self, plan: Plan) -> bool:
        """Rows are held back until the exchange's side stands still; then trade decides, journals, and nobody sends."""
        minute = self._market_ms(time.time()) // 60_000 * 60_000
        self._down.append((time.time(), time.time() + BACK_S))
        self.program.send("analyzer-0", signal.SIGSTOP)
        wait_s = self._wall(minute + 60_000) + _CLOSED_S - time.time()
        time.sleep(max(0.0, wait_s))
        marks = {name: self._journal(name).number for name in ACCOUNTS}
        api = self.program.send("binance_api", signal.SIGSTOP)
        known = {name: set(self._journal(name).orders) for name in ACCOUNTS}
        self.program.send("analyzer-0", signal.SIGCONT)

        def intended() -> list[str]:
            return [
                name
                for account in ACCOUNTS
                for name, order in self._journal(account).orders.items()
                if name not in known[account] and order.state is OrderState.SENT
            ]

        waiting = self._until(intended, 6)
        self._tell(f"journalled and not sent: {len(waiting or ())} orders, {marks}")
        self._strike(plan)
        if api and "binance_api" not in plan.victims and MAIN not in plan.victims:
            self.program.send("binance_api", signal.SIGCONT)
        return bool(waiting)

    def _held(self, plan: Plan) -> bool:
        """The exchange holds a request; it is struck while it is held."""
        holds = self._is_replacement if plan.instant is Instant.REPLACEMENT else lambda: ["any"]
        deadline = time.monotonic() + REACH_S
        while time.monotonic() < deadline:
            found = self._hold(plan, deadline)
            if found and (what := holds()):
                self._tell(f"held: {what[:3]}")
                self._strike(plan)
                return True
            self.program.demo({"clear_faults": True})
        self._strike(plan)
        return False

    def _hold(self, plan: Plan, deadline: float) -> bool:
        wish: dict[str, Any] = {"kind": plan.hold, "target": plan.target}
        if plan.hold_ms:
            wish["late_ms"] = max(1, round(plan.hold_ms / self._speed))
        told = self.program.demo({"fault": wish | {"duration_ms": 0}}, "faults")
        if not told:
            return False
        number = max(each["number"] for each in told["faults"])

        def struck() -> bool:
            faults = self.program.demo(path="faults").get("faults", ())
            return any(each["number"] == number and each["did"] for each in faults)

        return bool(self._until(struck, deadline - time.monotonic()))

    def _is_replacement(self) -> list[str]:
        """Stops under way of a position that another stop protects."""
        found = []
        for journal, order in self._unanswered():
            symbol = order.intent.symbol
            others = [each for each in journal.orders.values() if each.intent.symbol == symbol and each is not order]
            if order.intent.is_conditional and any(each.intent.is_conditional and each.rests for each in others):
                found.append(order.client_id)
        return found

    def _partial(self, plan: Plan) -> bool:
        def partial() -> list[str]:
            return [
                order.client_order_id
                for account in exchange_accounts(self._home).values()
                for order in account.open_orders.values()
                if order.executed > 0
            ]

        found = self._until(partial, REACH_S)
        self._tell(f"partially filled: {(found or [])[:3]}")
        self._strike(plan)
        return bool(found) and bool(set(found) & set(partial()))

    def _start(self, plan: Plan) -> bool:
        """Killed, and again while it starts."""
        first = plan.victims[0]
        old = self.program.pids().get(first, 0)
        if plan.hold:
            self.program.demo({"fault": {"kind": plan.hold, "target": plan.target, "duration_ms": 0}})
        self._strike(msgspec.structs.replace(plan, frozen_s=0.0, network=""))
        new = self._until(lambda: self.program.pids().get(first, old) not in (0, old), BACK_S)
        if plan.hold:
            faults = self._until(
                lambda: [each for each in self.program.demo(path="faults").get("faults", ()) if each["did"]], 20
            )  # fmt: skip
            new = new and faults
        elif first == MAIN:
            self._until(lambda: "trade" in self.program.pids(), START_S)
            time.sleep(plan.delay_s * 4)
        self._tell(f"{first} begins anew")
        self._strike(plan)
        return bool(new)

    _reach: dict[Instant, Callable[[World, Plan], bool]] = {
        Instant.JOURNAL_SEND: _journal_send,
        Instant.SEND_ANSWER: _held,
        Instant.RECONCILIATION: _held,
        Instant.REPLACEMENT: _held,
        Instant.PARTIAL_FILL: _partial,
        Instant.START: _start,
        Instant.RANDOM: _random,
    }


def had_time(begin: float, end: float, downs: list[tuple[float, float]]) -> bool:
    """Whether there were `DECIDE_S` seconds in one piece between two wall times, outside of the times in which the program was down."""
    free = begin
    for down, back in sorted(downs):
        if min(down, end) - free >= DECIDE_S:
            return True
        free = max(free, back)
    return end - free >= DECIDE_S


def _lasting(looks: list[list[str]]) -> list[str]:
    """What was not right when it was looked at last, those first that have been wrong for long."""
    last = looks[-1]
    lasting = [each for each in last if all(each in look for look in looks[-LONG:])]
    return lasting or last
