"""What those who watch cores need of the recorder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from atm.trading.black_box.records import Record
from atm.trading.black_box.redaction import Redactor


class Box(Protocol):
    """Where records go; redactor: for free text."""

    redactor: Redactor

    @property
    def is_recording(self) -> bool: ...

    def write(self, account: str, record: Record) -> None:
        """One record. Raises OSError."""

    def safely(self, record: Callable[[], None]) -> None:
        """Record something; what goes wrong ends the recording alone."""
