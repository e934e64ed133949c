"""Sounds of events that a trader wants to hear. Made from sines here, so that no recording has to be shipped. Pure.

Rising: something was done. Falling: something was lost. Repeated: look now.
"""

from __future__ import annotations

import math
from array import array
from enum import Enum
from functools import cache

from atm.model.notice import Notice, Severity

RATE = 22_050
"""Samples a second, one channel, 16 bits."""
_EDGE_S = 0.008
_LOUD = 0.5 * 32_767


class Sound(Enum):
    FILL = "fill"
    STOP = "stop"
    DISCONNECT = "disconnect"
    ERROR = "error"


_NOTES: dict[Sound, tuple[tuple[float, float], ...]] = {
    Sound.FILL: ((660.0, 0.07), (880.0, 0.12)),
    Sound.STOP: ((660.0, 0.10), (494.0, 0.10), (330.0, 0.18)),
    Sound.DISCONNECT: ((440.0, 0.12), (0.0, 0.06), (349.0, 0.22)),
    Sound.ERROR: ((880.0, 0.10), (0.0, 0.05), (880.0, 0.10), (0.0, 0.05), (880.0, 0.16)),
}
"""(Hz, seconds); 0 Hz: silence."""
_OF_TEXT = {
    "notice.fill": Sound.FILL,
    "notice.stop": Sound.STOP,
    "notice.liquidation": Sound.ERROR,
    "notice.disconnected": Sound.DISCONNECT,
}


def sound_of(notice: Notice) -> Sound | None:
    """What is heard of a notice; None: nothing."""
    if notice.text in _OF_TEXT:
        return _OF_TEXT[notice.text]
    return Sound.ERROR if notice.severity is Severity.CRITICAL else None


@cache
def samples(sound: Sound) -> bytes:
    """The sound as little-endian 16-bit samples of one channel; each note fades in and out, so that none clicks."""
    made = array("h")
    for pitch, seconds in _NOTES[sound]:
        count = int(seconds * RATE)
        for index in range(count):
            at = index / RATE
            edge = min(1.0, at / _EDGE_S, (seconds - at) / _EDGE_S)
            made.append(int(_LOUD * edge * math.sin(2 * math.pi * pitch * at)))
    return made.tobytes()
