"""The whole program in one call: lock, demo exchange, supervisor, control door."""

from __future__ import annotations

import os
import socket
import sys
from typing import Any

import msgspec

from atm.app import logs
from atm.app.control import ControlServer
from atm.app.core_dumps import forbid_core_dumps
from atm.app.exchange_keeper import ExchangeKeeper
from atm.app.incident_keeper import IncidentKeeper, exporter
from atm.app.process_table import process_context
from atm.app.single_instance import SingleInstance
from atm.app.supervisor import Supervisor
from atm.ipc.messages import (
    BINANCE_API,
    KILL_SECONDS,
    MAIN,
    NOTIFIER,
    TRADE,
    AttachWindow,
    DescribeDemo,
    KillSwitch,
    RecordSession,
    Request,
)
from atm.model.endpoint import Addresses, Endpoint
from atm.model.errors import ATMError
from atm.model.program import ProgramContext
from atm.notifications.settings_file import wanted

TRADE_SECONDS = 1.0
"""How long the kill switch waits for the trade manager before it goes on without it."""


def run_program(context: ProgramContext, speed: float) -> int:
    """Run until the end is asked for. Raises `Refused` when the program runs already on this home."""
    forbid_core_dumps()
    instance = SingleInstance(context.home)
    logs.set_up(context.home, MAIN)
    keeper = None
    if context.endpoint is Endpoint.DEMO:
        port = _free_port()
        context = msgspec.structs.replace(
            context, addresses=Addresses(f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}")
        )
        keeper = ExchangeKeeper(process_context(), context, port, speed)
    at_start = (NOTIFIER,) if wanted(context.home, os.environ) else ()
    supervisor = Supervisor(context, keeper, at_start=at_start)
    IncidentKeeper(supervisor.assistant, context, exporter(process_context()))
    addresses = context.addresses
    control = ControlServer(context.home, lambda command: _handle(supervisor, addresses, keeper is not None, command))
    if context.headless:
        print(f"running without a window, process {os.getpid()}; ./run.sh attach opens one", file=sys.stderr)
    try:
        supervisor.run()
    finally:
        control.close()
        if keeper is not None:
            keeper.stop()
        instance.release()
    return 0


def _handle(supervisor: Supervisor, addresses: Addresses, is_demo: bool, command: dict[str, Any]) -> dict[str, Any]:
    if command.get("command") == "status":
        return {"pid": os.getpid(), "processes": supervisor.processes(), "rest": addresses.rest, "demo": is_demo}
    if command.get("command") == "demo_changed":
        return _ask(supervisor, BINANCE_API, DescribeDemo())
    if command.get("command") == "record":
        return _record(supervisor, str(command.get("action")))
    if command.get("command") == "kill_switch":
        return _kill(supervisor, str(command.get("account", "")))
    if command.get("command") == "attach":
        return _ask(supervisor, MAIN, AttachWindow(command.get("environment", {})))
    return {"error": f"unknown command {command.get('command')!r}"}


def _kill(supervisor: Supervisor, account: str) -> dict[str, Any]:
    """Of virtual accounts by trade alone, of actual ones by binance_api, with trade or without it."""
    untold = _ask(supervisor, TRADE, KillSwitch(account), TRADE_SECONDS).get("error", "")
    told = _ask(supervisor, BINANCE_API, KillSwitch(account), KILL_SECONDS)
    if "error" in told:
        return {"error": "; ".join(filter(None, dict.fromkeys((untold, told["error"]))))}
    return {"done": True, "untold": untold}


def _record(supervisor: Supervisor, action: str) -> dict[str, Any]:
    try:
        told: dict[str, Any] = msgspec.to_builtins(
            supervisor.assistant.request(BINANCE_API, RecordSession(action), 15.0)
        )
    except ATMError as error:
        return {"error": str(error)}
    told["ended"] = told.pop("error")  # an "error" would be a refusal
    return told


def _ask(supervisor: Supervisor, to: str, request: Request, timeout_s: float = 5.0) -> dict[str, Any]:
    try:
        supervisor.assistant.request(to, request, timeout_s)
    except ATMError as error:
        return {"error": str(error)}
    return {"done": True}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
