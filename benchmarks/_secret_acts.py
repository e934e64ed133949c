"""What is done in the session that is searched: faults, activations, orders, answers that repeat what was sent, the window, exports."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing

from atm.ipc.messages import BINANCE_API, TRADE, ForceClear
from atm.model.activation import ActivationStatus as Status
from benchmarks._secret_exchange import ECHO
from benchmarks._secret_manager import FAIL
from benchmarks._secret_session import ED25519, HMAC, LONGEST_S, TYPED, Session
from benchmarks._secret_window import Person
from tests.program.running import wait_until

EXPORTED = ("csv", "parquet")


def crash(session: Session, crashes: Sequence[tuple[str, signal.Signals]]) -> None:
    """Processes die of their own faults while an account is active."""
    wait_until("the key of the manager is known", session.has_manager)
    for name, number in crashes:
        if session.status(HMAC) is not Status.ACTIVE:
            session.activate_by_keys(HMAC)
        session.crash(name, number)
        wait_until("the key of the manager is known", session.has_manager)


def fail(session: Session) -> None:
    """A library fails while a signed order is under way, and its error has all that it knows."""
    if session.status(HMAC) is not Status.ACTIVE:
        session.activate_by_keys(HMAC)
    switch = session.folder / FAIL
    switch.touch()
    before = session.program.processes()[BINANCE_API]
    session.order(HMAC, "10", 900_001)
    assert not switch.exists(), "the library has failed"
    wait_until("the manager is back", lambda: session.program.processes().get(BINANCE_API, before) != before)
    wait_until("the key of the manager is known", session.has_manager)


def activate(session: Session) -> None:
    """All accounts but the one whose keys are typed; wrong keys and a wrong password before."""
    if session.status(HMAC) is Status.ACTIVE:
        session.deactivate(HMAC)
    session.activate_by_keys(HMAC, "wrong", Status.FAILED)
    if ED25519 in session.accounts:
        session.activate_by_keys(ED25519)
    session.activate_by_keys(HMAC)
    session.make_and_rotate_file()
    session.activate_by_file("wrong", Status.FAILED)
    session.activate_by_file("new")


def trade(session: Session, ways: Sequence[str], seconds: float) -> None:
    """Orders filled, refused, and answered by what was sent; then as many seconds of the market."""
    for account in session.accounts:
        filled = session.order(account, "10", 1_000_001)
        assert filled["answer"]["failure"] is None, (account, filled)
        refused = session.order(account, "99999999999", 1_000_002)
        assert refused["answer"]["failure"] is not None, (account, refused)
    echo = session.folder / ECHO
    for number, way in enumerate(ways, 1_000_003):
        echo.write_text(way)
        for account in session.accounts:
            answered = session.order(account, "10", number)
            assert answered["answer"]["failure"] is not None, (account, answered)
    echo.write_text(ways[0])  # the program's own orders are answered so for a while
    for account in session.accounts:
        session.program.ask(TRADE, ForceClear(account, ""))
    time.sleep(seconds / 2)
    echo.unlink()
    time.sleep(seconds / 2)


def type_keys(session: Session, display: str) -> Person:
    """Keys are typed into the form of the window; what is typed stands there when this returns."""
    person = Person(session.program, display)
    person.click("page.accounts")
    person.click_until(f"accounts.pick.{TYPED}", lambda: person.sees("accounts.tab.activation"))
    person.click_until("accounts.tab.activation", lambda: person.sees("activation.key"))
    for mark, text in zip(("activation.key", "activation.secret"), session.keys[TYPED], strict=True):
        person.type(mark, text)
    return person


def send_keys(session: Session, person: Person) -> None:
    """What was typed is sent, and has to be right."""
    person.click_until("activation.send", lambda: session.status(TYPED) not in (None, Status.INACTIVE))
    wait_until("the account of the window is active", lambda: session.status(TYPED) is Status.ACTIVE, LONGEST_S)


def export_in_window(session: Session, person: Person) -> None:
    """The records of an account, by the buttons of its history."""
    folder = session.program.home / "exports" / "accounts"
    person.click_until("page.account_history", lambda: person.sees(f"export.{EXPORTED[0]}"))
    for kind in EXPORTED:
        person.click_until(f"export.{kind}", lambda kind=kind: any(folder.rglob(f"*.{kind}")))  # type: ignore[misc]


def export(session: Session) -> None:
    """An incident, and a copy of the database."""
    done = session.program.command("incident", "export")
    assert done.returncode == 0, done.stderr
    for path in session.program.home.glob("*.sqlite3"):
        with (
            closing(sqlite3.connect(path)) as source,
            closing(sqlite3.connect(session.folder / "copy.sqlite3")) as copy,
        ):
            source.backup(copy)
