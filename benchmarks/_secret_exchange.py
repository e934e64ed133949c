"""The demo exchange, which repeats what it was sent where a file of this name lies beside the home folder: the worst that an exchange, or
whatever stands before it, could answer to a signed request.

The file holds the way: "refusal" (an error text with query, body and API key), "unclear" (the same as a 503 that leaves open whether
something was done), "numbers" (the key where numbers belong), "cut" (an answer that is no JSON).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atm.app import demo_exchange
from atm.model.kernel import interpret_kernels

if TYPE_CHECKING:
    from aiohttp import web

ECHO = "echo"
WAYS = ("refusal", "unclear", "numbers", "cut")
_ORDERS = "/fapi/v1/order"


def serve(port: int, speed: float, home: Path, assets: Path, main_pid: int, recorded: Path | None) -> None:
    """In place of `exchange_keeper._serve`."""

    def prepare() -> None:
        interpret_kernels()
        _let_echo(home.parent / ECHO)

    demo_exchange.interpret_kernels = prepare
    demo_exchange.serve_child(port, speed, home, assets, main_pid, recorded)


def _let_echo(switch: Path) -> None:
    from atm.exchange.demo.rest import Rest

    plain = Rest.handle

    async def handle(rest: Rest, request: web.Request) -> web.StreamResponse:
        answer = await plain(rest, request)
        key = request.headers.get("X-MBX-APIKEY", "")
        sent = f"{request.rel_url.raw_query_string}&{(await request.read()).decode(errors='replace')}"
        if not switch.exists() or request.path != _ORDERS or not key or "signature=" not in sent:
            return answer
        return _echo(switch.read_text(), sent, key)

    Rest.handle = handle  # type: ignore[method-assign]


def _echo(way: str, sent: str, key: str) -> web.Response:
    from aiohttp import web

    text = f"Malformed request {sent} of the key {key}, header X-MBX-APIKEY: {key}"
    if way == "numbers":
        order: dict[str, Any] = {"status": "NEW", "orderId": key, "updateTime": key, "clientOrderId": "bench"}
        return web.json_response(order)
    if way == "cut":
        return web.Response(text=json.dumps({"msg": text})[:-1], content_type="application/json")
    code, status = (-1000, 503) if way == "unclear" else (-1102, 400)
    return web.json_response({"code": code, "msg": text}, status=status)
