"""What the fork server loads before it makes its first child, so that all children share those pages.

Importing this module is the loading. Kernels come from the disk cache that the set-up has filled: the first kernel that a
process loads costs 60 MB and 0.7 s (the compiler's type tables), paid here once. `gc.freeze` then takes all objects out
of the collector's sight: a collection in a child would otherwise write into every one of them and so copy every page.
"""

from __future__ import annotations

import gc

import aiohttp  # noqa: F401
import pyarrow.parquet  # noqa: F401
import websockets.asyncio.client  # noqa: F401

import atm.app.child
import atm.storage.database
import atm.storage.market_store  # noqa: F401
from atm.analyzers.warm_up import warm_up as load_analyzer_kernels
from atm.simulators.warm_up import warm_up as load_engine_kernels


def _quiet(_name: str) -> None:
    """Nobody watches."""


load_analyzer_kernels(_quiet)
load_engine_kernels(_quiet)
gc.collect()
gc.freeze()
