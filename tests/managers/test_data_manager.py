"""The data manager on a bus in one thread, with a real market store; only the exchange manager is a stand-in."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from atm.ipc.local import LocalBus
from atm.ipc.messages import (
    BINANCE_API,
    DATA,
    ClosedBar,
    Coverage,
    Done,
    EnsureBars,
    Failed,
    FetchBars,
    FetchedBars,
    ImportBars,
    LastStored,
    LastStoredReply,
    NoticeRaised,
    Reply,
)
from atm.managers import data as data_module
from atm.managers.data import DataManager
from atm.model.bars import Bar, Bars, Source, TimeRange
from atm.model.errors import Refused, Unavailable
from atm.model.flow import Flow
from atm.model.interval import MINUTE_MS, parse_time
from atm.storage.market_store import KIND, MarketStore

T0 = parse_time("2023-08-31 23:00")


def at(minute: int) -> int:
    return T0 + minute * MINUTE_MS


def bar(minute: int, price: float = 5.0) -> Bar:
    return Bar(at(minute), price, price + 1, price - 1, price, 10, 50, 3, 4, 20)


class Now:
    def submit(self, function: Callable[[], None], /) -> None:
        function()


class Program:
    """A bus with the data manager, a window that listens, and an exchange that holds `listed` minutes."""

    def __init__(self, root: Path) -> None:
        self.now = 100.0
        self.bus = LocalBus(lambda: self.now)
        self.feed = self.bus.assistant(BINANCE_API)
        self.gui = self.bus.assistant("gui")
        self.coverages: list[Coverage] = []
        self.notices: list[tuple[str, str]] = []
        self.gui.subscribe(Coverage, self.coverages.append)
        self.gui.subscribe(NoticeRaised, lambda e: self.notices.append((e.notice.severity.value, e.notice.text)))
        self.feed.answer(FetchBars, self.fetch)
        self.listed: set[int] = set()
        self.fetches: list[tuple[int, int]] = []
        self.error: Exception | None = None
        self.replies: list[Reply] = []
        self.root = root
        self.store = self.start()

    def start(self) -> MarketStore:
        store = MarketStore(self.root, read_only=False)
        DataManager(self.bus.assistant(DATA), store, Now(), lambda: self.now, lambda: 1).start()
        self.bus.pump()
        return store

    def fetch(self, request: FetchBars) -> Reply:
        span = range((request.start_ms - T0) // MINUTE_MS, (request.end_ms - T0) // MINUTE_MS)
        self.fetches.append((span.start, span.stop))
        if self.error is not None:
            raise self.error
        return FetchedBars(request.symbol, tuple(bar(m) for m in span if m in self.listed))

    def close(self, *minutes: int, symbol: str = "X", source: Source = Source.STREAM) -> None:
        for minute in minutes:
            self.feed.publish(ClosedBar(symbol, bar(minute), int(source)), key=symbol)

    def ask(self, start: int, end: int, symbol: str = "X") -> None:
        self.gui.request_async(DATA, EnsureBars(symbol, at(start), at(end)), self.replies.append, timeout=600)
        self.bus.pump()

    def pass_seconds(self, seconds: float) -> None:
        self.now += seconds
        self.bus.pump()

    def minutes(self, symbol: str = "X") -> list[int]:
        times = MarketStore(self.root).read(symbol, 0, 2**60).open_time
        return ((times - T0) // MINUTE_MS).tolist()


@pytest.fixture
def program(home: Path) -> Program:
    return Program(home / "market")


def test_closed_bars_are_stored_once_and_with_one_sync_for_all_that_wait(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    program.close(0)
    program.bus.pump()
    real, synced = os.fsync, []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(real(handle)))
    program.close(*range(1, 50))
    program.close(3, 7)  # the exchange manager was restarted and says them again
    program.bus.pump()
    assert len(synced) == 1
    assert program.minutes() == list(range(50))
    assert program.gui.request(DATA, LastStored()) == LastStoredReply({"X": at(49)})


def test_what_was_stored_is_told_again_after_a_kill(program: Program) -> None:
    program.close(*range(5))
    program.bus.pump()
    program.bus.kill(DATA)
    program.store.close()  # what the kernel does for a dead process
    program.close(5)  # nobody is there
    program.bus.pump()
    program.start()
    assert program.gui.request(DATA, LastStored()) == LastStoredReply({"X": at(4)})
    assert program.coverages[-1] == Coverage("X", (TimeRange(at(0), at(5)),))


def test_coverage_is_told_at_most_once_a_second(program: Program) -> None:
    program.close(0)
    program.bus.pump()
    assert program.coverages == [Coverage("X", (TimeRange(at(0), at(1)),))]
    for minute in range(1, 20):
        program.close(minute)
        program.pass_seconds(0.01)
    assert len(program.coverages) == 1
    program.pass_seconds(1.0)
    assert program.coverages[1:] == [Coverage("X", (TimeRange(at(0), at(20)),))]
    program.pass_seconds(10)
    assert len(program.coverages) == 2


def test_a_full_disk_loses_nothing_and_is_said_once(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    program.close(0, 1)
    program.bus.pump()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for minute in range(2, 10):
        program.close(minute)
        program.pass_seconds(60)
    assert program.notices == [("critical", "notice.disk_full")]
    assert program.minutes() == [0, 1]
    monkeypatch.undo()
    program.pass_seconds(data_module.RETRY_S)
    assert program.minutes() == list(range(10))
    assert program.notices[1:] == [("success", "notice.disk_recovered")]


def test_what_the_buffer_could_not_hold_is_fetched_when_there_is_room_again(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_module, "MAX_WAITING", 3)
    program.listed = set(range(20))

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        for minute in range(10):
            program.close(minute)
            program.bus.pump()
    assert program.minutes() == []
    program.pass_seconds(data_module.RETRY_S)
    assert program.minutes() == list(range(10))
    assert program.fetches == [(3, 10)]


def test_missing_minutes_are_fetched_in_pieces_and_then_said_to_be_there(program: Program) -> None:
    program.listed = set(range(4_000))
    program.close(100, 101)
    program.bus.pump()
    program.ask(0, 3_500)
    assert program.replies == [Done()]
    assert program.fetches == [(0, 100), (102, 1_602), (1_602, 3_102), (3_102, 3_500)]
    assert program.minutes() == list(range(3_500))
    program.ask(50, 3_000)
    assert program.replies == [Done(), Done()]
    assert len(program.fetches) == 4


def test_minutes_that_the_exchange_does_not_have_are_refused_and_not_asked_for_twice(program: Program) -> None:
    program.listed = set(range(100)) - {40, 41}
    program.ask(0, 60)
    program.ask(30, 50)
    for reply in program.replies:
        assert isinstance(reply, Failed)
        assert (reply.kind, reply.message) == (
            "Refused",
            "the exchange has no bars of X for 2 minutes of 2023-08-31 23:40 to 2023-08-31 23:42",
        )
    assert program.fetches == [(0, 60)]
    assert program.minutes() == [m for m in range(60) if m not in (40, 41)]


def test_an_exchange_out_of_reach_is_tried_four_times_and_then_reported(program: Program) -> None:
    program.error = Unavailable("the exchange cannot be reached")
    program.ask(0, 10)
    for seconds in (1, 3, 9):
        assert program.replies == []
        program.pass_seconds(seconds)
    assert program.replies == [Failed("Unavailable", "the exchange cannot be reached")]
    assert len(program.fetches) == 4
    program.error, program.listed = None, set(range(10))
    program.ask(0, 10)
    assert program.replies[1:] == [Done()]


def test_a_refusal_of_the_exchange_is_passed_on_at_once(program: Program) -> None:
    program.error = Refused("there is no symbol X")
    program.ask(0, 10)
    assert program.replies == [Failed("Refused", "there is no symbol X")]


def test_a_range_off_the_minute_is_refused(program: Program) -> None:
    program.gui.request_async(DATA, EnsureBars("X", T0 + 1, T0 + MINUTE_MS), program.replies.append)
    program.bus.pump()
    (reply,) = program.replies
    assert isinstance(reply, Failed)
    assert (reply.kind, reply.field) == ("Invalid", "start_ms")


def test_files_are_imported_or_refused(program: Program, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    lines = ["time,open,high,low,close,volume"] + [f"{at(m)},5,6,4,5,10" for m in range(20)]
    path.write_text("\n".join(lines))
    reply = program.gui.request(DATA, ImportBars((str(path),), "X", "1m"))
    assert reply == Done("notice.imported", {"bars": "20", "symbol": "X"})
    assert program.minutes() == list(range(20))
    program.pass_seconds(2)
    assert program.coverages[-1] == Coverage("X", (TimeRange(at(0), at(20)),))
    path.write_text("\n".join(lines).replace("5,6,4,5,10", "5,1,4,5,10", 1))
    program.gui.request_async(DATA, ImportBars((str(path),), "Y", "1m"), program.replies.append)
    program.bus.pump()
    (refused,) = program.replies
    assert isinstance(refused, Failed)
    assert refused.message.startswith("a.csv line 2, column high: 1.0 is not allowed")
    assert MarketStore(program.root).symbols() == ["X"]


def test_a_broken_file_is_said_and_its_minutes_are_fetched_again(program: Program) -> None:
    program.close(*range(58, 61))
    program.bus.pump()
    program.bus.kill(DATA)
    program.store.close()
    (program.root / "X" / KIND / "2023-08.parquet").write_bytes(b"PAR1 nonsense")
    program.start()
    assert program.notices == [("warning", "notice.broken_file")]
    assert program.coverages[-1] == Coverage("X", (TimeRange(at(60), at(61)),))
    program.listed = set(range(100))
    program.ask(50, 61)
    assert program.replies == [Done()]
    assert program.minutes() == list(range(50, 61))


def test_the_log_of_a_month_that_is_over_is_compacted(program: Program) -> None:
    program.close(*range(58, 61))
    program.bus.pump()
    files = {path.name: path.stat().st_size for path in (program.root / "X" / KIND).iterdir()}
    assert set(files) == {"2023-08.parquet", "2023-09.parquet", "tail.log"}
    assert files["tail.log"] == 0
    assert program.minutes() == [58, 59, 60]


def test_a_bar_by_rest_takes_the_place_of_one_by_stream_and_never_the_other_way(program: Program) -> None:
    def stored_source() -> list[int]:
        return MarketStore(program.root).read("X", 0, 2**60).source.tolist()

    program.close(0, source=Source.STREAM)
    program.bus.pump()
    program.store.append("X", Bars.of([bar(0, 7.0)], Source.REST))
    assert stored_source() == [int(Source.REST)]
    program.close(0, source=Source.STREAM)
    program.bus.pump()
    assert stored_source() == [int(Source.REST)]
    assert MarketStore(program.root).read("X", 0, 2**60).close.tolist() == [7.0]


def test_minutes_lost_by_a_restart_are_fetched_at_once_with_their_flow(program: Program) -> None:
    recorded = {minute: msgspec.structs.replace(bar(minute), flow=Flow(minute / 10, 1.0)) for minute in range(9)}
    program.feed.publish(ClosedBar("X", recorded[0], int(Source.STREAM)), "X")
    program.bus.pump()
    program.bus.kill(DATA)
    program.store.close()
    program.feed.publish(ClosedBar("X", recorded[1], int(Source.STREAM)), "X")
    program.bus.pump()
    program.start()
    program.feed.answer(FetchBars, lambda request: FetchedBars("X", tuple(recorded[m] for m in range(1, 3))))
    for minute in (3, 4, 6):
        program.feed.publish(ClosedBar("X", recorded[minute], int(Source.STREAM), gap=minute == 6), "X")
    program.bus.pump()
    assert program.minutes() == [0, 1, 2, 3, 4, 6]
    found = MarketStore(program.root).read("X", T0, at(9), with_flow=True)
    assert [found.bar(index) for index in range(len(found))] == [recorded[m] for m in (0, 1, 2, 3, 4, 6)]
