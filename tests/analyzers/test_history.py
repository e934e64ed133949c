from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from atm.analyzers import AnalysisPipeline, history
from atm.analyzers.history import HistoryDesk
from atm.ipc.local import LocalBus
from atm.ipc.messages import AnalyseBars, AnalysedBars, Failed, Reply
from atm.ipc.shared_array import SharedArrays, program_id, take
from atm.model.analysis_configuration import AnalysisConfiguration, MultiMACD, ParabolicLine, VolumeProfile
from atm.model.bars import Bars
from atm.model.errors import Unavailable
from atm.model.interval import MINUTE_MS
from tests.analyzers.market import SMALL, START_MS, changed, minutes

BARS = minutes(4_000, 31)


class Shelf:
    broken = False
    minutes_read = 0

    def read(self, symbol: str, start_ms: int, end_ms: int, with_flow: bool = False) -> Bars:
        if self.broken:
            raise Unavailable("the file is not there")
        held = BARS.between(start_ms, end_ms)
        self.minutes_read += len(held)
        present = ~np.isnan(held.close)
        flow = held.flow[:, present] if with_flow else None
        return Bars(held.interval, held.open_time[present], held.values[:, present], held.source[present], flow)


@pytest.fixture
def ask(home: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.setattr(history, "SLICE_MINUTES", 333)
    bus, shelf = LocalBus(), Shelf()
    clock = [100.0]
    arrays = SharedArrays(program_id(home), "analyzer-0")
    desk = HistoryDesk(bus.assistant("analyzer-0"), shelf, arrays, lambda: clock[0])
    gui = bus.assistant("gui")

    def answered(start: int, end: int, configuration=SMALL, broken: bool = False, **more: object) -> Reply:  # type: ignore[no-untyped-def]
        shelf.broken = broken
        replies: list[Reply] = []
        request = AnalyseBars(
            "X",
            configuration,
            START_MS + start * MINUTE_MS,
            START_MS + end * MINUTE_MS,
            **more,  # type: ignore[arg-type]
        )
        gui.request_async("analyzer-0", request, replies.append)
        bus.pump()
        return replies[0]

    answered.desk, answered.clock, answered.shelf = desk, clock, shelf  # type: ignore[attr-defined]
    yield answered
    arrays.close()


@pytest.mark.parametrize("end", [3_998, 4_000])
def test_rows_over_the_store_are_those_of_one_batch_and_the_running_bar_comes_last(ask, end: int) -> None:
    reply = ask(0, end)
    assert isinstance(reply, AnalysedBars)
    table = AnalysisPipeline(SMALL).run(BARS)
    whole = len(table) if end == 4_000 else len(table) - 1
    open_time, values = take(reply.open_time), take(reply.values)
    assert_array_equal(open_time, table.open_time)
    assert_array_equal(values[:, :whole], table.values[:, :whole])
    assert values[3, -1] == BARS.close[end - 1]
    assert reply.columns == table.columns
    assert reply.next_ms == START_MS + end * MINUTE_MS


def test_a_tail_has_settled_before_it_begins(ask) -> None:
    reply = ask(3_500, 4_000)
    assert isinstance(reply, AnalysedBars)
    table = AnalysisPipeline(SMALL).run(BARS)
    tail = table.slice(700, len(table))
    assert_array_equal(take(reply.open_time), tail.open_time)
    moving = [i for i, name in enumerate(table.columns) if ".SMA." in name or ".KLINE." in name]
    assert_allclose(take(reply.values)[moving], tail.values[moving], rtol=1e-6)


def test_a_stretch_without_bars_is_an_empty_table(ask) -> None:
    reply = ask(5_000, 6_000)
    assert isinstance(reply, AnalysedBars)
    assert take(reply.open_time).shape == (0,)
    assert take(reply.values).shape == (len(reply.columns), 0)


def test_what_goes_wrong_is_the_askers_to_know(ask) -> None:
    assert ask(0, 10, broken=True) == Failed(kind="Unavailable", message="the file is not there")
    wrong = ask(0, 10, changed(SMALL, mmacd_short=MultiMACD(windows=(5, 5))))
    assert isinstance(wrong, Failed)
    assert wrong.field == "mmacd_short.windows"


def whole_with(configuration: AnalysisConfiguration, closed: int, running: int | None = None) -> NDArray[np.float64]:
    """Rows of one batch over the first `closed` minutes, with the preview of the bar that is running last."""
    pipeline = AnalysisPipeline(configuration)
    table = pipeline.run(BARS.slice(0, closed if running is not None else closed - 1))
    last = pipeline.preview(BARS.bar(running if running is not None else closed - 1))
    return np.column_stack([table.values, last.values])


def test_who_asks_for_what_has_come_since_costs_the_new_minutes_alone_and_paths_go_on(ask) -> None:
    configuration = changed(SMALL, psar=(ParabolicLine(),))
    bar_ms = configuration.decision.nominal_ms
    first = ask(0, 3_000, configuration)
    shown, times = take(first.values), take(first.open_time)
    for end in (3_001, 3_002, 3_007, 3_400):
        ask.shelf.minutes_read = 0
        start = (int(times[-1]) - START_MS) // MINUTE_MS
        reply = ask(start, end, configuration)
        assert ask.shelf.minutes_read <= end - start
        fresh = take(reply.open_time)
        assert fresh[0] == times[-1]
        shown = np.column_stack([shown[:, :-1], take(reply.values)])
        times = np.concatenate([times[:-1], fresh])
        assert_array_equal(shown, whole_with(configuration, end))
    assert_array_equal(np.diff(times), bar_ms)


def test_the_open_minute_is_in_the_last_row_and_is_forgotten_again(ask) -> None:
    present = np.flatnonzero(~np.isnan(BARS.close))
    closed = int(next(i for i in present if i > 2_000 and i + 1 in present and i + 2 in present)) + 1
    reply = ask(0, closed, running=BARS.bar(closed))
    assert_array_equal(take(reply.values), whole_with(SMALL, closed, closed))
    start = (int(take(reply.open_time)[-1]) - START_MS) // MINUTE_MS
    reply = ask(start, closed + 1)
    assert reply.next_ms == START_MS + (closed + 1) * MINUTE_MS
    assert_array_equal(take(reply.values)[:, -1], whole_with(SMALL, closed + 1)[:, -1])


def test_columns_can_be_chosen_and_unknown_ones_are_refused(ask) -> None:
    names = AnalysisPipeline(SMALL).columns
    wanted = (names[3], names[-1])
    reply = ask(0, 1_000, columns=wanted)
    assert reply.columns == wanted
    assert_array_equal(take(reply.values), take(ask(0, 1_000).values)[[3, -1]])
    assert ask(0, 10, columns=("5m.NOTHING.0.x",)).field == "columns"


def test_the_volume_profile_comes_with_the_rows(ask) -> None:
    configuration = AnalysisConfiguration.of_one(
        "profile", interval=SMALL.decision, volume_profile=VolumeProfile(window=50, bins=256)
    )
    pipeline = AnalysisPipeline(configuration)
    pipeline.run(BARS.slice(0, 2_999))
    expected = pipeline.profile()
    assert expected is not None
    edges, volume, smoothed = take(ask(0, 3_000, configuration).profile)
    assert_array_equal(edges, expected.edges[:-1])
    assert_array_equal(volume, expected.volume)
    assert_array_equal(smoothed, expected.smoothed)
    assert ask(0, 3_000).profile is None


def test_somebody_is_served_for_half_a_minute_after_asking(ask) -> None:
    assert not ask.desk.serving()
    ask(0, 10)
    assert ask.desk.serving()
    ask.clock[0] += 31
    assert not ask.desk.serving()
