"""Activation of actual accounts against the demo exchange behind real sockets, its messages recorded."""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import zlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from atm.exchange.client.demo_control import control
from atm.exchange.client.rate_budget import RequestClass
from atm.exchange.client.rest import FuturesClient
from atm.ipc.activation_messages import KEYS, NEW_PASSWORD, PASSWORD, activation_purpose
from atm.ipc.local import LocalBus
from atm.ipc.messages import (
    BINANCE_API,
    TRADE,
    ActivateAccount,
    ActivateByFile,
    ActivationFileWritten,
    ActivationKey,
    ActivationState,
    CloseLiveAccount,
    DeactivateAccount,
    Done,
    Failed,
    MakeActivationFile,
    OpenLiveAccount,
    Reply,
    Request,
    RotateActivationFile,
)
from atm.ipc.sealed import seal_for
from atm.managers import activation_files
from atm.managers.activation_desk import ActivationDesk
from atm.managers.drive_watch import DriveWatch
from atm.managers.live_desk import LiveDesk
from atm.managers.live_exchange_desk import LiveExchangeDesk
from atm.model.account import AccountKind, AccountSetup, AssetSetup
from atm.model.activation import ActivationReason as Reason
from atm.model.activation import ActivationStatus as Status
from atm.model.activation import KeyPermission, KeyWarning
from atm.model.demo_state import DemoCommand, DemoDeposit, DemoKeyForm, DemoModes
from atm.model.endpoint import Addresses, Endpoint
from atm.model.errors import Refused
from atm.storage import activation_file
from atm.storage.database import Database
from tests.exchange.client.test_client_demo import demo

NAME, PASSPHRASE, OTHER_PASSPHRASE = "first", "correct horse battery", "staple of the stable"
WRONG = "a" * 64
SECOND_UID = 100_000_000 + zlib.crc32(b"second") % 900_000_000


class Recorded(LocalBus):
    """A bus that keeps every envelope that was ever sent."""

    def __init__(self) -> None:
        super().__init__()
        self.envelopes: list[bytes] = []

    def route(self) -> None:
        self.envelopes += self.queue
        super().route()


class Desk:
    """Both desks of the Binance API manager on a bus, and a page that asks them. now_s: the clock of the waits between attempts."""

    def __init__(self, home: Path, addresses: Addresses, market: FuturesClient, drive: Path) -> None:
        self.addresses, self.home, self.drive = addresses, home, drive
        self.bus, self.now_s, self.drives = Recorded(), 1_000.0, ()
        self.tasks: set[asyncio.Task[None]] = set()
        self.told: list[ActivationState] = []
        self.public = b""
        self.forgotten: list[bytes] = []
        self.page = self.bus.assistant("gui")
        self.page.subscribe(ActivationKey, self._key)
        self.page.subscribe(ActivationState, self.told.append)
        assistant = self.bus.assistant(BINANCE_API)
        self.desk = ActivationDesk(
            assistant, Endpoint.DEMO, addresses, market, self._spawn, home, lambda: self.drives, lambda: self.now_s,
            self._forgotten,
        )  # fmt: skip
        self.live = LiveExchangeDesk(
            assistant, Endpoint.DEMO, addresses, market, self._spawn, tuple, self.desk.credentials
        )  # fmt: skip
        self.desk.on_change = self.live.renew
        self.bus.pump()

    def _forgotten(self, keys: list[bytearray], passwords: list[bytearray]) -> None:
        """In place of what overwrites memory: the keys of these tests are needed again."""
        self.forgotten += [bytes(each) for each in (*keys, *passwords)]

    def _key(self, event: ActivationKey) -> None:
        self.public = event.public

    def _spawn(self, work) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def ask(self, request: Request) -> Reply:
        replies: list[Reply] = []
        self.page.request_async(BINANCE_API, request, replies.append)
        await self.until(lambda: bool(replies))
        return replies[0]

    async def until(self, holds) -> None:
        async with asyncio.timeout(60):
            while True:
                self.bus.pump()
                if holds():
                    return
                await asyncio.sleep(0.01)

    async def outcome(self, request: Request) -> ActivationState:
        """What became of an attempt that was accepted."""
        assert await self.ask(request) == Done()
        return await self.settled()

    async def settled(self) -> ActivationState:
        await self.until(lambda: bool(self.told) and self.told[-1].status is not Status.ACTIVATING)
        return self.told[-1]

    def sealed(self, what: str, text: str, name: str = NAME) -> bytes:
        return seal_for(self.public, text, activation_purpose(what, name, Endpoint.DEMO))

    def by_keys(self, pair: tuple[str, str], uid: int = 0) -> ActivateAccount:
        return ActivateAccount(NAME, self.sealed(KEYS, "\n".join(pair)), uid)

    def by_file(self, password: str = PASSPHRASE, path: str = "", hold: bool = False) -> ActivateByFile:
        return ActivateByFile(NAME, self.sealed(PASSWORD, password), path, 0, hold)

    async def file(self, pair: tuple[str, str], folder: Path) -> Path:
        request = MakeActivationFile(
            NAME, self.sealed(KEYS, "\n".join(pair)), self.sealed(PASSWORD, PASSPHRASE), str(folder)
        )  # fmt: skip
        written = await self.ask(request)
        assert isinstance(written, ActivationFileWritten), written
        return Path(written.path)

    async def make_key(self, **permissions: object) -> tuple[str, str]:
        command = DemoCommand(make_key="second", key=DemoKeyForm(**permissions))
        _, pair = await control(self.addresses.rest, command)
        assert pair is not None
        return pair.key, pair.secret


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The least scrypt that reading allows: the slowness itself is tested with the files."""
    seal = activation_file.seal
    monkeypatch.setattr(
        activation_files.activation_file, "seal", lambda *arguments: seal(*arguments, scrypt_n=2**15)
    )  # fmt: skip


@pytest.fixture
async def desk(home: Path, tmp_path: Path) -> AsyncIterator[Desk]:
    drive = tmp_path / "drive"
    drive.mkdir()
    async with demo(speed=1) as addresses, FuturesClient(addresses) as market:
        made = Desk(home, addresses, market, drive)
        try:
            yield made
        finally:
            await made.live.close()
            await asyncio.wait(made.tasks or {asyncio.create_task(asyncio.sleep(0))}, timeout=0.1)
            for task in list(made.tasks):
                task.cancel()


async def test_good_keys_activate_and_tell_what_they_may(desk: Desk) -> None:
    state = await desk.outcome(desk.by_keys(await desk.make_key()))
    assert (state.status, state.reason, state.warnings) == (Status.ACTIVE, Reason.NONE, ())
    assert set(state.permissions) == {KeyPermission.READING, KeyPermission.FUTURES, KeyPermission.IP_RESTRICTED}
    again = await desk.ask(desk.by_keys(await desk.make_key()))
    assert isinstance(again, Failed) and "deactivate it first" in again.message


async def test_the_activated_keys_serve_the_account_until_it_is_deactivated(desk: Desk) -> None:
    pair = await desk.make_key()
    assert desk.desk.credentials(NAME) is None, "the demo exchange's own pair serves before"
    assert await desk.ask(OpenLiveAccount(NAME)) == Done()
    await desk.outcome(desk.by_keys(pair))
    credentials = desk.desk.credentials(NAME)
    assert credentials is not None and (credentials.key, credentials.secret) == pair
    assert await desk.ask(OpenLiveAccount(NAME)) == Done()
    assert await desk.ask(DeactivateAccount(NAME)) == Done()
    assert (await desk.settled()).status is Status.INACTIVE
    refused = await desk.ask(OpenLiveAccount(NAME))
    assert isinstance(refused, Failed) and "not active" in refused.message
    with pytest.raises(Refused):
        desk.desk.credentials(NAME)
    assert await desk.ask(CloseLiveAccount(NAME)) == Done()


async def test_the_trade_manager_goes_over_to_the_activated_keys(desk: Desk) -> None:
    pair = await desk.make_key()
    await control(desk.addresses.rest, DemoCommand(deposit=DemoDeposit("second", 500.0)))
    trade = LiveDesk(
        desk.bus.assistant(TRADE), Database(f"sqlite:///{desk.home / 'a.sqlite3'}").orders, lambda *_, **__: None, lambda: None
    )  # fmt: skip
    setup = AccountSetup(NAME, AccountKind.ACTUAL, {"USDT": AssetSetup(0)}, trading=True)
    trade.open(setup, {}, {})

    def wallets() -> dict[str, float]:
        facts = trade.facts(NAME)
        return {} if facts is None else dict(facts.wallets)

    await desk.until(lambda: wallets() == {"USDT": 10_000.0})
    await desk.outcome(desk.by_keys(pair))
    await desk.until(lambda: wallets() == {"USDT": 10_500.0})


def test_a_drive_that_is_plugged_in_is_told(tmp_path: Path) -> None:
    seen, told = [(), (tmp_path,)], threading.Event()
    watch = DriveWatch(told.set, lambda: seen.pop(0) if len(seen) > 1 else seen[0])
    watch.start()
    assert told.wait(30)


async def test_unsafe_permissions_warn_and_missing_ones_refuse(desk: Desk) -> None:
    state = await desk.outcome(desk.by_keys(await desk.make_key(withdrawals=True, ip_restricted=False)))
    assert state.status is Status.ACTIVE
    assert state.warnings == (KeyWarning.WITHDRAWALS, KeyWarning.NO_IP_RESTRICTION)
    await desk.ask(DeactivateAccount(NAME))
    state = await desk.outcome(desk.by_keys(await desk.make_key(futures=False)))
    assert (state.status, state.reason) == (Status.FAILED, Reason.NO_FUTURES)


async def test_the_causes_of_a_refusal_are_told_apart(desk: Desk) -> None:
    key, secret = await desk.make_key()
    assert (await desk.outcome(desk.by_keys((WRONG, secret)))).reason is Reason.KEYS_REFUSED
    desk.now_s += 60
    assert (await desk.outcome(desk.by_keys((key, WRONG)))).reason is Reason.SIGNATURE_REFUSED
    desk.now_s += 60
    malformed = await desk.ask(desk.by_keys((key, "short")))
    assert isinstance(malformed, Failed) and "5 characters" in malformed.message
    assert (await desk.outcome(desk.by_keys((key, secret), SECOND_UID + 1))).reason is Reason.WRONG_UID
    desk.now_s += 60
    assert (await desk.outcome(desk.by_keys((key, secret), SECOND_UID))).status is Status.ACTIVE


async def test_an_exchange_that_does_not_answer_is_no_refusal_of_keys(home: Path, tmp_path: Path) -> None:
    nowhere = Addresses("http://127.0.0.1:9", "ws://127.0.0.1:9")
    async with FuturesClient(nowhere) as market:
        desk = Desk(home, nowhere, market, tmp_path)
        assert (await desk.outcome(desk.by_keys((WRONG, WRONG)))).reason is Reason.NETWORK


async def test_a_clock_that_is_off_is_told_as_such(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = await desk.make_key()
    market = desk.desk._market
    await market.synchronise()
    monkeypatch.setattr(type(market.clock), "now_ms", lambda self, wall_ms: wall_ms + 3_600_000)
    assert (await desk.outcome(desk.by_keys(pair))).reason is Reason.CLOCK


@pytest.mark.parametrize(
    ("mode", "reason"), [("hedge", Reason.HEDGE_MODE), ("multi_assets", Reason.MULTI_ASSETS)]
)  # fmt: skip
async def test_an_account_in_another_mode_is_not_traded_until_it_is_switched(
    desk: Desk, mode: str, reason: Reason
) -> None:
    pair = await desk.make_key()
    await control(desk.addresses.rest, DemoCommand(modes=DemoModes("second", **{mode: True})))
    state = await desk.outcome(desk.by_keys(pair))
    assert (state.status, state.reason) == (Status.BLOCKED, reason)
    assert isinstance(await desk.ask(OpenLiveAccount(NAME)), Failed)
    with pytest.raises(Refused):
        desk.desk.credentials(NAME)
    assert desk.desk.closing_credentials(NAME) is not None, "the kill switch reaches it"
    await control(desk.addresses.rest, DemoCommand(modes=DemoModes("second")))
    await desk.desk.recheck()
    assert (await desk.settled()).status is Status.ACTIVE
    assert await desk.ask(OpenLiveAccount(NAME)) == Done()
    await control(desk.addresses.rest, DemoCommand(modes=DemoModes("second", **{mode: True})))
    await desk.desk.recheck()
    assert (await desk.settled()).status is Status.BLOCKED


async def test_the_demo_exchange_refuses_one_way_orders_in_hedge_mode(desk: Desk) -> None:
    pair = await desk.make_key()
    await desk.outcome(desk.by_keys(pair))
    await control(desk.addresses.rest, DemoCommand(modes=DemoModes("second", hedge=True)))
    async with FuturesClient(desk.addresses, desk.desk.credentials(NAME), shared=desk.desk._market) as client:
        order = {"symbol": "FILUSDT", "side": "BUY", "type": "MARKET", "quantity": "10"}
        with pytest.raises(Refused) as refused:
            await client.call("post", 1, "order", order, RequestClass.ORDERS, math.inf)
    assert refused.value.code == -4061


async def test_keys_that_were_to_be_replaced_do_not_come_back(desk: Desk) -> None:
    pair = await desk.make_key()
    await control(desk.addresses.rest, DemoCommand(modes=DemoModes("second", hedge=True)))
    assert (await desk.outcome(desk.by_keys(pair))).status is Status.BLOCKED
    assert (await desk.outcome(desk.by_keys((WRONG, WRONG)))).status is Status.FAILED
    await control(desk.addresses.rest, DemoCommand(modes=DemoModes("second")))
    await desk.desk.recheck()
    assert (await desk.settled()).status is Status.FAILED
    with pytest.raises(Refused):
        desk.desk.credentials(NAME)


async def test_failures_make_the_next_attempt_wait_longer(desk: Desk) -> None:
    waits = []
    for _ in range(8):
        await desk.outcome(desk.by_keys((WRONG, WRONG)))
        early = await desk.ask(desk.by_keys((WRONG, WRONG)))
        assert isinstance(early, Failed) and "attempts have failed" in early.message
        waits.append(float(early.message.split(" seconds")[0].rsplit(" ", 1)[1]))
        desk.now_s += waits[-1]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


async def test_a_file_opens_with_its_password_alone_and_what_is_wrong_is_told(desk: Desk) -> None:
    assert (await desk.outcome(desk.by_file())).reason is Reason.FILE_MISSING
    path = await desk.file(await desk.make_key(), desk.drive)
    desk.now_s += 60
    assert (await desk.outcome(desk.by_file(path=str(path) + "x"))).reason is Reason.FILE_MISSING
    desk.now_s += 60
    assert (await desk.outcome(desk.by_file(OTHER_PASSPHRASE, str(path)))).reason is Reason.CANNOT_OPEN
    desk.now_s += 60
    data = path.read_bytes()
    changed = desk.drive / "changed.atmkeys"
    changed.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert (await desk.outcome(desk.by_file(path=str(changed)))).reason is Reason.CANNOT_OPEN
    desk.now_s += 60
    changed.write_bytes(b"no activation file")
    assert (await desk.outcome(desk.by_file(path=str(changed)))).reason is Reason.FILE_UNREADABLE
    desk.now_s += 60
    changed.write_bytes(data.replace(b'"first"', b'"other"'))
    assert (await desk.outcome(desk.by_file(path=str(changed)))).reason is Reason.FILE_OF_OTHER
    desk.now_s += 60
    desk.drives = (desk.drive,)
    assert (await desk.outcome(desk.by_file())).status is Status.ACTIVE


async def test_a_file_is_made_of_the_keys_that_are_active(desk: Desk) -> None:
    def request() -> MakeActivationFile:
        return MakeActivationFile(NAME, b"", desk.sealed(PASSWORD, PASSPHRASE), str(desk.drive))

    refused = await desk.ask(request())
    assert isinstance(refused, Failed) and "not active" in refused.message
    await desk.outcome(desk.by_keys(await desk.make_key()))
    written = await desk.ask(request())
    assert isinstance(written, ActivationFileWritten)
    assert desk.desk.credentials(NAME) is not None, "the active keys are not wiped with their copy"
    await desk.ask(DeactivateAccount(NAME))
    assert (await desk.outcome(desk.by_file(path=written.path))).status is Status.ACTIVE


async def test_a_file_is_rotated_and_the_old_password_is_worth_nothing(desk: Desk) -> None:
    old = await desk.file(await desk.make_key(), desk.drive)
    request = RotateActivationFile(
        NAME, desk.sealed(PASSWORD, PASSPHRASE), desk.sealed(NEW_PASSWORD, OTHER_PASSPHRASE), str(old)
    )  # fmt: skip
    await asyncio.sleep(0.002)
    written = await desk.ask(request)
    assert isinstance(written, ActivationFileWritten) and not old.exists()
    assert (await desk.outcome(desk.by_file(path=written.path))).reason is Reason.CANNOT_OPEN
    desk.now_s += 60
    assert (await desk.outcome(desk.by_file(OTHER_PASSPHRASE, written.path))).status is Status.ACTIVE


async def test_a_held_password_activates_when_the_drive_is_plugged_in_and_goes_with_deactivation(desk: Desk) -> None:
    await desk.file(await desk.make_key(), desk.drive)
    state = await desk.outcome(desk.by_file(hold=True))
    assert (state.reason, state.holds_password) == (Reason.FILE_MISSING, True)
    desk.drives = (desk.drive,)
    desk.desk.drives_changed()
    assert (await desk.settled()).status is Status.ACTIVE
    await desk.ask(DeactivateAccount(NAME))
    desk.desk.drives_changed()
    assert (await desk.settled()).status is Status.INACTIVE and not desk.told[-1].holds_password


async def test_what_is_sealed_for_another_account_or_use_is_refused(desk: Desk) -> None:
    key, secret = await desk.make_key()
    foreign = desk.sealed(KEYS, f"{key}\n{secret}", "other")
    assert isinstance(await desk.ask(ActivateAccount(NAME, foreign)), Failed)
    swapped = desk.sealed(KEYS, PASSPHRASE)
    assert isinstance(await desk.ask(ActivateByFile(NAME, swapped)), Failed)


async def test_ed25519_keys_sign_queries_and_orders_settings(desk: Desk) -> None:
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    key, no_secret = await desk.make_key(public_key=public.decode())
    assert no_secret == ""
    in_one_line = pem.replace("\n", "")  # what a field of one line makes of it
    assert (await desk.outcome(desk.by_keys((key, in_one_line)))).status is Status.ACTIVE
    async with FuturesClient(desk.addresses, desk.desk.credentials(NAME), shared=desk.desk._market) as client:
        for leverage in range(2, 12):  # signatures of ten requests: some hold "+" and "/"
            assert (await client.set_leverage("FILUSDT", leverage)).leverage == leverage
    broken = pem[:40] + "A" + pem[41:70] + pem[75:]
    stranger = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    await desk.ask(DeactivateAccount(NAME))
    assert (await desk.outcome(desk.by_keys((key, stranger.decode())))).reason is Reason.SIGNATURE_REFUSED
    desk.now_s += 60
    state = await desk.outcome(desk.by_keys((key, broken)))
    assert state.status is Status.FAILED and "Ed25519" in state.details


@pytest.fixture
def log_file(tmp_path: Path) -> Iterator[Path]:
    """Everything that is logged, at the finest level."""
    path = tmp_path / "all.log"
    handler = logging.FileHandler(path)
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield path
    root.removeHandler(handler)
    root.setLevel(level)
    handler.close()


async def test_no_secret_is_in_logs_messages_or_files(desk: Desk, log_file: Path) -> None:
    pair = await desk.make_key()
    await desk.outcome(desk.by_keys((pair[0], WRONG[:-1] + "b")))
    desk.now_s += 60
    await desk.file(pair, desk.home)
    await desk.outcome(desk.by_file(OTHER_PASSPHRASE))
    desk.now_s += 60
    await desk.outcome(desk.by_file(hold=True))
    await desk.ask(OpenLiveAccount(NAME))
    await asyncio.sleep(0.2)
    await desk.ask(DeactivateAccount(NAME))
    secrets = [each.encode() for each in (*pair, WRONG[:-1] + "b", PASSPHRASE, OTHER_PASSPHRASE)]
    files = [each for each in (*desk.home.rglob("*"), log_file) if each.is_file()]
    assert len(files) >= 2 and log_file.stat().st_size and len(desk.bus.envelopes) > 10
    for place, content in [(str(each), each.read_bytes()) for each in files] + [
        ("queue", each) for each in desk.bus.envelopes
    ]:
        assert not any(secret in content for secret in secrets), place


async def test_what_was_opened_is_overwritten_once_nobody_uses_it_and_other_accounts_keep_theirs(desk: Desk) -> None:
    pair = await desk.make_key()
    assert (await desk.outcome(desk.by_keys(pair))).status is Status.ACTIVE
    keys = "\n".join(pair)
    other = ActivateAccount("other", desk.sealed(KEYS, keys, "other"))
    assert (await desk.outcome(other)).status is Status.ACTIVE
    await desk.ask(DeactivateAccount(NAME))
    await asyncio.sleep(1)
    assert desk.forgotten == [], "the other account signs with the same keys"
    await desk.file(pair, desk.drive)
    await desk.until(lambda: PASSPHRASE.encode() in desk.forgotten)
    assert not {each.encode() for each in pair} & set(desk.forgotten)
    await desk.ask(DeactivateAccount("other"))
    await desk.until(lambda: {each.encode() for each in pair} <= set(desk.forgotten))


async def test_what_is_asked_while_memory_is_overwritten_waits_for_its_end(desk: Desk) -> None:
    pair = await desk.make_key()
    began, may_end = threading.Event(), threading.Event()

    def slowly(*_: list[bytearray]) -> None:
        began.set()
        may_end.wait(30)

    desk.desk._wiper._overwrite = slowly
    assert (await desk.outcome(desk.by_keys(pair))).status is Status.ACTIVE
    await desk.ask(DeactivateAccount(NAME))
    await desk.until(began.is_set)
    replies: list[Reply] = []
    desk.page.request_async(BINANCE_API, desk.by_keys(pair), replies.append)
    await asyncio.sleep(0.2)
    desk.bus.pump()
    assert replies == [] and desk.told[-1].status is Status.INACTIVE
    may_end.set()
    await desk.until(lambda: bool(replies))
    assert replies == [Done()]
    assert (await desk.settled()).status is Status.ACTIVE
