"""Where a time axis has its ticks and what stands under them: round UTC times, in ISO order, read without a second line.

ImPlot's own labels with ISO dates write a day as "--09-08".
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, datetime
from functools import lru_cache

from imgui_bundle import imgui, implot

LABEL_WIDTH = 7.5
"""Width of a label and the room beside it, in font sizes."""
EDGE = 0.035
"""Part of the axis at its left end that has no ticks, because their labels would be cut off."""
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_STEPS = (
    *(n * _MINUTE for n in (1, 2, 5, 10, 15, 30)),
    *(n * _HOUR for n in (1, 2, 3, 6, 12)),
    *(n * _DAY for n in (1, 2, 5, 10)),
)
_MONTH_STEPS = (1, 3, 6, 12, 24, 60, 120)
_MONTH = 30.4 * _DAY


def ticks(start_s: float, end_s: float, most: int) -> list[tuple[float, str]]:
    """(Unix seconds, label) of about `most` ticks at round times within a range; none for a range without length."""
    if not end_s > start_s or most < 1:
        return []
    rough = (end_s - start_s) / most
    if rough > _STEPS[-1]:
        return _months(start_s, end_s, rough)
    step = _STEPS[bisect_left(_STEPS, rough)]
    if step > _DAY:
        return _days(start_s, end_s, step // _DAY)
    first = -int(-start_s // step) * step
    return _labelled([float(time) for time in range(first, int(end_s) + 1, step)], with_time=step < _DAY)


_once = lru_cache(maxsize=8)(ticks)
"""The panes of a figure share their axis."""


def _days(start_s: float, end_s: float, step: int) -> list[tuple[float, str]]:
    """Every `step` days counted from the first of each month, without crowding the next first."""
    first = -int(-start_s // _DAY) * _DAY
    days = [
        float(time)
        for time in range(first, int(end_s) + 1, _DAY)
        if (day := datetime.fromtimestamp(time, UTC).day - 1) % step == 0 and day + step / 2 <= 30
    ]
    return _labelled(days, with_time=False)


def _months(start_s: float, end_s: float, rough: float) -> list[tuple[float, str]]:
    step = next((months for months in _MONTH_STEPS if months * _MONTH >= 0.95 * rough), _MONTH_STEPS[-1])
    start = datetime.fromtimestamp(start_s, UTC)
    month = (start.year * 12 + start.month - 1) // step * step
    found = []
    while (time := datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC).timestamp()) <= end_s:
        if time >= start_s:
            found.append((time, f"{month // 12}" if step >= 12 else f"{month // 12}-{month % 12 + 1:02d}"))
        month += step
    return found


def _labelled(times: list[float], *, with_time: bool) -> list[tuple[float, str]]:
    """The time of day; at midnight the day; with the year where the reader does not know it yet."""
    found: list[tuple[float, str]] = []
    year = 0
    for time in times:
        moment = datetime.fromtimestamp(time, UTC)
        if with_time and time % _DAY:
            found.append((time, f"{moment:%H:%M}"))
            continue
        found.append((time, f"{moment:%m-%d}" if moment.year == year else f"{moment:%Y-%m-%d}"))
        year = moment.year
    return found


def set_up(start_s: float, end_s: float) -> None:
    """Give the x axis of the plot under construction its ticks."""
    room = imgui.get_content_region_avail().x / (LABEL_WIDTH * imgui.get_font_size())
    edge = EDGE * (end_s - start_s)
    chosen = _once(start_s + edge, end_s - edge / 2, max(1, int(room)))
    if chosen:
        implot.setup_axis_ticks(implot.ImAxis_.x1, [time for time, _ in chosen], [label for _, label in chosen], False)
