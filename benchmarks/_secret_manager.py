"""The Binance API manager, in which a library fails while a signed request is under way, once for each file `FAIL` beside the home
folder. The error's text has all that the library knew: address with signature, headers, key and secret.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from atm.exchange.client.transport import FuturesTransport
from atm.ipc.assistant import IPCAssistant
from atm.managers import binance_api
from atm.model.program import ProgramContext

FAIL = "fail"


class LibraryFailure(Exception):
    """Nothing that the program knows."""


def run(assistant: IPCAssistant, context: ProgramContext) -> None:
    """Entry of the process."""
    _let_fail(context.home.parent / FAIL)
    binance_api.run(assistant, context)


def _let_fail(switch: Path) -> None:
    plain = FuturesTransport._handle_response

    async def handle(transport: FuturesTransport, response: Any) -> Any:
        if response.method == "POST" and response.url.path.endswith("/order") and switch.exists():
            switch.unlink()
            sent = response.request_info
            known = transport.PRIVATE_KEY or transport.API_SECRET
            raise LibraryFailure(f"{sent.real_url} {dict(sent.headers)} {transport.API_KEY} {known!r}")
        return await plain(transport, response)

    FuturesTransport._handle_response = handle  # type: ignore[method-assign]
