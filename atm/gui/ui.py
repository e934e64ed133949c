"""What a page gets to draw with: the read model, the queue of commands, texts, theme, fonts and stored results.

A page is an object with `draw(ui)`. It keeps only what the user is doing on it (typed text, selection); it reads the
model, never changes it, and never reaches another process but through `ui.commands`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum

from imgui_bundle import ImVec4, imgui

from atm.gui.commands import Commands
from atm.gui.preferences import Preferences
from atm.gui.read_model import ReadModel
from atm.gui.results import Results
from atm.gui.sounds import Sound
from atm.gui.stored import Stored
from atm.gui.texts import Texts
from atm.gui.theme import Color, Palette, Theme
from atm.ipc.messages import Failed, Reply, Request

Ask = Callable[[str, Request, Callable[[Reply], None], float], None]
"""(process, request, what gets the reply or the failure on the window's own thread, seconds to wait)."""
Rect = tuple[float, float, float, float]


class PageName(Enum):
    """All pages in the order of the side bar. The value is the last part of the key of their name."""

    DASHBOARD = "dashboard"
    MARKET = "market"
    ANALYSIS = "currency_analysis"
    AUTO_TRADE = "auto_trade"
    ACCOUNTS = "accounts"
    HISTORY = "account_history"
    SIMULATION = "simulation"
    RESULT = "simulation_result"
    DATABASE = "database"
    NETWORK = "neural_network"
    DEMO = "demo_exchange"
    SETTINGS = "settings"


def _nobody(_to: str, _request: Request, on_reply: Callable[[Reply], None], _timeout: float) -> None:
    on_reply(Failed("Unavailable", "this window has nobody to ask"))


@dataclass(slots=True)
class Fonts:
    """None: the font that ImGui has anyway (tests)."""

    regular: imgui.ImFont | None = None
    bold: imgui.ImFont | None = None


@dataclass(slots=True)
class Ui:
    """See the module. now_ms: wall clock of this frame; probe: where each marked control lies, for tests (None = off).

    unsaved: the page has changes that would be lost, said by it in every frame; held: where the user wants to go meanwhile,
    which the page asks about before it calls `leave`; ask: for requests whose answer is more than a yes (`commands` are
    those of the user).
    """

    model: ReadModel
    commands: Commands
    texts: Texts
    preferences: Preferences
    stored: Stored
    results: Results
    theme: Theme
    fonts: Fonts = field(default_factory=Fonts)
    now_ms: int = 0
    page: PageName = PageName.DASHBOARD
    selection: dict[PageName, str] = field(default_factory=dict)
    unsaved: bool = False
    held: tuple[PageName, str] | None = None
    ask: Ask = _nobody
    on_preferences: Callable[[], None] = lambda: None
    on_full_screen: Callable[[], None] = lambda: None
    on_sound: Callable[[Sound], None] = lambda _: None
    probe: dict[str, Rect] | None = None

    @property
    def t(self) -> Texts:
        return self.texts

    @property
    def colors(self) -> Palette:
        return self.theme.colors

    def px(self, pixels: float) -> float:
        """A length on the screen from one at 100 %."""
        return self.theme.px(pixels)

    def go(self, page: PageName, selection: str = "") -> None:
        """Show another page, with something selected there; held while the present one has unsaved changes."""
        if self.unsaved and page is not self.page:
            self.held = (page, selection)
            return
        self.page = page
        if selection:
            self.selection[page] = selection

    def leave(self, page: PageName, selection: str = "") -> None:
        """Go there whatever is unsaved."""
        self.unsaved = False
        self.go(page, selection)

    def take_selection(self, page: PageName) -> str:
        """What another page wants to have selected on this one; once."""
        return self.selection.pop(page, "")

    def change_preferences(self) -> None:
        """Put changed preferences into force and store them."""
        self.texts.choose(self.preferences.language)
        self.theme = Theme.of(self.preferences.theme, self.preferences.direction_colors, self.preferences.scale)
        self.on_preferences()

    def mark(self, name: str) -> None:
        """Remember where the last item lies."""
        if self.probe is not None:
            low, high = imgui.get_item_rect_min(), imgui.get_item_rect_max()
            self.probe[name] = (low.x, low.y, high.x, high.y)

    @contextmanager
    def font(self, size: float, *, bold: bool = False) -> Iterator[None]:
        """Text of another size (unscaled pixels) or weight."""
        imgui.push_font(self.fonts.bold if bold else self.fonts.regular, size)
        try:
            yield
        finally:
            imgui.pop_font()

    def text(self, text: str, color: Color | None = None, *, size: float = 0.0, bold: bool = False) -> None:
        """A line of text."""
        styled = bool(size) or bold
        if styled:
            imgui.push_font(self.fonts.bold if bold else self.fonts.regular, size)
        if color is None:
            imgui.text_unformatted(text)
        else:
            imgui.push_style_color(imgui.Col_.text, ImVec4(*color))
            imgui.text_unformatted(text)
            imgui.pop_style_color()
        if styled:
            imgui.pop_font()

    def wrapped(self, text: str, color: Color | None = None) -> None:
        """Text broken at the right edge."""
        imgui.push_style_color(imgui.Col_.text, ImVec4(*(color or self.colors.muted)))
        imgui.push_text_wrap_pos(0.0)
        imgui.text_unformatted(text)
        imgui.pop_text_wrap_pos()
        imgui.pop_style_color()

    def signed(self, value: float | None) -> Color:
        """Up for gains, down for losses, plain for nothing."""
        if value is None or value != value or value == 0:
            return self.colors.text
        return self.colors.up if value > 0 else self.colors.down
