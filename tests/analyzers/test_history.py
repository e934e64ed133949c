from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from atm.analyzers import AnalysisPipeline, history
from atm.analyzers.history import HistoryDesk
from atm.ipc.local import LocalBus
from atm.ipc.messages import AnalyseBars, AnalysedBars, Failed, Reply
from atm.ipc.shared_array import SharedArrays, program_id, take
from atm.model.analysis_configuration import MultiMACD
from atm.model.bars import Bars
from atm.model.errors import Unavailable
from atm.model.interval import MINUTE_MS
from tests.analyzers.market import SMALL, START_MS, changed, minutes

BARS = minutes(4_000, 31)


class Shelf:
    broken = False

    def read(self, symbol: str, start_ms: int, end_ms: int) -> Bars:
        if self.broken:
            raise Unavailable("the file is not there")
        held = BARS.between(start_ms, end_ms)
        present = ~np.isnan(held.close)
        return Bars(held.interval, held.open_time[present], held.values[:, present], held.source[present])


@pytest.fixture
def ask(home: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.setattr(history, "SLICE_MINUTES", 333)
    bus, shelf = LocalBus(), Shelf()
    arrays = SharedArrays(program_id(home), "analyzer-0")
    HistoryDesk(bus.assistant("analyzer-0"), shelf, arrays)
    gui = bus.assistant("gui")

    def answered(start: int, end: int, configuration=SMALL, broken: bool = False) -> Reply:  # type: ignore[no-untyped-def]
        shelf.broken = broken
        replies: list[Reply] = []
        request = AnalyseBars("X", configuration, START_MS + start * MINUTE_MS, START_MS + end * MINUTE_MS)
        gui.request_async("analyzer-0", request, replies.append)
        bus.pump()
        return replies[0]

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
