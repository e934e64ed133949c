"""What faults do to requests: errors before and after a request was carried out, late and missing answers, broken ones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import web

from atm.exchange.demo.access import FIRST_BAN_MS, WEIGHT_LIMIT
from atm.exchange.demo.fault_state import FaultState, Standing, broken
from atm.exchange.demo.refusal import BANNED, TEXTS
from atm.exchange.demo.rest import Plain
from atm.model.fault import FaultKind

_LOOK_S = 1.0
"""How often is looked whether a client that is never answered has gone."""
_UNKNOWN = "Unknown error, please check your request or try again later."
_TIMED_OUT = "Timeout waiting for response from backend server. Send status unknown; execution status unknown."
_HTML = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center></body></html>"
_PAGES = {502: "502 Bad Gateway", 504: "504 Gateway Time-out"}
_AFTER = {
    503: (-1000, _UNKNOWN),
    500: (-1006, "An unexpected response was received from the message bus. Execution status unknown."),
}
_BEFORE = {
    503: (0, "Service Unavailable."),
    500: (-1001, "Internal error; unable to process your request. Please try again."),
}  # fmt: skip


class FaultAnswers:
    """The REST side of all faults. wall_ms(): the machine's clock."""

    def __init__(self, state: FaultState, wall_ms: Callable[[], float]) -> None:
        self._state, self._wall_ms = state, wall_ms
        self._ends: dict[int, asyncio.Event] = {}

    def ended(self, standing: Standing) -> None:
        """Let go of the requests that a fault left without an answer."""
        if (event := self._ends.pop(standing.number, None)) is not None:
            event.set()

    def refused_handshake(self, address: str) -> web.Response | None:
        """How a new stream connection is refused now."""
        for standing in self._state.active(FaultKind.MAINTENANCE, FaultKind.BANNED):
            standing.count("refused")
            return self._everywhere(standing, address)
        return None

    async def answer(self, request: web.Request, plain: Plain) -> web.StreamResponse:
        """Answer a request as the active faults let it."""
        standing = self._state.request(request.method, request.path)
        if standing is None:
            return plain()
        kind, fault = standing.fault.kind, standing.fault
        if kind in (FaultKind.MAINTENANCE, FaultKind.BANNED, FaultKind.RATE_LIMITED):
            standing.count("refused")
            return self._everywhere(standing, request.remote or "")
        if kind is FaultKind.ERROR_BEFORE:
            standing.count("refused")
            return _error(int(fault.variant), _BEFORE)
        if kind is FaultKind.LATE_REFUSAL:
            standing.count("refused")
            await asyncio.sleep(fault.amount / 1000)
            return _error(408, {})
        if kind is FaultKind.NO_ANSWER_BEFORE:
            standing.count("unanswered")
            return await self._silence(request, standing)
        if kind is FaultKind.LATE_EXECUTION:
            standing.count("delayed")
            await asyncio.sleep(fault.amount / 1000)
            return plain()
        return await self._carried_out(request, standing, plain())

    async def _carried_out(self, request: web.Request, standing: Standing, done: web.Response) -> web.StreamResponse:
        """What the client hears of a request that was carried out. A refusal is the truth, and told, where an error would claim
        that something may have been done."""
        kind, fault = standing.fault.kind, standing.fault
        if kind is FaultKind.ERROR_AFTER:
            if done.status != 200:
                return done
            standing.count("executed")
            return _error(int(fault.variant), _AFTER)
        if kind is FaultKind.NO_ANSWER_AFTER:
            standing.count("unanswered")
            if done.status == 200:
                standing.count("executed")
            return await self._silence(request, standing)
        if kind is FaultKind.LATE_ANSWER:
            standing.count("delayed")
            await asyncio.sleep(fault.amount / 1000)
            return done
        standing.count("corrupted")
        body = broken(done.text or "", fault.variant)
        headers = {
            name: value for name, value in done.headers.items() if name not in ("Content-Type", "Content-Length")
        }
        content = body if isinstance(body, bytes) else body.encode()
        kind_of = "text/html" if fault.variant == "html" else "application/json"
        return web.Response(body=content, status=done.status, headers=headers, content_type=kind_of)

    async def _silence(self, request: web.Request, standing: Standing) -> web.StreamResponse:
        """No answer until the fault ends; then the connection is cut."""
        over = self._ends.setdefault(standing.number, asyncio.Event())
        while not over.is_set() and request.transport is not None:
            try:
                async with asyncio.timeout(_LOOK_S):
                    await over.wait()
            except TimeoutError:
                continue
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    def _everywhere(self, standing: Standing, address: str) -> web.Response:
        if standing.fault.kind is FaultKind.MAINTENANCE:
            return _error(503, _BEFORE)
        if standing.fault.kind is FaultKind.RATE_LIMITED:
            text = TEXTS[-1003].format(address, WEIGHT_LIMIT)
            headers = {"Retry-After": str(int(standing.fault.amount))}
            return web.json_response({"code": -1003, "msg": text}, status=429, headers=headers)
        now_ms = self._wall_ms()
        until_ms = standing.end_ms if standing.end_ms is not None else now_ms + FIRST_BAN_MS
        headers = {"Retry-After": str(int((until_ms - now_ms) / 1000) + 1)}
        content = {"code": -1003, "msg": BANNED.format(address, int(until_ms))}
        return web.json_response(content, status=418, headers=headers)


def _error(status: int, texts: dict[int, tuple[int, str]]) -> web.Response:
    if status in _PAGES:
        return web.Response(text=_HTML.format(_PAGES[status]), status=status, content_type="text/html")
    code, text = texts.get(status, (-1007, _TIMED_OUT))
    return web.json_response({"code": code, "msg": text}, status=status)
