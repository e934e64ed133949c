"""Works the days of live accounts again beside the simulation manager's own work: each day after its end, any of them on demand, one
after another on a thread of their own. What is found is stored; what cannot be explained is told."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import msgspec

from atm.ipc.assistant import Deferred, IPCAssistant
from atm.ipc.messages import (
    AccountUpdated,
    DayOfParity,
    LookAtParity,
    NoticeRaised,
    ParityHead,
    ParityShown,
    ParityUpdated,
    ParityWorked,
    Reply,
    Request,
    SetDrift,
)
from atm.managers.review_desk import Worker
from atm.managers.trade_accounts import AccountState
from atm.model.drift import LEAST_BASELINE, DriftSetup, DriftState, DriftTest
from atm.model.errors import ATMError, Invalid, Refused
from atm.model.interval import DAY_MS, MINUTE_MS, format_time
from atm.model.notice import Notice, Severity
from atm.model.parity import ParityDay, Verdict
from atm.model.parity_record import Segment
from atm.model.program import ProgramContext
from atm.simulators.parity import stored_day, worked_again
from atm.simulators.parity.drift import drift_gauges
from atm.storage.database import Database
from atm.storage.market_store import open_store

log = logging.getLogger(__name__)

PATIENCE_MS = 10 * MINUTE_MS
"""How long after its end (market time) a day is worked again: what came late is there by then."""
MOST_DAYS_BEHIND = 7
"""Days that were missed, after the program was off, and are caught up with."""
_ALARMS = {
    DriftTest.RETURNS: "notice.drift_returns",
    DriftTest.SLIPPAGE: "notice.drift_slippage",
    DriftTest.FILL_RATE: "notice.drift_fill_rate",
}
Q = TypeVar("Q", bound=Request)


class ParityDesk:
    """See the module. wall_ms: Unix ms, for notices only."""

    def __init__(
        self,
        assistant: IPCAssistant,
        context: ProgramContext,
        worker: Worker | None = None,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._assistant, self._context, self._wall_ms = assistant, context, wall_ms
        self._worker = worker or ThreadPoolExecutor(1, "parity")
        self._reached: dict[str, int] = {}
        assistant.answer(LookAtParity, lambda request: self._later(request, self._shown))
        assistant.answer(DayOfParity, lambda request: self._later(request, self._day))
        assistant.answer(SetDrift, lambda request: self._later(request, self._set_drift))
        assistant.subscribe(AccountUpdated, self._on_account)

    def _later(self, request: Q, answer: Callable[[Database, Q], Reply]) -> Deferred:
        deferred = Deferred()

        def work() -> None:
            try:
                deferred.reply(self._with_database(lambda database: answer(database, request)))
            except ATMError as error:
                deferred.fail(error)
            except Exception as error:
                # A defect ends this answer, not the process: whoever asked is told, and the log has the trace.
                log.exception("%s could not be answered", request)
                deferred.fail(Refused(f"{type(error).__name__}: {error}"))

        self._worker.submit(work)
        return deferred

    def _with_database(self, use: Callable[[Database], Reply]) -> Reply:
        database = Database(self._context.database)
        try:
            return use(database)
        finally:
            database.close()

    # --- by itself --------------------------------------------------------------------------------------------

    def _on_account(self, event: AccountUpdated) -> None:
        """A day of this account has ended a while ago."""
        name, market_ms = event.snapshot.name, event.snapshot.market_ms
        today = (market_ms - PATIENCE_MS) // DAY_MS * DAY_MS
        if event.removed or not market_ms or self._reached.get(name, 0) >= today:
            return
        self._reached[name] = today
        self._worker.submit(lambda: self._catch_up(name, today))

    def _catch_up(self, name: str, today: int) -> None:
        database = Database(self._context.database)
        try:
            for day_ms in range(today - MOST_DAYS_BEHIND * DAY_MS, today, DAY_MS):
                recorded = database.parity.segments(name, day_ms, day_ms + DAY_MS)
                if recorded and database.parity.day(name, day_ms) is None:
                    self._work(database, name, day_ms)
        except Exception as error:
            # The next day is tried anew; the log has the trace of a defect.
            if isinstance(error, ATMError):
                log.warning("a day of %s could not be worked again: %s", name, error)
            else:
                log.exception("a day of %s could not be worked again", name)
        finally:
            database.close()

    # --- one day ----------------------------------------------------------------------------------------------

    def _work(self, database: Database, name: str, day_ms: int) -> ParityDay:
        recorded = stored_day(database, name, day_ms, _now(database, name))
        store = open_store(self._context, read_only=True)
        try:
            day = worked_again(recorded, store)
        finally:
            store.close()
        database.parity.put_day(day)
        self._tell_failure(day)
        drift = self._drift(database, name)
        self._assistant.publish(ParityUpdated(name, _head(day), drift), key=name)
        return day

    def _tell_failure(self, day: ParityDay) -> None:
        parameters = {"account": day.account, "day": format_time(day.day_ms)[:10], "decisions": str(day.differing)}
        if day.verdict is Verdict.UNEXPLAINED:
            amount = 0.0 if day.money is None else day.money.unexplained or day.money.gross or day.money.difference
            self._tell("notice.parity_failed", day.account, {**parameters, "amount": f"{amount:.8g}"})
        elif day.differing and day.verdict is Verdict.EXPLAINED:
            self._tell("notice.parity_differs", day.account, parameters)

    def _drift(self, database: Database, name: str) -> DriftState:
        """How the alarm stands; what is new of it is told."""
        state = _drift_state(database, name)
        fresh = [test for test in state.alarms if test not in state.setup.told]
        for test in fresh:
            self._tell(_ALARMS[test], name, {"account": name})
        if fresh:
            setup = msgspec.structs.replace(state.setup, told=(*state.setup.told, *fresh))
            database.settings.put(_key(name), setup)
            state = msgspec.structs.replace(state, setup=setup)
        return state

    def _tell(self, text: str, subject: str, parameters: dict[str, str]) -> None:
        notice = Notice(self._wall_ms(), self._assistant.name, Severity.WARNING, text, parameters, subject)
        self._assistant.publish(NoticeRaised(notice))

    # --- what is asked ----------------------------------------------------------------------------------------

    def _shown(self, database: Database, request: LookAtParity) -> ParityShown:
        name = request.account
        if all(each.setup.name != name for each in database.accounts.load()):
            raise Invalid("account", name, "a stored account")
        worked = {day.day_ms: _head(day) for day in database.parity.days(name)}
        recorded = {begin_ms // DAY_MS * DAY_MS for begin_ms in database.parity.begins(name)}
        days = sorted(recorded | worked.keys(), reverse=True)
        return ParityShown(
            tuple(worked.get(day_ms, ParityHead(day_ms)) for day_ms in days), _drift_state(database, name)
        )

    def _day(self, database: Database, request: DayOfParity) -> ParityWorked:
        if request.again:
            return ParityWorked(self._work(database, request.account, request.day_ms))
        day = database.parity.day(request.account, request.day_ms)
        if day is None:
            raise Refused(f"{format_time(request.day_ms)[:10]} of {request.account} has not been worked again yet")
        return ParityWorked(day)

    def _set_drift(self, database: Database, request: SetDrift) -> ParityShown:
        if request.simulation and len(_returns(database, request.simulation)) < LEAST_BASELINE:
            allowed = f"a completed simulation with at least {LEAST_BASELINE} round trips"
            raise Invalid("simulation", request.simulation, allowed)
        before = _setup(database, request.account)
        since_ms = before.since_ms
        if request.reset:
            stored = next((each for each in database.accounts.load() if each.setup.name == request.account), None)
            since_ms = 0 if stored is None else stored.market_ms
        changed = request.reset or request.simulation != before.simulation
        setup = DriftSetup(request.simulation, since_ms, () if changed else before.told)
        database.settings.put(_key(request.account), setup)
        return self._shown(database, LookAtParity(request.account))


def _now(database: Database, name: str) -> Segment | None:
    """The account as it is stored, as the end of a day that goes on."""
    last = database.parity.last_segment(name)
    stored = next((each for each in database.accounts.load() if each.setup.name == name), None)
    if last is None or stored is None or stored.engine is None:
        return None
    state = AccountState.parse(stored.engine)
    return msgspec.structs.replace(
        last, begin_ms=stored.market_ms, setup=state.setup, engine=state.engine, transferred={}
    )


def _head(day: ParityDay) -> ParityHead:
    money = day.money
    amounts = (None, None) if money is None else (money.difference, money.unexplained)
    return ParityHead(day.day_ms, day.verdict, day.decisions, day.differing, *amounts)


def _drift_state(database: Database, name: str) -> DriftState:
    setup = _setup(database, name)
    baseline = _returns(database, setup.simulation) if setup.simulation else None
    return DriftState(name, setup, drift_gauges(database.parity.days(name), setup.since_ms, baseline))


def _returns(database: Database, simulation: str) -> list[float]:
    """Of a simulation's round trips, before funding; of one that is not there, none."""
    try:
        details = database.simulations.details(simulation)
    except ATMError:
        return []
    trips = () if details is None else details.trips
    return [(trip.profit + trip.funding) / trip.notional for trip in trips if trip.notional > 0.0]


def _setup(database: Database, name: str) -> DriftSetup:
    stored = database.settings.get(_key(name))
    return DriftSetup() if stored is None else msgspec.convert(stored, DriftSetup)


def _key(account: str) -> str:
    return f"drift/{account}"
