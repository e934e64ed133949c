"""Text without what a key could be. Pure.

For free text that comes from elsewhere (words of the exchange, messages of libraries' errors), which may repeat what it was sent.
"""

from __future__ import annotations

import re

HIDDEN = "[redacted]"
LEAST = 40
"""Characters in a row from which a run counts; ids and names are shorter, keys, secrets and signatures have 64 or more."""

_PEM = re.compile(r"-----BEGIN [A-Z ]+-----.*?(?:-----END [A-Z ]+-----|\Z)", re.DOTALL)
_RUN = re.compile(rf"[A-Za-z0-9+/]{{{LEAST},}}=*")
_KINDS = (re.compile("[0-9]"), re.compile("[A-Z]"), re.compile("[a-z]"))


def without_keys(text: str) -> str:
    """The text with PEM blocks and long runs of letters and digits (base64 as well) replaced; paths of folders stay."""
    return _RUN.sub(_hidden, _PEM.sub(HIDDEN, text))


def _hidden(found: re.Match[str]) -> str:
    run = found[0]
    is_path = max(map(len, run.split("/"))) < LEAST and not all(kind.search(run) for kind in _KINDS)
    return run if is_path else HIDDEN
