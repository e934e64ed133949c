"""The file that lets the demo exchange go on where it was."""

from __future__ import annotations

import logging
from collections.abc import Set
from pathlib import Path

import msgspec

from atm.exchange.demo.access import DEMO_ACCOUNT, DEMO_KEY, DEMO_SECRET
from atm.exchange.demo.account import Account, ExchangeState, KeyPair
from atm.exchange.demo.clock import MarketClock, resumed

logger = logging.getLogger(__name__)

NAME = "demo_exchange.json"


class Kept(msgspec.Struct):
    """The file. `heartbeat_wall_ms`: when it was written."""

    clock: MarketClock
    heartbeat_wall_ms: float
    state: ExchangeState


def restored(
    path: Path | None, fresh: MarketClock, symbols: Set[str], wall_ms: float
) -> tuple[MarketClock, ExchangeState]:
    """Clock and state from the file, at the speed of the `fresh` clock. Without a file a new account begins at the fresh
    clock; so it does if the file is broken, of another version or of other symbols, and the file is put aside."""
    new = ExchangeState(
        fresh.at(wall_ms), {DEMO_ACCOUNT: Account(name=DEMO_ACCOUNT)}, {DEMO_KEY: KeyPair(DEMO_ACCOUNT, DEMO_SECRET)}
    )
    if path is None or not path.exists():
        return fresh, new
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=Kept)
        strange = {symbol for account in kept.state.accounts.values() for symbol in account.watched_symbols} - symbols
        if strange:
            raise msgspec.ValidationError(f"there is no recording of {', '.join(sorted(strange))}")
    except msgspec.DecodeError as error:
        aside = path.with_suffix(".unreadable.json")
        path.replace(aside)
        logger.error("the demo exchange's state does not fit and was put aside as %s: %s", aside, error)
        return fresh, new
    return resumed(kept.clock, kept.heartbeat_wall_ms, wall_ms).with_speed(wall_ms, fresh.speed), kept.state


def keep(path: Path, clock: MarketClock, state: ExchangeState, wall_ms: float) -> None:
    """Write the file, atomically. A failure is logged: the exchange goes on."""
    part = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.touch(0o600)  # it holds the secrets of keys
        part.write_bytes(msgspec.json.encode(Kept(clock, wall_ms, state)))
        part.replace(path)
    except OSError as error:
        logger.error("the demo exchange's state could not be kept: %s", error)
