"""A notice as a sentence in a language, for the window and for messages to its user elsewhere."""

from __future__ import annotations

from atm.gui.texts import Texts
from atm.model.notice import Notice

_WORDS = {"side": "side", "reason": "trade_reason", "field": "instrument_field"}
"""Parameters whose values are words of the program, and where the catalogue has them."""


def notice_sentence(t: Texts, notice: Notice) -> str:
    """The text of the notice, its parameters translated too where they are words of ours (BUY, ENTRY …)."""
    parameters: dict[str, object] = {}
    for name, value in notice.parameters.items():
        key = f"{_WORDS[name]}.{value}" if name in _WORDS else ""
        parameters[name] = t(key) if t.has(key) else t.said(value)
    return t(notice.text, **parameters)
