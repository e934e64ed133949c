"""The black box of the trade manager, from what the program is told."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from pathlib import Path

from atm.model.program import ProgramContext
from atm.storage.flight_log import FlightLimits, FlightLog
from atm.storage.home import black_box
from atm.trading.black_box.recorder import FlightRecorder
from atm.trading.black_box.redaction import Redactor

LARGEST_SEGMENT = 8_000_000


def flight_recorder(
    context: ProgramContext, clock: Callable[[], float], wall_ms: Callable[[], int], stopped: Callable[[str], None]
) -> FlightRecorder:
    """Arguments as of FlightRecorder."""
    flight_log = None
    if context.black_box_bytes:
        segment = min(LARGEST_SEGMENT, context.black_box_bytes // 4)
        limits = FlightLimits(segment, context.black_box_bytes, context.black_box_days)
        flight_log = FlightLog(black_box(context.home), limits, wall_ms)
    return FlightRecorder(flight_log, clock, wall_ms, redactor_for(context), stopped)


def redactor_for(context: ProgramContext) -> Redactor:
    """Hides the home folder's path, that of the user and the user's name."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = ""
    return Redactor((str(context.home), str(Path.home()), user if user != "root" else ""))
