"""What a person does at a window, through the X server: find it, look at it, click, close."""

from __future__ import annotations

import time
from collections.abc import Callable

from Xlib import XK, X, display, protocol
from Xlib.ext import xtest


class Desktop:
    """The display named by DISPLAY or given."""

    def __init__(self, name: str) -> None:
        self._display = display.Display(name)
        self._root = self._display.screen().root

    def window(self, title: str, present: Callable[[], bool] = lambda: True, seconds: float = 60.0) -> Window:
        """The window of that title, waited for while `present()`."""
        deadline = time.monotonic() + seconds
        name = self._display.intern_atom("_NET_WM_NAME")
        while time.monotonic() < deadline and present():
            for found in self._root.query_tree().children:
                if found.get_full_text_property(name) == title and found.get_attributes().map_state == X.IsViewable:
                    return Window(self._display, found)
            time.sleep(0.05)  # an X client is not told of windows of others without being their manager
        raise AssertionError(f"no window {title!r} has come")


class Window:
    """One window of another process."""

    def __init__(self, connection: display.Display, window: object) -> None:
        self._display, self._window = connection, window

    def pixels(self, left: int, top: int, width: int, height: int) -> bytes:
        """What it shows, four bytes a pixel."""
        data: bytes = self._window.get_image(left, top, width, height, X.ZPixmap, 0xFFFFFFFF).data  # type: ignore[attr-defined]
        return data

    def colors(self, left: int, top: int, width: int, height: int) -> int:
        """Number of different colours in an area."""
        data = self.pixels(left, top, width, height)
        return len({data[at : at + 3] for at in range(0, len(data), 4)})

    def click(self, x: int, y: int) -> None:
        """Press and release the left button there."""
        where = self._window.translate_coords(self._display.screen().root, 0, 0)  # type: ignore[attr-defined]
        xtest.fake_input(self._display, X.MotionNotify, x=x - where.x, y=y - where.y)
        for kind in (X.ButtonPress, X.ButtonRelease):
            self._display.sync()
            time.sleep(0.1)  # a person's click lasts longer than a frame
            xtest.fake_input(self._display, kind, 1)
        self._display.sync()

    def focus(self) -> None:
        """Have keys go to it; there is no window manager who would see to that."""
        self._window.set_input_focus(X.RevertToParent, X.CurrentTime)  # type: ignore[attr-defined]
        self._display.sync()

    def type(self, text: str) -> None:
        """Press and release the keys of letters, digits, - and _."""
        shift = self._display.keysym_to_keycode(XK.XK_Shift_L)
        for letter in text:
            code = self._display.keysym_to_keycode(
                XK.string_to_keysym({"-": "minus", "_": "underscore"}.get(letter, letter))
            )
            keys = (shift, code) if letter.isupper() or letter == "_" else (code,)
            for key in keys:
                xtest.fake_input(self._display, X.KeyPress, key)
            for key in reversed(keys):
                xtest.fake_input(self._display, X.KeyRelease, key)
            self._display.sync()
            time.sleep(0.01)  # as slow as a quick person, so that each letter gets a frame

    def close(self) -> None:
        """What a window manager sends when its cross is clicked."""
        protocols, delete = (self._display.intern_atom(name) for name in ("WM_PROTOCOLS", "WM_DELETE_WINDOW"))
        message = protocol.event.ClientMessage(
            window=self._window, client_type=protocols, data=(32, [delete, X.CurrentTime, 0, 0, 0])
        )
        self._window.send_event(message)  # type: ignore[attr-defined]
        self._display.sync()
