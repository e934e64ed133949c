"""The lines of one analysis: how many there may be, and that no two are the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from atm.model.errors import Invalid

T = TypeVar("T")


def distinct(lines: Sequence[T], field: str, most: int) -> Sequence[T]:
    """The lines as they are. Raises Invalid, naming the line (counted from 1), for one too many or one that is there."""
    if len(lines) > most:
        raise Invalid(field, f"{len(lines)} lines", f"at most {most} lines")
    for number, line in enumerate(lines, start=1):
        earlier = lines.index(line) + 1
        if earlier < number:
            raise Invalid(f"{field}.{number}", line, f"parameters other than those of {field}.{earlier}")
    return lines
