"""Recorded sessions: what is written is read back as it came, whatever happened to the writer; secrets are not in it."""

from __future__ import annotations

import gzip
import time
from pathlib import Path

import pytest

from atm.exchange.client.recorder import RecorderLimits, SessionRecorder
from atm.exchange.session_file import answer_line, frame_line, packed, read_line, read_lines
from atm.model.errors import Invalid, Unavailable

FRAME = b'{"stream":"btcusdt@trade","data":{"e":"trade","E":1,"p":"61800.30"}}'
SLOW = RecorderLimits(period=60.0)


class Clock:
    def __init__(self) -> None:
        self.ns = 1_723_161_255_030_314_667

    def __call__(self) -> int:
        self.ns += 1
        return self.ns


def test_a_session_reads_back_as_it_came(tmp_path: Path) -> None:
    recorder = SessionRecorder(tmp_path, SLOW, Clock())
    recorder.frame(FRAME)
    recorder.answer("/fapi/v1/depth", "/fapi/v1/depth?symbol=BTCUSDT&limit=1000", b'{"lastUpdateId":5,"bids":[]}')
    recorder.answer("/fapi/v3/account", "/fapi/v3/account?timestamp=1&signature=ab12", b'{"totalWalletBalance":"1"}')
    state = recorder.close()
    (first, second) = read_lines(Path(state.path))
    assert first == (1_723_161_255_030_314_669, FRAME)
    line = read_line(second[1])
    assert line is not None and line.request == "/fapi/v1/depth?symbol=BTCUSDT&limit=1000"
    assert bytes(line.answer) == b'{"lastUpdateId":5,"bids":[]}'
    assert (state.messages, state.lost, state.error) == (2, 0, "")
    assert gzip.decompress(Path(state.path).read_bytes()).count(b"\n") == 2  # any gzip reader opens it


def test_secrets_are_not_written() -> None:
    key = b"pqia91ma19a5s61cv6a81va65sdf19v8a65a1"
    lines = [
        frame_line(1, b'{"stream":"%s","data":{"e":"listenKeyExpired","listenKey":"%s"}}' % (b"x", key)),
        answer_line(1, "/fapi/v1/order?timestamp=1&signature=" + key.decode(), b"{}"),
        answer_line(1, "/fapi/v1/listenKey", b'{"listenKey": "%s"}' % key),
        frame_line(1, b'{"X-MBX-APIKEY":"%s"}' % key),
    ]
    assert not [line for line in lines if key in line]
    assert all(line.count(b"redacted") == 1 for line in lines)


def test_after_a_kill_everything_is_there_but_the_last_piece(tmp_path: Path) -> None:
    pieces = [packed(b"".join(frame_line(10 * piece + at, FRAME) for at in range(5))) for piece in range(3)]
    path = tmp_path / "session.jsonl.gz"
    for cut in (1, 9, len(pieces[2]) // 2, len(pieces[2]) - 1):
        path.write_bytes(pieces[0] + pieces[1] + pieces[2][:cut])
        found = [stamp for stamp, raw in read_lines(path) if raw == FRAME]
        assert found[:10] == [0, 1, 2, 3, 4, 10, 11, 12, 13, 14]
        assert found[10:] == [20, 21, 22, 23, 24][: len(found) - 10]


def test_files_are_bounded_and_each_begins_with_the_instruments(tmp_path: Path) -> None:
    limits = RecorderLimits(file=3_000, total=9_000, piece=200, period=0.001)
    recorder = SessionRecorder(tmp_path, limits, Clock())
    recorder.answer("/fapi/v1/exchangeInfo", "/fapi/v1/exchangeInfo", b'{"symbols":[]}')
    while recorder.state.bytes < 20_000:
        before = recorder.state.bytes
        for _ in range(10):
            recorder.frame(FRAME)
        # a piece is as large as what has come meanwhile: the writer must keep up for the bounds to be those of the limits
        give_up = time.monotonic() + 10
        while recorder.state.bytes == before and time.monotonic() < give_up:
            time.sleep(0.0005)
    recorder.close()
    files = sorted(tmp_path.iterdir())
    assert 2 <= len(files) <= 5 and sum(file.stat().st_size for file in files) < 9_000 + 4_000
    assert "0001" not in files[0].name  # the oldest went
    for file in files:
        line = read_line(next(iter(read_lines(file)))[1])
        assert line is not None and line.request == "/fapi/v1/exchangeInfo"


def test_what_cannot_be_kept_is_counted_and_told_in_the_file(tmp_path: Path) -> None:
    recorder = SessionRecorder(tmp_path, RecorderLimits(waiting=3 * 100, period=60.0), Clock())
    for _ in range(10):
        recorder.frame(FRAME)
    state = recorder.close()
    assert state.messages + state.lost == 10 and state.lost == 7
    lines = [read_line(raw) for _, raw in read_lines(Path(state.path))]
    assert lines[-1] is not None and lines[-1].lost == 7


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="no recording can be written"):
        SessionRecorder(tmp_path / "file" / "deeper", SLOW)


def test_files_that_are_no_recordings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="recording"):
        list(read_lines(tmp_path / "missing"))
    (tmp_path / "other").write_text("hello\nworld\n")
    with pytest.raises(Invalid, match="nanoseconds"):
        list(read_lines(tmp_path / "other"))
