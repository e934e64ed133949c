"""The window that tells where its controls are, and a person who uses it by mouse and keys of the X server."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from atm.app.control import ask_running
from tests.program.running import RunningProgram, wait_until
from tests.program.x11 import Desktop

TITLE = "Auto Trade Machine"
PLACES = "places.json"


def run(assistant: Any, context: Any) -> None:
    """Entry of the process: each frame's controls, as {mark: [left, top, right, bottom]}, in a file beside the home folder."""
    from atm.gui.application import GUIManager
    from atm.gui.shell import Shell

    manager = GUIManager(assistant, context)
    path, probe, told = context.home.parent / PLACES, {}, [b""]  # type: ignore[var-annotated]
    manager.ui.probe = probe
    draw = Shell.draw

    def drawn(shell: Shell, ui: Any) -> None:
        probe.clear()
        draw(shell, ui)
        text = json.dumps(probe).encode()
        if text != told[0]:
            told[0] = text
            aside = path.with_suffix(".new")
            aside.write_bytes(text)
            aside.replace(path)

    Shell.draw = drawn  # type: ignore[method-assign]
    manager.run()


class Person:
    """Gives a program without a window one on a display, and uses it."""

    def __init__(self, program: RunningProgram, display: str) -> None:
        self._program, self._places = program, program.home.parent / PLACES
        ask_running(program.home, {"command": "attach", "environment": {"DISPLAY": display}})
        self._window = Desktop(display).window(TITLE, program.alive)
        self._window.focus()

    def sees(self, mark: str) -> bool:
        return mark in self._seen()

    def click(self, mark: str) -> None:
        """On the middle of a control, once it is there."""
        wait_until(f"{mark} is on the screen", lambda: self.sees(mark))
        left, top, right, bottom = self._seen()[mark]
        self._window.click(int((left + right) / 2), int((top + bottom) / 2))

    def click_until(self, mark: str, is_so: Callable[[], bool]) -> None:
        """Again where the control has moved from under the pointer."""

        def tried() -> bool:
            if not is_so():
                self.click(mark)
            return is_so()

        wait_until(f"{mark} has done its work", tried)

    def type(self, mark: str, text: str) -> None:
        """Letter by letter into a field."""
        self.click(mark)
        self._window.type(text)

    def close(self) -> None:
        self._window.close()
        wait_until("the window is gone", lambda: "gui" not in self._program.processes())

    def _seen(self) -> dict[str, list[float]]:
        seen: dict[str, list[float]] = json.loads(self._places.read_bytes()) if self._places.exists() else {}
        return seen
