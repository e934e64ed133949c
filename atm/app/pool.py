"""How many analyzers and simulators there may be. Pure."""

from __future__ import annotations


def pool_sizes(cores: int, analyzer_share: float) -> tuple[int, int]:
    """(analyzers, simulators) for this many usable cores; at least one of each.

    Two cores are left to the managers and the window, three from eight cores on.
    """
    workers = max(2, cores - (2 if cores < 8 else 3))
    analyzers = min(max(round(workers * analyzer_share), 1), workers - 1)
    return analyzers, workers - analyzers
