"""The exchange's income records held against the program's own: the trade log, the positions at funding stamps, the wallets. Pure.

Every difference is a line with its cause. Amounts of our records are floats that were decimals of eight places; their shortest
spelling is exact again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from msgspec.structs import replace

from atm.model.account import TradeRecord
from atm.model.account_review import asset_of
from atm.model.income import (
    COMMISSION,
    FUNDING_FEE,
    FUNDING_KINDS,
    INSURANCE_CLEAR,
    REALIZED_PNL,
    TOLERANCE,
    TRANSFERS,
    WALLET,
    IncomeCause,
    IncomeCheck,
    IncomeLine,
    IncomeRecord,
    IncomeState,
    IncomeSum,
)
from atm.model.interval import DAY_MS, MINUTE_MS
from atm.model.journal import Adjusted
from atm.model.live_order import NOTHING

SETTLES_MS = MINUTE_MS
"""A fill younger than this need not have its income yet."""
STRANGE_MS = 3 * MINUTE_MS
"""A fill that our log lacks is strange when it is older: until then the log may get it, or an outside change explain it."""
ADJUSTED_WITHIN_MS = 10 * MINUTE_MS
"""How long after a fill of others its position is booked as an outside change at the latest."""
CUT_MS = 1_000
"""Times of some records are cut to full seconds."""
FUNDING_SHARE = Decimal("1e-3")
"""The mark price that funding is settled at is not recorded to the last digit: so much of an amount is no difference."""
QUOTES = ("USDT", "USDC", "FDUSD", "BUSD", "BTC")
"""Assets that symbols are quoted in."""

Settled = Mapping[tuple[str, int], tuple[float, float]]
"""By symbol and stamp: (mark price, funding rate)."""
NONE_SETTLED: Settled = {}


class OwnRecords:
    """What the program knows by itself. trades: oldest first; whole: all of them from the beginning of the account on, else only the
    newest; adjusted: outside changes; settled: stamps of which mark price and rate are recorded."""

    def __init__(
        self,
        trades: Sequence[TradeRecord],
        adjusted: Iterable[Adjusted] = (),
        settled: Settled = NONE_SETTLED,
        *,
        whole: bool = True,
    ) -> None:
        self.trades, self.settled, self._whole = trades, settled, whole
        self.adjusted = [each for each in adjusted if each.reason == "outside"]
        self._held: dict[str, list[tuple[int, Decimal]]] = {}
        for trade in trades:
            after = exact(trade.quantity_after)
            before = NOTHING if whole else after - exact(trade.quantity) * trade.side.sign
            self._held.setdefault(trade.symbol, [(0, before)]).append((trade.time_ms, after))
        for points in self._held.values():
            points.sort(key=lambda point: point[0])

    def held(self, symbol: str, at_ms: int) -> Decimal | None:
        """The position just before a moment; None where it is not known: because of an outside change, or trades that are missing."""
        points = self._held.get(symbol, [(0, NOTHING)] if self._whole else [])
        place = bisect_left(points, (at_ms,)) - 1
        if place < 0:
            return None
        since_ms, quantity = points[place]
        changed = any(each.symbol == symbol and since_ms < each.time_ms for each in self.adjusted)
        return None if changed else quantity


def since_first(state: IncomeState, trades: Sequence[TradeRecord]) -> IncomeState:
    """The state as if nothing had been asked for before the first of some newest trades: there is nothing to hold it against."""
    return replace(state, since_ms=max(state.since_ms, trades[0].time_ms + 2 * CUT_MS))


def check(records: Sequence[IncomeRecord], own: OwnRecords, state: IncomeState) -> IncomeCheck:
    """Compare all. records: by time."""
    lines, agreeing = _fills(records, own, state)
    lines += _funding(records, own, state)
    lines += _others(records)
    wallets = {
        asset: (state.wallets.get(asset, NOTHING), state.expected.get(asset, NOTHING))
        for asset in sorted(state.wallets.keys() | state.expected.keys())
    }
    lines += [
        IncomeLine(state.checked_ms, WALLET, "", asset, has, made, IncomeCause.MISSING_RECORD)
        for asset, (has, made) in wallets.items()
        if abs(has - made) > TOLERANCE
    ]
    lines.sort(key=lambda line: (line.time_ms, line.kind, line.symbol))
    return IncomeCheck(sums(records), tuple(lines), wallets, agreeing, state)


def sums(records: Iterable[IncomeRecord]) -> tuple[IncomeSum, ...]:
    """By day, type and asset, the newest day first."""
    found: dict[tuple[int, str, str], list[Decimal]] = defaultdict(list)
    for record in records:
        found[record.time_ms // DAY_MS * DAY_MS, record.kind, record.asset].append(record.amount)
    made = [
        IncomeSum(day, kind, asset, sum(amounts, NOTHING), len(amounts))
        for (day, kind, asset), amounts in found.items()
    ]
    return tuple(sorted(made, key=lambda each: (-each.day_ms, each.kind, each.asset)))


def exact(value: float) -> Decimal:
    """A float that was a decimal, as that decimal."""
    return Decimal(repr(value))


# --- fills


def _fills(records: Sequence[IncomeRecord], own: OwnRecords, state: IncomeState) -> tuple[list[IncomeLine], int]:
    """Commissions and profits by trade; how many trades are the same on both sides."""
    told: dict[tuple[str, int], list[IncomeRecord]] = defaultdict(list)
    for record in records:
        if record.kind in (COMMISSION, REALIZED_PNL) and record.time_ms >= state.since_ms - CUT_MS:
            told[record.symbol, record.trade_id].append(record)
    lines: list[IncomeLine] = []
    other_fees: dict[tuple[int, str], Decimal] = defaultdict(Decimal)
    agreeing = 0
    for trade in own.trades:
        if not trade.trade_id:
            continue
        theirs = told.pop((trade.symbol, trade.trade_id), [])
        if trade.other_fee_asset:
            other_fees[trade.time_ms // DAY_MS * DAY_MS, trade.other_fee_asset] -= exact(trade.other_fee)
        found = _of_trade(trade, theirs, asset_of(trade.symbol, QUOTES))
        if not theirs and not state.since_ms <= trade.time_ms <= state.until_ms - SETTLES_MS:
            continue
        lines += found
        agreeing += not found
    clears = {(each.symbol, each.time_ms // 1_000) for each in records if each.kind == INSURANCE_CLEAR}
    for (symbol, trade_id), theirs in told.items():
        for each in theirs:
            cause = _stranger(each, own, clears)
            if cause.is_explained or each.time_ms <= state.until_ms - STRANGE_MS:
                lines.append(
                    IncomeLine(each.time_ms, each.kind, symbol, each.asset, each.amount, None, cause, trade_id)
                )
    for (day_ms, asset), paid in other_fees.items():
        lines.append(IncomeLine(day_ms, COMMISSION, "", asset, paid, paid, IncomeCause.FEE_ASSET))
    return lines, agreeing


def _of_trade(trade: TradeRecord, theirs: Sequence[IncomeRecord], quote: str) -> list[IncomeLine]:
    """Differences of one trade."""
    ours = {(COMMISSION, quote): -exact(trade.fee), (REALIZED_PNL, quote): exact(trade.profit)}
    if trade.other_fee_asset:
        ours[COMMISSION, trade.other_fee_asset] = -exact(trade.other_fee)
    given: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for each in theirs:
        given[each.kind, each.asset] += each.amount
    lines = []
    for kind, asset in ours.keys() | given.keys():
        mine, other = ours.get((kind, asset)), given.get((kind, asset))
        if abs((mine or NOTHING) - (other or NOTHING)) > TOLERANCE:
            cause = IncomeCause.MISSING_RECORD if other is None else IncomeCause.AMOUNT
            lines.append(IncomeLine(trade.time_ms, kind, trade.symbol, asset, other, mine, cause, trade.trade_id))
    return lines


def _stranger(record: IncomeRecord, own: OwnRecords, clears: set[tuple[str, int]]) -> IncomeCause:
    """Whose a fill is of which our log knows nothing."""
    if (record.symbol, record.time_ms // 1_000) in clears:
        return IncomeCause.LIQUIDATION
    booked = any(
        each.symbol == record.symbol and -1_000 <= each.time_ms - record.time_ms <= ADJUSTED_WITHIN_MS
        for each in own.adjusted
    )
    return IncomeCause.MANUAL_TRADE if booked else IncomeCause.UNKNOWN_FILL


# --- funding


def _funding(records: Sequence[IncomeRecord], own: OwnRecords, state: IncomeState) -> list[IncomeLine]:
    """Payments against position · mark price · rate, where all three are known; stamps at which we held something and nobody paid."""
    paid: dict[tuple[str, int], Decimal] = defaultdict(Decimal)
    for record in records:
        if record.kind in FUNDING_KINDS and record.time_ms >= state.since_ms - CUT_MS:
            paid[record.symbol, _stamp(record.time_ms)] += record.amount
    lines = []
    until_ms = state.until_ms - SETTLES_MS
    stamps = {(symbol, ms) for symbol, ms in own.settled if state.since_ms < ms <= until_ms}
    for symbol, stamp_ms in sorted(paid.keys() | stamps):
        line = _payment(symbol, stamp_ms, paid.get((symbol, stamp_ms)), own)
        if line is not None and (line.cause is not IncomeCause.UNKNOWN_FILL or stamp_ms <= until_ms - STRANGE_MS):
            lines.append(line)
    return lines


def _payment(symbol: str, stamp_ms: int, paid: Decimal | None, own: OwnRecords) -> IncomeLine | None:
    quantity, asset = own.held(symbol, stamp_ms), asset_of(symbol, QUOTES)
    known = own.settled.get((symbol, stamp_ms))
    if quantity is None or (known is None and quantity):
        return None  # nothing can be said of it
    expected = NOTHING if known is None else -quantity * exact(known[0]) * exact(known[1])
    if abs((paid or NOTHING) - expected) <= max(TOLERANCE, abs(expected) * FUNDING_SHARE):
        return None
    if paid is None:
        cause = IncomeCause.MISSING_RECORD
    else:
        cause = IncomeCause.FUNDING if quantity else IncomeCause.UNKNOWN_FILL
    return IncomeLine(stamp_ms, FUNDING_FEE, symbol, asset, paid, expected.quantize(TOLERANCE), cause)


def _stamp(time_ms: int) -> int:
    """The full minute of a stamp, which the exchange's times miss by some milliseconds to seconds."""
    return (time_ms + MINUTE_MS // 2) // MINUTE_MS * MINUTE_MS


# --- the rest


def _others(records: Iterable[IncomeRecord]) -> list[IncomeLine]:
    """Income that no fill and no stamp makes."""
    own_kinds = {COMMISSION, REALIZED_PNL, *FUNDING_KINDS}
    causes = dict.fromkeys(TRANSFERS, IncomeCause.TRANSFER) | {INSURANCE_CLEAR: IncomeCause.LIQUIDATION}
    return [
        IncomeLine(
            each.time_ms, each.kind, each.symbol, each.asset, each.amount, None,
            causes.get(each.kind, IncomeCause.OTHER_INCOME), each.trade_id,
        )
        for each in records
        if each.kind not in own_kinds
    ]  # fmt: skip
