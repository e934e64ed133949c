"""Segments of the black box: what a kill leaves, and how much there may be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from atm.storage.flight_log import PACKED, FlightLimits, FlightLog, read_lines, segments

LIMITS = FlightLimits(segment=1_000)
_WRITER = """
import sys
from pathlib import Path
from atm.storage.flight_log import FlightLimits, FlightLog
log = FlightLog(Path(sys.argv[1]), FlightLimits(segment=20_000), lambda: 0)
log.begin()
number = 0
while True:
    number += 1
    if log.is_full:
        log.begin()
    log.append(b"%d " % number + b"x" * (number % 200))
    print(number, flush=True)
"""


def written(folder: Path, count: int, limits: FlightLimits = LIMITS) -> FlightLog:
    log = FlightLog(folder, limits, lambda: 0)
    log.begin()
    for number in range(count):
        if log.is_full:
            log.begin()
        log.append(b"line %d" % number)
    return log


def numbers(folder: Path) -> list[int]:
    return [int(line.split()[1]) for path in segments(folder) for line in read_lines(path)]


def test_lines_come_back_in_order_over_packed_segments(tmp_path: Path) -> None:
    written(tmp_path, 200).close()
    assert numbers(tmp_path) == list(range(200))
    written(tmp_path, 0).close()
    assert len(list(tmp_path.glob(f"*{PACKED}"))) == len(segments(tmp_path)) - 1
    assert numbers(tmp_path) == list(range(200))


@pytest.mark.parametrize("cut", [1, 5, 12, 17])
def test_a_torn_line_at_the_end_is_left_out(tmp_path: Path, cut: int) -> None:
    log = FlightLog(tmp_path, FlightLimits(), lambda: 0)
    log.begin()
    for number in range(10):
        log.append(b"line %d" % number)
    (path,) = segments(tmp_path)
    os.truncate(path, path.stat().st_size - cut)
    assert numbers(tmp_path) == list(range(9 if cut <= 16 else 8))


def test_a_damaged_line_is_left_out_and_those_behind_it_are_kept(tmp_path: Path) -> None:
    log = FlightLog(tmp_path, FlightLimits(), lambda: 0)
    log.begin()
    for number in range(10):
        log.append(b"line %d" % number)
    (path,) = segments(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"line 4", b"line 5"))
    assert numbers(tmp_path) == [0, 1, 2, 3, 5, 6, 7, 8, 9]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_kill_loses_nothing_that_was_appended(tmp_path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    )
    assert writer.stdout is not None
    told = 0
    for line in writer.stdout:
        told = int(line)
        if told >= 700:
            break
    writer.send_signal(signal.SIGKILL)
    told = max([told, *(int(line) for line in writer.stdout if line.endswith("\n"))])
    writer.wait()
    found = [int(line.split()[0]) for path in segments(tmp_path) for line in read_lines(path)]
    assert found == list(range(1, len(found) + 1))
    assert len(found) >= told
    written(tmp_path, 0).close()
    assert not list(tmp_path.glob("*.tmp"))
    again = [int(line.split()[0]) for path in segments(tmp_path) for line in read_lines(path)]
    assert again == found


def test_all_segments_together_stay_within_their_limit(tmp_path: Path) -> None:
    limits = FlightLimits(segment=2_000, total=6_000)
    log = FlightLog(tmp_path, limits, lambda: 0)
    for number in range(40):
        log.begin()
        while not log.is_full:
            log.append(os.urandom(60).hex().encode())
        log.close()
        size = sum(path.stat().st_size for path in segments(tmp_path))
        assert size <= limits.total + limits.segment, number
    assert len(segments(tmp_path)) >= 2


def test_what_is_too_old_goes(tmp_path: Path) -> None:
    now_s = 100 * 86_400
    log = FlightLog(tmp_path, FlightLimits(days=2.0), lambda: now_s * 1000)
    for age_days in (3, 1):
        log.begin()
        log.append(b"line %d" % age_days)
        log.close()
        newest = segments(tmp_path)[-1]
        os.utime(newest, (now_s - age_days * 86_400,) * 2)
    log.begin()
    log.close()
    assert numbers(tmp_path) == [1]


def test_a_full_disk_is_an_error_and_the_next_segment_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = written(tmp_path, 3)

    class Full:
        def write(self, data: bytes) -> int:
            return len(data) - 4

        def close(self) -> None: ...

    monkeypatch.setattr(log, "_file", Full())
    with pytest.raises(OSError, match="the disk is full"):
        log.append(b"line 3")
    log.begin()
    log.append(b"line 4")
    assert numbers(tmp_path) == [0, 1, 2, 4]


def test_a_segment_ends_with_its_day_so_that_what_is_old_can_go(tmp_path: Path) -> None:
    now = 0
    log = FlightLog(tmp_path, FlightLimits(), lambda: now)
    log.begin()
    log.append(b"a quiet day")
    now = 86_399_999
    assert not log.is_full
    now += 1
    assert log.is_full
    log.begin()
    assert not log.is_full
    log.close()
