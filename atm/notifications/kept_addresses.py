"""Addresses in the keyring of the system, where they outlast the program."""

from __future__ import annotations

import logging

import keyring
import keyring.errors

from atm.notifications.addresses import split

log = logging.getLogger(__name__)

_SERVICE = "auto-trade-machine notifications"


class Keyring:
    """The keyring of the system, if it has one. `user`: tells several homes of the program apart."""

    def __init__(self, user: str) -> None:
        self._user = user

    def load(self) -> tuple[str, ...]:
        """What is kept; nothing where there is no keyring."""
        try:
            return split(keyring.get_password(_SERVICE, self._user) or "")
        except (keyring.errors.KeyringError, RuntimeError) as error:
            log.info("no keyring of the system can be used: %s", error.__class__.__name__)
            return ()

    def keep(self, addresses: tuple[str, ...]) -> bool:
        """Store them. False where there is no keyring."""
        try:
            keyring.set_password(_SERVICE, self._user, "\n".join(addresses))
        except (keyring.errors.KeyringError, RuntimeError) as error:
            log.info("no keyring of the system can be used: %s", error.__class__.__name__)
            return False
        return True
