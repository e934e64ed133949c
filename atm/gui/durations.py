"""Lengths of time in words."""

from __future__ import annotations

from atm.gui.formats import quantity
from atm.gui.texts import Texts


def duration(t: Texts, seconds: float) -> str:
    """The two greatest units that matter: "0.4 s", "12 s", "3 min 5 s", "2 h 10 min"."""
    if seconds < 10:
        return t("duration.seconds", seconds=quantity(seconds, 1))
    whole = round(seconds)
    if whole < 60:
        return t("duration.seconds", seconds=whole)
    if whole < 3600:
        return t("duration.minutes", minutes=whole // 60, seconds=whole % 60)
    return t("duration.hours", hours=f"{whole // 3600:,}", minutes=whole % 3600 // 60)
