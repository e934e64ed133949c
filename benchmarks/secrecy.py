"""A full session with actual accounts, and a search for its secrets in everything that it leaves and holds.

Four accounts of the demo exchange are activated (HMAC, Ed25519, activation file, keys typed into the window), trade, are refused, get
answers that repeat what was sent, crash, fail, are exported, stopped by the kill switch and deactivated. Searched for every key,
secret, seed and password, in all forms of `_secret_scan`: all files of the home and temporary folders, packed ones as well, the terminal,
every queue message, what the notifier sends, command lines and environments, and the memory of every process (Linux, as root).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from signal import SIGABRT, SIGBUS, SIGKILL, SIGSEGV, Signals

from atm.app.bench import BenchRow
from atm.ipc.messages import BINANCE_API, GUI
from atm.model.notice import Severity
from atm.model.notification import NotificationSettings
from atm.notifications.addresses import FILE_VARIABLE
from atm.notifications.settings_file import save
from benchmarks import _secret_acts as acts
from benchmarks._secret_exchange import WAYS
from benchmarks._secret_receiver import Receiver
from benchmarks._secret_scan import Scanner
from benchmarks._secret_search import CONTROL, NOTIFIED, QUEUES, Outcome, held_by, look, search_files
from benchmarks._secret_session import (
    ACCOUNTS,
    BY_FILE,
    EVERYBODY,
    HMAC,
    SPEED,
    TYPED,
    Session,
    TappedProgram,
    allow_core_dumps,
)
from tests.display import some_display
from tests.program.running import wait_until

EXCHANGE = "demo-exchange"
ACTIVE, DEACTIVATED, WHILE_TYPED, SENT = "while active", "after deactivation", "while typed", "after sending"
CRASHES = ((BINANCE_API, SIGSEGV), (BINANCE_API, SIGABRT), ("trade", SIGKILL), ("data", SIGBUS))


@dataclass(frozen=True)
class Plan:
    """How long a session is. ways: in which the exchange repeats what it was sent; accounts: HMAC first; looked_at:
    processes whose memory is searched, empty for all; has_window: keys of one more account are typed into a real one."""

    trade_s: float = 20.0
    ways: Sequence[str] = WAYS
    crashes: Sequence[tuple[str, Signals]] = CRASHES
    accounts: tuple[str, ...] = ACCOUNTS
    looked_at: tuple[str, ...] = ()
    has_window: bool = True


SHORT = Plan(
    1.0, ("refusal", "numbers"), CRASHES[1:2], (HMAC, BY_FILE), ("main", "trade", "data", BINANCE_API), has_window=False
)


def measure(folder: Path, plan: Plan | None = None, display: str = "") -> Outcome:
    """The session. display: where the window is, if the plan has one."""
    plan = plan or Plan()
    home = folder / "home"
    for each in (home, folder / "temp"):
        each.mkdir()
    outcome = Outcome(control=_leaves_core(folder), crashed=len(plan.crashes))
    receiver = Receiver(folder / NOTIFIED)
    (folder / "channels").write_text(receiver.address)
    save(home, NotificationSettings(enabled=True, lowest=Severity.INFO, per_hour=120))
    environment = {FILE_VARIABLE: str(folder / "channels")}
    program = TappedProgram(home, folder / QUEUES, "--headless", "--speed", str(SPEED), environment=environment)
    session = Session(folder, program, plan.accounts + ((TYPED,) if plan.has_window else ()))
    try:
        program.wait_for_processes(*EVERYBODY)
        _live(session, plan, outcome, display)
        assert program.end() == 0
    finally:
        program.clean_up()
        receiver.close()
    search_files(Scanner(session.secrets), folder, outcome)
    outcome.cores += [str(each) for each in folder.rglob("core*") if each.is_file() and each.parent.name != CONTROL]
    return outcome


def _live(session: Session, plan: Plan, outcome: Outcome, display: str) -> None:
    """From the first key to the last deactivation."""
    program = session.program
    session.make_keys()
    session.put_accounts()
    acts.crash(session, plan.crashes)
    acts.fail(session)
    acts.activate(session)
    program.command("record", "start")
    if plan.has_window:
        person = acts.type_keys(session, display)
        held_by(session, outcome, GUI, WHILE_TYPED)
        acts.send_keys(session, person)
        wait_until("the window has forgotten", lambda: not held_by(session, outcome, GUI, SENT))
    acts.trade(session, plan.ways, plan.trade_s)
    look(session, outcome, ACTIVE, plan.looked_at)
    if plan.has_window:
        acts.export_in_window(session, person)
    program.command("record", "stop")
    # It waits where the exchange's minute has no weight left, and says so.
    wait_until("the kill switch has done its work", lambda: program.command("kill-switch").returncode == 0, 200.0)
    program.command("doctor")
    before = session.times_wiped()
    session.deactivate(*session.accounts)
    session.wait_until_wiped(before)
    look(session, outcome, DEACTIVATED, plan.looked_at)
    acts.export(session)


def _leaves_core(folder: Path) -> bool:
    """Whether a process of no special care leaves a core dump on this machine."""
    place = folder / CONTROL
    place.mkdir()
    code = "import os; os.abort()"
    subprocess.run([sys.executable, "-c", code], cwd=place, preexec_fn=allow_core_dumps, check=False)
    return any(place.glob("core*"))


def rows() -> list[BenchRow]:
    """Secrets found per place; of what the demo exchange must know to verify signatures there is no budget."""
    with tempfile.TemporaryDirectory() as folder, some_display() as display:
        assert display is not None, "this needs Xvfb (Debian: apt-get install xvfb)"
        outcome = measure(Path(folder), display=display)
    for place, count in sorted(outcome.places.items()):
        print(" · ".join(place), count, file=sys.stderr)
    found = [
        _row(
            f"secrets in {place}",
            len(names),
            outcome.searched[place] / 1e6,
            "MB searched",
            EXCHANGE not in place.replace(" ", "-"),
        )
        for place, names in outcome.found.items()
    ]
    for name, held in outcome.memory.items():
        for moment, names in held.items():
            print(f"{name} {moment}: {', '.join(sorted(names)) or 'none'}", file=sys.stderr)
            found.append(
                _row(f"secrets in the memory of {name} {moment}", len(names), 0.0, "", _is_bound(name, moment))
            )
    print(f"memory searched: {outcome.searched['memory'] / 1e6:,.0f} MB", file=sys.stderr)
    control = "a process without our care leaves one" if outcome.control else "NOT PROVED: no process leaves one here"
    found.append(
        _row(f"core dumps of {outcome.crashed} crashes", len(outcome.cores), float(outcome.control), control, True)
    )
    return found


def _is_bound(name: str, moment: str) -> bool:
    """Whether no secret may be there."""
    return name != EXCHANGE and (name, moment) not in ((BINANCE_API, ACTIVE), (GUI, WHILE_TYPED))


def _row(name: str, value: int, reference: float, what: str, is_bound: bool) -> BenchRow:
    budget = 0.0 if is_bound else None
    ratio = value / reference if reference else 0.0
    return BenchRow(name, float(value), "found", what, reference, ratio, budget, budget is None or value == 0)
