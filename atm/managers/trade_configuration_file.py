"""Trade configurations as files that people read: TOML or JSON, by the ending of the name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from atm.analyzers.configuration_file import file_ending, read_plain, toml_line, write_text
from atm.model.trade_configuration import TradeConfiguration, expanded_trade
from atm.model.validation import parse

_DEFAULT = msgspec.to_builtins(TradeConfiguration("-"))


def write_trade(configuration: TradeConfiguration, path: Path) -> None:
    """Write a file, replacing what was there. Raises Invalid for another ending, Unavailable when it cannot be written."""
    chosen = _chosen(configuration)
    if file_ending(path) == ".json":
        write_text(path, json.dumps(chosen, indent=2, ensure_ascii=False) + "\n")
        return
    method = chosen.pop("method")
    lines = [toml_line(name, value) for name, value in chosen.items()]
    lines += ["", "[method]", *(toml_line(name, value) for name, value in method.items() if value is not None)]
    write_text(path, "\n".join(lines) + "\n")


def read_trade(path: Path) -> TradeConfiguration:
    """Raises Invalid for a file that is missing or no TOML or JSON, and everything that is wrong in it (`Problems`)."""
    return parse(expanded_trade(read_plain(path)), TradeConfiguration)


def _chosen(configuration: TradeConfiguration) -> dict[str, Any]:
    """Plain data: what differs from the defaults; code and method in full."""
    raw: dict[str, Any] = msgspec.to_builtins(configuration)
    return {name: value for name, value in raw.items() if name in ("code", "method") or value != _DEFAULT[name]}
