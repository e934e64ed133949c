"""The typed REST client of Binance USDⓈ-M Futures. Endpoints live, testnet and demo differ in their addresses only.

Errors of every method (atm.model.errors): Refused with the exchange's code; Unknown where an order may exist;
Throttled, Banned; Unavailable where nothing was done or nothing can be known from a query.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec

from atm.exchange.client import answers
from atm.exchange.client.answers import AccountState, LeverageSet, MarkPrices, PositionRisk, WalletBalance
from atm.exchange.client.clock import ExchangeClock
from atm.exchange.client.costs import BOOK_LIMIT, FUNDING_LIMIT, KLINES_LIMIT
from atm.exchange.client.failures import NO_CHANGE_NEEDED
from atm.exchange.client.local_book import DepthSnapshot
from atm.exchange.client.rate_budget import RateBudget, RequestClass
from atm.exchange.client.rate_gate import RateGate
from atm.exchange.client.transport import REQUEST_CLASS, SEND_BEFORE_MS, Credentials, transport_class, wall_ms
from atm.ipc.messages import DayTicker
from atm.model.bars import Bar
from atm.model.endpoint import Addresses
from atm.model.errors import Invalid, Refused, Unavailable, Unknown
from atm.model.instrument import Instrument, LeverageBracket
from atm.model.interval import MINUTE_MS
from atm.model.order import MarginType, OrderReport, OrderTicket, OrderType

# The exchange also allows ":" and "/", which the library signs in another form than it sends (exchange §7.3).
CLIENT_ORDER_ID = re.compile(r"[A-Za-z0-9._-]{1,36}")


@contextmanager
def _requests(kind: RequestClass) -> Iterator[None]:
    token = REQUEST_CLASS.set(kind)
    try:
        yield
    finally:
        REQUEST_CLASS.reset(token)


class FuturesClient:
    """One account (or none: market data only) at one endpoint. Build inside a running loop; `close` at the end.

    wall_ms(): the local clock, Unix ms; shared: a client whose clock, rate budget and gate this one uses too, since the exchange
    counts by address.
    """

    def __init__(
        self,
        addresses: Addresses,
        credentials: Credentials | None = None,
        wall_ms: Callable[[], float] = wall_ms,
        shared: FuturesClient | None = None,
    ) -> None:
        self.wall_ms = wall_ms
        self._owns_gate = shared is None
        self.clock: ExchangeClock = ExchangeClock() if shared is None else shared.clock
        self.budget: RateBudget = RateBudget() if shared is None else shared.budget
        self.gate: RateGate = self._own_gate() if shared is None else shared.gate
        self.signs = credentials is not None
        self._library = transport_class(addresses)(credentials or Credentials(), self.gate, self.clock, wall_ms)

    async def __aenter__(self) -> FuturesClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def tell_answers(self, on_answer: Callable[[str, str, bytes], None] | None) -> None:
        """Have every good answer told as (path, path with query, body), or no longer."""
        self._library.on_answer = on_answer

    def _own_gate(self) -> RateGate:
        return RateGate(self.budget, lambda: self.clock.window_ms(self.wall_ms()))

    async def close(self) -> None:
        if self._owns_gate:
            self.gate.close()
        await self._library.close()

    def on_filter_doubt(self, call: Callable[[], None]) -> None:
        """Have `call` called when the exchange refuses something for which a filter may have changed."""
        self._library.on_filter_doubt = call

    async def synchronise(self) -> None:
        """Measure the exchange's clock; to be repeated as long as the client lives."""
        with _requests(RequestClass.HOUSEKEEPING):
            await self._library.synchronise()

    async def server_time(self) -> int:
        """The exchange's clock, Unix ms."""
        with _requests(RequestClass.HOUSEKEEPING):
            return int((await self._library.futures_time())["serverTime"])

    # --- market -----------------------------------------------------------------------------------------------

    async def exchange_info(self) -> tuple[Instrument, ...]:
        """All perpetual contracts with their filters; the stated rate limits enter the budget."""
        with _requests(RequestClass.HOUSEKEEPING):
            found, limits, _ = answers.instruments(await self._library.futures_exchange_info())
        stated = {(limit.rate_limit_type, limit.interval, limit.interval_num): limit.limit for limit in limits}
        self.budget.set_limits(
            weight=stated.get(("REQUEST_WEIGHT", "MINUTE", 1), 0),
            orders_10s=stated.get(("ORDERS", "SECOND", 10), 0),
            orders_1m=stated.get(("ORDERS", "MINUTE", 1), 0),
        )
        self.gate.reconsider()
        return found

    async def exchange_rules(self) -> Any:
        """What exchangeInfo says, as it came."""
        with _requests(RequestClass.HOUSEKEEPING):
            return await self._library.futures_exchange_info()

    async def leverage_brackets(self) -> dict[str, tuple[LeverageBracket, ...]]:
        """Leverage brackets by symbol (signed)."""
        with _requests(RequestClass.HOUSEKEEPING):
            return answers.brackets(await self._library.futures_leverage_bracket())

    async def klines(
        self, symbol: str, start_ms: int, end_ms: int, kind: RequestClass = RequestClass.HISTORY
    ) -> tuple[Bar, ...]:
        """Closed one-minute bars with start_ms <= open time < end_ms, ascending; minutes that the exchange lacks are absent.

        A bar counts as closed when a later one exists, or when its close lies hours in the past: a clock alone, which may
        jump, makes no bar final.
        """
        end_ms += -end_ms % MINUTE_MS  # so that the bar which proves the last one closed lies in the range
        found: list[Bar] = []
        while start_ms < end_ms:
            # One bar more than wanted: its existence proves that the last wanted one is closed.
            limit = min(KLINES_LIMIT, (end_ms - start_ms + MINUTE_MS - 1) // MINUTE_MS + 1)
            with _requests(kind):
                answer = await self._library.futures_klines(
                    symbol=symbol, interval="1m", startTime=str(start_ms), endTime=str(end_ms), limit=str(limit)
                )
            rows = answers.kline_rows(answer)
            is_last = len(rows) < limit
            if rows and rows[-1][1] >= self.clock.long_past_ms(self.wall_ms()):
                rows.pop()
            found += [bar for bar, _ in rows if start_ms <= bar.open_time < end_ms]
            if is_last or not rows or rows[-1][0].open_time < start_ms:
                break
            start_ms = rows[-1][0].open_time + MINUTE_MS
        return tuple(found)

    async def order_book(self, symbol: str, kind: RequestClass = RequestClass.REPAIR) -> DepthSnapshot:
        """The book with up to 1,000 levels of both sides (weight 20)."""
        with _requests(kind):
            answer = await self._library.futures_order_book(symbol=symbol, limit=str(BOOK_LIMIT))
        return answers.depth_snapshot(answer, BOOK_LIMIT)

    async def mark_klines(
        self, symbol: str, start_ms: int, end_ms: int, kind: RequestClass = RequestClass.HISTORY
    ) -> dict[int, MarkPrices]:
        """Mark prices of minutes that are over, with start_ms <= open time < end_ms; those that the exchange lacks are absent."""
        found: dict[int, MarkPrices] = {}
        while start_ms < end_ms:
            limit = min(KLINES_LIMIT, (end_ms - start_ms + MINUTE_MS - 1) // MINUTE_MS)
            with _requests(kind):
                answer = await self._library.futures_mark_price_klines(
                    symbol=symbol, interval="1m", startTime=str(start_ms), endTime=str(end_ms - 1), limit=str(limit)
                )
            rows = answers.mark_rows(answer)
            found |= {row[0]: row[1:] for row in rows if start_ms <= row[0] < end_ms}
            if len(rows) < limit or rows[-1][0] < start_ms:
                break
            start_ms = rows[-1][0] + MINUTE_MS
        return found

    async def funding_rates(self, symbol: str, start_ms: int, kind: RequestClass) -> dict[int, float]:
        """The first settled funding rates, at most `FUNDING_LIMIT`, by their stamps (full minutes) from `start_ms` on."""
        with _requests(kind):
            answer = await self._library.futures_funding_rate(
                symbol=symbol, startTime=str(start_ms), limit=str(FUNDING_LIMIT)
            )
        return answers.funding_rates(answer)

    async def first_bar(self, symbol: str) -> int:
        """Open time of the first one-minute bar that the exchange has. Raises Refused where there is none."""
        with _requests(RequestClass.HISTORY):
            answer = await self._library.futures_klines(symbol=symbol, interval="1m", startTime="0", limit="1")
        rows = answers.kline_rows(answer)
        if not rows:
            raise Refused(f"the exchange has no bars of {symbol}")
        return rows[0][0].open_time

    async def day_tickers(self) -> tuple[DayTicker, ...]:
        """The last 24 hours of all symbols (weight 40)."""
        with _requests(RequestClass.HISTORY):
            return answers.day_tickers(await self._library.futures_ticker())

    async def day_ticker(self, symbol: str) -> tuple[DayTicker, ...]:
        """The last 24 hours of one symbol (weight 1)."""
        with _requests(RequestClass.HISTORY):
            return answers.day_tickers([await self._library.futures_ticker(symbol=symbol)])

    async def open_interest(self, symbol: str) -> tuple[float, int]:
        """(contracts held open in the base asset, its time). Raises Refused where the exchange tells none."""
        with _requests(RequestClass.HISTORY):
            return answers.open_interest(await self._library.futures_open_interest(symbol=symbol))

    # --- account ----------------------------------------------------------------------------------------------

    async def account(self) -> AccountState:
        """Balances of all assets (v3)."""
        answer = await self._account_call(self._library.futures_account(version=3))
        return answers.convert(answers.without_empty(answer), AccountState)

    async def balance(self) -> tuple[WalletBalance, ...]:
        """Wallet balances (v3)."""
        answer = await self._account_call(self._library.futures_account_balance())
        return answers.convert(answers.without_empty(answer), tuple[WalletBalance, ...])

    async def account_configuration(self) -> Any:
        """Permission to trade and modes of the futures account, as the exchange tells them (weight 5)."""
        return await self._account_call(self._library._request_futures_api("get", "accountConfig", True, 1, data={}))

    async def signed_get(self, address: str) -> Any:
        """A signed query beside the futures interface, its answer as it came. address: whole, without a query."""
        return await self._account_call(self._library._request("get", address, True, data={}))

    async def position_risk(self) -> tuple[PositionRisk, ...]:
        """Symbols with a position or open orders (v3)."""
        answer = await self._account_call(self._library.futures_position_information())
        return answers.convert(answers.without_empty(answer), tuple[PositionRisk, ...])

    async def set_leverage(self, symbol: str, leverage: int) -> LeverageSet:
        """Change the leverage of a symbol."""
        call = self._library.futures_change_leverage(symbol=symbol, leverage=str(leverage))
        return answers.convert(await self._account_call(call), LeverageSet)

    async def set_margin_type(self, symbol: str, margin_type: MarginType) -> None:
        """Change the margin mode of a symbol; "no need to change" is a success."""
        call = self._library.futures_change_margin_type(symbol=symbol, marginType=margin_type.value)
        try:
            await self._account_call(call)
        except Refused as refusal:
            if refusal.code not in NO_CHANGE_NEEDED:
                raise

    async def _account_call(self, call: Awaitable[Any]) -> Any:
        with _requests(RequestClass.ACCOUNT):
            return await call

    # --- orders -----------------------------------------------------------------------------------------------

    async def place(self, ticket: OrderTicket) -> OrderReport:
        """Send an order once. Unknown: query it by its client id before anything else is done (runtime §8.5)."""
        _check_client_order_id(ticket.client_order_id)
        parameters = {
            "symbol": ticket.symbol,
            "side": ticket.side.value,
            "type": ticket.type.value,
            "quantity": ticket.quantity,
            "newClientOrderId": ticket.client_order_id,
            "newOrderRespType": "RESULT",
        }
        if ticket.type is OrderType.LIMIT:
            if ticket.price is None or ticket.time_in_force is None:
                raise Invalid("price", ticket.price, "a LIMIT order with price and time in force")
            parameters |= {"price": ticket.price, "timeInForce": ticket.time_in_force.value}
        if ticket.reduce_only:
            parameters["reduceOnly"] = "true"
        with _requests(RequestClass.ORDERS):
            answer = await self._library.futures_create_order(**parameters)
        try:
            return answers.order_report(answer)
        except Unavailable as error:
            raise Unknown(str(error)) from None

    async def get_order(self, symbol: str, client_order_id: str) -> OrderReport:
        """The newest order that carried this client id. Refused(-2013): not there, or not visible yet."""
        return await self._order_call(self._library.futures_get_order, symbol, client_order_id)

    async def cancel_order(self, symbol: str, client_order_id: str) -> OrderReport:
        """Cancel. Refused(-2011): no longer open (filled, cancelled) or not visible yet: query."""
        return await self._order_call(self._library.futures_cancel_order, symbol, client_order_id)

    async def _order_call(self, method: Any, symbol: str, client_order_id: str) -> OrderReport:
        _check_client_order_id(client_order_id)
        with _requests(RequestClass.ORDERS):
            return answers.order_report(await method(symbol=symbol, origClientOrderId=client_order_id))

    async def open_orders(self, symbol: str | None = None) -> tuple[OrderReport, ...]:
        """Open orders of a symbol (weight 1), or of all (weight 40)."""
        parameters = {} if symbol is None else {"symbol": symbol}
        found = await self._account_call(self._library.futures_get_open_orders(**parameters))
        return tuple(answers.order_report(entry) for entry in found)

    async def call(
        self,
        method: str,
        version: int,
        path: str,
        parameters: Mapping[str, str],
        kind: RequestClass,
        send_before_ms: float,
    ) -> Any:
        """Any signed request, its answer as it came. send_before_ms: on the exchange's clock; what waits longer at the gate is
        not sent (Unavailable)."""
        token = SEND_BEFORE_MS.set(send_before_ms)
        try:
            with _requests(kind):
                return await self._library._request_futures_api(
                    method.lower(), path, True, version, data=dict(parameters)
                )
        finally:
            SEND_BEFORE_MS.reset(token)

    # --- user stream ------------------------------------------------------------------------------------------

    async def create_listen_key(self) -> str:
        """The account's listen key, valid for 60 minutes; the same one while it is active."""
        try:
            answer = await self._account_call(self._library.futures_stream_get_listen_key())
        except (KeyError, TypeError) as error:  # the library reads the key out of whatever came
            raise Unavailable(f"the answer has no listen key ({type(error).__name__})") from None
        return answers.convert(answer, str)

    async def keep_listen_key(self, listen_key: str) -> None:
        """Extend by 60 minutes. Refused(-1125): gone; create one, reconnect, reconcile."""
        await self._account_call(self._library.futures_stream_keepalive(listen_key))

    async def close_listen_key(self, listen_key: str) -> None:
        """End the user stream."""
        await self._account_call(self._library.futures_stream_close(listen_key))


def with_brackets(
    instruments: tuple[Instrument, ...], brackets: dict[str, tuple[LeverageBracket, ...]]
) -> tuple[Instrument, ...]:
    """The instruments with their leverage brackets where known."""
    return tuple(msgspec.structs.replace(i, brackets=brackets.get(i.symbol, i.brackets)) for i in instruments)


def _check_client_order_id(client_order_id: str) -> None:
    if not CLIENT_ORDER_ID.fullmatch(client_order_id):
        raise Invalid("client_order_id", client_order_id, "1 to 36 characters of A-Z a-z 0-9 . _ -")
