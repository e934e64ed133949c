"""When memory is overwritten: never while somebody works with what was opened, never what is still needed."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

import pytest

from atm.managers import memory_wiper
from atm.managers.memory_wiper import MemoryWiper
from atm.model.secret import ApiKeys

PAIR = ("a1B2c3D4" * 8, "e5F6g7H8" * 8)
TRACES = [each.encode() for each in PAIR]


class Wiped:
    """A wiper that only tells what it would overwrite, and whose turn comes when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[Coroutine[None, None, None]] = []
        self.used: list[ApiKeys] = []
        self.gone: list[list[bytes]] = []
        self.wiper = MemoryWiper(self.waiting.append, lambda: self.used, self._overwrite)

    def _overwrite(self, keys: list[bytearray], _: list[bytearray]) -> int:
        self.gone.append([bytes(each) for each in keys])
        return len(keys)

    def turn(self) -> None:
        """All that was begun comes to its end."""

        async def run() -> None:
            while self.waiting:
                await self.waiting.pop(0)

        asyncio.run(run())


@pytest.fixture
def wiped(monkeypatch: pytest.MonkeyPatch) -> Wiped:
    monkeypatch.setattr(memory_wiper, "HANG_UP_S", 0.0)
    return Wiped()


def test_keys_that_nobody_needs_are_overwritten(wiped: Wiped) -> None:
    wiped.wiper.forget_keys(ApiKeys(*PAIR))
    wiped.turn()
    assert wiped.gone == [TRACES]


def test_what_is_opened_in_the_turn_in_which_the_wiping_begins_is_left_alone(wiped: Wiped) -> None:
    wiped.wiper.forget_keys(ApiKeys(*PAIR))
    wiped.wiper.hold()  # the same keys, to be tried again; who tries them has had no turn yet
    wiped.turn()
    assert wiped.gone == []
    wiped.used = [ApiKeys(*PAIR)]
    wiped.wiper.release()
    wiped.turn()
    assert [each for each in wiped.gone if each] == [], "they are in use now"


def test_what_was_held_back_is_overwritten_after_it(wiped: Wiped) -> None:
    wiped.wiper.hold()
    wiped.wiper.hold()
    wiped.wiper.forget_keys(ApiKeys(*PAIR))
    wiped.wiper.release()
    wiped.turn()
    assert wiped.gone == []
    wiped.wiper.release()
    wiped.turn()
    assert wiped.gone == [TRACES]
