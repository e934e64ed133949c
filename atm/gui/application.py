"""The GUI manager: the process of the window.

One loop: wait for input or messages, take them in, draw when there is reason to, send what the pages want. Input is
answered at up to 60 frames a second, new data at up to 10; without either there is one a second, for the clock.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from atm.gui import preferences as stored_preferences
from atm.gui.commands import Command, Commands
from atm.gui.pages.registry import all_pages
from atm.gui.player import Player
from atm.gui.read_model import EVENTS, ReadModel
from atm.gui.shell import Shell
from atm.gui.sounds import Sound, sound_of
from atm.gui.store_results import StoreResults
from atm.gui.stored import Stored, background
from atm.gui.texts import Texts
from atm.gui.theme import Theme
from atm.gui.ui import PageName, Ui
from atm.gui.window import Window
from atm.ipc.assistant import IPCAssistant
from atm.ipc.messages import (
    MAIN,
    BookTop,
    ClosedBar,
    CloseWindow,
    DayTickers,
    Event,
    Failed,
    LastTrade,
    Liquidation,
    MarkPrice,
    NoticeRaised,
    OpenBar,
    OpenInterest,
    Reply,
    Request,
    WholeBook,
)
from atm.model.notice import Notice, Severity
from atm.model.program import ProgramContext

log = logging.getLogger(__name__)

SIZE = (1600, 900)
INPUT_PERIOD = 1 / 60
DATA_PERIOD = 1 / 10
IDLE_PERIOD = 1.0
PRICE_EVENTS: set[type[Event]] = {
    *(OpenBar, ClosedBar, MarkPrice, BookTop, LastTrade, WholeBook, DayTickers, OpenInterest, Liquidation)
}
SOUND_SECONDS = 2.0
SETTLE_FRAMES = 3
"""Frames drawn after input, since ImGui lays out what a click has opened one frame later."""


class GUIManager:
    """See the module. One object for the life of the process."""

    def __init__(self, assistant: IPCAssistant, context: ProgramContext) -> None:
        self._assistant = assistant
        self._context = context
        self._preferences_file = context.home / "window.json"
        chosen = stored_preferences.load(self._preferences_file, context.language, context.theme)
        self.window = Window("Auto Trade Machine", SIZE, context.assets / "fonts")
        self._executor: ThreadPoolExecutor = background()
        self.ui = Ui(
            model=ReadModel(endpoint=context.endpoint),
            commands=Commands(),
            texts=Texts(context.assets / "texts", chosen.language),
            preferences=chosen,
            stored=Stored(self._executor, self._wake_for_data),
            results=StoreResults(context, assistant),
            theme=Theme.of(chosen.theme, chosen.direction_colors, chosen.scale),
            fonts=self.window.fonts,
            ask=self._ask,
            on_preferences=self._store_preferences,
            on_full_screen=self.window.toggle_full_screen,
            on_sound=self._play,
        )
        self._shell = Shell(all_pages())
        self._player = Player()
        self._applied: Theme | None = None
        self._data_ready = False
        self._closing = False
        self._has_market = False
        assistant.set_waker(self.window.wake)
        for event in EVENTS:
            assistant.subscribe(event, self._take)

    def run(self) -> None:
        """Until the assistant is stopped. A closed window asks main to end."""
        settle = SETTLE_FRAMES
        last = -IDLE_PERIOD
        first = True
        while not self._assistant.stopped:
            now = time.monotonic()
            fresh = self._data_ready or self._concerns_the_page()
            period = INPUT_PERIOD if settle else DATA_PERIOD if fresh else IDLE_PERIOD
            if self.window.minimised:
                period = IDLE_PERIOD
            if self.window.wait(max(0.0, last + period - now)):
                settle = SETTLE_FRAMES
            self._assistant.step(0)
            self._ask_to_close()
            if time.monotonic() < last + period - 0.001 or self.window.minimised:
                continue
            last = time.monotonic()
            self.ui.model.changed.clear()
            self._data_ready = False
            settle = max(0, settle - 1)
            self._frame()
            if first:
                first = False
                log.info("first frame shown")
        self._store_preferences()
        self._executor.shutdown(wait=False, cancel_futures=True)
        self.window.close()

    def _take(self, event: Event) -> None:
        self.ui.model.apply(event)
        if isinstance(event, NoticeRaised):
            self._sound(event.notice)
        if not self._has_market and isinstance(event, OpenBar):
            self._has_market = True
            log.info("first market data")

    def _sound(self, notice: Notice) -> None:
        chosen, sound = self.ui.preferences.sounds, sound_of(notice)
        if sound is not None and chosen.on and sound.value not in chosen.silent:
            self._play(sound)

    def _play(self, sound: Sound) -> None:
        if self._player.play(sound, self.ui.preferences.sounds.volume):
            self._assistant.call_later(SOUND_SECONDS, self._rest)

    def _rest(self) -> None:
        if not self._player.rest():
            self._assistant.call_later(SOUND_SECONDS, self._rest)

    def _concerns_the_page(self) -> bool:
        """Whether something arrived that the shown page shows; prices tick on the Market page alone."""
        changed = self.ui.model.changed
        return bool(changed) and (self.ui.page is PageName.MARKET or not changed <= PRICE_EVENTS)

    def _frame(self) -> None:
        if self._applied is not self.ui.theme:
            self._applied = self.ui.theme
            self._applied.apply()
        self.ui.now_ms = time.time_ns() // 1_000_000
        self.window.begin_frame()
        self._shell.draw(self.ui)
        self.window.end_frame()
        for command in self.ui.commands.take():
            self._send(command)

    def _send(self, command: Command) -> None:
        def answered(reply: Reply) -> None:
            self.ui.commands.answered(command, reply)
            self._tell(command, reply)
            self._data_ready = True

        self._assistant.request_async(command.to, command.request, answered, command.timeout_s)

    def _ask(self, to: str, request: Request, on_reply: Callable[[Reply], None], timeout: float) -> None:
        def answered(reply: Reply) -> None:
            on_reply(reply)
            self._data_ready = True

        self._assistant.request_async(to, request, answered, timeout)

    def _tell(self, command: Command, reply: Reply) -> None:
        """A toast for what became of a command."""
        now_ms = time.time_ns() // 1_000_000
        if isinstance(reply, Failed):
            what = {"reason": reply.message}
            notice = Notice(now_ms, self._assistant.name, Severity.WARNING, "notice.refused", what)
        elif command.done_text:
            notice = Notice(now_ms, self._assistant.name, Severity.SUCCESS, command.done_text, command.parameters)
        else:
            return
        self.ui.model.raise_notice(notice, now_ms)

    def _ask_to_close(self) -> None:
        if self.window.closed and not self._closing:
            self._closing = True
            self._assistant.request_async(MAIN, CloseWindow(), self._on_close_answer)

    def _on_close_answer(self, reply: Reply) -> None:
        if isinstance(reply, Failed):
            log.error("main has not taken the closing of the window: %s", reply.message)
        self._assistant.stop()

    def _wake_for_data(self) -> None:
        self._data_ready = True
        self.window.wake()

    def _store_preferences(self) -> None:
        try:
            stored_preferences.store(self._preferences_file, self.ui.preferences)
        except OSError as error:
            log.error("the window's preferences could not be stored in %s: %s", self._preferences_file, error)


def run(assistant: IPCAssistant, context: ProgramContext) -> None:
    """The process of the window."""
    GUIManager(assistant, context).run()
