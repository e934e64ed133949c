"""A pilot: drives the whole window without any back end, by mouse, keys and text, and sees what it emits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from imgui_bundle import ImVec2, imgui, implot

from atm.gui.commands import Command, Commands
from atm.gui.pages.registry import all_pages
from atm.gui.preferences import Preferences
from atm.gui.read_model import ReadModel
from atm.gui.shell import Shell
from atm.gui.stored import Immediately, Stored
from atm.gui.texts import Texts
from atm.gui.theme import Theme
from atm.gui.ui import PageName, Rect, Ui
from atm.ipc.messages import Reply
from tests.gui.filled import ASSETS, WALL_MS, FilledResults


class Pilot:
    """See the module. Every step draws frames, as the window's loop does."""

    def __init__(
        self, model: ReadModel, results: FilledResults | None = None, size: tuple[int, int] = (1600, 900)
    ) -> None:
        self.preferences = Preferences()
        self.probe: dict[str, Rect] = {}
        self.stored_preferences = 0
        self.full_screen = 0
        self.sent: list[Command] = []
        self.ui = Ui(
            model=model,
            commands=Commands(),
            texts=Texts(ASSETS / "texts", "en"),
            preferences=self.preferences,
            stored=Stored(Immediately()),
            results=results or FilledResults(),
            theme=Theme.of("dark", "green_red", 1.0),
            now_ms=WALL_MS,
            on_preferences=self._preferences_stored,
            on_full_screen=self._full_screen_toggled,
            probe=self.probe,
        )
        self.shell = Shell(all_pages())
        self._applied: Theme | None = None
        imgui.get_io().display_size = ImVec2(*size)
        self.frames(2)

    def _preferences_stored(self) -> None:
        self.stored_preferences += 1

    def _full_screen_toggled(self) -> None:
        self.full_screen += 1

    def frames(self, count: int = 1) -> None:
        for _ in range(count):
            if self._applied is not self.ui.theme:
                self._applied = self.ui.theme
                self._applied.apply()
            self.probe.clear()
            imgui.get_io().delta_time = 1 / 60
            imgui.new_frame()
            self.shell.draw(self.ui)
            imgui.render()
            self.sent += self.ui.commands.take()

    def show(self, page: PageName) -> None:
        self.ui.page = page
        self.frames(3)

    def sees(self, mark: str) -> bool:
        return mark in self.probe

    def move(self, mark: str) -> None:
        assert mark in self.probe, f"{mark} is not on the screen; there are {sorted(self.probe)}"
        left, top, right, bottom = self.probe[mark]
        imgui.get_io().add_mouse_pos_event((left + right) / 2, (top + bottom) / 2)
        self.frames(2)

    def click(self, mark: str) -> None:
        """The left button, pressed and released on a control."""
        self.move(mark)
        for down in (True, False):
            imgui.get_io().add_mouse_button_event(0, down)
            self.frames(1)
        self.frames(2)

    def scroll(self, mark: str, steps: float) -> None:
        """The wheel over a control, downwards."""
        self.move(mark)
        imgui.get_io().add_mouse_wheel_event(0.0, -steps)
        self.frames(3)

    def key(self, key: imgui.Key, *, ctrl: bool = False, shift: bool = False) -> None:
        io = imgui.get_io()
        if shift:
            io.add_key_event(imgui.Key.mod_shift, True)
        if ctrl:
            io.add_key_event(imgui.Key.mod_ctrl, True)
        io.add_key_event(key, True)
        self.frames(1)
        io.add_key_event(key, False)
        if ctrl:
            io.add_key_event(imgui.Key.mod_ctrl, False)
        if shift:
            io.add_key_event(imgui.Key.mod_shift, False)
        self.frames(2)

    def type(self, mark: str, text: str) -> None:
        """Replace the content of a field."""
        self.click(mark)
        self.key(imgui.Key.a, ctrl=True)
        if text:
            imgui.get_io().add_input_characters_utf8(text)
            self.frames(2)
        else:
            self.key(imgui.Key.delete)

    def choose(self, mark: str, value: str) -> None:
        """Open a choice and click one of its values."""
        self.click(mark)
        self.click(f"{mark}.{value}")

    def answer(self, reply: Reply) -> None:
        """The reply to the newest command, as the application delivers it."""
        self.ui.commands.answered(self.sent[-1], reply)
        self.frames(2)


@contextmanager
def bare_context() -> Iterator[None]:
    """ImGui and ImPlot without a window: textures are asked for and never drawn."""
    imgui.create_context()
    implot.create_context()
    io = imgui.get_io()
    io.set_ini_filename("")
    io.backend_flags |= int(imgui.BackendFlags_.renderer_has_textures)
    io.config_input_trickle_event_queue = False
    try:
        yield
    finally:
        for texture in imgui.get_platform_io().textures:
            texture.status = imgui.ImTextureStatus.destroyed
        implot.destroy_context()
        imgui.destroy_context()
