"""python-binance's AsyncClient, made fit for trading: own addresses, clock, rate gate and errors (spec: exchange §7).

The library signs and sends; everything that it leaves open (§7.3, §7.7) is done here, around each request. Secrets
stay in the object: no error raised here carries an address with a signature, and none has the library's or aiohttp's
exception as its context, because those do.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp
import msgspec
from binance.async_client import AsyncClient
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from atm.exchange.client.clock import ExchangeClock
from atm.exchange.client.costs import cost
from atm.exchange.client.failures import (
    FILTER_DOUBTS,
    FIREWALL_WAIT_S,
    TOO_MANY_ORDERS,
    Answer,
    Failure,
    RequestFailed,
    banned_until_ms,
    classify,
    lost,
    places_order,
    read_answer,
    refused_by_rate,
)
from atm.exchange.client.frames import UNREADABLE
from atm.exchange.client.rate_budget import RequestClass
from atm.exchange.client.rate_gate import RateGate
from atm.model.endpoint import Addresses
from atm.model.errors import Invalid, Unavailable
from atm.model.secret import PEM_BEGIN

logger = logging.getLogger(__name__)

REQUEST_CLASS: ContextVar[RequestClass] = ContextVar("request_class", default=RequestClass.HOUSEKEEPING)
SEND_BEFORE_MS: ContextVar[float] = ContextVar("send_before_ms", default=math.inf)
"""On the exchange's clock: what has not gone out by then is not sent any more."""
_SENT_MS: ContextVar[float] = ContextVar("sent_ms", default=0.0)
_SENT_WALL_MS: ContextVar[float] = ContextVar("sent_wall_ms", default=0.0)
_TIMEOUT = aiohttp.ClientTimeout(total=10.0, connect=5.0)
_RETRY_WAITS_S = (0.2, 0.4, 0.8)


class Credentials:
    """API key and secret (HMAC) or Ed25519 private key in PEM, in memory only. Prints as nothing."""

    __slots__ = ("key", "secret")

    def __init__(self, key: str = "", secret: str = "") -> None:
        self.key = key
        self.secret = secret

    def __repr__(self) -> str:
        return "Credentials(…)"

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("credentials do not leave their process")


def wall_ms() -> float:
    """The local clock, Unix ms UTC."""
    return time.time() * 1000


def _private_key(pem: str) -> str:
    """The Ed25519 key in the one form that the library takes for such: it tells kinds apart by their length. Raises Invalid."""
    try:
        key = load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise Invalid("API secret", f"{len(pem)} characters", "an Ed25519 private key in PEM")
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode().strip()


def transport_class(addresses: Addresses) -> type[FuturesTransport]:
    """The transport for one endpoint. The library passes its addresses through str.format, so braces must not occur."""
    if "{" in addresses.rest or "}" in addresses.rest:
        raise Invalid("rest", addresses.rest, "an address without braces")
    rest = addresses.rest.rstrip("/")
    changed = {"API_URL": f"{rest}/api", "FUTURES_URL": f"{rest}/fapi", "FUTURES_DATA_URL": f"{rest}/futures/data"}
    return type("EndpointTransport", (FuturesTransport,), changed)


class FuturesTransport(AsyncClient):  # type: ignore[misc]  # the library is untyped
    """One HTTP session with its gate. Build inside a running loop by `transport_class(addresses)(credentials, gate, clock)`.

    on_answer(path, path with query, body) is told every good answer; on_filter_doubt is called at every refusal for a filter."""

    REQUEST_RECVWINDOW = 5_000

    def __init__(
        self,
        credentials: Credentials,
        gate: RateGate,
        clock: ExchangeClock,
        wall_ms: Callable[[], float] = wall_ms,
    ) -> None:
        self._wall_ms = wall_ms
        self._gate = gate
        self._clock = clock
        self.on_answer: Callable[[str, str, bytes], None] | None = None
        self.on_filter_doubt: Callable[[], None] = lambda: None
        private_key = _private_key(credentials.secret) if credentials.secret.startswith(PEM_BEGIN) else None
        super().__init__(
            credentials.key,
            "" if private_key else credentials.secret,
            requests_params={"timeout": _TIMEOUT},
            private_key=private_key,
        )

    def __repr__(self) -> str:
        return f"FuturesTransport({self.FUTURES_URL})"

    @property
    def timestamp_offset(self) -> int:
        """Milliseconds that the library adds to the machine's own clock to stamp a signed request."""
        return round(self._clock.now_ms(self._wall_ms()) - time.time() * 1000)

    @timestamp_offset.setter
    def timestamp_offset(self, value: int) -> None:
        """The library's constructor sets 0; the clock is kept by `synchronise`."""

    async def synchronise(self) -> None:
        """Measure the exchange's clock once: from the sending, not from the wait at the gate."""
        answer = await self.futures_time()
        stamp = answer.get("serverTime") if isinstance(answer, dict) else None
        if not isinstance(stamp, int):
            raise Unavailable("the exchange's answer to the question for its time cannot be read")
        self._clock.sample(_SENT_WALL_MS.get(), self._wall_ms(), float(stamp))

    async def close(self) -> None:
        """Close the HTTP session."""
        await self.session.close()

    async def _request(self, method: str, uri: str, signed: bool, force_params: bool = False, **kwargs: Any) -> Any:
        path = urlsplit(uri).path
        parameters = kwargs.pop("data", None)
        price = cost(method, path, parameters or {})
        placing = places_order(method, path)
        resynchronised = False
        attempt = 0
        while True:
            await self._gate.enter(REQUEST_CLASS.get(), price)
            if self._clock.now_ms(self._wall_ms()) > SEND_BEFORE_MS.get():
                raise Unavailable("the request was held back for too long and not sent")
            if self.session.closed:  # the account's keys have changed while it waited
                raise Unavailable("the connection was given up before the request was sent")
            # The library adds time and signature to the very dictionary it is given: each attempt gets its own.
            sent = kwargs if parameters is None else {**kwargs, "data": dict(parameters)}
            answer = await self._attempt(placing, method, uri, signed, force_params, sent)
            if not isinstance(answer, Failure):
                return answer
            logger.debug("%s %s failed: %s", method, path, answer.error)
            if answer.resync and not resynchronised:
                resynchronised = True
                await self.synchronise()
            elif answer.again and attempt < len(_RETRY_WAITS_S):
                await asyncio.sleep(_RETRY_WAITS_S[attempt])
                attempt += 1
            else:
                raise answer.error

    async def _attempt(
        self, placing: bool, method: str, uri: str, signed: bool, force_params: bool, kwargs: dict[str, Any]
    ) -> Any:
        """One sending. Returns the answer, or the Failure: raising outside of the handlers keeps their exceptions,
        which name the signed address, out of the error's context."""
        _SENT_MS.set(self._gate.now_ms())
        _SENT_WALL_MS.set(self._wall_ms())
        try:
            return await super()._request(method, uri, signed, force_params, **kwargs)
        except RequestFailed as failed:
            return failed.failure
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return lost(placing, False, type(error).__name__)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return lost(placing, True, type(error).__name__)

    def _get_request_kwargs(
        self, method: str, signed: bool, force_params: bool = False, **kwargs: Any
    ) -> dict[str, Any]:
        """The library's, with a body that is laid out already: a form of pairs costs the HTTP client a third of the time that an order
        takes. Bodies that are signed by a private key the library lays out itself."""
        found: dict[str, Any] = super()._get_request_kwargs(method, signed, force_params, **kwargs)
        if isinstance(found.get("data"), list) and not self.PRIVATE_KEY:
            found["data"] = urlencode(found["data"]).encode()
        return found

    async def _handle_response(self, response: aiohttp.ClientResponse) -> Any:
        self._feed_budget(response)
        placing = places_order(response.method, response.url.path)
        body = await response.read()
        if 200 <= response.status < 300:
            if self.on_answer is not None:
                self.on_answer(response.url.path, response.url.path_qs, body)
            try:
                return msgspec.json.decode(body) if body else {}
            except UNREADABLE as error:
                raise RequestFailed(lost(placing, True, f"unreadable answer: {error}")) from None
        answer = read_answer(response.status, body, response.headers.get("Retry-After"))
        if answer.code in FILTER_DOUBTS:
            self.on_filter_doubt()
        if response.status in (403, 418, 429):
            raise RequestFailed(refused_by_rate(answer, *self._restrain(answer)))
        raise RequestFailed(classify(answer, placing))

    def _feed_budget(self, response: aiohttp.ClientResponse) -> None:
        def number(name: str) -> int | None:
            text = response.headers.get(name, "")
            return int(text) if text.isdecimal() else None

        self._gate.budget.feed(
            _SENT_MS.get(),
            self._gate.now_ms(),
            number("X-MBX-USED-WEIGHT-1M"),
            number("X-MBX-ORDER-COUNT-10S"),
            number("X-MBX-ORDER-COUNT-1M"),
        )

    def _restrain(self, answer: Answer) -> tuple[float, float]:
        """Tell the budget to stop; (seconds to wait, Unix ms of the local clock at which a ban ends)."""
        budget, now_ms = self._gate.budget, self._gate.now_ms()
        after_ms = None if answer.retry_after is None else answer.retry_after * 1000
        if answer.status == 418:
            wait_ms = budget.ban(now_ms, after_ms, banned_until_ms(answer.text)) - now_ms
            return wait_ms / 1000, self._wall_ms() + wait_ms
        if answer.code == TOO_MANY_ORDERS:
            return budget.exhaust_orders(now_ms) / 1000, 0.0
        if answer.status == 403:
            after_ms = FIREWALL_WAIT_S * 1000
        return budget.throttle(now_ms, after_ms) / 1000, 0.0
