"""Render every page of a filled window to PNG files: `python tests/gui/render.py FOLDER` (needs a display)."""

from __future__ import annotations

import ctypes
import itertools
import sys
from pathlib import Path

import pygame

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from atm.gui.commands import Commands  # noqa: E402
from atm.gui.pages.registry import all_pages  # noqa: E402
from atm.gui.preferences import Preferences  # noqa: E402
from atm.gui.shell import Shell  # noqa: E402
from atm.gui.stored import Immediately, Stored  # noqa: E402
from atm.gui.texts import Texts  # noqa: E402
from atm.gui.theme import Theme  # noqa: E402
from atm.gui.ui import PageName, Ui  # noqa: E402
from atm.gui.window import Window  # noqa: E402
from tests.gui.filled import ASSETS, WALL_MS, FilledResults, filled_model  # noqa: E402

RGB, UNSIGNED_BYTE = 0x1907, 0x1401


class Rendered:
    """A real window with a filled model."""

    def __init__(self, size: tuple[int, int] = (1600, 900)) -> None:
        self.window = Window("test", size, ASSETS / "fonts")
        self.preferences = Preferences(symbol="AVAXUSDT")
        self.ui = Ui(
            model=filled_model(),
            commands=Commands(),
            texts=Texts(ASSETS / "texts", "en"),
            preferences=self.preferences,
            stored=Stored(Immediately()),
            results=FilledResults(),
            theme=Theme.of("dark", "green_red", 1.0),
            fonts=self.window.fonts,
            now_ms=WALL_MS,
        )
        self.shell = Shell(all_pages())

    def show(self, page: PageName, frames: int = 4) -> pygame.Surface:
        """Draw some frames of a page and return the last one's pixels."""
        self.ui.page = page
        self.ui.texts.choose(self.preferences.language)
        self.ui.theme = Theme.of(self.preferences.theme, self.preferences.direction_colors, self.preferences.scale)
        self.ui.theme.apply()
        for _ in range(frames):
            self.window.wait(0)
            self.window.begin_frame()
            self.shell.draw(self.ui)
            self.window.end_frame()
        return pixels()


def pixels() -> pygame.Surface:
    """The window's content."""
    width, height = pygame.display.get_window_size()
    data = (ctypes.c_ubyte * (width * height * 3))()
    gl = ctypes.CDLL("libGL.so.1")
    gl.glPixelStorei(0x0D05, 1)
    gl.glReadPixels(0, 0, width, height, RGB, UNSIGNED_BYTE, data)
    return pygame.transform.flip(pygame.image.frombuffer(bytes(data), (width, height), "RGB"), False, True)


def main(folder: Path, wanted: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rendered = Rendered()
    rendered.ui.model.toasts.clear()
    for language, theme in itertools.product(("en", "ko"), ("dark", "light")):
        rendered.preferences.language, rendered.preferences.theme = language, theme
        for page in PageName:
            name = f"{page.value}-{theme}-{language}"
            if not wanted or name in wanted:
                pygame.image.save(rendered.show(page), folder / f"{name}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
