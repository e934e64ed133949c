"""Plays sounds. The device is opened for a sound and closed after it: an open one keeps a thread of the system busy."""

from __future__ import annotations

import logging

import pygame

from atm.gui.sounds import RATE, Sound, samples

log = logging.getLogger(__name__)


class Player:
    """A machine without a sound device is silent, and says so once in the log."""

    def __init__(self) -> None:
        self._broken = False

    def play(self, sound: Sound, volume: float) -> bool:
        """Begin to play. volume: 0 … 1. True while the device must be given back by `rest` later."""
        if self._broken or volume <= 0:
            return False
        try:
            if not pygame.mixer.get_init():
                pygame.mixer.init(RATE, -16, 1, 512, allowedchanges=0)
            made = pygame.mixer.Sound(buffer=samples(sound))
            made.set_volume(volume)
            made.play()
        except pygame.error as error:
            log.info("no sound can be played here: %s", error)
            self._broken = True
            return False
        return True

    def rest(self) -> bool:
        """Give the device back if nothing plays. False while something does."""
        if not pygame.mixer.get_init():
            return True
        if pygame.mixer.get_busy():
            return False
        pygame.mixer.quit()
        return True
