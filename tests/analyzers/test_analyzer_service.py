from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from atm.analyzers import AnalysisPipeline, process
from atm.analyzers.service import LOAD_PERIOD_S, AnalyzerService
from atm.ipc.local import LocalBus
from atm.ipc.messages import (
    AnalysisReady,
    AnalysisRow,
    AnalyzerLoad,
    ClosedBar,
    Done,
    EnsureBars,
    Failed,
    StartAnalysis,
    StopAnalysis,
)
from atm.model.analysis_configuration import AnalysisConfiguration, IntervalAnalyses, MovingAverageLine, MultiMACD
from atm.model.bars import Bars, Source
from atm.model.endpoint import Addresses, Endpoint
from atm.model.errors import Unavailable
from atm.model.interval import MINUTE_MS, Interval
from atm.model.program import ProgramContext
from atm.storage.market_store import open_store
from tests.analyzers.market import SMALL, START_MS, changed, minutes

SYMBOL = "NEARUSDT"
ANALYSIS = f"{SYMBOL}/small"


class Shelf:
    """A store in memory that holds the minutes before `until`."""

    def __init__(self, bars: Bars, until: int) -> None:
        self.bars, self.until, self.broken = bars, until, False

    def last(self, symbol: str) -> int | None:
        assert symbol == SYMBOL
        return START_MS + (self.until - 1) * MINUTE_MS if self.until else None

    def read(self, symbol: str, start_ms: int, end_ms: int, with_flow: bool = False) -> Bars:
        if self.broken:
            raise Unavailable("the file is not there")
        held = self.bars.slice(0, self.until).between(start_ms, end_ms)
        present = ~np.isnan(held.close)
        flow = held.flow[:, present] if with_flow else None
        return Bars(held.interval, held.open_time[present], held.values[:, present], held.source[present], flow)


class Scene:
    def __init__(self, stored: int) -> None:
        self.now = 0.0
        self.bus = LocalBus(clock=lambda: self.now)
        self.bars = minutes(4_000, 31)
        self.shelf = Shelf(self.bars, stored)
        self.rows: list[AnalysisRow] = []
        self.states: list[AnalysisReady] = []
        self.asked: list[EnsureBars] = []
        self.refuse = False
        self.trade, self.data, self.feed = (self.bus.assistant(name) for name in ("trade", "data", "binance_api"))
        self.trade.subscribe(AnalysisRow, self.rows.append)
        self.trade.subscribe(AnalysisReady, self.states.append)
        self.data.answer(EnsureBars, self.ensure)
        self.service = AnalyzerService(self.bus.assistant("analyzer-0"), self.shelf)

    def ensure(self, request: EnsureBars) -> Done:
        self.asked.append(request)
        if self.refuse:
            raise Unavailable("no history")
        self.shelf.until = max(self.shelf.until, (request.end_ms - START_MS) // MINUTE_MS)
        return Done()

    def start(self, configuration=SMALL, rows_from: int = 0):  # type: ignore[no-untyped-def]
        replies: list[object] = []
        request = StartAnalysis(ANALYSIS, SYMBOL, configuration, START_MS + MINUTE_MS, START_MS + rows_from * MINUTE_MS)
        self.trade.request_async("analyzer-0", request, replies.append)
        return replies

    def close(self, *indices: int, gap: bool = False) -> None:
        for index in indices:
            self.feed.publish(ClosedBar(SYMBOL, self.bars.bar(index), int(Source.STREAM), gap), key=SYMBOL)
        self.bus.pump()


THREE = AnalysisConfiguration(
    "three",
    (
        *SMALL.intervals,
        IntervalAnalyses(interval=Interval.H1, ema=(MovingAverageLine(3),)),
        IntervalAnalyses(interval=Interval.D1, sma=(MovingAverageLine(2),)),
    ),
)


def state_of(scene: Scene) -> bytes:
    return scene.service._analyses[ANALYSIS].pipeline.dump()


@pytest.mark.parametrize("died_at", [3_401, 3_444, 3_480])
def test_a_restarted_analyzer_has_exactly_the_state_and_rows_it_would_have_had(died_at):
    never, restarted = Scene(stored=3_000), Scene(stored=3_000)
    for scene in (never, restarted):
        scene.start(THREE)
        scene.bus.pump()
    never.close(*range(3_000, 3_500))
    restarted.close(*range(3_000, died_at))
    restarted.bus.kill("analyzer-0")
    restarted.rows.clear()
    restarted.shelf.until = died_at - 20  # the newest bars are on their way to the store
    restarted.service = AnalyzerService(restarted.bus.assistant("analyzer-0"), restarted.shelf)
    restarted.start(THREE)
    restarted.bus.pump()
    restarted.close(*range(died_at, 3_500))
    assert state_of(restarted) == state_of(never)
    for field in ("close_time", "values"):
        assert_array_equal([getattr(row, field) for row in restarted.rows], [getattr(row, field) for row in never.rows])


def test_an_analyzer_says_what_it_carries_and_what_it_costs_when_that_changes():
    scene = Scene(stored=1_000)
    loads: list[AnalyzerLoad] = []
    scene.trade.subscribe(AnalyzerLoad, loads.append)
    scene.start()
    scene.bus.pump()

    def pass_time() -> None:
        scene.now += LOAD_PERIOD_S
        scene.bus.pump()

    pass_time()
    assert [(each.analysis, each.minute_us) for each in loads[-1].analyses] == [(ANALYSIS, 0.0)]
    scene.close(*range(1_000, 1_010))
    pass_time()
    pass_time()
    assert len(loads) == 3
    assert loads[0].analyses == (), "the first says that it can be asked"
    (load,) = loads[-1].analyses
    assert loads[-1].analyzer == "analyzer-0"
    assert 0 < load.minute_us == loads[-1].minute_us
    assert load.update_us > 0
    scene.trade.request_async("analyzer-0", StopAnalysis(ANALYSIS), lambda _reply: None)
    scene.bus.pump()
    pass_time()
    assert loads[-1].analyses == ()


def expected(scene: Scene, end: int):  # type: ignore[no-untyped-def]
    return AnalysisPipeline(SMALL).run(scene.bars.slice(0, end))


def assert_rows(scene: Scene, table) -> None:  # type: ignore[no-untyped-def]
    assert_array_equal([row.close_time for row in scene.rows], table.close_time)
    assert_array_equal(np.array([row.values for row in scene.rows]).T, table.values)


def test_rows_of_store_and_live_bars_are_those_of_one_batch_each_once_and_in_order():
    scene = Scene(stored=3_000)
    replies = scene.start(rows_from=2_000)
    scene.bus.pump()
    assert replies == [Done()]
    assert [state.state for state in scene.states][-1] == "running"
    assert scene.states[0].columns == AnalysisPipeline(SMALL).columns
    scene.close(*range(2_990, 3_100))
    table = expected(scene, 3_100)
    assert_rows(scene, table.slice(400, len(table)))
    assert scene.states[-1].last_close_time == table.close_time[-1]
    assert scene.states[-1].update_us > 0
    assert not scene.asked


def test_bars_missed_between_store_and_stream_are_asked_for():
    scene = Scene(stored=1_000)
    scene.start()
    scene.bus.pump()
    scene.close(1_020, 1_021)
    assert [(order.start_ms, order.end_ms) for order in scene.asked] == [
        (START_MS + 1_000 * MINUTE_MS, START_MS + 1_020 * MINUTE_MS)
    ]
    scene.close(*range(1_022, 1_030))
    assert_rows(scene, expected(scene, 1_030))


def test_a_hole_that_data_cannot_fill_becomes_missing_minutes_after_three_tries():
    scene = Scene(stored=1_000)
    scene.refuse = True
    scene.start()
    scene.bus.pump()
    scene.close(1_020)
    assert scene.states[-1].state == "waiting"
    for _ in range(2):
        scene.now += 5.0
        scene.bus.pump()
    assert len(scene.asked) == 3
    assert scene.states[-1].state == "running"
    scene.close(*range(1_021, 1_030))
    scene.bars.values[:, 1_000:1_020] = np.nan
    assert_rows(scene, expected(scene, 1_030))


def test_a_declared_gap_is_not_asked_for():
    scene = Scene(stored=1_000)
    scene.start()
    scene.bus.pump()
    scene.close(1_010, gap=True)
    scene.close(*range(1_011, 1_015))
    scene.bars.values[:, 1_000:1_010] = np.nan
    assert_rows(scene, expected(scene, 1_015))
    assert not scene.asked


def test_other_requests_are_answered_while_history_is_read():
    scene = Scene(stored=4_000)
    scene.start()
    service_bus = scene.bus.assistants["analyzer-0"]
    scene.bus.route()
    order: list[str] = []
    read = scene.shelf.read
    scene.shelf.read = lambda *a: order.append("read") or read(*a)  # type: ignore[method-assign,func-returns-value]
    service_bus.call_soon(lambda: order.append("other"))
    scene.bus.pump()
    assert order[0] == "other"
    assert "read" in order


def test_a_bad_configuration_is_refused_by_field_and_starts_nothing():
    scene = Scene(stored=100)
    replies = scene.start(changed(SMALL, mmacd_short=MultiMACD(windows=(5, 5))))
    scene.bus.pump()
    (failed,) = replies
    assert isinstance(failed, Failed)
    assert (failed.kind, failed.field) == ("Invalid", "mmacd_short.windows")
    assert scene.states == scene.rows == []


def test_an_unreadable_store_fails_that_analysis_visibly():
    scene = Scene(stored=100)
    scene.shelf.broken = True
    scene.start()
    scene.bus.pump()
    assert scene.states[-1].state == "failed"
    assert "the file is not there" in scene.states[-1].error
    scene.close(100)
    assert not scene.rows


def test_a_stopped_analysis_publishes_nothing_more_and_a_second_stop_is_refused():
    scene = Scene(stored=1_000)
    scene.start()
    scene.bus.pump()
    known = len(scene.rows)
    assert known == 200
    replies: list[object] = []
    for _ in range(2):
        scene.trade.request_async("analyzer-0", StopAnalysis(ANALYSIS), replies.append)
        scene.bus.pump()
    scene.close(*range(1_000, 1_010))
    assert len(scene.rows) == known
    assert replies[0] == Done()
    assert isinstance(replies[1], Failed)


@pytest.mark.parametrize("rows_from", [0, 3_000])
def test_a_restart_publishes_the_same_rows_again(rows_from):
    first, second = Scene(stored=3_500), Scene(stored=3_400)
    for scene in (first, second):
        scene.start(rows_from=rows_from)
        scene.bus.pump()
    second.close(*range(3_400, 3_500))
    assert_array_equal([row.values for row in first.rows], [row.values for row in second.rows])
    assert len(first.rows) == len(second.rows) == (3_500 - rows_from) // 5


def test_the_process_reads_the_market_store_of_its_context(tmp_path):
    context = ProgramContext(
        home=tmp_path, assets=tmp_path, endpoint=Endpoint.LIVE, addresses=Addresses("", ""), analyzers=1, simulators=1,
        symbols=(SYMBOL,),
    )  # fmt: skip
    scene = Scene(stored=0)
    writer = open_store(context, read_only=False)
    writer.put(SYMBOL, scene.bars.slice(0, 3_000))
    writer.append(SYMBOL, scene.bars.slice(3_000, 3_010))
    analyzer = scene.bus.assistant("analyzer-0")
    scene.start()
    scene.bus.route()
    publish = analyzer.publish

    def publish_and_stop_when_running(event, key=""):  # type: ignore[no-untyped-def]
        publish(event, key)
        if isinstance(event, AnalysisReady) and event.state == "running":
            analyzer.stop()

    analyzer.publish = publish_and_stop_when_running  # type: ignore[method-assign]
    process.run(analyzer, context)
    writer.close()
    scene.bus.pump()
    assert_rows(scene, expected(scene, 3_010))


def test_with_nothing_collected_the_history_before_the_first_live_bar_is_asked_for():
    scene = Scene(stored=0)
    scene.start()
    scene.bus.pump()
    assert scene.states[-1].state == "waiting"
    scene.close(2_000)
    assert scene.states[-1].state == "running"
    assert [(order.start_ms, order.end_ms) for order in scene.asked] == [(START_MS, START_MS + 2_000 * MINUTE_MS)]
    assert_rows(scene, expected(scene, 2_001))
