"""Addresses of channels: apprise URLs, which hold tokens and passwords. They lie in the system's keyring or come from outside.

`ATM_NOTIFY_URLS` (addresses, one a line or apart by spaces) or `ATM_NOTIFY_URLS_FILE` (a file of them, such as a credential of a
service manager) go before the keyring. Without either they live as long as the process.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from atm.model.errors import Invalid

VARIABLE, FILE_VARIABLE = "ATM_NOTIFY_URLS", "ATM_NOTIFY_URLS_FILE"


def split(text: str) -> tuple[str, ...]:
    """Addresses of a text, each once, in its order."""
    return tuple(dict.fromkeys(text.split()))


def shown(address: str) -> str:
    """What may be shown of an address: its scheme."""
    return address.partition("://")[0] if "://" in address else "?"


def given(environment: Mapping[str, str]) -> tuple[str, ...] | None:
    """Addresses from outside; None when there are none. Raises Invalid for a file that cannot be read."""
    if environment.get(VARIABLE):
        return split(environment[VARIABLE])
    path = environment.get(FILE_VARIABLE)
    if not path:
        return None
    try:
        return split(Path(path).read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(FILE_VARIABLE, path, f"a text file that can be read ({error.__class__.__name__})") from error
