"""Where a value axis has its ticks: few round numbers, so that those of a low pane do not lie on each other."""

from __future__ import annotations

import math


def ticks(low: float, high: float, most: int) -> list[float]:
    """At most `most` (at least one) round numbers in a range, ascending; none for a range without length."""
    if not (math.isfinite(low) and math.isfinite(high) and high > low):
        return []
    span = high - low
    step = 10.0 ** math.floor(math.log10(span / max(most, 1)))
    for factor in (1, 2, 5, 10, 20, 50, 100):
        size = factor * step
        first, last = math.ceil(low / size - 1e-9), math.floor(high / size + 1e-9)
        if last - first < max(most, 1):
            return [number * size for number in range(first, last + 1)]
    return []
