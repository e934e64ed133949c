"""Free text loses what a key could be, and nothing that is read in logs."""

from __future__ import annotations

import base64
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atm.model.key_like import HIDDEN, without_keys

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
PEM = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----"


@given(st.text(ALPHABET, min_size=64, max_size=64), st.text(max_size=20), st.text(max_size=20))
def test_a_key_goes_whatever_stands_around_it(key: str, before: str, after: str) -> None:
    assert key not in without_keys(f"{before}{key}{after}")


def test_private_keys_go_as_pem_and_as_its_line_alone() -> None:
    assert without_keys(f"bad key {PEM}!") == f"bad key {HIDDEN}!"
    assert without_keys(repr(PEM)) == f"'{HIDDEN}'"
    assert without_keys(PEM.splitlines()[1]) == HIDDEN
    seed = base64.b64encode(secrets.token_bytes(48)).decode()
    assert without_keys(f"a {seed} b") == f"a {HIDDEN} b"


@pytest.mark.parametrize(
    "text",
    [
        '  File "/home/somebody/programs/tradingmachine/environment/lib/python3.12/asyncio/runners.py", line 118, in run',
        "an order atm-1-FILUSDT-000000000000000000000001 of 0.00001234 at 1700000000000",
        "https://fapi.binance.com/fapi/v1/order: InvalidAnswerOfTheExchangeError",
    ],
)
def test_what_is_read_in_logs_stays(text: str) -> None:
    assert without_keys(text) == text
