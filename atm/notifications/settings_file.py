"""The rules of notifications in one small file at home. Read by main before anything else runs, so nothing heavy in here."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import msgspec

from atm.model.notification import NotificationSettings
from atm.notifications.addresses import FILE_VARIABLE, VARIABLE
from atm.storage.file_lock import write_whole

log = logging.getLogger(__name__)

_NAME = "notifications.json"


def load(home: Path) -> NotificationSettings:
    """The stored rules; the defaults where there are none, or none that can be read (said in the log)."""
    try:
        return msgspec.json.decode((home / _NAME).read_bytes(), type=NotificationSettings)
    except FileNotFoundError:
        return NotificationSettings()
    except (OSError, msgspec.DecodeError) as error:
        log.error("%s cannot be read, notifications are off: %s", home / _NAME, error)
        return NotificationSettings()


def save(home: Path, settings: NotificationSettings) -> None:
    """Replace the file, whole or not at all. Raises OSError."""
    write_whole(home / _NAME, msgspec.json.format(msgspec.json.encode(settings)))


def wanted(home: Path, environment: Mapping[str, str]) -> bool:
    """Whether the notifier is to run from the start: where it is switched on, or addresses come from outside."""
    return load(home).enabled or bool(environment.get(VARIABLE) or environment.get(FILE_VARIABLE))
