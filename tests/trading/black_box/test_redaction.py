"""No secret enters: planted ones are looked for in segments and exports."""

from __future__ import annotations

import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atm.app import incident_export
from atm.app.incident_export import export_incident
from atm.model.account import AccountKind, AccountSetup
from atm.model.endpoint import Addresses, Endpoint
from atm.model.incident import Wanted
from atm.model.live_request import Answer, Failure, FailureKind
from atm.model.program import ProgramContext
from atm.model.risk import LiveSetup, SymbolSetup
from atm.storage.flight_log import FlightLimits, FlightLog, read_lines, segments
from atm.storage.home import black_box, logs
from atm.trading.black_box.recorder import FlightRecorder
from atm.trading.black_box.redaction import HIDDEN, Redactor

KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
LISTEN = "pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1"
SIGNATURE = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
WEBHOOK = "https://discord.com/api/webhooks/123456/abcdef-token"
MAIL = "somebody.private@example.org"
USER = "kimprivate"
PLANTED = (KEY, SECRET, LISTEN, SIGNATURE, "abcdef-token", MAIL, USER, "hunter2secret", "pg-password-9", "MIIEvQIBADAN")
SAID = f"""
GET https://fapi.binance.com/fapi/v1/order?symbol=X&timestamp=1&signature={SIGNATURE}
headers {{'X-MBX-APIKEY': '{KEY}'}} secret={SECRET} listenKey: "{LISTEN}"
wss://fstream.binance.com/ws/{LISTEN}
message to {WEBHOOK} failed; mailto://{MAIL}:hunter2secret@smtp.example.org; reply to {MAIL}
/home/{USER}/keys/first.atmkeys /media/{USER}/STICK/first.atmkeys C:\\Users\\{USER}\\keys
postgresql://trader:pg-password-9@db.example.org/atm password=hunter2secret
-----BEGIN PRIVATE KEY-----
MIIEvQIBADANBgkqhkiG9w0BAQEFAASC
-----END PRIVATE KEY-----
"""


def has_planted(data: bytes) -> list[str]:
    return [word for word in PLANTED if word.encode() in data]


def test_free_text_loses_what_is_private_and_keeps_what_helps() -> None:
    clean = Redactor((USER,)).text(SAID)
    assert not has_planted(clean.encode())
    assert "https://fapi.binance.com/fapi/v1/order" in clean
    kept = "Margin is insufficient. (-2019) order 1h1frdw-0s9bt50-gt6rj-O1-0 of FILUSDT at 3.1415 after 12:30:05"
    assert Redactor().text(kept) == kept


@pytest.mark.parametrize(
    ("said", "private"),
    [
        ("password = 'correct horse battery' refused", "horse"),
        ('{"password": "correct horse", "passphrase": "battery staple"}', "staple"),
        ("PWD=hunter2secret", "hunter2secret"),
        ("bot 123456789:AAE-abcdefghijklmnopqrstuvwxyz_0123 answered 401", "abcdefghij"),
        ("(-2015) Invalid API-key, IP, or permissions for action, request ip: 203.0.113.77", "203.0.113.77"),
        ("('203.0.113.77', 443) timed out", "203.0.113.77"),
        ("request ip: 2001:db8:85a3::8a2e:370:7334", "370:7334"),
        ("from 2001:db8::77 to here", "db8::77"),
        (r"cannot open 'C:\\Users\\kimprivate\\keys'", USER),
    ],
)
def test_what_is_private_in_other_forms(said: str, private: str) -> None:
    assert private not in Redactor().text(said)
    assert HIDDEN in Redactor().text(said) or "~" in Redactor().text(said)


def test_what_only_looks_private_is_kept() -> None:
    kept = "127.0.0.1:8080 answered, numba 0.61.2, minute 12:30:05, 1.2.3.4.5, FILUSDT at 3.141"
    assert Redactor().text(kept) == kept


@given(
    st.permutations([KEY, LISTEN, MAIL, WEBHOOK, f"/home/{USER}/x", f"signature={SIGNATURE}", f"secret: '{SECRET}'"]),
    st.lists(st.text("ab 1\n,;'\"{}()[]", max_size=6), min_size=8, max_size=8),
)
def test_no_order_and_no_neighbour_lets_a_secret_through(words: list[str], between: list[str]) -> None:
    text = "".join(f" {word} {each}" for word, each in zip(words, between[1:], strict=True))
    assert not has_planted(Redactor((USER,)).text(text).encode())


@pytest.fixture
def context(tmp_path: Path) -> ProgramContext:
    url = "postgresql://trader:pg-password-9@db.example.org/atm"
    home = tmp_path / USER
    return ProgramContext(home, tmp_path, Endpoint.LIVE, Addresses("", ""), 1, 1, (), database_url=url)


def test_nothing_planted_is_in_segments_or_in_an_export(
    context: ProgramContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, redactor = black_box(context.home), Redactor((USER,))
    log = FlightLog(folder, FlightLimits(), lambda: 1_000)
    recorder = FlightRecorder(log, lambda: 0.0, lambda: 1_000, redactor)
    account: Any = recorder.live("first", LiveSetup({"FILUSDT": SymbolSetup()}), {})
    step = account.start(5)
    ((number, _), *_) = step.requests
    account.answered(Answer(number, 5, failure=Failure(FailureKind.NOT_DONE, reason=SAID)), 10)
    recorder.told("first", "CRITICAL", "notice.account_failed", {"account": "first", "reason": SAID})
    engine: Any = SimpleNamespace(symbols=(), market_ms=0, dump=lambda: b"", method_versions={})
    recorder.engine(AccountSetup("first", AccountKind.ACTUAL, uid=918273645), engine, None, (), (), {})
    recorder.close()
    raw = b"\n".join(line for path in segments(folder) for line in read_lines(path))
    assert b"notice.account_failed" in raw and b"[redacted]" in raw
    assert not has_planted(raw)
    assert b"918273645" not in raw, "the number of the exchange's user"
    logs(context.home).mkdir()
    (logs(context.home) / "trade.log").write_text(SAID * 3)
    found = SimpleNamespace(name="home folder", ok=False, text=SAID)
    monkeypatch.setattr(incident_export, "examine", lambda *_, **__: [found])
    path, manifest = export_incident(context, Wanted(0, 2_000, reason="test"))
    assert {"logs/trade.log", "doctor.txt", "configuration.json", "versions.json"} <= manifest.files.keys()
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            assert not has_planted(archive.read(name)), name
        assert b"BAD  home folder" in archive.read("doctor.txt")
