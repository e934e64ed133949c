"""Rate and time left of a running simulation, from what it has reported. Pure."""

from __future__ import annotations

from collections import deque

WINDOW_S = 20.0
"""Reports older than this say nothing of the present rate."""
MOST_REPORTS = 128
LEAST_SPAN_S = 0.3
"""Over less, a rate would be noise."""
LEAST_SHARE = 1e-9
"""Of less progress nothing can be said."""


class ProgressHistory:
    """Reports (seconds on any steadily running clock, share done 0 … 1), the newest `MOST_REPORTS` of `WINDOW_S`."""

    def __init__(self) -> None:
        self._reports: deque[tuple[float, float]] = deque(maxlen=MOST_REPORTS)

    def report(self, now: float, share: float) -> None:
        """Take in a report. One that went back (the job begins anew) makes those before it void."""
        if self._reports and share < self._reports[-1][1]:
            self._reports.clear()
        self._reports.append((now, share))
        while self._reports[0][0] < now - WINDOW_S and len(self._reports) > 2:
            self._reports.popleft()

    def clear(self) -> None:
        """The simulation stands still: what was before a pause tells nothing of the time since."""
        self._reports.clear()

    def rate(self) -> float | None:
        """Share a second between the first and the last report kept; None while that cannot be said."""
        if len(self._reports) < 2:
            return None
        (began, first), (ended, last) = self._reports[0], self._reports[-1]
        if ended - began < LEAST_SPAN_S or last - first < LEAST_SHARE:
            return None
        return (last - first) / (ended - began)

    def seconds_left(self, now: float) -> float | None:
        """Until the share is 1 at the present rate, counted from `now`; never negative."""
        rate = self.rate()
        if rate is None:
            return None
        ended, last = self._reports[-1]
        return max(0.0, (1.0 - last) / rate - (now - ended))
