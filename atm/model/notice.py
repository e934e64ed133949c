"""Notices: what the program tells its user, as a text identifier with parameters."""

from __future__ import annotations

from enum import Enum

import msgspec


class Severity(Enum):
    INFO = "info"
    SUCCESS = "success"
    WARNING = "warning"
    CRITICAL = "critical"


class Notice(msgspec.Struct, frozen=True):
    """A message for the user. `text` is a key of the text catalogue, `parameters` fill its placeholders.

    time_ms: wall clock, Unix ms UTC; sender: process name; subject: what it is about (symbol, account …) or "".
    """

    time_ms: int
    sender: str
    severity: Severity
    text: str
    parameters: dict[str, str] = {}
    subject: str = ""
