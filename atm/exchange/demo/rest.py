"""The REST side of the demo exchange: from a request to its handler, past bans, limits, key, signature and clock."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from atm.exchange.demo import access
from atm.exchange.demo.account import Account, KeyPair
from atm.exchange.demo.account_answers import AccountAnswers
from atm.exchange.demo.conditional_answers import ConditionalAnswers
from atm.exchange.demo.engine import Engine
from atm.exchange.demo.market import Market
from atm.exchange.demo.market_answers import MarketAnswers
from atm.exchange.demo.order_answers import OrderAnswers
from atm.exchange.demo.refusal import ExchangeRefusal
from atm.exchange.demo.request import Asked
from atm.exchange.demo.shown_clock import ShownClock
from atm.exchange.demo.spot_answers import SPOT_ROUTES
from atm.model.demo_state import DemoKeyForm

KEY_LIFE_MS = 3_600_000.0
_NOT_FOUND = "<html><body>404 Not Found</body></html>"
_ORDERS = {
    ("POST", "v1/order"): 1, ("POST", "v1/order/test"): 1, ("PUT", "v1/order"): 1, ("POST", "v1/algoOrder"): 1,
    ("POST", "v1/batchOrders"): 5, ("PUT", "v1/batchOrders"): 5,
}  # fmt: skip
"""How many orders a request counts as in the limit of ten seconds; in that of a minute each is one."""


Plain = Callable[[], web.Response]
"""Carries a request out and answers it."""
Tamper = Callable[[web.Request, Plain], Awaitable[web.StreamResponse]]


class Rest:
    """Answers requests.

    market_ms(): lets the market run up to the present and returns its time; wall_ms(): the machine's; exact(): whether the
    market runs in real time; done(): called after a request that may have changed an account. `shown`: the clock that clients
    are shown; `tamper`: what requests have to pass while faults are active.
    """

    def __init__(
        self,
        engine: Engine,
        info: dict[str, Any],
        limits: access.RateLimits,
        market_ms: Callable[[], int],
        wall_ms: Callable[[], float],
        exact: Callable[[], bool],
        done: Callable[[], None],
    ) -> None:
        self.shown = ShownClock()
        self.tamper: Tamper | None = None
        self._engine, self._limits = engine, limits
        self._market_ms, self._wall_ms, self._exact, self._done = market_ms, wall_ms, exact, done
        self._public = MarketAnswers(engine.markets, engine.market, info).handlers
        self._signed = (
            AccountAnswers(engine).handlers | OrderAnswers(engine).handlers | ConditionalAnswers(engine).handlers
        )

    @property
    def markets(self) -> Mapping[str, Market]:
        """By symbol."""
        return self._engine.markets

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        body = (await request.read()).decode(errors="replace")
        if self.tamper is None:
            return self._respond(request, body)
        return await self.tamper(request, partial(self._respond, request, body, self._market_ms()))

    def _respond(self, request: web.Request, body: str, arrived_ms: int | None = None) -> web.Response:
        """arrived_ms: market time at which the request came, when that is not now."""
        headers: dict[str, str] = {}
        try:
            answer = self._answer(request, request.rel_url.raw_query_string, body, headers, arrived_ms)
        except ExchangeRefusal as refusal:
            content = {"code": refusal.code, "msg": refusal.text}
            return web.json_response(content, status=refusal.status, headers=headers)
        if answer is None:
            return web.Response(text=_NOT_FOUND, status=404, content_type="text/html", headers=headers)
        return web.json_response(answer, headers=headers)

    def _answer(
        self, request: web.Request, query: str, body: str, headers: dict[str, str], arrived_ms: int | None
    ) -> Any:
        method, path = request.method, f"{request.match_info['version']}/{request.match_info['path']}"
        if request.path.startswith(("/sapi/", "/api/")) and (method, request.path) in SPOT_ROUTES:
            path = request.path
        route, address, wall_ms = (method, path), request.remote or "", self._wall_ms()
        if not (route in SPOT_ROUTES or route in self._public or route in self._signed or path == "v1/listenKey"):
            return None
        given = _parameters(query) if method == "GET" else _parameters(body) | _parameters(query)
        self._limits.check_ban(address, wall_ms, headers)
        self._limits.spend(address, access.weight(method, path, given), wall_ms, headers)
        version = request.match_info["version"]
        if route in self._public:
            ahead_ms = self.shown.ahead_ms if path.endswith("/time") else 0
            if path.endswith("/time"):
                self.shown.tell(address)
            return self._public[route](Asked(version, given, self._market_ms() + ahead_ms))
        pair = access.key_pair(self._engine.state.keys, request.headers.get("X-MBX-APIKEY", ""))
        if not pair.futures and route not in SPOT_ROUTES:
            raise ExchangeRefusal(-2015)
        account = self._engine.state.accounts[pair.account]
        if path == "v1/listenKey":
            return self._listen_key(method, account, wall_ms)
        access.check_signature(pair, given, query, body)
        now_ms = self._market_ms()
        if self._exact():
            access.check_time(given, (now_ms if arrived_ms is None else arrived_ms) + self.shown.ahead_ms)
        elif not self.shown.is_known_to(address):
            raise ExchangeRefusal(-1021)
        if route in SPOT_ROUTES:
            return SPOT_ROUTES[route](pair, account)
        if route in _ORDERS:
            if account.hedge and given.get("positionSide", "BOTH") == "BOTH":
                raise ExchangeRefusal(-4061)
            self._limits.count_order(account.name, wall_ms, headers, _ORDERS[route])
        try:
            return self._signed[route](Asked(version, given, now_ms, account))
        finally:
            self._done()

    # --- listen keys ------------------------------------------------------------------------------------------

    def _listen_key(self, method: str, account: Account, wall_ms: float) -> Any:
        """One key an account, valid for an hour of real time whatever the speed, since clients renew it by their own clock."""
        known = account.listen_key if wall_ms < account.listen_until_ms else ""
        if method == "DELETE":
            account.listen_key, account.listen_until_ms = "", 0.0
        elif method == "POST" or (method == "PUT" and known):
            account.listen_key, account.listen_until_ms = known or secrets.token_hex(32), wall_ms + KEY_LIFE_MS
        elif method == "PUT":
            raise ExchangeRefusal(-1125)
        else:
            return None
        self._engine.changed = True
        self._done()
        return {} if method == "DELETE" else {"listenKey": account.listen_key}

    def owner_of(self, listen_key: str) -> str:
        """Name of the account whose valid listen key this is, "" when it is nobody's."""
        for account in self._engine.state.accounts.values():
            if listen_key and account.listen_key == listen_key and self._wall_ms() < account.listen_until_ms:
                return account.name
        return ""

    def expired(self) -> list[tuple[Account, str]]:
        """(account, key) of the listen keys that have run out since the last call; they are forgotten."""
        found = []
        for account in self._engine.state.accounts.values():
            if account.listen_key and self._wall_ms() >= account.listen_until_ms:
                found.append((account, account.listen_key))
                account.listen_key = ""
        return found

    def make_key(self, account_name: str, form: DemoKeyForm) -> tuple[str, str]:
        """(API key, secret) of a new key pair; the account is made if there is none of that name. No secret ("") for a public key."""
        state = self._engine.state
        state.accounts.setdefault(account_name, Account(name=account_name))
        key, secret = secrets.token_hex(32), "" if form.public_key else secrets.token_hex(32)
        state.keys[key] = KeyPair(
            account_name, secret, form.public_key, form.futures, form.withdrawals, form.ip_restricted
        )
        self._engine.changed = True
        self._done()
        return key, secret


def _parameters(text: str) -> dict[str, str]:
    pairs = parse_qsl(text, keep_blank_values=True)
    if len({name for name, _ in pairs}) < len(pairs):
        raise ExchangeRefusal(-1101)
    return dict(pairs)
