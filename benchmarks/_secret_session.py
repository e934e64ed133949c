"""A full session of the program with actual accounts on the demo exchange, and the secrets that were in it."""

from __future__ import annotations

import asyncio
import os
import resource
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from atm.app.control import ask_running
from atm.exchange.client.demo_control import control
from atm.ipc.activation_messages import KEYS, NEW_PASSWORD, PASSWORD, activation_purpose
from atm.ipc.envelope import decode_message, encode
from atm.ipc.messages import (
    BINANCE_API,
    TRADE,
    AccountUpdated,
    ActivateAccount,
    ActivateByFile,
    ActivationKey,
    ActivationState,
    CarryOut,
    DeactivateAccount,
    MakeActivationFile,
    OpenLiveAccount,
    PutAccount,
    Request,
    RotateActivationFile,
)
from atm.ipc.sealed import seal_for
from atm.managers.memory_wiper import HANG_UP_S
from atm.managers.presets import FAST_ANALYSIS, FAST_TRADE
from atm.model.account import AccountKind, AccountSetup, AssetSetup, PositionSetup
from atm.model.activation import ActivationStatus as Status
from atm.model.demo_state import DemoCommand, DemoKeyForm
from atm.model.endpoint import Endpoint
from atm.model.live_order import OrderIntent, Purpose
from atm.model.live_request import PlaceOrder
from atm.model.order import Side
from tests.program.running import RunningProgram, wait_until

ROOT = Path(__file__).parents[1]
SPEED = 2
SYMBOLS = ("FILUSDT", "NEARUSDT")
HMAC, ED25519, BY_FILE, TYPED = "hmac", "ed25519", "file", "typed"
"""Accounts by the way in which they are activated; the keys of the last one are typed into the window."""
ACCOUNTS = (HMAC, ED25519, BY_FILE)
EVERYBODY = ("data", "binance_api", "trade", "simulation", "neural_network", "demo-exchange")
LONGEST_S = 180.0
"""What is asked while memory is overwritten waits for that, on a loaded machine for long."""
PEM_SEED_DIGITS = 22
"""Of the base64 of an Ed25519 key in PKCS 8, what comes before the digits of its own."""


class TappedProgram(RunningProgram):
    """The program under the launcher that copies its queue messages. Core dumps are permitted to it, as far as this process may."""

    def __init__(self, home: Path, tap: Path, *arguments: str, environment: dict[str, str] | None = None) -> None:
        self.home = home
        self.began = time.monotonic()
        command = [
            sys.executable,
            "-m",
            "benchmarks._secret_program",
            "--tap",
            str(tap),
            "--home",
            str(home),
            *arguments,
        ]
        own = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tap.parent / "temp")} | (environment or {})
        with (home / "terminal.txt").open("ab") as terminal:
            self.process = subprocess.Popen(
                command, stdout=terminal, stderr=subprocess.STDOUT, cwd=home, env=own, preexec_fn=allow_core_dumps
            )

    def known(self, kind: type, account: str = "") -> Any:
        """The newest event of a kind, or None."""
        return self._counted(kind, account)[1]

    def count(self, kind: type, account: str = "") -> int:
        """How many events of a kind there were."""
        return self._counted(kind, account)[0]

    def _counted(self, kind: type, account: str) -> tuple[int, Any]:
        told = ask_running(self.home, {"command": "known"})["known"].get(f"{kind.__name__}/{account}")
        return (0, None) if told is None else (told[0], decode_message(told[1]))

    def ask(self, to: str, request: Request) -> dict[str, Any]:
        """A request to a process: its reply as plain data, or {"failed": …}."""
        command = {"command": "ask", "to": to, "request": encode(request), "seconds": LONGEST_S}
        answer = ask_running(self.home, command)
        return {"failed": answer["failed"]} if "failed" in answer else answer["reply"]


def allow_core_dumps() -> None:
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))


class Session:
    """What a user of the program does with keys. `secrets`: everything that must not be seen, by name."""

    def __init__(self, folder: Path, program: TappedProgram, accounts: Sequence[str] = ACCOUNTS) -> None:
        self.folder, self.program, self.accounts = folder, program, tuple(accounts)
        self.secrets: dict[str, bytes] = {}
        self.keys: dict[str, tuple[str, str]] = {}
        self.passwords = {name: secrets.token_urlsafe(24) for name in ("old", "new", "wrong")}
        for name, password in self.passwords.items():
            self.secrets[f"{name} password"] = password.encode()

    # --- keys -------------------------------------------------------------------------------------------------

    def make_keys(self) -> None:
        """Pairs of the accounts, and one that belongs to none."""
        wait_until("the market is there", lambda: self.program.known(AccountUpdated, "demo") is not None)
        self.rest = ask_running(self.program.home, {"command": "status"})["rest"]
        for name in self.accounts:
            if name == ED25519:
                self._make_ed25519()
            else:
                self._know(name, *self._made(name, DemoKeyForm(withdrawals=True)))
        self._know("wrong", self.keys[HMAC][0], secrets.token_hex(32))

    def _make_ed25519(self) -> None:
        private = Ed25519PrivateKey.generate()
        public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        key, _ = self._made(ED25519, DemoKeyForm(public_key=public))
        pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        self._know(ED25519, key, pem)
        self.secrets[f"{ED25519} seed"] = private.private_bytes_raw()

    def _made(self, name: str, form: DemoKeyForm) -> tuple[str, str]:
        _, pair = asyncio.run(control(self.rest, DemoCommand(make_key=name, key=form)))
        assert pair is not None
        return pair.key, pair.secret

    def _know(self, name: str, key: str, secret: str) -> None:
        self.keys[name] = key, secret
        own = "".join(secret.split("-----")[2].split())[PEM_SEED_DIGITS:] if "-----" in secret else secret
        self.secrets[f"{name} secret"] = own.encode()
        if name != "wrong":
            self.secrets[f"{name} key"] = key.encode()

    # --- requests ---------------------------------------------------------------------------------------------

    def sealed(self, what: str, account: str, text: str) -> bytes:
        """As the window seals it."""
        key = self.program.known(ActivationKey)
        return seal_for(key.public, text, activation_purpose(what, account, Endpoint.DEMO))

    def has_manager(self) -> bool:
        """Whether the present Binance API manager answers to what is sealed for it."""
        key = self.program.known(ActivationKey)
        if key is None:
            return False
        sealed = seal_for(key.public, "nobody's", activation_purpose(PASSWORD, "nobody", Endpoint.DEMO))
        reply = self.program.ask(BINANCE_API, ActivateByFile("nobody", sealed))
        return "failed" not in reply or "attempts" in reply["failed"]

    def put_accounts(self) -> None:
        positions = tuple(PositionSetup(symbol, FAST_ANALYSIS.code, FAST_TRADE.code, 0.5) for symbol in SYMBOLS)
        for name in self.accounts:
            setup = AccountSetup(name, AccountKind.ACTUAL, {"USDT": AssetSetup(0)}, positions, trading=True)
            reply = self.program.ask(TRADE, PutAccount(setup))
            assert "failed" not in reply, reply

    def activate_by_keys(self, account: str, pair: str = "", expected: Status = Status.ACTIVE) -> None:
        keys = "\n".join(self.keys[pair or account])
        self._activate(account, lambda: ActivateAccount(account, self.sealed(KEYS, account, keys)), expected)

    def activate_by_file(self, password: str, expected: Status = Status.ACTIVE) -> None:
        text = self.passwords[password]
        self._activate(
            BY_FILE, lambda: ActivateByFile(BY_FILE, self.sealed(PASSWORD, BY_FILE, text), hold=True), expected
        )

    def _activate(self, account: str, request: Any, expected: Status) -> None:
        def accepted() -> bool:
            reply = self.program.ask(BINANCE_API, request())
            if "failed" not in reply:
                return True
            assert "not running" in reply["failed"] or "attempts" in reply["failed"], reply
            return False

        before = self.program.count(ActivationState, account)
        wait_until(f"{account} is tried", accepted)
        # Two are told: that it is tried, and what has come of it. Of both a busy machine passes on the newest alone.
        decided = partial(self._is_decided, account, before)
        wait_until(f"{account} is decided", decided, LONGEST_S)
        assert self.status(account) is expected, self.program.known(ActivationState, account)

    def _is_decided(self, account: str, before: int) -> bool:
        told = self.program.count(ActivationState, account) > before
        return told and self.status(account) not in (Status.INACTIVE, Status.ACTIVATING)

    def status(self, account: str) -> Status | None:
        state = self.program.known(ActivationState, account)
        return None if state is None else state.status

    def make_and_rotate_file(self) -> None:
        old, new = self.passwords["old"], self.passwords["new"]
        pair = "\n".join(self.keys[BY_FILE])
        sealed = self.sealed(KEYS, BY_FILE, pair), self.sealed(PASSWORD, BY_FILE, old)
        reply = self.program.ask(BINANCE_API, MakeActivationFile(BY_FILE, *sealed, str(self.program.home)))
        assert "failed" not in reply, reply
        both = self.sealed(PASSWORD, BY_FILE, old), self.sealed(NEW_PASSWORD, BY_FILE, new)
        reply = self.program.ask(BINANCE_API, RotateActivationFile(BY_FILE, *both))
        assert "failed" not in reply, reply

    def order(self, account: str, quantity: str, number: int) -> dict[str, Any]:
        """An order of the trade manager's, sent by hand: what came of it."""
        opened = self.program.ask(BINANCE_API, OpenLiveAccount(account))
        assert "failed" not in opened, opened
        side = Side.BUY if not quantity.startswith("-") else Side.SELL
        intent = OrderIntent(
            f"bench-{account}-{number}", SYMBOLS[0], side, Purpose.OPEN, Decimal(quantity.lstrip("-")), 0, 0
        )
        return self.program.ask(BINANCE_API, CarryOut(account, number, PlaceOrder(intent, 1 << 62)))

    def deactivate(self, *accounts: str) -> None:
        for account in accounts:
            reply = self.program.ask(BINANCE_API, DeactivateAccount(account))
            assert "failed" not in reply, reply

    def wait_until_wiped(self, since: int) -> None:
        """Until memory was overwritten more often than so many times, and is not any more."""
        wait_until("memory is overwritten", lambda: self.times_wiped() > since, LONGEST_S)
        before = -1
        while before != (before := self.times_wiped()):
            time.sleep(8 * HANG_UP_S)

    def times_wiped(self) -> int:
        return (self.program.home / "logs" / f"{BINANCE_API}.log").read_text().count("places overwritten")

    def crash(self, name: str, number: signal.Signals) -> None:
        """End a process as a fault of its own would, and wait for its successor."""
        dead = self.program.processes()[name]
        os.kill(dead, number)
        wait_until(f"{name} is back", lambda: self.program.processes().get(name, dead) != dead)
