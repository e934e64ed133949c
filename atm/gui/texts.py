"""Texts of the window: gettext catalogues (.po), read as they are, so that a new language is one file more.

A text has a key ("page.market") and may have placeholders in braces ("{account}"). What cannot be found is shown by its
key, never an error: a text that arrives from another process may be newer than this catalogue.
"""

from __future__ import annotations

import ast
import logging
import re
from collections.abc import Mapping
from pathlib import Path

log = logging.getLogger(__name__)

LANGUAGES = {"en": "English", "ko": "한국어"}
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def read_catalogue(path: Path) -> dict[str, str]:
    """Texts by key of a .po file. Raises ValueError with the line that is none."""
    texts: dict[str, str] = {}
    key: list[str] = []
    text: list[str] = []
    target = key
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        word, _, rest = line.partition(" ")
        if word == "msgid":
            texts["".join(key)] = "".join(text)
            key, text = [], []
            target = key
        elif word == "msgstr":
            target = text
        else:
            rest = line
        if not (rest.startswith('"') and rest.endswith('"')):
            raise ValueError(f"{path.name}, line {number}: {line!r} is neither msgid, msgstr nor a quoted text")
        target.append(ast.literal_eval(rest))
    texts["".join(key)] = "".join(text)
    texts.pop("", None)
    return texts


def placeholders(text: str) -> frozenset[str]:
    """Names in braces."""
    return frozenset(_PLACEHOLDER.findall(text))


class Texts:
    """The catalogue of the chosen language. `folder` holds `<language>/LC_MESSAGES/atm.po`."""

    def __init__(self, folder: Path, language: str = "en") -> None:
        self._folder = folder
        self._catalogues: dict[str, dict[str, str]] = {}
        self.language = ""
        self.choose(language)

    def choose(self, language: str) -> None:
        """Switch the language; an unknown one means English."""
        self.language = language if language in LANGUAGES else "en"
        if self.language not in self._catalogues:
            self._catalogues[self.language] = self._load(self.language)

    def _load(self, language: str) -> dict[str, str]:
        path = self._folder / language / "LC_MESSAGES" / "atm.po"
        try:
            return read_catalogue(path)
        except (OSError, ValueError) as error:
            log.error("text catalogue cannot be read, keys are shown instead: %s", error)
            return {}

    def has(self, key: str) -> bool:
        """Whether the catalogue knows the key."""
        return key in self._catalogues[self.language]

    def __call__(self, key: str, **parameters: object) -> str:
        """The text of `key` with its placeholders filled."""
        text = self._catalogues[self.language].get(key)
        if text is None:
            return raw(key, parameters)
        if not parameters:
            return text
        return _PLACEHOLDER.sub(lambda found: str(parameters.get(found[1], found[0])), text)


def raw(key: str, parameters: Mapping[str, object]) -> str:
    """How an unknown text is shown: its key with its parameters."""
    shown = ", ".join(f"{name}: {value}" for name, value in parameters.items())
    return f"{key} ({shown})" if shown else key
