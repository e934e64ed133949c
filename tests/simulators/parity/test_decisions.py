"""What was decided live is decided again bit for bit; where it is not, the cause is the one that there was."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from atm.ipc.messages import ForceClear, SetTrading
from atm.model.interval import DAY_MS, HOUR_MS, MINUTE_MS
from atm.model.parity import DecisionCause
from atm.model.parity_record import CLEARED, DAY_BEGAN, MISSING, TRADING
from atm.simulators.parity import RecordedDay, compared
from tests.managers.trade_harness import SYMBOLS, Program
from tests.simulators.parity.recorded import FIRST, HISTORY, SECOND, finish, market, program, recorded

REST_OF_DAY = 1_440 - HISTORY


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """Two day's ends; killed once in each day; trading switched off for a while and positions closed by the user in the second."""
    made = program(tmp_path_factory.mktemp("parity"), REST_OF_DAY + 1_440 + 60)
    made.play(500)
    made.kill()
    made.play(5)
    made.start()
    made.play(REST_OF_DAY - 505 + 400)
    made.ask(ForceClear("paper"))
    made.play(100)
    made.ask(SetTrading("paper", False))
    made.play(100)
    made.ask(SetTrading("paper", True))
    made.play(100)
    made.kill()
    made.start()
    made.play(800)
    finish(made)
    return made


def test_a_live_day_decides_the_same_again(ran: Program) -> None:
    for day_ms in (FIRST, SECOND):
        day = recorded(ran, day_ms)
        found = compared(day, market(ran, day))
        assert (found.different, found.missing) == (0, 0)
        assert found.count > 2 * 150  # a row every five minutes of two symbols
        assert found.again.fills[-3:] == day.inside()[-3:]
        assert day.end_ms == day_ms + DAY_MS
        assert day.after is not None and found.again.engine is not None
        assert found.again.engine.dump() == day.after.engine


def test_the_record_says_what_the_user_has_done(ran: Program) -> None:
    day = recorded(ran, SECOND)
    assert [segment.why for segment in day.segments] == [(DAY_BEGAN,), (CLEARED,), (TRADING,), (TRADING,)]
    assert day.segments[1].cleared
    assert len(day.hours) == 24
    assert {len(hour.bars) for hour in day.hours} == {2}


def test_a_bar_that_came_too_late_is_the_cause(tmp_path: Path) -> None:
    made = program(tmp_path, REST_OF_DAY + 60)
    lacking = made.bars[SYMBOLS[0]].open_time[HISTORY + 200 : HISTORY + 212]
    made.can_ensure = False
    whole = made.bars[SYMBOLS[0]]
    kept = ~np.isin(whole.open_time, lacking)
    made.play(200)
    # twelve minutes of one symbol reach neither the account nor the store
    for _ in range(12):
        bar = made.bars[SYMBOLS[1]].slice(made.at, made.at + 1)
        made.writer.append(SYMBOLS[1], bar)
        made.publish_bar(SYMBOLS[1], bar.bar(0))
        made.at += 1
        made.bus.pump()
    assert not kept.all()
    made.play(REST_OF_DAY - 212 + 60)
    finish(made)
    made.writer.put(SYMBOLS[0], whole.between(int(lacking[0]), int(lacking[-1]) + MINUTE_MS))
    made.reader = type(made.reader)(made.context.home / "market")
    day = recorded(made, FIRST)
    found = compared(day, market(made, day))
    assert found.missing == 12
    assert found.different > 0
    assert set(found.causes) <= {DecisionCause.LATE_BAR, DecisionCause.LATE_ROW}
    first = found.differences[0]
    assert first.since_ms in lacking.tolist() and first.time_ms > first.since_ms


def other_bar(ran: Program, day: RecordedDay, time_ms: int) -> RecordedDay:
    """The record of an account that had another bar than is stored."""
    hours = []
    for hour in day.hours:
        bars = {symbol: bytearray(digests) for symbol, digests in hour.bars.items()}
        if hour.hour_ms == time_ms // HOUR_MS * HOUR_MS:
            np.frombuffer(bars[SYMBOLS[0]], "<u4")[(time_ms - hour.hour_ms) // MINUTE_MS] ^= 0x00FF00
        hours.append(msgspec.structs.replace(hour, bars=bars))
    return with_hours(day, hours)


def with_hours(day: RecordedDay, hours: list) -> RecordedDay:
    return RecordedDay(
        day.account, day.segments, hours, day.end_ms, day.after, day.before, day.fills, day.equity, day.earlier
    )


def decided_otherwise(day: RecordedDay, since_ms: int) -> RecordedDay:
    """The record of an account that wanted something else from a minute on."""
    hours = []
    for hour in day.hours:
        decisions = [
            (time, symbol, (np.frombuffer(row) + 0.5).tobytes() if time >= since_ms and symbol == SYMBOLS[0] else row)
            for time, symbol, row in hour.decisions
        ]
        hours.append(msgspec.structs.replace(hour, decisions=decisions))
    return with_hours(day, hours)


def test_a_corrected_bar_is_the_cause(ran: Program) -> None:
    day = recorded(ran, FIRST)
    corrected = day.begin_ms + 200 * MINUTE_MS
    otherwise = other_bar(ran, decided_otherwise(day, corrected), corrected)
    found = compared(otherwise, market(ran, day))
    assert found.different > 0
    assert set(found.causes) == {DecisionCause.CORRECTED}
    assert {each.since_ms for each in found.differences} == {corrected}


def without_bar(day: RecordedDay, time_ms: int) -> RecordedDay:
    """The record of an account that went on without a minute."""
    hours = []
    for hour in day.hours:
        bars = {symbol: bytearray(digests) for symbol, digests in hour.bars.items()}
        if hour.hour_ms == time_ms // HOUR_MS * HOUR_MS:
            np.frombuffer(bars[SYMBOLS[0]], "<u4")[(time_ms - hour.hour_ms) // MINUTE_MS] = MISSING
        hours.append(msgspec.structs.replace(hour, bars=bars))
    return with_hours(day, hours)


def with_other_rows(day: RecordedDay, since_ms: int) -> RecordedDay:
    """The record of an account whose analyses said something else from a minute on."""
    hours = []
    for hour in day.hours:
        rows = {analysis: bytearray(digests) for analysis, digests in hour.rows.items()}
        for digests in rows.values():
            values = np.frombuffer(digests, "<u4")
            times = hour.hour_ms + np.arange(len(values)) * MINUTE_MS
            values[(values > MISSING) & (times >= since_ms)] ^= 0x00FF00
        hours.append(msgspec.structs.replace(hour, rows=rows))
    return with_hours(day, hours)


def test_a_late_bar_is_no_excuse_for_what_its_absence_does_not_make(ran: Program) -> None:
    """Unless the analysis has said something else since as well, which the account's own minutes do not show."""
    day = recorded(ran, FIRST)
    late = day.begin_ms + 200 * MINUTE_MS
    otherwise = without_bar(decided_otherwise(day, late + 30 * MINUTE_MS), late)
    found = compared(otherwise, market(ran, day))
    assert found.missing == 1 and found.different > 0
    assert set(found.causes) == {DecisionCause.UNKNOWN}
    found = compared(with_other_rows(otherwise, late), market(ran, day))
    assert set(found.causes) == {DecisionCause.LATE_BAR}


def test_another_version_or_configuration_is_the_cause_and_else_it_is_unknown(ran: Program) -> None:
    day = recorded(ran, FIRST)
    otherwise = decided_otherwise(day, day.begin_ms + 200 * MINUTE_MS)
    for version, configuration, cause in (
        ("another", "", DecisionCause.VERSION),
        ("", "another", DecisionCause.CONFIGURATION),
        ("", day.segments[0].configuration, DecisionCause.UNKNOWN),
    ):
        found = compared(otherwise, market(ran, day), version, configuration)
        assert found.different > 0 and set(found.causes) == {cause}
