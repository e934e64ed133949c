"""The notifier on a bus, sending to a real service over a real socket."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from atm.ipc.local import LocalBus
from atm.ipc.messages import (
    ChannelsSet,
    Done,
    NoticeRaised,
    NotificationsUpdated,
    SetChannels,
    SetNotifications,
    TestNotification,
)
from atm.ipc.notification_messages import CHANNELS_PURPOSE
from atm.ipc.sealed import seal_for
from atm.model.endpoint import Addresses, Endpoint
from atm.model.errors import Invalid
from atm.model.notice import Notice, Severity
from atm.model.notification import NotificationSettings
from atm.model.program import ProgramContext
from atm.notifications import process, settings_file
from atm.notifications.addresses import given, shown, split
from atm.notifications.channel_queue import Message
from atm.notifications.delivery import Delivery
from atm.notifications.kept_addresses import Keyring

ASSETS = Path(__file__).parents[2] / "assets"


class Service:
    """Takes what is posted to it; `refuse`: answers 500 so many times first."""

    def __init__(self) -> None:
        self.got: queue.Queue[dict[str, str]] = queue.Queue()
        self.refuse = 0
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if service.refuse:
                    service.refuse -= 1
                    self.send_response(500)
                else:
                    service.got.put(body)
                    self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"json://user:t0ken@127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    yield service
    service.server.shutdown()
    service.server.server_close()


class KeyringOfMemory(Keyring):
    kept: tuple[str, ...] = ()

    def load(self) -> tuple[str, ...]:
        return type(self).kept

    def keep(self, addresses: tuple[str, ...]) -> bool:
        type(self).kept = addresses
        return True


class World:
    """The notifier and a window on one bus."""

    def __init__(self, home: Path) -> None:
        addresses = Addresses("http://127.0.0.1:1", "ws://127.0.0.1:1")
        context = ProgramContext(home, ASSETS, Endpoint.DEMO, addresses, 1, 1, ())
        self.bus = LocalBus()
        self.window = self.bus.assistant("gui")
        self.updates: list[NotificationsUpdated] = []
        self.window.subscribe(NotificationsUpdated, self.updates.append)
        self.notifier = process.Notifier(self.bus.assistant("notifier-0"), context)
        self.bus.pump()

    def ask(self, request: SetNotifications | SetChannels | TestNotification) -> object:
        replies: list[object] = []
        self.window.request_async("notifier-0", request, replies.append)
        self.bus.pump()
        return replies[0]

    def channels(self, *addresses: str) -> object:
        sealed = seal_for(self.updates[-1].seal_key, "\n".join(addresses), CHANNELS_PURPOSE)
        return self.ask(SetChannels(sealed))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(process, "Keyring", KeyringOfMemory)
    monkeypatch.delenv("ATM_NOTIFY_URLS", raising=False)
    KeyringOfMemory.kept = ()
    return World(tmp_path)


def test_a_notice_reaches_the_service_in_the_users_words(world: World, service: Service) -> None:
    assert isinstance(world.channels(service.address), ChannelsSet)
    assert isinstance(world.ask(SetNotifications(NotificationSettings(enabled=True))), Done)
    notice = Notice(0, "main", Severity.WARNING, "notice.process_restarted", {"name": "trade"}, "trade")
    world.window.publish(NoticeRaised(notice))
    world.bus.pump()
    world.notifier.close()
    got = service.got.get(timeout=10)
    assert (
        got["title"] == "Auto Trade Machine: warning" and "trade" in got["message"] and "notice." not in got["message"]
    )
    assert got["type"] == "warning"


def test_the_test_message_and_its_refusal_without_a_channel(world: World, service: Service) -> None:
    refused = world.ask(TestNotification())
    assert "no channel" in str(refused)
    world.channels(service.address)
    assert isinstance(world.ask(TestNotification()), Done)
    assert service.got.get(timeout=10)["message"] == "Notifications arrive here."


def test_addresses_survive_in_the_keyring_and_are_shown_nowhere(
    world: World, service: Service, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    service.refuse = 1
    world.channels(service.address)
    world.ask(TestNotification())
    world.notifier.close()
    assert KeyringOfMemory.kept == (service.address,)
    world.bus.pump()
    stored = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for place in (caplog.text, str(world.updates), stored.decode(errors="replace")):
        assert "t0ken" not in place
    again = World(tmp_path)
    assert [each.name for each in again.updates[-1].channels] == ["json"]


def test_a_line_that_is_no_address_is_refused_and_changes_nothing(world: World, service: Service) -> None:
    world.channels(service.address)
    refused = world.channels("nothing-like-it://s3cret")
    assert "apprise" in str(refused) and "s3cret" not in str(refused)
    assert [each.name for each in world.updates[-1].channels] == ["json"]


def test_rules_are_stored_and_a_broken_file_means_off(world: World, tmp_path: Path) -> None:
    wanted = NotificationSettings(enabled=True, lowest=Severity.CRITICAL, per_hour=3, daily_report=7)
    world.ask(SetNotifications(wanted))
    assert settings_file.load(tmp_path) == wanted and settings_file.wanted(tmp_path, {})
    (tmp_path / "notifications.json").write_text('{"per_hour": 0}')
    assert settings_file.load(tmp_path) == NotificationSettings()
    assert not settings_file.wanted(tmp_path, {}) and settings_file.wanted(tmp_path, {"ATM_NOTIFY_URLS": "json://x"})


def test_addresses_from_outside(tmp_path: Path) -> None:
    file = tmp_path / "urls"
    file.write_text("json://a\nmailto://b  json://a\n")
    assert given({"ATM_NOTIFY_URLS_FILE": str(file)}) == ("json://a", "mailto://b")
    assert given({"ATM_NOTIFY_URLS": "json://c", "ATM_NOTIFY_URLS_FILE": str(file)}) == ("json://c",)
    assert given({}) is None
    with pytest.raises(Invalid, match="text file that can be read"):
        given({"ATM_NOTIFY_URLS_FILE": str(tmp_path / "absent")})
    assert split("") == () and shown("tgram://secret/1") == "tgram" and shown("secret") == "?"


def test_a_service_that_fails_gets_the_message_later(service: Service) -> None:
    """Time stands on its own: the second try is due as soon as the clock says so."""
    now, changed = [0], threading.Event()
    delivery = Delivery(changed.set, lambda: now[0])
    delivery.replace((service.address,))
    service.refuse = 1
    delivery.put(Message("t", "b"))
    assert changed.wait(10)
    assert delivery.states()[0].error == "the service did not take it"
    now[0] = 5_000
    delivery.put(Message("t", "c"))
    assert [service.got.get(timeout=10)["message"] for _ in range(2)] == ["b", "c"]
    delivery.close(5)
    assert delivery.states()[0].waiting == 0
