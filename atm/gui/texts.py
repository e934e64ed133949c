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
SAID = "said."
MOST_SAID = 500
"""Translated sentences that are kept."""
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


def _pattern(text: str) -> re.Pattern[str]:
    """What an English text with placeholders matches."""
    parts = _PLACEHOLDER.split(text)
    named = "".join(f"(?P<{part}>.*?)" if index % 2 else re.escape(part) for index, part in enumerate(parts))
    return re.compile(named)


def placeholders(text: str) -> frozenset[str]:
    """Names in braces."""
    return frozenset(_PLACEHOLDER.findall(text))


class Texts:
    """The catalogue of the chosen language. `folder` holds `<language>/LC_MESSAGES/atm.po`."""

    def __init__(self, folder: Path, language: str = "en") -> None:
        self._folder = folder
        self._catalogues: dict[str, dict[str, str]] = {}
        self._sentences: list[tuple[re.Pattern[str], str]] | None = None
        self._said: dict[tuple[str, str], str] = {}
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

    def said(self, sentence: str) -> str:
        """An English sentence of another process (a refusal, a reason, a warning) in the chosen language, its fields by their names. It is
        recognised by its English text among the keys `said.…`; one that is not known stays as it is."""
        if not sentence:
            return ""
        known = self.language, sentence
        if known not in self._said:
            if len(self._said) >= MOST_SAID:
                self._said.clear()
            self._said[known] = "\n".join(self._recognised(line) for line in sentence.split("\n"))
        return self._said[known]

    def _recognised(self, line: str) -> str:
        if self._sentences is None:
            english = self._catalogues.get("en") or self._load("en")
            found = [(key, text) for key, text in english.items() if key.startswith(SAID)]
            found.sort(key=lambda each: -len(_PLACEHOLDER.sub("", each[1])))  # the most particular one first
            self._sentences = [(_pattern(text), key) for key, text in found]
        for pattern, key in self._sentences:
            match = pattern.fullmatch(line)
            if match is not None:
                return self(key, **{name: self._value(name, value) for name, value in match.groupdict().items()})
        return line

    def _value(self, name: str, value: str) -> str:
        """A part of a sentence: a sentence itself, or the name of a field or of a kind of configuration."""
        if name == "kind":
            return self(f"kind_of.{value}")
        if name in ("field", "limit"):
            field = f"parameter.{value.rpartition('.')[2]}"
            return self(field) if self.has(field) else value
        return self._recognised(value) if " " in value else value

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
