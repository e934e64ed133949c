"""Numbers and times as the window shows them. Unknown is "—", never 0; minus is a minus sign, money has separators."""

from __future__ import annotations

import math
from datetime import UTC, datetime

UNKNOWN = "—"


def _typographic(text: str) -> str:
    return text.replace("-", "−")


def number(value: float | None, decimals: int = 2, *, sign: bool = False) -> str:
    """12,345.67; with `sign` also +; unknown (None, NaN) as a dash."""
    if value is None or math.isnan(value):
        return UNKNOWN
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    value = value if round(value, decimals) else 0.0
    text = f"{value:+,.{decimals}f}" if sign and value else f"{value:,.{decimals}f}"
    return _typographic(text)


def percent(fraction: float | None, decimals: int = 2, *, sign: bool = False) -> str:
    """A fraction as percent."""
    if fraction is None or math.isnan(fraction):
        return UNKNOWN
    text = number(100 * fraction, decimals, sign=sign)
    return text + "%"


def compact(value: float | None) -> str:
    """1.23K, 4.56M, 7.89B; below a thousand as it is."""
    if value is None or math.isnan(value):
        return UNKNOWN
    for size, suffix in ((1e9, "B"), (1e6, "M"), (1e3, "K")):
        if abs(value) >= size:
            return _typographic(f"{value / size:,.2f}{suffix}")
    return _typographic(f"{value:,.2f}")


def quantity(value: float | None, decimals: int = 3) -> str:
    """A quantity with at most `decimals` decimals, without trailing zeros."""
    if value is None or math.isnan(value):
        return UNKNOWN
    text = f"{value:,.{decimals}f}"
    return _typographic(text.rstrip("0").rstrip(".") if "." in text else text)


def moment(time_ms: int | None, *, seconds: bool = False) -> str:
    """2023-09-01 12:34[:56] UTC; 0 and None are unknown."""
    if not time_ms:
        return UNKNOWN
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")


def clock(time_ms: int) -> str:
    """12:34:56."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%H:%M:%S")


def countdown(left_ms: int) -> str:
    """07:59:03 left; never negative."""
    seconds = max(0, left_ms) // 1000
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def size(n_bytes: int) -> str:
    """1.2 MB."""
    for unit, step in (("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)):
        if n_bytes >= step:
            return f"{n_bytes / step:.1f} {unit}"
    return f"{n_bytes} B"


def decimals_of(step: str) -> int:
    """Decimals of a tick or step such as "0.00100" (3)."""
    _, _, fraction = step.rstrip("0").partition(".")
    return len(fraction)
