"""Why a position opens nothing now: every condition that holds, the weightiest first. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from atm.gui.analysis_rows import state_of
from atm.gui.read_model import AccountView, ReadModel
from atm.model.account import AccountKind, PositionState
from atm.model.activation import ActivationReason, ActivationStatus
from atm.model.journal import KILLED, WHOLE_ACCOUNT
from atm.model.live_view import Protection

_ANALYSIS = {"preparing": "why.analysis_preparing", "waiting": "why.analysis_waiting", "failed": "why.analysis_failed"}
_CONNECTED = ("connected", "degraded")
TRADED = "TRADING"
"""The exchange's word for a symbol that can be traded."""
STOPPED, WAITS = "stopped", "waits for the exchange"
"""Reasons that the trade manager gives of a position and of an account."""


@dataclass(frozen=True, slots=True)
class Suspension:
    """A condition: a text key and its parameters. details: a sentence of another process, "" without; grave: something is wrong, not
    only switched off or waiting."""

    key: str
    parameters: dict[str, str] = field(default_factory=dict)
    details: str = ""
    grave: bool = False


def suspensions(model: ReadModel, view: AccountView, position: PositionState) -> list[Suspension]:
    """Empty when the position may trade."""
    return _sorted([*_of_account(model, view), *_of_symbol(model, view, position, _analyses(view))])


def all_suspensions(model: ReadModel, view: AccountView) -> dict[str, list[Suspension]]:
    """Those of every position of an account, by symbol."""
    common, analyses = _of_account(model, view), _analyses(view)
    return {
        each.symbol: _sorted([*common, *_of_symbol(model, view, each, analyses)]) for each in view.snapshot.positions
    }


def _sorted(found: list[Suspension]) -> list[Suspension]:
    return sorted(found, key=lambda each: not each.grave)


def _analyses(view: AccountView) -> dict[str, str]:
    """The id of the analysis of each symbol."""
    return {each.symbol: f"{each.symbol}/{each.analysis}" for each in view.setup.positions}


def _of_account(model: ReadModel, view: AccountView) -> list[Suspension]:
    snapshot, found = view.snapshot, []
    if snapshot.state == "FAILED":
        found.append(Suspension("why.failed", details=snapshot.reason, grave=True))
    elif snapshot.state == "STARTING":
        found.append(Suspension("why.starting"))
    if not snapshot.trading:
        found.append(Suspension("why.trading_off"))
    if view.setup.kind is AccountKind.ACTUAL:
        activation = model.activation(snapshot.name)
        if activation.status in (ActivationStatus.BLOCKED, ActivationStatus.FAILED):
            found.append(Suspension(f"activation_reason.{activation.reason.value}", grave=True))
        elif activation.reason is not ActivationReason.NONE:
            found.append(Suspension(f"activation_reason.{activation.reason.value}"))
        elif snapshot.reason == WAITS:
            found.append(Suspension("why.waits_exchange"))
    if model.connection is not None and model.connection.state not in _CONNECTED:
        found.append(Suspension("why.disconnected", grave=True))
    return found


def _of_symbol(
    model: ReadModel, view: AccountView, position: PositionState, analyses: Mapping[str, str]
) -> list[Suspension]:
    symbol, found = position.symbol, []
    for halt in view.snapshot.halts:
        if halt.scope in (WHOLE_ACCOUNT, symbol):
            key = "why.killed" if halt.reason == KILLED else "why.halted"
            found.append(Suspension(key, details="" if halt.reason == KILLED else halt.reason, grave=True))
    instrument = model.instruments.get(symbol)
    if instrument is not None and instrument.status != TRADED:
        found.append(Suspension("why.symbol_status", {"status": instrument.status}, grave=True))
    found += _of_analysis(model, analyses.get(symbol, ""))
    if position.reason == STOPPED:
        found.append(Suspension("why.after_stop"))
    elif position.reason:
        found.append(Suspension("why.other", details=position.reason))
    return [*found, *_of_live(model, view, symbol)]


def _of_analysis(model: ReadModel, analysis: str) -> list[Suspension]:
    if not analysis:
        return []
    ready = model.analyses.get(analysis)
    if ready is None:
        return [Suspension("why.no_analysis")]
    state = state_of(model, ready)
    if state == "running":
        return []
    return [Suspension(_ANALYSIS.get(state, "why.no_analysis"), details=ready.error, grave=state == "failed")]


def _of_live(model: ReadModel, view: AccountView, symbol: str) -> list[Suspension]:
    live, found = model.live.get(view.snapshot.name), []
    if live is None or view.setup.kind is not AccountKind.ACTUAL:
        return []
    if symbol in live.not_closed:
        found.append(Suspension("why.not_closed", details=live.not_closed[symbol], grave=True))
    if symbol in live.waits:
        found.append(Suspension("why.limit", {"limit": live.waits[symbol]}))
    if symbol in live.given_up:
        found.append(Suspension("why.given_up", grave=True))
    if symbol in live.doubtful:
        found.append(Suspension("why.doubtful"))
    if any(stop.symbol == symbol and stop.protection is Protection.MISSING for stop in live.stops):
        found.append(Suspension("why.unprotected", grave=True))
    return found
