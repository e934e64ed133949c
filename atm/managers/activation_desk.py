"""Activation of actual accounts: the Binance API manager's part, in whose memory alone API keys lie.

Keys and passwords come sealed for this process; what fails is told by its cause (`ActivationState`), and each failure makes the next
attempt wait longer. Whoever trades asks `credentials`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from atm.exchange.client.key_check import check_keys, check_mode, reason_of
from atm.exchange.client.rest import FuturesClient
from atm.exchange.client.transport import Credentials
from atm.ipc.activation_messages import KEYS, NEW_PASSWORD, PASSWORD, activation_purpose
from atm.ipc.assistant import Deferred, IPCAssistant
from atm.ipc.messages import (
    ActivateAccount,
    ActivateByFile,
    ActivationFileWritten,
    ActivationKey,
    ActivationState,
    DeactivateAccount,
    Done,
    MakeActivationFile,
    Reply,
    Request,
    RotateActivationFile,
)
from atm.ipc.sealed import SealReader
from atm.managers.activation_files import CannotActivate, file_of, keys_of_file, rotate_file, write_file
from atm.managers.drive_watch import DriveWatch
from atm.managers.memory_wiper import MemoryWiper
from atm.model.activation import BLOCKING, ActivationStatus, KeyReport
from atm.model.activation import ActivationReason as Reason
from atm.model.endpoint import SPOT_ADDRESSES, Addresses, Endpoint
from atm.model.errors import ATMError, Refused
from atm.model.remains import wipe_remains
from atm.model.secret import ApiKeys
from atm.storage.activation_file import check_password
from atm.storage.removable_drives import mounted

LONGEST_WAIT_S = 60.0
RECHECK_S = 60.0
_AFTER_WIPING_S = 1.0
_PASSING = frozenset((Reason.NETWORK, Reason.CLOCK, Reason.RATE_LIMIT))
_ON_RECHECK = BLOCKING | {Reason.KEYS_REFUSED, Reason.SIGNATURE_REFUSED, Reason.NO_FUTURES}
"""Reasons that stop an account that was active; its keys stay and are tried again, since it may be switched back."""


Q = TypeVar("Q", bound=Request)


class _Account(msgspec.Struct):
    """keys: while they are good; held: the password, sealed; owned: activated once, so that no other keys may serve it; number: of the
    attempt that counts."""

    state: ActivationState
    keys: ApiKeys | None = None
    uid: int = 0
    held: bytes = b""
    owned: bool = False
    number: int = 0
    failures: int = 0
    not_before: float = 0.0


class ActivationDesk:
    """spawn: runs a coroutine on the manager's loop; market: the client whose clock and rate budget all share; on_change(account): told
    before other keys, or none, count; drives(): where files are looked for, besides `home`; clock(): monotonic seconds; wipe(keys,
    passwords): overwrites what is left of them in the memory of this process, on a thread."""

    def __init__(
        self,
        assistant: IPCAssistant,
        endpoint: Endpoint,
        addresses: Addresses,
        market: FuturesClient,
        spawn: Callable[[Coroutine[None, None, None]], None],
        home: Path,
        drives: Callable[[], tuple[Path, ...]] = mounted,
        clock: Callable[[], float] = time.monotonic,
        wipe: Callable[[list[bytearray], list[bytearray]], object] = wipe_remains,
    ) -> None:
        self._assistant, self._endpoint, self._addresses = assistant, endpoint, addresses
        self._market, self._spawn, self._home, self._drives, self._clock = market, spawn, home, drives, clock
        self._spot = addresses.rest if endpoint is Endpoint.DEMO else SPOT_ADDRESSES.get(endpoint, "")
        self.on_change: Callable[[str], None] = lambda _: None
        self._accounts: dict[str, _Account] = {}
        self._reader = SealReader()
        self._one_at_a_time = asyncio.Semaphore(1)
        self._watches = False
        self._wiper = MemoryWiper(spawn, self._all_keys, wipe)
        self._watch = DriveWatch(lambda: assistant.call_soon(self.drives_changed), drives)
        assistant.answer(ActivateAccount, self._when_quiet(self._on_activate))
        assistant.answer(ActivateByFile, self._when_quiet(self._on_activate_by_file))
        assistant.answer(MakeActivationFile, self._when_quiet(self._on_make_file))
        assistant.answer(RotateActivationFile, self._when_quiet(self._on_rotate_file))
        assistant.answer(DeactivateAccount, self._on_deactivate)
        assistant.publish(ActivationKey(self._reader.public))

    def credentials(self, name: str) -> Credentials | None:
        """Keys of an active account; None for one that was never activated. Raises Refused for one that may not trade now."""
        return self._keys_of(name, ActivationStatus.ACTIVE)

    def closing_credentials(self, name: str) -> Credentials | None:
        """As `credentials`, for closing alone: of an account as well that its modes keep from trading."""
        return self._keys_of(name, ActivationStatus.ACTIVE, ActivationStatus.BLOCKED)

    def _keys_of(self, name: str, *allowed: ActivationStatus) -> Credentials | None:
        account = self._accounts.get(name)
        if account is None or not account.owned:
            return None
        if account.keys is None or account.state.status not in allowed:
            raise Refused(f"the account {name} is not active ({account.state.reason.value}): see the Accounts page")
        return _credentials(account.keys)

    def close(self) -> None:
        """Wipe everything."""
        for keys in self._all_keys():
            keys.wipe()

    # --- requests ---------------------------------------------------------------------------------------------

    def _when_quiet(self, handler: Callable[[Q], Reply | Deferred]) -> Callable[[Q], Reply | Deferred]:
        """The handler, but not while memory is being overwritten: the same keys could not be opened meanwhile."""

        async def later(request: Q, deferred: Deferred) -> None:
            await self._wiper.quiet()
            try:
                reply = handler(request)
            except ATMError as error:
                deferred.fail(error)
            else:
                reply.bind(deferred.reply) if isinstance(reply, Deferred) else deferred.reply(reply)

        def answer(request: Q) -> Reply | Deferred:
            if not self._wiper.works:
                return handler(request)
            deferred = Deferred()
            self._spawn(later(request, deferred))
            return deferred

        return answer

    def _on_activate(self, request: ActivateAccount) -> Reply:
        account = self._ready(request.account)
        keys = self._keys(request.account, request.keys)
        account.uid = request.uid
        self._begin(account, self._given(keys))
        return Done()

    def _on_activate_by_file(self, request: ActivateByFile) -> Reply:
        account = self._ready(request.account)
        check_password(self._open(PASSWORD, request.account, request.password))
        account.uid = request.uid
        account.held = request.password if request.hold else b""
        if request.hold:
            self._watch.start()
        self._begin(account, self._from_file(request.account, request.password, request.path))
        return Done()

    def _on_make_file(self, request: MakeActivationFile) -> Deferred:
        name = request.account
        password = self._open(PASSWORD, name, request.password)
        check_password(password)
        keys = self._keys(name, request.keys) if request.keys else self._copied(name)
        self._wiper.remember(keys)
        now_ms = int(self._market.wall_ms())
        deferred = Deferred()
        work = partial(write_file, Path(request.folder).expanduser(), keys, password, name, self._endpoint, now_ms)
        self._write(work, deferred, (password,))
        return deferred

    def _on_rotate_file(self, request: RotateActivationFile) -> Deferred:
        name = request.account
        account = self._account(name)
        self._not_too_early(account)
        old = self._open(PASSWORD, name, request.password)
        new = self._open(NEW_PASSWORD, name, request.new_password)
        check_password(new)
        now_ms = int(self._market.wall_ms())

        def work() -> Path:
            path = file_of(name, self._endpoint, request.path, self._folders())
            return rotate_file(path, old, new, name, self._endpoint, now_ms, self._wiper.remember)

        deferred = Deferred()
        self._write(work, deferred, (old, new), account)
        return deferred

    def _on_deactivate(self, request: DeactivateAccount) -> Reply:
        account = self._account(request.account)
        account.number += 1
        account.owned = True
        self._wipe(account)
        self.on_change(request.account)
        self._tell(account, ActivationStatus.INACTIVE)
        return Done()

    def drives_changed(self) -> None:
        """Other drives are there: activate what waits for one."""
        if self._wiper.works:
            self._assistant.call_later(_AFTER_WIPING_S, self.drives_changed)
            return
        for name, account in self._accounts.items():
            idle = account.state.status in (ActivationStatus.INACTIVE, ActivationStatus.FAILED)
            if account.held and idle and self._has_file(name):
                self._begin(account, self._from_file(name, account.held, ""))

    # --- attempts ---------------------------------------------------------------------------------------------

    def _ready(self, name: str) -> _Account:
        """The account, which may be tried now. Raises Refused."""
        account = self._account(name)
        if account.state.status is ActivationStatus.ACTIVE:
            raise Refused(f"the account {name} is active: deactivate it first")
        if account.state.status is ActivationStatus.ACTIVATING:
            raise Refused(f"the account {name} is being activated")
        self._not_too_early(account)
        return account

    def _not_too_early(self, account: _Account) -> None:
        wait_s = account.not_before - self._clock()
        if wait_s > 0:
            raise Refused(f"{account.failures} attempts have failed: the next one is possible in {wait_s:.0f} seconds")

    def _begin(self, account: _Account, source: Awaitable[ApiKeys]) -> None:
        account.number += 1
        self._wiper.hold()
        self._tell(account, ActivationStatus.ACTIVATING)
        self._spawn(self._activate(account, account.number, source))

    async def _given(self, keys: ApiKeys) -> ApiKeys:
        return keys

    async def _from_file(self, name: str, sealed: bytes, path: str) -> ApiKeys:
        password = self._open(PASSWORD, name, sealed)

        def work() -> ApiKeys:
            file = file_of(name, self._endpoint, path, self._folders())
            return keys_of_file(file, name, self._endpoint, password)

        try:
            async with self._one_at_a_time:
                return await asyncio.to_thread(work)
        finally:
            self._wiper.forget(password)

    async def _activate(self, account: _Account, number: int, source: Awaitable[ApiKeys]) -> None:
        try:
            await self._attempt(account, number, source)
        finally:
            self._wiper.release()

    async def _attempt(self, account: _Account, number: int, source: Awaitable[ApiKeys]) -> None:
        keys: ApiKeys | None = None
        try:
            keys = await source
            report = await self._checked(keys, account.uid)
        except CannotActivate as error:
            report = KeyReport(error.reason, details=str(error))
        except ATMError as error:
            report = KeyReport(reason_of(error), details=str(error))
        if account.number != number:  # deactivated meanwhile
            self._wiper.forget_keys(keys)
            return
        if report.reason is Reason.NONE or report.reason in BLOCKING:
            self._accept(account, keys, report)
        else:
            self._wiper.forget_keys(keys)
            self._fail(account, report)

    async def _checked(self, keys: ApiKeys, uid: int) -> KeyReport:
        if self._market.clock.samples == 0:
            await self._market.synchronise()
        async with FuturesClient(self._addresses, _credentials(keys), shared=self._market) as client:
            return await check_keys(client, self._spot, uid)

    def _accept(self, account: _Account, keys: ApiKeys | None, report: KeyReport) -> None:
        old, account.keys, account.owned = account.keys, keys, True
        self._wiper.forget_keys(old)
        account.failures, account.not_before = 0, 0.0
        self.on_change(account.state.account)
        active = report.reason is Reason.NONE
        self._tell(account, ActivationStatus.ACTIVE if active else ActivationStatus.BLOCKED, report)
        if not self._watches:
            self._watches = True
            self._spawn(self._recheck())

    def _fail(self, account: _Account, report: KeyReport) -> None:
        """Earlier keys, of an account that was blocked, go as well: they were to be replaced."""
        self._count_failure(account)
        old, account.keys = account.keys, None
        self._wiper.forget_keys(old)
        if report.reason is Reason.CANNOT_OPEN:
            account.held = b""
        self._tell(account, ActivationStatus.FAILED, report)
        if account.held and report.reason in _PASSING:
            self._assistant.call_later(account.not_before - self._clock(), self.drives_changed)

    def _count_failure(self, account: _Account) -> None:
        wait_s = min(LONGEST_WAIT_S, 2.0**account.failures)
        account.failures += 1
        account.not_before = self._clock() + wait_s

    def _write(
        self,
        work: Callable[[], Path],
        deferred: Deferred,
        passwords: tuple[str, ...],
        guessed: _Account | None = None,
    ) -> None:
        """guessed: the account whose attempts count when the password was wrong."""
        self._wiper.hold()
        self._wiper.forget(*passwords)
        self._spawn(self._written(work, deferred, guessed))

    async def _written(self, work: Callable[[], Path], deferred: Deferred, guessed: _Account | None) -> None:
        try:
            async with self._one_at_a_time:
                path = await asyncio.to_thread(work)
        except ATMError as error:
            if guessed is not None and isinstance(error, CannotActivate) and error.reason is Reason.CANNOT_OPEN:
                self._count_failure(guessed)
            deferred.fail(Refused(str(error)) if isinstance(error, CannotActivate) else error)
        else:
            deferred.reply(ActivationFileWritten(str(path)))
        finally:
            self._wiper.release()

    # --- afterwards -------------------------------------------------------------------------------------------

    async def _recheck(self) -> None:
        while True:
            await asyncio.sleep(RECHECK_S)
            await self.recheck()

    async def recheck(self) -> None:
        """Ask for the modes of all accounts that have keys: one that was switched stops, one that was switched back goes on."""
        for account in list(self._accounts.values()):
            if account.keys is None or account.state.status is ActivationStatus.ACTIVATING:
                continue
            number = account.number
            async with FuturesClient(self._addresses, _credentials(account.keys), shared=self._market) as client:
                reason, details = await check_mode(client)
            if account.number != number or reason is account.state.reason:
                continue
            if reason is Reason.NONE or reason in _ON_RECHECK:
                self.on_change(account.state.account)
                told = account.state
                report = KeyReport(reason, told.permissions, told.warnings, details=details)
                active = reason is Reason.NONE
                self._tell(account, ActivationStatus.ACTIVE if active else ActivationStatus.BLOCKED, report)

    # --- parts ------------------------------------------------------------------------------------------------

    def _wipe(self, account: _Account) -> None:
        old, account.keys, account.held = account.keys, None, b""
        self._wiper.forget_keys(old)

    def _all_keys(self) -> list[ApiKeys]:
        return [account.keys for account in self._accounts.values() if account.keys is not None]

    def _account(self, name: str) -> _Account:
        if name not in self._accounts:
            self._accounts[name] = _Account(ActivationState(name, ActivationStatus.INACTIVE))
        return self._accounts[name]

    def _open(self, what: str, name: str, sealed: bytes) -> str:
        return self._reader.open(sealed, activation_purpose(what, name, self._endpoint))

    def _keys(self, name: str, sealed: bytes) -> ApiKeys:
        key, _, secret = self._open(KEYS, name, sealed).partition("\n")
        return ApiKeys(key, secret)

    def _copied(self, name: str) -> ApiKeys:
        keys = self._account(name).keys
        if keys is None:
            raise Refused(f"the account {name} is not active: its keys are not here")
        return ApiKeys(keys.key.reveal(), keys.secret.reveal())

    def _folders(self) -> tuple[Path, ...]:
        return (*self._drives(), self._home)

    def _has_file(self, name: str) -> bool:
        try:
            file_of(name, self._endpoint, "", self._folders())
        except CannotActivate:
            return False
        return True

    def _tell(self, account: _Account, status: ActivationStatus, report: KeyReport | None = None) -> None:
        told = report or KeyReport()
        name, holds = account.state.account, bool(account.held)
        account.state = ActivationState(
            name, status, told.reason, told.permissions, told.warnings, told.details, holds, self._reader.public
        )  # fmt: skip
        self._assistant.publish(account.state, key=name)


def _credentials(keys: ApiKeys) -> Credentials:
    return Credentials(keys.key.reveal(), keys.secret.reveal())
