"""Boundaries of a volume profile: peaks and valleys by prominence and height (spec: analysis §7.6).

The profile is taken as surrounded by zeros. With μ its maximum:

* peak: local maximum of prominence ≥ P·μ and height ≥ η·μ
* valley: local minimum whose mirror image has prominence ≥ P·μ / 2, and at most (1 − η)·μ high

A flat top or bottom stands for its (floored) middle. Within each class, of two nearer than `distance` bins the lesser (the lower peak, the
higher valley) gives way. Prominence is that of SciPy's `find_peaks`: the height above the higher of the two lowest points
between the peak and the next higher one on each side. Unlike there, distance comes last: what does not count as a
boundary cannot displace one that does.
"""

from __future__ import annotations

import math

from atm.analyzers.contract import Floats
from atm.model.kernel import lean_kernel


@lean_kernel
def _extrema(profile: Floats, size: int, places: Floats, heights: Floats) -> int:
    """Alternating low, peak, low … peak, low of profile[:size] between two zeros; returns how many (odd).

    The two zeros outside are the first and the last low.
    """
    count, rising, flat_from, previous = 1, True, 0, 0.0
    heights[0], places[0] = 0.0, -1.0
    for j in range(size + 1):
        x = profile[j] if j < size else 0.0
        if x == previous:
            continue
        if rising != (x > previous):
            places[count], heights[count] = (flat_from + j - 1) // 2, previous
            count += 1
            rising = not rising
        previous, flat_from = x, j
    places[count], heights[count] = size, 0.0
    return count + 1


@lean_kernel
def _prominence(heights: Floats, count: int, at: int, sign: float) -> float:
    """Prominence of extremum `at`: of a peak with sign +1, of a valley (as a peak of the mirror image) with −1."""
    own: float = sign * heights[at]
    base = -math.inf
    for step in (-1, 1):
        lowest = own
        j = at + step
        while 0 <= j < count:
            x = sign * heights[j]
            if x > own:
                break
            lowest = min(lowest, x)
            j += step
        base = max(base, lowest)
    return own - base


@lean_kernel
def _thin(places: Floats, heights: Floats, chosen: Floats, distance: float, sign: float, fate: Floats) -> int:
    """Keep of `chosen` (indices, ascending) the highest first and none nearer than `distance` to a kept one; the number kept.

    Of equally high ones the later is kept. fate (≥ len(chosen),) is scratch: 0 undecided, 1 kept, −1 dropped.
    """
    count = len(chosen)
    for i in range(count):
        fate[i] = 0.0
    for _ in range(count):
        best = -1
        for i in range(count):
            if fate[i] == 0.0 and (best < 0 or sign * (heights[int(chosen[i])] - heights[int(chosen[best])]) >= 0.0):
                best = i
        if best < 0:
            break
        fate[best] = 1.0
        for step in (-1, 1):
            j = best + step
            while 0 <= j < count and abs(places[int(chosen[j])] - places[int(chosen[best])]) < distance:
                fate[j] = -1.0
                j += step
    kept = 0
    for i in range(count):
        if fate[i] > 0.0:
            chosen[kept] = chosen[i]
            kept += 1
    return kept


@lean_kernel
def find_boundaries(
    profile: Floats, top: float, prominence: float, distance: float, height: float, work: Floats, found: Floats
) -> int:
    """Write the boundaries of a profile (n,) ≥ 0 with maximum `top`, ascending positions, into found (≥ n); returns how many.

    work: scratch (≥ 5, ≥ n + 3).
    """
    places, heights, peaks, valleys, fate = work[0], work[1], work[2], work[3], work[4]
    count = _extrema(profile, len(profile), places, heights)
    n_peaks, n_valleys = 0, 0
    for j in range(1, count - 1):
        if j % 2 == 1:
            if heights[j] >= height * top and _prominence(heights, count, j, 1.0) >= prominence * top:
                peaks[n_peaks] = j
                n_peaks += 1
        elif heights[j] <= (1.0 - height) * top and _prominence(heights, count, j, -1.0) >= 0.5 * prominence * top:
            valleys[n_valleys] = j
            n_valleys += 1
    n_peaks = _thin(places, heights, peaks[:n_peaks], distance, 1.0, fate)
    n_valleys = _thin(places, heights, valleys[:n_valleys], distance, -1.0, fate)
    total, p, v = 0, 0, 0
    while p < n_peaks or v < n_valleys:
        if v == n_valleys or (p < n_peaks and peaks[p] < valleys[v]):
            found[total] = places[int(peaks[p])]
            p += 1
        else:
            found[total] = places[int(valleys[v])]
            v += 1
        total += 1
    return total
