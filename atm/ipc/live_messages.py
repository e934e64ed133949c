"""Messages between the trade manager, which decides and journals, and binance_api, which signs and sends. See `atm.ipc.messages`,
through which all are imported.
"""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from atm.ipc.message_forms import Delivery, Event, Reply, Request
from atm.model.account_facts import LiveFact
from atm.model.income import IncomeQuestion, IncomeRecord
from atm.model.live_request import Answer, LiveRequest
from atm.model.live_view import LiveView
from atm.model.order_probe import ProbeResult, ProbeTarget
from atm.model.risk import LiveRules

KILL_SECONDS = 45.0
"""How long the kill switch may take to have closed everything."""


class OpenLiveAccount(Request, frozen=True):
    """To binance_api: connect an actual account, its user stream included; nothing happens if it is connected. → Done"""

    account: str


class CloseLiveAccount(Request, frozen=True):
    """To binance_api: disconnect an actual account. → Done"""

    account: str


class CarryOut(Request, frozen=True):
    """To binance_api: carry out a request of an actual account's core, once. → CarriedOut, a failure of the exchange included"""

    account: str
    number: int
    request: LiveRequest


class CarriedOut(Reply, frozen=True):
    answer: Answer


class ReadAccountIncome(Request, frozen=True):
    """To binance_api: what the exchange has booked on an account's wallets, or their balances; waits behind everything more urgent.
    → AccountIncome"""

    account: str
    question: IncomeQuestion


class AccountIncome(Reply, frozen=True):
    """records: of ReadPage; wallets: of ReadWallets, by asset."""

    records: tuple[IncomeRecord, ...] = ()
    wallets: dict[str, Decimal] = {}


class ReconcileIncome(Request, frozen=True):
    """To trade: read the income of an actual account now. anew: the wallets are taken as they are then, and what income makes of them is
    reckoned from there on. → Done when it is stored and compared"""

    account: str
    anew: bool = False


class ProbeOrders(Request, frozen=True):
    """To binance_api: try the order types of an account's symbols without trading. → OrdersProbed"""

    account: str
    targets: tuple[ProbeTarget, ...]


class OrdersProbed(Reply, frozen=True):
    results: tuple[ProbeResult, ...]


class OrderTypesShown(Event, frozen=True):
    """From trade: what came of the newest trial of an account's order types, time_ms on the exchange's clock. Key: account."""

    delivery: ClassVar[Delivery] = "latest"
    account: str
    time_ms: int
    results: tuple[ProbeResult, ...]


class LiveHeard(Event, frozen=True):
    """From binance_api: what an event of an account's user stream says. Key: account."""

    account: str
    facts: tuple[LiveFact, ...]


class LiveMissed(Event, frozen=True):
    """From binance_api: events of an account's user stream may have been missed; it has to be compared. Key: account."""

    account: str


class LiveClock(Event, frozen=True):
    """From binance_api, each second while an actual account is connected: the exchange's clock (Unix ms) and its rate, 1 but for a
    demo exchange at another speed. Key: ""."""

    delivery: ClassVar[Delivery] = "latest"
    market_ms: int
    rate: float


class LiveShown(Event, frozen=True):
    """From trade: what an actual account has on its exchange, as it is shown; at most once a second, when it has changed. Key: account."""

    delivery: ClassVar[Delivery] = "latest"
    account: str
    view: LiveView


class KillSwitch(Request, frozen=True):
    """To trade: stop trading, cancel all orders and close all positions of an account, or of all when account is "". To binance_api: see
    that it happens to actual accounts, by itself where trade does not answer; what opens is sent no more until trade has
    heard of it. → Done once everything is closed (trade: once it is under way), or Failed with what is left"""

    account: str = ""


class ResumeLive(Request, frozen=True):
    """To trade: what was halted of an actual account may be opened again. scope: a symbol, "" = the whole account. → Done"""

    account: str
    scope: str = ""


class SetLiveRules(Request, frozen=True):
    """To trade: risk limits, policy and stops of an actual account, from now on. → Done, or Failed with the field that is wrong"""

    account: str
    rules: LiveRules
