import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atm.model.errors import Invalid
from atm.model.live_order import Purpose
from atm.trading.live.client_id import MOST_ATTEMPTS, MOST_SLICES, belongs_to, client_id, read, tag

# Allowed by every end point: exchange §3.2 without ":" and "/", which the library signs in another form than it sends.
ALLOWED = re.compile(r"[A-Za-z0-9._-]{1,36}")


@given(
    st.text(min_size=1, max_size=64),
    st.integers(0, 253_402_300_799_000 // 60_000),
    st.sampled_from(Purpose),
    st.integers(0, MOST_SLICES - 1),
    st.integers(0, MOST_ATTEMPTS - 1),
)
def test_an_id_is_allowed_and_can_be_read_back(account: str, minute: int, purpose: Purpose, piece: int, attempt: int):
    text = client_id(account, "1000SHIBUSDT", minute * 60_000 + 59_999, purpose, piece, attempt)
    assert ALLOWED.fullmatch(text)
    found = read(text)
    assert found is not None
    assert (found.account, found.position) == (tag(account), tag("1000SHIBUSDT"))
    assert (found.minute_ms, found.purpose, found.slice, found.attempt) == (minute * 60_000, purpose, piece, attempt)
    assert belongs_to(text, account)


@pytest.mark.parametrize("text", ["", "autoclose-123", "web_abc", "adl_autoclose", "x" * 36])
def test_other_ids_are_nobodys(text: str) -> None:
    assert read(text) is None
    assert not belongs_to(text, "main")


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(Invalid, match="slice"):
        client_id("a", "b", 0, Purpose.OPEN, MOST_SLICES, 0)
    with pytest.raises(Invalid, match="attempt"):
        client_id("a", "b", 0, Purpose.OPEN, 0, MOST_ATTEMPTS)
