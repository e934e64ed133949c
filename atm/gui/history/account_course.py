"""An account as the parts of the result page want it: what is stored, what has come since, and the review if there is one. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from atm.gui.history.review_client import Reviewed
from atm.gui.result.view import ShownResult, shown
from atm.gui.results import AccountRecords, SimulationResult
from atm.model.account import AccountKind, AccountSetup, TradeRecord
from atm.model.account_review import beginning_with, review_spec
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.interval import MINUTE_MS
from atm.model.statistics import SimulationDetails
from atm.model.trade_configuration import TradeConfiguration

Point = tuple[int, float]


def laid_out(
    analyses: Mapping[str, AnalysisConfiguration],
    trade: Mapping[str, TradeConfiguration],
    setup: AccountSetup,
    records: AccountRecords,
    trades: tuple[TradeRecord, ...],
    seen: Sequence[Point],
    reviewed: Reviewed | None,
) -> tuple[SimulationResult, ShownResult]:
    """What the page shows (on the reader thread: a review has many rows). seen: equity heard of since, (Unix ms, value), ascending. The
    equity is that of every minute as far as it was reviewed, then the stored points, then what was seen."""
    time, equity = records.equity_time, records.equity
    if reviewed is not None:
        reached = int(reviewed.curve[0, -1]) if reviewed.curve.shape[1] else 0
        begun, later = time < int(reviewed.curve[0, 0]), time > reached
        time = np.concatenate((time[begun], reviewed.curve[0].astype(np.int64), time[later]))
        equity = np.concatenate((equity[begun], reviewed.curve[1], equity[later]))
    newest = int(time[-1]) if len(time) else 0
    fresh = [point for point in seen if point[0] > newest]
    time = np.concatenate((time, np.array([each[0] for each in fresh], np.int64)))
    equity = np.concatenate((equity, np.array([each[1] for each in fresh], np.float64)))
    start = int(time[0]) if len(time) else (trades[0].time_ms if trades else 0)
    end = max(int(time[-1]) if len(time) else 0, trades[-1].time_ms + MINUTE_MS if trades else 0)
    if setup.kind is AccountKind.ACTUAL and len(equity):
        setup = beginning_with(setup, float(equity[0]))
    spec = review_spec(setup, analyses, trade, start, end)
    details = None if reviewed is None else SimulationDetails.unpack(reviewed.details)
    transfers = tuple((each.time_ms, float(each.amount)) for each in records.transfers)
    result = SimulationResult(spec, time, equity, trades, details, transfers)
    return result, shown(result)
