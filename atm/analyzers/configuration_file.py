"""Configurations as files that people read: TOML or JSON, by the ending of the name. Only what differs from the defaults is
written, so that a file says what was chosen."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from atm.analyzers.configuration_check import parse_configuration
from atm.analyzers.contract import Registry
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.errors import Invalid, Unavailable
from atm.storage.file_lock import write_whole

ENDINGS = (".toml", ".json")


def write_configuration(configuration: AnalysisConfiguration, path: Path) -> None:
    """Write a file, replacing what was there. Raises Invalid for another ending, Unavailable when it cannot be written."""
    write_text(path, to_toml(configuration) if file_ending(path) == ".toml" else to_json(configuration))


def write_text(path: Path, text: str) -> None:
    """Replace a file. Raises Unavailable when it cannot be written."""
    try:
        write_whole(path, text.encode())
    except OSError as error:
        raise Unavailable(f"{path} could not be written: {error.strerror or error}") from error


def read_configuration(path: Path, registry: Registry) -> AnalysisConfiguration:
    """Raises Invalid for a file that is missing or no TOML or JSON, and everything that is wrong in it (`Problems`)."""
    return parse_configuration(read_plain(path), registry)


def read_plain(path: Path) -> Any:
    """What a file holds. Raises Invalid when it is missing or no TOML or JSON."""
    ending = file_ending(path)
    try:
        text = path.read_text(encoding="utf-8")
        return tomllib.loads(text) if ending == ".toml" else json.loads(text)
    except FileNotFoundError:
        raise Invalid("file", str(path), "an existing file") from None
    except (ValueError, OSError) as error:
        raise Invalid("file", str(path), f"a {ending[1:].upper()} file ({error})") from None


def to_json(configuration: AnalysisConfiguration) -> str:
    return json.dumps(_chosen(configuration), indent=2, ensure_ascii=False) + "\n"


def to_toml(configuration: AnalysisConfiguration) -> str:
    raw = _chosen(configuration)
    lines = [toml_line(name, value) for name, value in raw.items() if name != "intervals"]
    for analyses in raw["intervals"]:
        lines += ["", "[[intervals]]", *(toml_line(name, value) for name, value in analyses.items())]
    return "\n".join(lines) + "\n"


def _chosen(configuration: AnalysisConfiguration) -> dict[str, Any]:
    """Plain data: the interval always, else what differs from the defaults; lines and analyses in full."""
    raw: dict[str, Any] = {"code": configuration.code}
    if configuration.decision_interval is not None:
        raw["decision_interval"] = configuration.decision_interval.value
    raw["intervals"] = []
    for analyses in configuration.intervals:
        named = {"interval": analyses.interval.value}
        for field in msgspec.structs.fields(analyses):
            value = getattr(analyses, field.name)
            if field.name != "interval" and value != _default(field):
                named[field.name] = msgspec.to_builtins(value)
        raw["intervals"].append(named)
    return raw


def toml_line(name: str, value: Any) -> str:
    """One key of a table."""
    return f"{name} = {_toml(value)}"


def _default(field: msgspec.structs.FieldInfo) -> Any:
    return field.default if field.default is not msgspec.NODEFAULT else field.default_factory()


def _toml(value: Any) -> str:
    """One value on one line; a field without value is left out, as TOML has no word for it."""
    if isinstance(value, dict):
        inside = ", ".join(f"{_key(name)} = {_toml(one)}" for name, one in value.items() if one is not None)
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(one) for one in value)}]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value, ensure_ascii=False).replace(
        "\x7f", "\\u007f"
    )  # the one control character that JSON may hold


def _key(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() and name.isascii() else json.dumps(name)


def file_ending(path: Path) -> str:
    """ ".toml" or ".json". Raises Invalid for another."""
    if path.suffix.lower() not in ENDINGS:
        raise Invalid("file", str(path), f"a name that ends in {' or '.join(ENDINGS)}")
    return path.suffix.lower()
