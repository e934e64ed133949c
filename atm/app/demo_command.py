"""`./run.sh demo …`: controls the demo exchange of the running program, or one that runs alone."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from atm.app.control import ask_running
from atm.model.demo_state import DemoCommand, DemoDeposit, DemoKeyPair, DemoState
from atm.model.errors import ATMError, Invalid
from atm.model.interval import parse_time

ACTIONS = {
    "state": "say what the demo exchange is doing",
    "pause": "hold its market",
    "resume": "let its market go on",
    "speed": "market time per real time, 1 to 1000",
    "step": "hold its market some minutes later (default 1)",
    "jump": 'move its market forward to a time, UTC "YYYY-MM-DD HH:MM"',
    "make-key": "make an API key for an account of that name, which is made if there is none",
    "deposit": "pay USDT into an account, or out of it by a negative amount",
    "reset": "let an account begin anew: no orders, no positions, the start balance",
    "drop": "cut all its stream connections",
}
_ARGUMENTS = {"speed": 1, "jump": 1, "make-key": 1, "deposit": 2, "reset": 1}


def read_command(action: str, values: list[str]) -> DemoCommand | None:
    """What an action with its arguments asks for; None for a mere look. Raises Invalid with one sentence."""
    least = _ARGUMENTS.get(action, 0)
    most = 1 if action == "step" else least
    if action == "jump" and len(values) == 2:
        values = [" ".join(values)]
    if not least <= len(values) <= most:
        raise Invalid(action, " ".join(values), f"{least or 'no'} value{'s' if least > 1 else ''}: {ACTIONS[action]}")
    match action:
        case "state":
            return None
        case "pause" | "resume":
            return DemoCommand(pause=action == "pause")
        case "speed":
            return DemoCommand(speed=_number("speed", values[0]))
        case "step":
            return DemoCommand(step=_minutes(values[0] if values else "1"))
        case "jump":
            return DemoCommand(jump=_moment(values[0]))
        case "make-key":
            return DemoCommand(make_key=_name(values[0]))
        case "deposit":
            return DemoCommand(deposit=DemoDeposit(_name(values[0]), _number("amount", values[1])))
        case "reset":
            return DemoCommand(reset=_name(values[0]))
    return DemoCommand(drop_connections=True)


def _number(field: str, text: str) -> float:
    try:
        return float(text.replace(",", ""))
    except ValueError:
        raise Invalid(field, text, "a number") from None


def _minutes(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise Invalid("step", text, "a whole number of minutes, 1 to 1,440")
    return int(text)


def _moment(text: str) -> int:
    try:
        return parse_time(text)
    except ValueError:
        raise Invalid("jump", text, "a UTC time YYYY-MM-DD or YYYY-MM-DD HH:MM") from None


def _name(text: str) -> str:
    if not text.strip():
        raise Invalid("account", text, "the name of an account")
    return text


def control_demo(home: Path, address: str, command: DemoCommand | None) -> tuple[DemoState, DemoKeyPair | None]:
    """Carry out a command at the demo exchange with this address, "" for that of the program that runs on `home`.

    Raises Unavailable when none runs, Refused with the exchange's sentence.
    """
    from atm.exchange.client.demo_control import control

    done = asyncio.run(control(demo_address(home, address), command))
    if command is not None and not address:
        _tell(home)
    return done


def demo_address(home: Path, address: str) -> str:
    """The address of a demo exchange, of the running program's where none is given. Raises Unavailable when none runs."""
    if address:
        return address
    running = ask_running(home, {"command": "status"})
    if not running.get("demo"):
        raise Invalid("demo", home, "a program that runs with --endpoint demo, or --address of a demo exchange")
    return str(running["rest"])


def _tell(home: Path) -> None:
    """Let the program know that its market has been changed."""
    try:
        ask_running(home, {"command": "demo_changed"})
    except ATMError:
        return  # it measures the exchange's clock anyway, only later


def described(state: DemoState, made: DemoKeyPair | None) -> dict[str, Any]:
    """For --json."""
    import msgspec

    answer: dict[str, Any] = msgspec.to_builtins(state)
    return answer | ({"key": made.key, "secret": made.secret} if made is not None else {})
