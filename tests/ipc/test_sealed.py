"""Messages that only one process can read."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atm.ipc.sealed import SealReader, seal_for
from atm.model.errors import Invalid


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=300))
def test_the_reader_reads_what_was_sealed(text: str) -> None:
    reader = SealReader()
    sealed = seal_for(reader.public, text, "activate main")
    assert reader.open(sealed, "activate main") == text
    assert len(text) < 8 or text.encode() not in sealed


def test_nobody_else_and_for_nothing_else() -> None:
    reader = SealReader()
    sealed = seal_for(reader.public, "secret", "activate main")
    for other, purpose in ((SealReader(), "activate main"), (reader, "activate other")):
        with pytest.raises(Invalid, match="sealed for this process"):
            other.open(sealed, purpose)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_no_changed_byte_passes(data: st.DataObject) -> None:
    reader = SealReader()
    sealed = seal_for(reader.public, "secret", "p")
    at = data.draw(st.integers(0, len(sealed) - 1))
    bit = data.draw(st.integers(0, 7))
    with pytest.raises(Invalid):
        reader.open(sealed[:at] + bytes([sealed[at] ^ 1 << bit]) + sealed[at + 1 :], "p")


@given(st.binary(max_size=80))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(Invalid):
        SealReader().open(data, "p")


def test_equal_messages_do_not_look_equal_and_the_private_half_stays() -> None:
    reader = SealReader()
    assert seal_for(reader.public, "x", "p") != seal_for(reader.public, "x", "p")
    with pytest.raises(TypeError):
        pickle.dumps(reader)
    with pytest.raises(Invalid, match="32 bytes"):
        seal_for(b"short", "x", "p")
