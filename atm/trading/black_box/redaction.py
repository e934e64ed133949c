"""Free text without what nobody else may see. Pure.

Structured records need none of it: only the fields that their structs name can enter, and no struct names a secret. Words of the
exchange, of errors and of logs are free, so everything in them that may be private goes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

HIDDEN = "[redacted]"
KNOWN_HOSTS = ("binance.com", "binance.vision", "binancefuture.com", "127.0.0.1", "localhost")
"""Hosts whose addresses may be shown, without their queries."""
_SHORTEST_WORD = 3

_VALUE = r"(?!\[redacted\])[^\s'\",;&})\]]+"
_QUOTED = r"'(?!\[redacted\]')[^'\n]*'|\"(?!\[redacted\]\")[^\"\n]*\""
_NAMED = re.compile(
    r"(?i)((?:signature|listen-?_?key|api-?_?key|x-mbx-apikey|secret|password|passwd|pwd|passphrase|token|authorization|cookie)"
    rf"['\"]?\s*[=:]\s*)(?:{_QUOTED}|['\"]?{_VALUE})"
)
_BEARER = re.compile(rf"(?i)\b((?:bearer|basic)\s+){_VALUE}")
_PEM = re.compile(r"-----BEGIN [A-Z ]+-----.*?(?:-----END [A-Z ]+-----|\Z)", re.DOTALL)
_ADDRESS = re.compile(r"\b[a-zA-Z][a-zA-Z0-9+.-]{1,20}://[^\s'\"<>]+")
_MAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_BOT = re.compile(r"\b\d{6,12}:[\w-]{30,}")
"""Tokens of chat bots, shorter than other keys."""
_NETWORK = re.compile(
    r"(?<![\w.])(?!127\.|0\.0\.0\.0)(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\w)|(?<![\w:])[\da-fA-F]{1,4}(?::[\da-fA-F]{0,4}){3,7}"
)
"""Where somebody is: the exchange says it in its refusals of a key."""
_LONG = re.compile(r"[A-Za-z0-9+/_=-]{40,}")
_FOLDERS = (
    re.compile(r"(?:/home|/Users|/run/media|/media)/[^/\s'\":,]+"),
    re.compile(r"(?i)\b[a-z]:\\+users\\+[^\\\s'\":,]+"),
    re.compile(r"/root\b"),
)


class Redactor:
    """private: words that are hidden wherever they stand, such as the path of the home folder and the user's name."""

    def __init__(self, private: Iterable[str] = ()) -> None:
        words = sorted({each for each in private if len(each) >= _SHORTEST_WORD}, key=len, reverse=True)
        self._private = re.compile("|".join(re.escape(each) for each in words)) if words else None

    def text(self, text: str) -> str:
        """The text without keys, signatures, addresses of services, networks and mail, and names of folders that tell who somebody is."""
        text = _PEM.sub(HIDDEN, text)
        text = _ADDRESS.sub(_address, text)
        text = _BEARER.sub(rf"\1{HIDDEN}", text)
        text = _NAMED.sub(rf"\1{HIDDEN}", text)
        text = _MAIL.sub(HIDDEN, text)
        text = _NETWORK.sub(HIDDEN, _BOT.sub(HIDDEN, text))
        for folder in _FOLDERS:
            text = folder.sub("~", text)
        if self._private is not None:
            text = self._private.sub(HIDDEN, text)
        return _LONG.sub(HIDDEN, text)


def _address(found: re.Match[str]) -> str:
    """Of the exchange: host and path. Of anybody else (webhooks, mail servers): that there is one."""
    scheme, _, rest = found[0].partition("://")
    host, slash, path = rest.partition("/")
    name = host.rpartition("@")[2].partition(":")[0].lower()
    if name in KNOWN_HOSTS or name.endswith(tuple(f".{each}" for each in KNOWN_HOSTS)):
        return f"{scheme}://{host.rpartition('@')[2]}{slash}{path.partition('?')[0]}"
    return f"{scheme}://{HIDDEN}"
