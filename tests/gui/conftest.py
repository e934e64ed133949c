"""Pilots over a filled and over an empty read model."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from atm.gui.read_model import ReadModel
from tests.gui.filled import filled_model
from tests.gui.pilot import Pilot, bare_context


@pytest.fixture
def pilot() -> Iterator[Pilot]:
    with bare_context():
        yield Pilot(filled_model())


@pytest.fixture
def newcomer() -> Iterator[Pilot]:
    """The first start: nothing has arrived yet."""
    with bare_context():
        yield Pilot(ReadModel())
