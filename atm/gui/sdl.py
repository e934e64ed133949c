"""What SDL can do and pygame does not pass on: to wait without asking, and to say whether a flip keeps the picture.

pygame's own `event.wait` looks for events every millisecond (measured: 3 % of a core in an idle window); SDL's sleeps in
the window system. The functions are taken from the very library that pygame has loaded.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from typing import Any

import pygame

_COLOR_BUFFER_BIT = 0x4000
_RGBA, _UNSIGNED_BYTE = 0x1908, 0x1401
_TRIALS = ((255, 0, 0), (0, 255, 0), (0, 0, 255))


def _library() -> Any:
    # On Windows a module's exports do not include those of the libraries that it loads.
    return ctypes.CDLL("SDL2.dll" if sys.platform == "win32" else pygame.base.__file__)


def waiter() -> Callable[[int], None]:
    """A function that sleeps until an event waits in SDL's queue or the given ms are over; it takes no event out."""
    wait = _library().SDL_WaitEventTimeout
    wait.argtypes, wait.restype = (ctypes.c_void_p, ctypes.c_int), ctypes.c_int
    return lambda milliseconds: wait(None, milliseconds)


def keeps_picture() -> bool:
    """Whether the back buffer after a flip still is the picture that was flipped, so that the next may change a part of it.

    True for software renderers under X11, which copy; hardware usually exchanges its buffers. Tried, not looked up: three
    colours, one after the other. Needs a current OpenGL context.
    """
    address = _library().SDL_GL_GetProcAddress
    address.argtypes, address.restype = (ctypes.c_char_p,), ctypes.c_void_p

    def function(name: bytes, *types: Any) -> Any:
        return ctypes.CFUNCTYPE(None, *types)(address(name))

    clear_color = function(b"glClearColor", *[ctypes.c_float] * 4)
    clear = function(b"glClear", ctypes.c_uint)
    read_pixels = function(b"glReadPixels", *[ctypes.c_int] * 4, ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p)
    pixel = (ctypes.c_ubyte * 4)()
    for color in _TRIALS:
        clear_color(*(part / 255 for part in color), 1.0)
        clear(_COLOR_BUFFER_BIT)
        pygame.display.flip()
        read_pixels(0, 0, 1, 1, _RGBA, _UNSIGNED_BYTE, pixel)
        if tuple(pixel[:3]) != color:
            return False
    return True
