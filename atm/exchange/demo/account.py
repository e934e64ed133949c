"""The accounts of the demo exchange as they are kept on disk, and their margin arithmetic (one-way mode, single asset USDT).

Amounts in USDT, quantities signed in base asset. Rules: Binance support pages, formulas in atm.ledger.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping

import msgspec

from atm.exchange.demo.conditional import Conditional
from atm.ledger.balance import available_balance, max_addable, max_removable
from atm.ledger.fill import after_fill, initial_margin, unrealized_profit
from atm.ledger.margin import Floats, maintenance_margin

START_BALANCE = 10_000.0
TAKER_FEE, MAKER_FEE = 0.0005, 0.0002
KEPT = 1_000
INCOMES_KEPT = 20_000
"""Income records of an account; the exchange has those of three months."""


def booked(amount: float) -> float:
    """An amount as it is booked: with the eight decimals that are told, so that a wallet is exactly the sum of its income."""
    return round(float(amount), 8)


class Position(msgspec.Struct):
    """Position and settings of one symbol. `isolated_wallet` is 0 for a crossed position; `realized` adds up the profits;
    `called`: the owner of an isolated position was told that its margin runs low."""

    amount: float = 0.0
    entry: float = 0.0
    isolated_wallet: float = 0.0
    leverage: int = 20
    isolated: bool = False
    realized: float = 0.0
    update_ms: int = 0
    called: bool = False

    def profit(self, mark: float) -> float:
        """Unrealised profit at a mark price."""
        return float(unrealized_profit(self.amount, self.entry, mark))

    def initial(self, mark: float) -> float:
        """Initial margin at a mark price."""
        return float(initial_margin(self.amount, mark, float(self.leverage)))


class Order(msgspec.Struct):
    """An order. Price and quantity are the decimal strings that came in; `executed` and `quote` add up the fills; `expiry`:
    the exchange's number for why it ended unfilled; `prevention`: what happens when it would trade with an own order;
    `good_till_ms`: 0 for none; `algo_id`: the conditional order it came from (0: none); `amended`: how often."""

    order_id: int
    client_order_id: str
    symbol: str
    side: str
    type: str
    time_in_force: str
    quantity: str
    price: str
    reduce_only: bool
    time_ms: int
    update_ms: int
    status: str = "NEW"
    executed: float = 0.0
    quote: float = 0.0
    expiry: int = 0
    close_position: bool = False
    good_till_ms: int = 0
    price_match: str = "NONE"
    prevention: str = "EXPIRE_MAKER"
    algo_id: int = 0
    amended: int = 0
    modify_id: int = 0

    @property
    def sign(self) -> int:
        return 1 if self.side == "BUY" else -1

    @property
    def rest(self) -> float:
        """Quantity that is still open."""
        return round(float(self.quantity) - self.executed, 9)

    @property
    def average(self) -> float:
        return self.quote / self.executed if self.executed else 0.0


class Trade(msgspec.Struct):
    """One fill of one of our orders."""

    trade_id: int
    order_id: int
    symbol: str
    side: str
    price: float
    quantity: float
    profit: float
    commission: float
    maker: bool
    time_ms: int


class Income(msgspec.Struct):
    """One change of the balance. `kind`: COMMISSION, REALIZED_PNL, FUNDING_FEE, INSURANCE_CLEAR or TRANSFER; `info`: the trade's id."""

    transaction_id: int
    symbol: str
    kind: str
    amount: float
    info: str
    time_ms: int


class Amendment(msgspec.Struct):
    """One change of a resting order: (before, after) of price and quantity as decimal strings."""

    amendment_id: int
    order_id: int
    client_order_id: str
    symbol: str
    price: tuple[str, str]
    quantity: tuple[str, str]
    count: int
    modify_id: int
    time_ms: int


class MarginMove(msgspec.Struct):
    """Margin moved to (> 0) or from (< 0) an isolated position."""

    symbol: str
    amount: float
    time_ms: int


class Account(msgspec.Struct):
    """`wallet`: the cross wallet; isolated wallets lie in their positions. `conditionals`: those not yet done, by number;
    `countdowns`: market time at which the open orders of a symbol are cancelled; `called`: the owner was told that the
    margin of the crossed positions runs low. Of everything that has ended the newest `KEPT` are remembered.
    `hedge`, `multi_assets`: modes that its owner has switched it to; in hedge mode one-way orders are refused."""

    name: str = ""
    wallet: float = START_BALANCE
    positions: dict[str, Position] = {}
    open_orders: dict[int, Order] = {}
    old_orders: list[Order] = []
    trades: list[Trade] = []
    incomes: list[Income] = []
    conditionals: dict[int, Conditional] = {}
    old_conditionals: list[Conditional] = []
    amendments: list[Amendment] = []
    margin_moves: list[MarginMove] = []
    countdowns: dict[str, int] = {}
    called: bool = False
    update_ms: int = 0
    listen_key: str = ""
    listen_until_ms: float = 0.0
    hedge: bool = False
    multi_assets: bool = False

    @property
    def uid(self) -> int:
        """Number of its user."""
        return 100_000_000 + zlib.crc32(self.name.encode()) % 900_000_000

    def position(self, symbol: str) -> Position:
        """Position and settings of a symbol, made when first asked for."""
        return self.positions.setdefault(symbol, Position())

    @property
    def busy_symbols(self) -> set[str]:
        """Symbols with a position or an open order."""
        held = {symbol for symbol, position in self.positions.items() if position.amount}
        return held | {order.symbol for order in self.open_orders.values()}

    @property
    def watched_symbols(self) -> set[str]:
        """Symbols whose prices can change anything: the busy ones and those of conditional orders."""
        return self.busy_symbols | {each.symbol for each in self.conditionals.values()}

    def waiting(self) -> list[Conditional]:
        """Conditional orders that have not fired."""
        return [each for each in self.conditionals.values() if each.status == "NEW"]

    def due_ms(self, after_ms: int) -> int | None:
        """The next moment after `after_ms` at which an order ends by the clock."""
        dates = [order.good_till_ms for order in self.open_orders.values()]
        dates += [conditional.good_till_ms for conditional in self.waiting()]
        return min((ms for ms in (*dates, *self.countdowns.values()) if ms > after_ms), default=None)

    def earn(self, income: Income) -> None:
        """Remember what the balance was changed by."""
        self.incomes.append(income)
        del self.incomes[:-INCOMES_KEPT]

    def balance(self) -> float:
        """Wallet balance, isolated wallets included."""
        return self.wallet + sum(position.isolated_wallet for position in self.positions.values())

    def apply(self, symbol: str, quantity: float, price: float, commission: float, now_ms: int) -> float:
        """Book a fill of a signed quantity; returns the realised profit."""
        position = self.position(symbol)
        before = position.isolated_wallet
        amount, position.entry, isolated_wallet, profit, _ = after_fill(
            position.amount, position.entry, before, position.isolated, float(position.leverage), round(quantity, 9), price,
        )  # fmt: skip
        position.isolated_wallet, profit = booked(isolated_wallet), booked(profit)
        self.wallet = booked(self.wallet + profit - commission - (position.isolated_wallet - before))
        position.amount = round(amount, 9)
        position.realized += profit
        position.update_ms = self.update_ms = now_ms
        return float(profit)

    def move_margin(self, symbol: str, amount: float, now_ms: int) -> None:
        """Move `amount` from the cross wallet to the isolated wallet of a position (< 0: back)."""
        position = self.position(symbol)
        position.isolated_wallet = booked(position.isolated_wallet + amount)
        self.wallet = booked(self.wallet - amount)
        self.margin_moves.append(MarginMove(symbol, amount, now_ms))
        del self.margin_moves[:-KEPT]
        position.update_ms = self.update_ms = now_ms


class KeyPair(msgspec.Struct, frozen=True):
    """Whose an API key is, its secret, and what it may do. public: an Ed25519 public key in PEM, which verifies signatures in place of
    the secret."""

    account: str
    secret: str
    public: str = ""
    futures: bool = True
    withdrawals: bool = False
    ip_restricted: bool = True


class ExchangeState(msgspec.Struct):
    """Everything that survives a restart but the clock. `accounts` by name, `keys` by API key; `reached_ms`: the market
    time up to which orders were matched."""

    reached_ms: int
    accounts: dict[str, Account]
    keys: dict[str, KeyPair]
    next_id: int = 1

    def take_id(self) -> int:
        """A number not used before."""
        self.next_id += 1
        return self.next_id - 1


class Margins(msgspec.Struct, frozen=True):
    """Sums over an account at the present mark prices."""

    profit: float
    cross_profit: float
    initial: float
    order_initial: float
    maintenance: float
    cross_initial: float
    cross_maintenance: float
    isolated_orders: float
    available: float


def open_notional(account: Account, symbol: str, side: str) -> float:
    """Worth of the open orders of one side that may open a position, at their prices."""
    return sum(
        order.rest * float(order.price)
        for order in account.open_orders.values()
        if order.symbol == symbol and order.side == side and not order.reduce_only
    )


def order_margin(account: Account, symbol: str, mark: float) -> float:
    """Initial margin of the symbol's open orders beyond that of its position: max(|P + buys|, |P − sells|) / L − |P| / L."""
    position = account.position(symbol)
    held = position.amount * mark
    buys, sells = open_notional(account, symbol, "BUY"), open_notional(account, symbol, "SELL")
    most = max(abs(held), abs(held + buys), abs(held - sells))
    return (most - abs(held)) / position.leverage


def margins(account: Account, mark: Callable[[str], float], brackets: Mapping[str, Floats]) -> Margins:
    """Margins of the whole account."""
    profit = cross_profit = initial = cross_initial = maintenance = cross_maintenance = 0.0
    orders = isolated_orders = 0.0
    for symbol in account.busy_symbols:
        position, price = account.position(symbol), mark(symbol)
        notional = abs(position.amount) * price
        needed = float(maintenance_margin(brackets[symbol], notional))
        gain = position.profit(price)
        profit += gain
        initial += position.initial(price)
        maintenance += needed
        waiting = order_margin(account, symbol, price)
        orders += waiting
        if position.isolated:
            isolated_orders += waiting
        else:
            cross_profit += gain
            cross_initial += position.initial(price)
            cross_maintenance += needed
    available = float(available_balance(account.wallet, cross_profit, cross_initial, orders))
    return Margins(
        profit, cross_profit, initial, orders, maintenance, cross_initial, cross_maintenance, isolated_orders, available
    )


def movable(account: Account, symbol: str, mark: float, brackets: Floats, sums: Margins) -> tuple[float, float]:
    """(most that the isolated wallet of an open position can get from the cross wallet, most that it can give back)."""
    position = account.position(symbol)
    needed = float(maintenance_margin(brackets, abs(position.amount) * mark))
    return (
        float(max_addable(account.wallet, sums.cross_maintenance, sums.isolated_orders, sums.available)),
        float(
            max_removable(
                position.isolated_wallet, position.amount, position.entry, mark, float(position.leverage), needed
            )
        ),
    )
