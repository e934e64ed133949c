"""The notifier: a process of its own, so that it can tell of the death of any other. Runs only where it is wanted."""

from __future__ import annotations

import hashlib
import logging
import os
import time

from atm.gui.notice_sentence import notice_sentence
from atm.gui.texts import Texts
from atm.ipc.assistant import IPCAssistant, Timer
from atm.ipc.messages import (
    AccountUpdated,
    ChannelsSet,
    Done,
    NoticeRaised,
    NotificationsUpdated,
    Reply,
    SetChannels,
    SetNotifications,
    TestNotification,
)
from atm.ipc.notification_messages import CHANNELS_PURPOSE
from atm.ipc.sealed import SealReader
from atm.model.account import AccountKind, AccountSnapshot
from atm.model.errors import ATMError, Invalid, Unavailable
from atm.model.notice import Severity
from atm.model.program import ProgramContext
from atm.notifications.addresses import given, split
from atm.notifications.channel_queue import Message
from atm.notifications.daily_report import DAY_MS, AccountDay, next_report_ms, report
from atm.notifications.delivery import Delivery
from atm.notifications.digest import Digest, Gathering
from atm.notifications.kept_addresses import Keyring
from atm.notifications.settings_file import load, save
from atm.storage.database import Database

log = logging.getLogger(__name__)

LAST_WORDS_S = 4.0
"""How long the end of the program waits for messages on their way; below the supervisor's grace."""
_TRADES = 2_000


def run(assistant: IPCAssistant, context: ProgramContext) -> None:
    """Entry of the process; returns when the assistant is stopped."""
    notifier = Notifier(assistant, context)
    assistant.run()
    notifier.close()


class Notifier:
    """Gathers notices, hands messages to the channels, and writes the daily report."""

    def __init__(self, assistant: IPCAssistant, context: ProgramContext) -> None:
        self._assistant = assistant
        self._context = context
        self._texts = Texts(context.assets / "texts", context.language)
        self._gathering = Gathering(load(context.home))
        self._reader = SealReader()
        self._keyring = Keyring(hashlib.sha256(str(context.home).encode()).hexdigest()[:16])
        self._kept = False
        self._accounts: dict[str, AccountSnapshot] = {}
        self._due: Timer | None = None
        self._report: Timer | None = None
        self._delivery = Delivery(lambda: assistant.call_soon(self._publish))
        self._begin()
        assistant.subscribe(NoticeRaised, self._on_notice)
        assistant.subscribe(AccountUpdated, self._on_account)
        assistant.answer(SetNotifications, self._on_settings)
        assistant.answer(SetChannels, self._on_channels)
        assistant.answer(TestNotification, self._on_test)
        self._plan_report()
        self._publish()

    def close(self) -> None:
        """Send what has gathered, if it can be sent quickly."""
        rest = self._gathering.take(self._gathering.due_ms() or 0)
        if rest is not None:
            self._send(rest)
        self._delivery.close(LAST_WORDS_S)

    def _begin(self) -> None:
        try:
            outside = given(os.environ)
            addresses = self._keyring.load() if outside is None else outside
            self._delivery.replace(addresses)
            self._kept = bool(addresses)
        except Invalid as error:
            log.error("no notifications are sent: %s", error)

    def _on_notice(self, event: NoticeRaised) -> None:
        self._gathering.offer(event.notice, _now_ms())
        self._plan()

    def _on_account(self, event: AccountUpdated) -> None:
        if event.removed:
            self._accounts.pop(event.snapshot.name, None)
        else:
            self._accounts[event.snapshot.name] = event.snapshot

    def _plan(self) -> None:
        if self._due is not None:
            self._due.cancel()
        due = self._gathering.due_ms()
        self._due = None if due is None else self._assistant.call_later(max(0, due - _now_ms()) / 1000, self._take)

    def _take(self) -> None:
        digest = self._gathering.take(_now_ms())
        if digest is not None:
            self._send(digest)
        self._plan()

    def _send(self, digest: Digest) -> None:
        lines = []
        for told in digest.told:
            sentence = notice_sentence(self._texts, told.notice)
            lines.append(f"{sentence} ×{told.times}" if told.times > 1 else sentence)
        if digest.more:
            lines.append(self._texts("report.more", count=digest.more))
        title = self._texts(f"report_title.{digest.severity.value}")
        self._delivery.put(Message(title, "\n".join(lines), digest.severity.value))

    # --- requests ----------------------------------------------------------------------------------------------

    def _on_settings(self, request: SetNotifications) -> Reply:
        try:
            save(self._context.home, request.settings)
        except OSError as error:
            raise Unavailable(f"the settings of notifications cannot be stored: {error.strerror}") from error
        self._gathering.settings = request.settings
        self._plan()
        self._plan_report()
        self._publish()
        return Done()

    def _on_channels(self, request: SetChannels) -> Reply:
        addresses = split(self._reader.open(request.sealed, CHANNELS_PURPOSE))
        self._delivery.replace(addresses)
        self._kept = self._keyring.keep(addresses)
        self._publish()
        return ChannelsSet(self._kept)

    def _on_test(self, _: TestNotification) -> Reply:
        if not self._delivery.states():
            raise Unavailable("there is no channel to send a test message to")
        title, body = self._texts("report.test_title"), self._texts("report.test")
        self._delivery.put(Message(title, body))
        return Done()

    def _publish(self) -> None:
        state = NotificationsUpdated(self._gathering.settings, self._delivery.states(), self._reader.public, self._kept)
        self._assistant.publish(state)

    # --- daily report ------------------------------------------------------------------------------------------

    def _plan_report(self) -> None:
        if self._report is not None:
            self._report.cancel()
            self._report = None
        hour = self._gathering.settings.daily_report
        if hour is not None and self._gathering.settings.enabled:
            now = _now_ms()
            self._report = self._assistant.call_later((next_report_ms(hour, now) - now) / 1000, self._write_report)

    def _write_report(self) -> None:
        try:
            body = report(self._days(), self._texts)
            self._delivery.put(Message(self._texts("report.daily_title"), body, Severity.INFO.value))
        except ATMError as error:
            log.error("the daily report cannot be written: %s", error)
        self._plan_report()

    def _days(self) -> list[AccountDay]:
        database = Database(self._context.database)
        days = []
        for name, snapshot in sorted(self._accounts.items()):
            since = snapshot.market_ms - DAY_MS
            trades = [each for each in database.accounts.trades(name, _TRADES) if each.time_ms >= since]
            equity = database.accounts.equity(name, since)
            moved = transfers_of(database, snapshot, equity[0][0] if equity else snapshot.market_ms)
            days.append(AccountDay(snapshot, equity, trades[::-1], moved))
        return days


def transfers_of(database: Database, snapshot: AccountSnapshot, since_ms: int) -> tuple[tuple[int, float], ...]:
    """(Unix ms, amount) of a virtual account up to what the snapshot shows."""
    if snapshot.kind is not AccountKind.VIRTUAL:
        return ()
    records = database.income.records(snapshot.name, since_ms)
    return tuple((each.time_ms, float(each.amount)) for each in records if each.time_ms <= snapshot.market_ms)


def _now_ms() -> int:
    return int(time.time() * 1000)
