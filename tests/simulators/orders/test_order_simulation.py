"""Seeds of the deterministic simulation of orders. `./run.sh bench orders --seed N` tells the story of one that fails."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from atm.model.journal import JournalEntry
from atm.model.live_order import LiveOrder
from atm.model.live_request import Failure
from atm.model.order_facts import Declined, Intended, Sent
from atm.simulators.orders import network
from atm.simulators.orders.exchange import MINUTES, SYMBOLS
from atm.simulators.orders.network import Network
from atm.simulators.orders.plan import Faults, Kill, plan
from atm.simulators.orders.run import NAME, MemoryJournal, Run, run_seed
from atm.storage.database import Database
from atm.trading.live import freshness, order_machine, reconciliation
from atm.trading.live.order_desk import OrderDesk
from atm.trading.live.order_machine import RECEIVE_WINDOW_MS
from atm.trading.live.position_desk import MOST_FAILURES, PositionDesk

ASSETS = Path(__file__).parents[3] / "assets"
SEEDS, CHUNK = 200, 20


@pytest.mark.parametrize("first", range(1, SEEDS + 1, CHUNK))
def test_nothing_is_doubled_lost_or_left_unprotected(first: int) -> None:
    found = [
        f"--seed {seed}: {line}" for seed in range(first, first + CHUNK) for line in run_seed(seed, ASSETS).violations
    ]
    assert not found


def test_a_seed_is_the_same_every_time() -> None:
    assert run_seed(7, ASSETS) == run_seed(7, ASSETS)


def test_without_faults_a_position_has_its_stop_at_once() -> None:
    quiet = replace(
        plan(11, SYMBOLS, MINUTES),
        faults=Faults(),
        crashes_ms=(),
        cuts_ms=(),
        by_hand=(),
        full_ms=(),
        refused_ms=(),
        kill=None,
    )
    outcome = Run(quiet, ASSETS).go()
    assert not outcome.violations
    assert outcome.orders
    assert outcome.unprotected_ms <= 1_000


def test_the_journal_of_a_database_serves_as_well(home: Path) -> None:
    journal = Database(f"sqlite:///{home / 'a.sqlite3'}").orders
    outcome = run_seed(3, ASSETS, journal)
    assert not outcome.violations
    assert journal.count(NAME)


# Mistakes that the simulation must find; what it does not find it does not guard.


def _violations(seeds: range, faults: Faults, **changed: object) -> list[str]:
    plans = [replace(plan(seed, SYMBOLS, MINUTES), faults=faults, by_hand=(), **changed) for seed in seeds]
    return [line for each in plans for line in Run(each, ASSETS).go().violations]


def test_it_finds_an_order_that_is_given_up_too_early(monkeypatch: pytest.MonkeyPatch) -> None:
    # Every order arrives just before the exchange would refuse it as too old.
    monkeypatch.setattr(Network, "delay", lambda self, call: RECEIVE_WINDOW_MS - 100.0 if call.places else 30.0)
    assert not _violations(range(1, 4), Faults())
    monkeypatch.setattr(order_machine, "FINAL_AFTER_MS", 0)
    monkeypatch.setattr(order_machine, "BETWEEN_ABSENCES_MS", 0)
    monkeypatch.setattr(order_machine, "ABSENCES_NEEDED", 1)
    assert any("attempts" in line or "beyond" in line for line in _violations(range(1, 5), Faults()))


def test_it_finds_an_order_that_is_sent_again_because_its_answer_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    faults = Faults(error_after=0.4, event_lost=0.9)
    assert not _violations(range(1, 4), faults)

    def careless(self: OrderDesk, client_id: str, failure: Failure | None, now_ms: int) -> Failure | None:
        if failure is not None:
            self.learn(Declined(client_id, failure.code, failure.reason, now_ms))
        return failure

    monkeypatch.setattr(OrderDesk, "_placed", careless)
    assert any("beyond" in line for line in _violations(range(1, 13), faults))


class ForgetfulJournal(MemoryJournal):
    """Says that it has committed, and has not when the process dies."""

    def load(self, account: str) -> list[JournalEntry]:
        return [entry for entry in super().load(account) if not isinstance(entry, Sent | Intended)]


def test_it_finds_a_journal_that_forgets() -> None:
    crashing = replace(plan(5, SYMBOLS, MINUTES), faults=Faults(crash_after_send=0.1), by_hand=())
    assert not Run(crashing, ASSETS).go().violations
    assert Run(crashing, ASSETS, ForgetfulJournal()).go().violations


def test_it_finds_positions_that_are_believed_although_they_are_old(monkeypatch: pytest.MonkeyPatch) -> None:
    faults = Faults(positions_lag=1.0)
    assert not _violations(range(1, 13), faults)
    monkeypatch.setattr(freshness, "POSITION_LAG_MS", 0)
    assert any("from outside" in line for line in _violations(range(1, 13), faults))


def test_it_finds_snapshots_that_are_never_waited_for_long_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    faults = Faults(snapshot_slow=1.0)
    undisturbed: dict[str, object] = {"crashes_ms": (), "cuts_ms": (), "full_ms": ()}
    monkeypatch.setattr(network, "SLOW_SNAPSHOT_MS", (16_000, 50_000))
    assert not _violations(range(1, 4), faults, **undisturbed)
    monkeypatch.setattr(reconciliation, "LONGEST_PATIENCE_MS", 15_000)
    assert any("not compared" in line for line in _violations(range(1, 4), faults, **undisturbed))


def test_it_finds_fills_that_stay_without_commission(monkeypatch: pytest.MonkeyPatch) -> None:
    faults = Faults(only_short_fill=0.8)
    assert not _violations(range(1, 4), faults)

    def is_complete(order: LiveOrder) -> bool:
        return order.is_final and sum(fill.quantity for fill in order.fills) == order.executed

    monkeypatch.setattr(LiveOrder, "is_complete", property(is_complete))
    assert any("unknown" in line for line in _violations(range(1, 4), faults))


def test_it_finds_an_exit_that_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds, begun_well = range(1, 9), {"refused_ms": ((130_000, 170_000),), "kill": Kill(140_000, 0)}
    assert not _violations(seeds, Faults(), **begun_well)
    as_it_was = PositionDesk.failed
    given_up: set[int] = set()

    def failed(self: PositionDesk, symbol: str, failure: Failure, now_ms: int, *, closes: bool) -> None:
        as_it_was(self, symbol, failure, now_ms, closes=closes)
        trouble = self._trouble_of(symbol)
        if trouble.failures >= MOST_FAILURES:
            trouble.next_ms = now_ms + 3_600_000
            given_up.add(now_ms)

    monkeypatch.setattr(PositionDesk, "failed", failed)
    found = _violations(seeds, Faults(), **begun_well)
    assert given_up
    assert any("wanted" in line for line in found)
