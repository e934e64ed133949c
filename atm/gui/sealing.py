"""Seals what must cross the queues unread, and overwrites what typing it has left. The cipher's library is loaded when it is first
needed, not with the window.
"""

from __future__ import annotations

import threading

from atm.model.errors import Invalid
from atm.model.remains import wipe_remains
from atm.model.secret import PEM_BEGIN, ApiKeys

FRAMES_S = 0.5
"""Until the fields that it was typed into have been drawn empty."""


def sealed_for(public: bytes, text: str, purpose: str) -> bytes:
    """See `atm.ipc.sealed.seal_for`. Raises Invalid."""
    from atm.ipc.sealed import seal_for

    return seal_for(public, text, purpose)


def forget(key: str = "", secret: str = "", passwords: tuple[str, ...] = ()) -> None:
    """Have all copies of what was typed overwritten in this process, beside the frames. What is still in a field goes as well."""
    typed = [bytearray(each.encode()) for each in passwords if each]
    traces: tuple[bytearray, ...] = ()
    try:
        keys = ApiKeys(key, secret)
        traces = keys.traces()
        keys.wipe()
    except Invalid:
        typed += [bytearray(each.encode()) for each in (key, secret) if each and PEM_BEGIN not in each]
    if traces or typed:
        timer = threading.Timer(FRAMES_S, wipe_remains, (traces, typed))
        timer.daemon = True
        timer.start()
