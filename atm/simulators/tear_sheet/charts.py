"""Charts as SVG text. Colours are CSS classes of the page (`style.css`), so that they follow light and dark."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DAY_MS = 86_400_000
_LABEL_STEPS_DAYS = (1, 2, 7, 14)
_MOST_LABELS = 8


@dataclass(frozen=True, slots=True)
class Frame:
    """Maps values to the pixels of a chart; margins leave room for labels."""

    width: float
    height: float
    x0: float
    x1: float
    y0: float
    y1: float
    left: float = 8
    right: float = 64
    top: float = 10
    bottom: float = 24

    def x(self, value: float) -> float:
        return self.left + (value - self.x0) / ((self.x1 - self.x0) or 1.0) * (self.width - self.left - self.right)

    def y(self, value: float) -> float:
        return self.top + (self.y1 - value) / ((self.y1 - self.y0) or 1.0) * (self.height - self.top - self.bottom)

    def path(self, xs: Sequence[float] | Ints | Floats, ys: Sequence[float] | Floats) -> str:
        """An SVG path through the points."""
        points = (f"{self.x(float(x)):.1f} {self.y(float(y)):.1f}" for x, y in zip(xs, ys, strict=True))
        return "M" + "L".join(points)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round values 1, 2 or 5 · 10^k between low and high."""
    span = high - low
    if span <= 0.0:
        return [low]
    raw = span / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw)
    first = math.ceil(low / step)
    return [index * step for index in range(first, math.floor(high / step + 1e-9) + 1)]


def time_ticks(start_ms: int, end_ms: int) -> list[tuple[int, str]]:
    """(moment, label) on days, months or years, at most about eight."""
    days = (end_ms - start_ms) / DAY_MS
    for step in _LABEL_STEPS_DAYS:
        if days / step <= _MOST_LABELS:
            first = -(-start_ms // DAY_MS)
            stamps = range(first * DAY_MS, end_ms + 1, step * DAY_MS)
            return [(stamp, _moment(stamp).strftime("%d %b").lstrip("0")) for stamp in stamps]
    months = days / 30.4
    step = next((each for each in (1, 2, 3, 6, 12, 24, 60) if months / each <= _MOST_LABELS), 120)
    found = []
    moment = _moment(start_ms)
    for index in range(moment.year * 12 + moment.month - 1, moment.year * 12 + 12_000):
        stamp = int(datetime(index // 12, index % 12 + 1, 1, tzinfo=UTC).timestamp() * 1000)
        if stamp > end_ms:
            break
        if stamp >= start_ms and index % step == 0:
            found.append((stamp, f"{index // 12}-{index % 12 + 1:02d}" if step < 12 else str(index // 12)))
    return found


def _moment(stamp: int) -> datetime:
    return datetime.fromtimestamp(stamp / 1000, UTC)


def line_chart(
    time: Ints,
    values: Floats,
    other: tuple[Ints, Floats] | None,
    label: Callable[[float], str],
    title: str,
    height: float = 300,
    area: bool = False,
) -> str:
    """A curve over time, a second one behind it if given; area: filled towards 0 (for drawdowns, values <= 0)."""
    pool = values if other is None else np.concatenate((values, other[1]))
    low, high = float(pool.min()), 0.0 if area else float(pool.max())
    pad = 0.0 if area else (high - low) * 0.05 or abs(high) * 0.01 or 1.0
    low = min(low, -1e-4) if area else low
    frame = Frame(1000, height, float(time[0]), float(time[-1]), low - pad, high + pad)
    parts = [_grid(frame, label, int(time[0]), int(time[-1]))]
    if area:
        base = frame.y(0.0)
        shape = f"{frame.path(time, values)}L{frame.x(float(time[-1])):.1f} {base:.1f}L{frame.left} {base:.1f}Z"
        parts.append(f'<path class="fall" d="{shape}"/>')
    elif other is not None:
        parts.append(f'<path class="line held" d="{frame.path(*other)}"/>')
    parts.append(f'<path class="line {"red" if area else "main"}" d="{frame.path(time, values)}"/>')
    return _svg(frame, parts, title)


def _grid(frame: Frame, label: Callable[[float], str], start: int, end: int) -> str:
    parts = []
    right = frame.width - frame.right
    for value in ticks(frame.y0, frame.y1):
        y = frame.y(value)
        parts.append(f'<line class="grid" x1="{frame.left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" x="{right + 8}" y="{y + 4:.1f}">{escape(label(value))}</text>')
    for stamp, name in time_ticks(start, end):
        x = frame.x(float(stamp))
        if x > right - 20:
            continue
        anchor = "start" if x < frame.left + 30 else "middle"
        parts.append(f'<text class="tick" text-anchor="{anchor}" x="{x:.1f}" y="{frame.height - 6}">{name}</text>')
    return "".join(parts)


def histogram(values: Floats, label: Callable[[float], str], title: str, bins: int = 41) -> str:
    """Counts of values in bins of equal width with an edge at 0; what lies outside the 1st … 99th percentile is in the
    outermost bins."""
    low, high = float(np.quantile(values, 0.01)), float(np.quantile(values, 0.99))
    low, high = min(low, 0.0), max(high, 0.0)
    width = ((high - low) or 1.0) / bins
    first, last = math.floor(low / width), max(math.ceil(high / width), math.floor(low / width) + 1)
    place = np.clip(np.floor(values / width).astype(np.int64), first, last - 1) - first
    counts = np.bincount(place, minlength=last - first)
    frame = Frame(480, 260, first * width, last * width, 0.0, float(counts.max()) * 1.05, right=40)
    parts = []
    for count in ticks(0.0, frame.y1, 4):
        if count != int(count):
            continue
        y, right = frame.y(count), frame.width - frame.right
        parts.append(f'<line class="grid" x1="{frame.left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" x="{right + 8}" y="{y + 4:.1f}">{count:,.0f}</text>')
    for index, number in enumerate(counts):
        if number:
            left, right = frame.x((first + index) * width) + 0.75, frame.x((first + index + 1) * width) - 0.75
            top, base = frame.y(float(number)), frame.y(0.0)
            side = "loss" if first + index < 0 else "gain"
            parts.append(
                f'<rect class="{side}" x="{left:.1f}" y="{top:.1f}" width="{max(0.5, right - left):.1f}" '
                f'height="{base - top:.1f}" rx="1"/>'
            )
    for value in ticks(frame.x0, frame.x1, 5):
        anchor = "middle"
        parts.append(
            f'<text class="tick" text-anchor="{anchor}" x="{frame.x(value):.1f}" y="{frame.height - 6}">'
            f"{escape(label(value))}</text>"
        )
    return _svg(frame, parts, title)


def _svg(frame: Frame, parts: Sequence[str], title: str) -> str:
    return (
        f'<svg viewBox="0 0 {frame.width:g} {frame.height:g}" role="img" aria-label="{escape(title)}">'
        f"{''.join(parts)}</svg>"
    )
