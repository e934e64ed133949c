"""Shared by all tests: Hypothesis without deadlines (the first call of a kernel compiles it), a home folder, a display."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from atm.app import process_table
from tests.display import some_display

settings.register_profile("atm", deadline=None, derandomize=True)
settings.load_profile("atm")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty folder for all user data."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def light_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """Children that need no kernels are not kept waiting for them: the fork server would compile them first where none are cached."""
    monkeypatch.setattr(process_table, "PRELOAD", ())


@pytest.fixture(scope="session")
def display() -> Iterator[str]:
    """A display to open windows on: the present one, or an Xvfb of our own."""
    with some_display() as name:
        if name is None:
            pytest.fail("the tests with a window need Xvfb (Debian: apt-get install xvfb)")
        yield name
