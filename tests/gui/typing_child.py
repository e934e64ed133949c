"""A window without a display, in a process of its own: types what it is told into the form of keys, and sends it."""

from __future__ import annotations

import sys
import time

from imgui_bundle import imgui

from tests.gui.filled import filled_model
from tests.gui.pilot import Pilot, bare_context
from tests.gui.test_activation_card import actual_account

STEP_S = 0.1


def typed(pilot: Pilot, mark: str, text: str) -> None:
    """Letter by letter, as a person does, with a frame for each."""
    pilot.click(mark)
    for letter in text:
        imgui.get_io().add_input_character(ord(letter))
        pilot.frames(1)


def main() -> None:
    with bare_context():
        pilot = Pilot(filled_model())
        actual_account(pilot)
        for mark in ("activation.key", "activation.secret"):
            typed(pilot, mark, sys.stdin.readline().strip())
        print("typed", flush=True)
        sys.stdin.readline()
        pilot.click("activation.send")
        assert len(pilot.sent) == 1
        print("sent", flush=True)
        while True:
            pilot.frames(1)
            time.sleep(STEP_S)


if __name__ == "__main__":
    main()
