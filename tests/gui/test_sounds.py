"""Sounds of trading events: which event is heard, what is made, and that a silent machine stays alive."""

from __future__ import annotations

from array import array
from itertools import pairwise

import pygame
import pytest
from imgui_bundle import ImVec2, imgui

from atm.gui.player import Player
from atm.gui.sounds import RATE, Sound, samples, sound_of
from atm.gui.ui import PageName
from atm.model.notice import Notice, Severity
from tests.gui.pilot import Pilot


def notice(text: str, severity: Severity = Severity.INFO) -> Notice:
    return Notice(0, "trade", severity, text)


def test_what_is_heard() -> None:
    assert sound_of(notice("notice.fill")) is Sound.FILL
    assert sound_of(notice("notice.stop", Severity.WARNING)) is Sound.STOP
    assert sound_of(notice("notice.disconnected", Severity.WARNING)) is Sound.DISCONNECT
    assert sound_of(notice("notice.liquidation", Severity.CRITICAL)) is Sound.ERROR
    assert sound_of(notice("notice.disk_full", Severity.CRITICAL)) is Sound.ERROR
    assert sound_of(notice("notice.imported")) is None


@pytest.mark.parametrize("sound", Sound)
def test_a_sound_is_short_not_too_loud_and_does_not_click(sound: Sound) -> None:
    wave = array("h", samples(sound))
    assert 0.15 < len(wave) / RATE < 0.6
    assert 8_000 < max(map(abs, wave)) < 17_000
    assert abs(wave[0]) < 300 and abs(wave[-1]) < 900
    assert max(abs(b - a) for a, b in pairwise(wave)) < 5_000


def test_the_device_is_given_back_after_the_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_AUDIODRIVER", "dummy")
    player = Player()
    assert player.play(Sound.FILL, 0.5)
    assert not player.rest()
    pygame.mixer.stop()
    assert player.rest() and not pygame.mixer.get_init()
    assert not player.play(Sound.FILL, 0.0)


def test_a_machine_without_a_device_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_AUDIODRIVER", "there-is-none")
    player = Player()
    assert not player.play(Sound.ERROR, 1.0)
    assert player.rest()


def test_sounds_are_chosen_on_the_settings_page(pilot: Pilot) -> None:
    heard: list[Sound] = []
    pilot.ui.on_sound = heard.append
    imgui.get_io().display_size = ImVec2(1600, 2400)
    pilot.show(PageName.SETTINGS)
    pilot.click("sounds.stop.hear")
    assert heard == [Sound.STOP]
    pilot.click("sounds.stop")
    assert pilot.preferences.sounds.silent == ("stop",)
    pilot.click("sounds.on")
    assert not pilot.preferences.sounds.on and not pilot.sees("sounds.stop")
    assert pilot.stored_preferences == 2
