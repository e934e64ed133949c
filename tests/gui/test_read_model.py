"""The read model: each event changes what it should and nothing grows without a bound."""

from __future__ import annotations

import dataclasses

import msgspec

from atm.gui.read_model import MOST_NOTICES, MOST_RECENT_BARS, MOST_TAPE, MOST_TOASTS, TOAST_MS, ReadModel
from atm.ipc.messages import (
    AccountUpdated,
    AnalysisReady,
    ClosedBar,
    LastTrade,
    NoticeRaised,
    ProcessState,
    SimulationUpdated,
    TradeLogged,
)
from atm.model.bars import Bar
from atm.model.interval import DAY_MS
from atm.model.notice import Notice, Severity
from atm.model.simulation import SimulationState, SimulationStatus
from tests.gui import filled


def notice(severity: Severity, time_ms: int = 1_000) -> NoticeRaised:
    return NoticeRaised(Notice(time_ms, "trade", severity, "notice.connected"))


def test_today_counts_from_the_first_state_seen_of_the_market_day() -> None:
    model = ReadModel()
    day = filled.MARKET_MS // DAY_MS * DAY_MS
    model.apply(filled.account(equity=10_000.0, market_ms=day - 60_000))
    model.apply(filled.account(equity=10_100.0, market_ms=day))
    model.apply(filled.account(equity=10_250.0, market_ms=day + 60_000))
    view = model.accounts["paper-1"]
    assert view.today("USDT") == 150.0
    assert view.day_start_ms == day
    assert view.today("USDC") is None


def test_a_trade_told_twice_is_kept_once() -> None:
    model = ReadModel()
    model.apply(filled.account())
    first, second = filled.trades(2)
    for record in (first, second, first, second):
        model.apply(TradeLogged("paper-1", record))
    assert list(model.accounts["paper-1"].trades) == [first, second]


def test_what_is_removed_or_stopped_disappears() -> None:
    model = filled.filled_model()
    last = filled.account()
    model.apply(AccountUpdated(last.snapshot, last.setup, removed=True))
    model.apply(SimulationUpdated(SimulationState("broken", SimulationStatus.FAILED, 0.0, 0), removed=True))
    model.apply(ProcessState("analyzer-0", "stopped", 0, 0))
    assert not model.accounts
    assert "broken" not in model.simulations
    assert "analyzer-0" not in model.processes


def test_severity_decides_how_a_notice_is_shown() -> None:
    model = ReadModel()
    for severity in Severity:
        model.apply(notice(severity))
    assert model.unread == len(model.notices) == 4
    assert [toast.notice.severity for toast in model.toasts] == [Severity.SUCCESS, Severity.WARNING, Severity.CRITICAL]
    model.expire_toasts(1_000 + TOAST_MS)
    assert [toast.notice.severity for toast in model.toasts] == [Severity.CRITICAL], "critical ones stay"


def test_every_collection_is_bounded() -> None:
    model = ReadModel()
    bar = Bar(0, *[1.0] * 9)
    for number in range(MOST_RECENT_BARS + 50):
        model.apply(ClosedBar("X", msgspec.structs.replace(bar, open_time=number * 60_000), 1))
        model.apply(LastTrade("X", number, 1.0, 1.0, False))
        model.apply(notice(Severity.CRITICAL))
    assert len(model.closed_bars["X"]) == MOST_RECENT_BARS
    assert len(model.tape["X"]) == MOST_TAPE
    assert model.tape["X"][0].time_ms == MOST_RECENT_BARS + 49, "newest first"
    assert len(model.notices) == MOST_NOTICES
    assert len(model.toasts) == MOST_TOASTS


def test_the_market_clock_is_the_exchanges() -> None:
    assert filled.filled_model().market_ms(filled.WALL_MS + 1_000) == filled.MARKET_MS + 1_000


def test_symbols_with_data_come_before_those_only_listed() -> None:
    assert filled.filled_model().symbols() == ["AVAXUSDT", "FILUSDT", "NEARUSDT", "BTCUSDT", "ETHUSDT"]


def test_an_analyzers_load_is_shown_until_it_stops() -> None:
    model = filled.filled_model()
    assert model.analyzers["analyzer-0"].minute_us == 9.0 + 10.0 + 11.0
    model.apply(ProcessState("analyzer-0", "stopped", 100, 0))
    assert not model.analyzers


def test_a_revision_is_counted_for_what_is_shown_only() -> None:
    model = ReadModel()
    model.apply(AnalysisReady("a", "X", "analyzer-0", "running"))
    assert model.revision == 1
    assert model.changed == {AnalysisReady}
    assert dataclasses.is_dataclass(model)
