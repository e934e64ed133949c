"""configs/programConfig.config: read, checked, never rewritten."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from atm.model.errors import Invalid


class ProgramConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """ASRatio: share of the worker pool that analyzes (the rest simulates); symbols: what is streamed from the start;
    demoSpeed: market minutes per wall minute on the demo exchange; databaseURL: SQLAlchemy URL, "" = SQLite at home;
    analysisCacheMB: most megabytes of stored results of analyses, 0 = none are stored; recordSession: whether everything that
    comes from the exchange is recorded; demoRecording: a recorded session that the demo exchange replays, "" = the sample;
    blackBoxMB, blackBoxDays: most megabytes of the black box, 0 = nothing is recorded, and for how long it is kept."""

    ASRatio: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.5
    symbols: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=700)] = (
        "FILUSDT",
        "NEARUSDT",
        "AVAXUSDT",
    )
    demoSpeed: Annotated[float, msgspec.Meta(ge=1, le=1000)] = 60
    language: Literal["en", "ko"] = "en"
    theme: Literal["dark", "light"] = "dark"
    databaseURL: str = ""
    analysisCacheMB: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 2_000
    recordSession: bool = False
    demoRecording: str = ""
    blackBoxMB: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 256
    blackBoxDays: Annotated[float, msgspec.Meta(gt=0, le=3_650)] = 14


def read(path: Path) -> ProgramConfig:
    """Raises `Invalid` with one sentence that names the field, its value and what is allowed."""
    try:
        raw = msgspec.json.decode(path.read_bytes())
    except FileNotFoundError:
        raise Invalid("configuration file", str(path), "an existing file") from None
    except msgspec.DecodeError as error:
        raise Invalid("configuration file", str(path), f"JSON ({error})") from None
    if not isinstance(raw, dict):
        raise Invalid("configuration file", str(path), "a JSON object of fields")
    fields = ProgramConfig.__struct_fields__
    for name, value in raw.items():
        if name not in fields:
            raise Invalid(str(name), value, f"one of the fields {', '.join(fields)}")
        try:
            msgspec.convert({name: value}, ProgramConfig)
        except msgspec.ValidationError as error:
            raise Invalid(str(name), value, str(error).split(" - at")[0]) from None
    return msgspec.convert(raw, ProgramConfig)
