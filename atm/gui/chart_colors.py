"""Colours of a chart."""

from __future__ import annotations

from dataclasses import dataclass

Color = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class ChartColors:
    """Colours of a theme. up and down are the user's pair; the rest follows the theme."""

    up: Color
    down: Color
    text: Color
    muted: Color
    grid: Color
    crosshair: Color
    buy: Color
    sell: Color
    panel: Color
