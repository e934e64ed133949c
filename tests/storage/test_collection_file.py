"""The list of what is collected."""

from __future__ import annotations

from pathlib import Path

import pytest

from atm.model.data_job import Collection, Retention
from atm.model.errors import Invalid
from atm.storage.collection_file import NAME, CollectionState, OpenDownload, load, store


def test_it_begins_with_the_configured_symbols_and_takes_up_those_that_are_configured_later(tmp_path: Path) -> None:
    state = load(tmp_path, ["X", "Y"])
    assert state.symbols == (Collection("X"), Collection("Y"))
    store(tmp_path, state.changed([Collection("X", False, False)]))
    later = load(tmp_path, ["X", "Z"])
    assert later.symbols == (Collection("X", False, False), Collection("Y"), Collection("Z"))
    assert later.collected() == ("Y", "Z")
    assert (later.stores_flow("X"), later.stores_flow("Y"), later.stores_flow("unknown")) == (False, True, True)


def test_everything_is_kept(tmp_path: Path) -> None:
    state = CollectionState(
        (Collection("X", True, False),), Retention(3, 40), (OpenDownload("repair", "X", 0, 60_000, True),)
    )
    store(tmp_path, state)
    assert load(tmp_path, []) == state


@pytest.mark.parametrize("content", ["{", '{"symbols": [{"symbol": "X", "bars": false, "flow": true}]}'])
def test_a_broken_list_is_put_aside_and_the_defaults_hold(tmp_path: Path, content: str) -> None:
    (tmp_path / NAME).write_text(content)
    assert load(tmp_path, ["X"]).symbols == (Collection("X"),)
    assert [path.name for path in tmp_path.iterdir()] == ["collection.broken"]


@pytest.mark.parametrize("months", [-1, 1_201])
def test_a_retention_out_of_range_is_refused(months: int) -> None:
    with pytest.raises(Invalid, match="flow_months"):
        Retention(months)
