"""The real window: SDL, OpenGL, fonts, and the loop of the GUI manager."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pygame
import pytest
from imgui_bundle import imgui

from atm.gui.application import GUIManager
from atm.gui.preferences import QuickAnalysis
from atm.gui.ui import PageName
from atm.ipc.local import LocalBus
from atm.ipc.messages import (
    BINANCE_API,
    GUI,
    MAIN,
    TRADE,
    CloseWindow,
    Done,
    Failed,
    LastTrade,
    NoticeRaised,
    Reply,
    SetTrading,
)
from atm.model.endpoint import Addresses, Endpoint
from atm.model.errors import Refused
from atm.model.notice import Notice, Severity
from atm.model.program import ProgramContext
from tests.gui.filled import ASSETS, filled_model
from tests.gui.render import Rendered

pytestmark = pytest.mark.window


@pytest.fixture
def rendered(display: str) -> Iterator[Rendered]:
    found = Rendered((1600, 900))
    yield found
    found.window.close()


def colors_of(surface: pygame.Surface, area: pygame.Rect) -> int:
    """How many different colours a sparse grid of the area has."""
    return len(
        {
            tuple(surface.get_at((x, y)))
            for x in range(area.left, area.right, 3)
            for y in range(area.top, area.bottom, 3)
        }
    )


def test_every_page_has_content_in_both_themes_and_languages(rendered: Rendered) -> None:
    rendered.ui.model.toasts.clear()
    page_area = pygame.Rect(230, 70, 1350, 780)
    for page in PageName:
        pictures = {}
        for theme, language in (("dark", "en"), ("light", "ko")):
            rendered.preferences.theme, rendered.preferences.language = theme, language  # type: ignore[assignment]
            picture = pictures[theme] = rendered.show(page, 3)
            assert colors_of(picture, page_area) > 12, (page, theme, language)
            assert colors_of(picture, pygame.Rect(0, 60, 210, 500)) > 12, "the side bar"
        dark, light = (sum(pictures[theme].get_at((225, 80))[:3]) for theme in ("dark", "light"))
        assert dark < 150 < 600 < light


def test_all_parts_of_the_auto_trade_page_are_drawn(rendered: Rendered) -> None:
    rendered.ui.model.toasts.clear()
    page = rendered.shell.pages[PageName.AUTO_TRADE]
    areas = {"analysis": pygame.Rect(640, 320, 900, 400), "analyses": pygame.Rect(240, 120, 1300, 300),
             "indicators": pygame.Rect(240, 380, 1300, 400)}  # fmt: skip
    pictures = []
    for tab, area in areas.items():
        page.tab = tab  # type: ignore[attr-defined]
        picture = rendered.show(PageName.AUTO_TRADE, 5)
        assert colors_of(picture, area) > 20, tab
        pictures.append(pygame.image.tobytes(picture, "RGB"))
    assert len(set(pictures)) == len(areas)


def test_analyses_are_drawn_over_the_candles_and_in_panes_in_colours_of_their_own(rendered: Rendered) -> None:
    quick = tuple(QuickAnalysis(name) for name in ("SMA", "MFI", "TPD"))
    rendered.preferences.chart.quick = quick
    page = rendered.shell.pages[PageName.MARKET]
    picture = rendered.show(PageName.MARKET, 5)
    chart = page.chart  # type: ignore[attr-defined]
    first, second = (tuple(round(255 * part) for part in rendered.ui.theme.line_color(n)[:3]) for n in (0, 1))

    def has(key: str, color: tuple[int, ...]) -> bool:
        left, top, right, bottom = (int(edge) for edge in chart.areas[key])
        inside = ((x, y) for x in range(left, right) for y in range(top + 30, bottom))
        return any(tuple(picture.get_at(place))[:3] == color for place in inside)

    assert has("prices", first)
    assert has("MFI", first)
    assert not has("MFI", second)
    assert has("TPD", first)
    assert has("TPD", second)
    rendered.preferences.chart.closed = ("MFI",)
    rendered.show(PageName.MARKET, 5)
    assert list(chart.areas) == ["prices", "TPD", "VOL"]


def test_no_letter_of_the_texts_is_missing_in_the_font(rendered: Rendered) -> None:
    letters = set()
    for language in ("en", "ko"):
        letters |= set((ASSETS / "texts" / language / "LC_MESSAGES" / "atm.po").read_text("utf-8"))
    rendered.show(PageName.DASHBOARD, 1)
    for font in (rendered.window.fonts.regular, rendered.window.fonts.bold):
        assert font is not None
        baked = font.get_font_baked(15.0)
        missing = {letter for letter in letters if letter.isprintable() and not font.is_glyph_in_font(ord(letter))}
        assert missing == set()
        assert baked is not None


def test_a_changed_size_of_the_window_is_used(rendered: Rendered) -> None:
    pygame.display.set_mode((1280, 720), pygame.OPENGL | pygame.DOUBLEBUF | pygame.RESIZABLE)
    picture = rendered.show(PageName.DASHBOARD, 3)
    assert picture.get_size() == (1280, 720)
    assert (imgui.get_io().display_size.x, imgui.get_io().display_size.y) == (1280, 720)


class Loop:
    """A GUI manager on a bus of one thread, with a main and a trade manager that answer."""

    def __init__(self, home: Path) -> None:
        self.bus = LocalBus()
        self.main, self.trade = self.bus.assistant(MAIN), self.bus.assistant(TRADE)
        self.exchange = self.bus.assistant(BINANCE_API)
        self.closed: list[CloseWindow] = []
        self.main.answer(CloseWindow, self._close)
        self.trade.answer(SetTrading, self._refuse)
        addresses = Addresses("http://localhost:1", "ws://localhost:1")
        context = ProgramContext(home, ASSETS, Endpoint.DEMO, addresses, 1, 1, ("AVAXUSDT",))
        self.assistant = self.bus.assistant(GUI)
        self.manager = GUIManager(self.assistant, context)
        self._step = self.assistant.step
        self.frames = 0
        self.on_frame: dict[int, list[object]] = {}
        self.assistant.step = self._pump  # type: ignore[method-assign]

    def _close(self, request: CloseWindow) -> Reply:
        self.closed.append(request)
        return Done()

    def _refuse(self, request: SetTrading) -> Reply:
        raise Refused(f"account {request.name} is not known")

    def _pump(self, timeout: float = 0.0) -> int:
        """One thread plays all processes: whatever was sent is delivered before the window's turn."""
        self.bus.route()
        for assistant in (self.main, self.trade, self.exchange):
            assistant.step()
        self.bus.route()
        return self._step(timeout)


def test_the_loop_shows_messages_sends_commands_and_ends_when_the_window_is_closed(display: str, home: Path) -> None:
    loop = Loop(home)
    ui = loop.manager.ui
    loop.exchange.publish(LastTrade("AVAXUSDT", 1, 9.5, 1.0, False), key="AVAXUSDT")
    loop.exchange.publish(NoticeRaised(Notice(1, "data", Severity.WARNING, "notice.disk_recovered")))
    ui.commands.send(TRADE, SetTrading("paper-9", True), "accounts.trading", "done.trading_on", {"account": "paper-9"})

    def close_when_answered() -> None:
        if ui.commands.failure("accounts.trading") is not None:
            pygame.event.post(pygame.event.Event(pygame.QUIT))

    timer = loop.assistant.every(0.05, close_when_answered)
    watchdog = threading.Timer(30, loop.assistant.stop)
    watchdog.start()
    loop.manager.run()
    watchdog.cancel()
    timer.cancel()
    assert loop.closed == [CloseWindow()]
    assert ui.model.last_price("AVAXUSDT") == 9.5
    failed = ui.commands.failure("accounts.trading")
    assert isinstance(failed, Failed)
    assert [notice.text for notice in ui.model.notices] == ["notice.refused", "notice.disk_recovered"]
    assert (home / "window.json").exists()


def test_keys_letters_and_the_wheel_of_the_window_reach_the_page(rendered: Rendered) -> None:
    rendered.ui.probe = {}
    rendered.show(PageName.SIMULATION)
    left, top, right, bottom = rendered.ui.probe["simulation.code"]
    place = (int(left + right) // 2, int(top + bottom) // 2)
    post = pygame.event.post
    post(pygame.event.Event(pygame.MOUSEMOTION, pos=place, rel=(0, 0), buttons=(0, 0, 0)))
    rendered.show(PageName.SIMULATION, 2)
    post(pygame.event.Event(pygame.MOUSEBUTTONDOWN, pos=place, button=1))
    rendered.show(PageName.SIMULATION, 2)
    post(pygame.event.Event(pygame.MOUSEBUTTONUP, pos=place, button=1))
    rendered.show(PageName.SIMULATION, 2)
    post(pygame.event.Event(pygame.TEXTINPUT, text="한글 run"))
    rendered.show(PageName.SIMULATION, 2)
    post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_BACKSPACE, mod=0, unicode=""))
    post(pygame.event.Event(pygame.KEYUP, key=pygame.K_BACKSPACE, mod=0))
    rendered.show(PageName.SIMULATION, 3)
    page = rendered.shell.pages[PageName.SIMULATION]
    assert page.form.draft.code == "한글 ru"  # type: ignore[attr-defined]


def test_wake_ends_a_wait_from_another_thread(rendered: Rendered) -> None:
    rendered.window.wait(0)
    thread = threading.Timer(0.05, rendered.window.wake)
    thread.start()
    assert not rendered.window.wait(20), "woken, but no input"
    thread.join()


def test_a_filled_model_needs_no_window() -> None:
    assert filled_model().revision > 100
