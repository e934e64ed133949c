"""What the user has chosen for the window; kept in one small file of the home folder."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

log = logging.getLogger(__name__)


class QuickAnalysis(msgspec.Struct, frozen=True):
    """One line of an analysis that the user looks at; parameters: those that differ from their defaults may stand alone."""

    name: str
    parameters: dict[str, Any] = {}


class ChartPreferences(msgspec.Struct):
    """What the Market page shows beside the candles.

    configuration: code of the stored analysis configuration that is shown, "" = the user's own choice `quick`; forms: what
    the pane of an indicator shows; closed: panes that are put away; heights: of panes, as parts of the height of the prices.
    """

    configuration: str = ""
    quick: tuple[QuickAnalysis, ...] = (
        QuickAnalysis("EMA", {"window": 12}),
        QuickAnalysis("EMA", {"window": 26}),
        QuickAnalysis("BOL", {"window": 20, "width": 2.0}),
    )
    forms: dict[str, str] = {}
    closed: tuple[str, ...] = ()
    heights: dict[str, float] = {}


class MarketPreferences(msgspec.Struct):
    """favourites: symbols, as they were added; list_open: whether the list of symbols is shown; whole_book: whether the whole order
    book is followed; book_step: ticks that a row of it covers."""

    favourites: tuple[str, ...] = ()
    list_open: bool = True
    whole_book: bool = False
    book_step: int = 1


class SoundPreferences(msgspec.Struct):
    """volume: 0 … 1; silent: events that are not heard (values of `atm.gui.sounds.Sound`)."""

    on: bool = True
    volume: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.6
    silent: tuple[str, ...] = ()


class Preferences(msgspec.Struct):
    """scale: of everything on the screen, 1 = 100 %; direction_colors: up/down pair; symbol, interval: of the Market page."""

    language: Literal["en", "ko"] = "en"
    theme: Literal["dark", "light"] = "dark"
    direction_colors: Literal["green_red", "red_blue", "blue_orange"] = "green_red"
    scale: Annotated[float, msgspec.Meta(ge=0.75, le=2.0)] = 1.0
    side_bar_open: bool = True
    symbol: str = ""
    interval: str = "15m"
    market: MarketPreferences = msgspec.field(default_factory=MarketPreferences)
    chart: ChartPreferences = msgspec.field(default_factory=ChartPreferences)
    sounds: SoundPreferences = msgspec.field(default_factory=SoundPreferences)


def load(path: Path, language: str, theme: str) -> Preferences:
    """The stored preferences; without a (readable) file the defaults with this language and theme."""
    chosen = Preferences()
    if language in ("en", "ko"):
        chosen.language = language  # type: ignore[assignment]
    if theme in ("dark", "light"):
        chosen.theme = theme  # type: ignore[assignment]
    try:
        return msgspec.json.decode(path.read_bytes(), type=Preferences)
    except FileNotFoundError:
        return chosen
    except (OSError, msgspec.MsgspecError) as error:
        kept = path.with_suffix(".unreadable")
        log.warning("%s cannot be read (%s); defaults are used, the file is kept as %s", path, error, kept.name)
        path.replace(kept)
        return chosen


def store(path: Path, preferences: Preferences) -> None:
    """Write atomically: a crash leaves the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(preferences)))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
