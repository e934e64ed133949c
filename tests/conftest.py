"""Shared by all tests: Hypothesis without deadlines (the first call of a kernel compiles it), a home folder, a display."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("atm", deadline=None, derandomize=True)
settings.load_profile("atm")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty folder for all user data."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def display() -> Iterator[str]:
    """A display to open windows on: the present one, or an Xvfb of our own."""
    present = os.environ.get("DISPLAY")
    if present:
        yield present
        return
    if shutil.which("Xvfb") is None:
        pytest.fail("the tests with a window need Xvfb (Debian: apt-get install xvfb)")
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1600x900x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=(write,), stderr=subprocess.DEVNULL)
    os.close(write)
    with os.fdopen(read) as answer:
        number = answer.readline().strip()
    os.environ["DISPLAY"] = f":{number}"
    yield os.environ["DISPLAY"]
    del os.environ["DISPLAY"]
    server.terminate()
    server.wait()
