"""Mark prices and funding rates made up for recorded bars."""

import numpy as np

from atm.model.bars import Bars
from atm.model.interval import HOUR_MS
from atm.model.mark import RecordedMarks


def marks_of(bars: Bars, seed: int = 3) -> RecordedMarks:
    """Within 0.3 % of the trades, with holes; a rate every four hours, of which half are missing."""
    g = np.random.default_rng(seed)
    known = g.random(len(bars)) > 0.05
    basis = 1.0 + 0.003 * np.sin(np.arange(len(bars)) / 700)
    stamps = bars.open_time[(bars.open_time % (4 * HOUR_MS) == 0) & (g.random(len(bars)) > 0.5)]
    return RecordedMarks(
        bars.open_time[known], bars.values[:4, known] * basis[known], stamps, g.normal(0, 0.0005, len(stamps))
    )
