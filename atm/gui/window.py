"""The window: pygame (SDL) opens it with an OpenGL context and delivers input, ImGui's own OpenGL renderer draws.

`Window.wait` blocks until there is input, `wake` was called from another thread, or the time is over. The renderer is
the one compiled into imgui-bundle, so no frame passes its vertices through Python.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pygame
from imgui_bundle import ImVec2, imgui, implot

from atm.gui import sdl
from atm.gui.damage import Damage
from atm.gui.input_keys import KEYS, MODIFIERS
from atm.gui.ui import Fonts
from atm.model.errors import Fatal

WAKE = pygame.USEREVENT + 1
_BUTTONS = {1: 0, 2: 2, 3: 1}
_CURSORS = {
    imgui.MouseCursor_.text_input: pygame.SYSTEM_CURSOR_IBEAM,
    imgui.MouseCursor_.hand: pygame.SYSTEM_CURSOR_HAND,
    imgui.MouseCursor_.resize_ew: pygame.SYSTEM_CURSOR_SIZEWE,
    imgui.MouseCursor_.resize_ns: pygame.SYSTEM_CURSOR_SIZENS,
    imgui.MouseCursor_.resize_all: pygame.SYSTEM_CURSOR_SIZEALL,
}


class Window:
    """One window with its ImGui and ImPlot contexts. size in pixels; fonts: folder of the font files."""

    def __init__(self, title: str, size: tuple[int, int], fonts: Path) -> None:
        pygame.display.init()
        for attribute, value in (
            (pygame.GL_CONTEXT_MAJOR_VERSION, 3),
            (pygame.GL_CONTEXT_MINOR_VERSION, 3),
            (pygame.GL_CONTEXT_PROFILE_MASK, pygame.GL_CONTEXT_PROFILE_CORE),
            (pygame.GL_CONTEXT_FORWARD_COMPATIBLE_FLAG, 1),
        ):
            pygame.display.gl_set_attribute(attribute, value)
        try:
            pygame.display.set_mode(size, pygame.OPENGL | pygame.DOUBLEBUF | pygame.RESIZABLE)
        except pygame.error as error:
            raise Fatal(f"no window with OpenGL 3.3 can be opened ({error}); --headless runs without one") from error
        pygame.display.set_caption(title)
        pygame.key.set_repeat(300, 35)
        pygame.key.start_text_input()
        imgui.create_context()
        implot.create_context()
        imgui.get_io().set_ini_filename("")
        imgui.get_io().config_flags |= int(imgui.ConfigFlags_.nav_enable_keyboard)
        self.fonts = load_fonts(fonts)
        self._glyphs = GlyphCache(self.fonts)
        if not imgui.backends.opengl3_init("#version 330"):
            raise Fatal("the OpenGL renderer cannot start: OpenGL 3.3 is needed")
        self._damage = Damage(partial=sdl.keeps_picture())
        self._sleep = sdl.waiter()
        self.closed = False
        self.minimised = False
        self._woken = threading.Event()
        self._last = time.perf_counter()
        self._cursor = imgui.MouseCursor_.arrow.value

    def wake(self) -> None:
        """End the present `wait` (any thread). Calls that come before it has returned count as one."""
        if not self._woken.is_set():
            self._woken.set()
            pygame.event.post(pygame.event.Event(WAKE))

    def wait(self, seconds: float) -> bool:
        """Block until input, `wake` or the time is over; take in all input. True if there was input."""
        if seconds > 0:
            self._sleep(max(1, int(1000 * seconds)))
        self._woken.clear()
        had_input = False
        for event in pygame.event.get():
            if event.type != WAKE:
                had_input = True
                self._take(event)
        return had_input

    def _take(self, event: pygame.event.Event) -> None:
        io = imgui.get_io()
        if event.type == pygame.QUIT:
            self.closed = True
        elif event.type == pygame.MOUSEMOTION:
            io.add_mouse_pos_event(event.pos[0], event.pos[1])
        elif event.type in (pygame.MOUSEBUTTONDOWN, pygame.MOUSEBUTTONUP):
            if event.button in _BUTTONS:
                io.add_mouse_pos_event(event.pos[0], event.pos[1])
                io.add_mouse_button_event(_BUTTONS[event.button], event.type == pygame.MOUSEBUTTONDOWN)
        elif event.type == pygame.MOUSEWHEEL:
            io.add_mouse_wheel_event(event.precise_x, event.precise_y)
        elif event.type in (pygame.KEYDOWN, pygame.KEYUP):
            self._take_key(event)
        elif event.type == pygame.TEXTINPUT:
            io.add_input_characters_utf8(event.text)
        elif event.type == pygame.WINDOWLEAVE:
            io.add_mouse_pos_event(-1e9, -1e9)
        elif event.type in (pygame.WINDOWFOCUSGAINED, pygame.WINDOWFOCUSLOST):
            io.add_focus_event(event.type == pygame.WINDOWFOCUSGAINED)
        elif event.type in (pygame.WINDOWMINIMIZED, pygame.WINDOWRESTORED, pygame.WINDOWSHOWN):
            self.minimised = event.type == pygame.WINDOWMINIMIZED
            self._damage.forget()
        elif event.type in (pygame.WINDOWEXPOSED, pygame.WINDOWSIZECHANGED):
            self._damage.forget()

    def _take_key(self, event: pygame.event.Event) -> None:
        io = imgui.get_io()
        for key, bit in MODIFIERS.items():
            io.add_key_event(key, bool(event.mod & bit))
        if event.key in KEYS:
            io.add_key_event(KEYS[event.key], event.type == pygame.KEYDOWN)

    def begin_frame(self) -> None:
        """Start an ImGui frame of the window's present size."""
        io = imgui.get_io()
        now = time.perf_counter()
        io.delta_time = max(1e-4, min(0.5, now - self._last))
        self._last = now
        width, height = pygame.display.get_window_size()
        io.display_size = ImVec2(width, height)
        self._glyphs.watch()
        imgui.backends.opengl3_new_frame()
        imgui.new_frame()

    def end_frame(self) -> None:
        """Draw what has changed and show it."""
        imgui.render()
        if self._damage.draw(imgui.get_draw_data()):
            pygame.display.flip()
        cursor = imgui.get_mouse_cursor()
        if cursor != self._cursor:
            self._cursor = cursor
            pygame.mouse.set_cursor(_CURSORS.get(imgui.MouseCursor_(cursor), pygame.SYSTEM_CURSOR_ARROW))

    def toggle_full_screen(self) -> None:
        pygame.display.toggle_fullscreen()
        self._damage.forget()

    def close(self) -> None:
        """Give back the contexts and the window."""
        imgui.backends.opengl3_shutdown()
        implot.destroy_context()
        imgui.destroy_context()
        pygame.display.quit()


class GlyphCache:
    """Empties ImGui's glyph cache when its texture has been replaced.

    ImGui 1.93.0 with FreeType then draws glyphs that are new to a cached size at another size (seen after the texture has
    grown); rasterising everything anew is right again. Not more often than every `PAUSE` frames.
    """

    PAUSE = 30

    def __init__(self, fonts: Fonts) -> None:
        self._fonts = fonts
        self._texture = -1
        self._frames_left = 0

    def watch(self) -> None:
        """Call before each frame."""
        self._frames_left = max(0, self._frames_left - 1)
        atlas = imgui.get_io().fonts
        texture = -1 if atlas.tex_data is None else int(atlas.tex_data.unique_id)
        if texture == self._texture or self._frames_left:
            return
        if self._texture != -1:
            self._frames_left = self.PAUSE
            for font in (self._fonts.regular, self._fonts.bold):
                if font is not None:
                    imgui.internal.im_font_atlas_font_discard_bakes(atlas, font, 0)
        self._texture = texture


def load_fonts(folder: Path) -> Fonts:
    """The two weights, each with the icons merged in. Glyphs are rasterised when they are first shown."""
    atlas = imgui.get_io().fonts
    atlas.tex_min_width, atlas.tex_min_height = 1024, 1024
    loaded = []
    for name in ("NotoSansKR-Regular.otf", "NotoSansKR-Bold.otf"):
        font = atlas.add_font_from_file_ttf(str(folder / name), 15.0)
        merged = imgui.ImFontConfig()
        merged.merge_mode = True
        merged.glyph_min_advance_x = 15.0
        atlas.add_font_from_file_ttf(str(folder / "icons.otf"), 12.5, merged)
        loaded.append(font)
    return Fonts(*loaded)
