"""What a user looks at of a live account, read off its desks. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from atm.model.live_order import LiveOrder, Purpose
from atm.model.live_view import DifferenceView, LiveView, OrderView, Protection, RiskFigures, StopView
from atm.trading.live.desk import Desk
from atm.trading.live.position_desk import PositionDesk
from atm.trading.live.protection import WantedStop, is_protected
from atm.trading.live.reconciliation import Difference, ForeignOrder, OrderMissing, PositionDiffers, Reconciler
from atm.trading.live.stop_desk import StopDesk

MOST_ENDED = 30
"""Orders that have ended and are shown; the journal has all of them."""


def survey(desk: Desk, reconciler: Reconciler, positions: PositionDesk, stops: StopDesk, now_ms: int) -> LiveView:
    """The whole view; now_ms: the exchange's clock."""
    held = [symbol for symbol, book in sorted(desk.state.books.items()) if book.amount]
    return LiveView(
        is_ready=reconciler.ready,
        compared_ms=reconciler.compared_ms,
        orders=_orders(desk.state.orders.values()),
        stops=tuple(_stop(desk, stops, symbol) for symbol in held),
        differences=tuple(_difference(desk, each) for each in reconciler.differences),
        risk=_risk(desk, positions, held, now_ms),
        waits=positions.waits(),
        given_up=tuple(positions.given_up()),
        not_closed=positions.not_closed(),
        doubtful=tuple(reconciler.suspects()),
    )


def _orders(orders: Iterable[LiveOrder]) -> tuple[OrderView, ...]:
    newest = sorted(orders, key=lambda order: (order.is_final, -max(order.heard_ms, order.sent_ms)))
    open_ = [order for order in newest if not order.is_final]
    ended = [order for order in newest if order.is_final][:MOST_ENDED]
    return tuple(OrderView.of(order) for order in (*open_, *ended))


def _stop(desk: Desk, stops: StopDesk, symbol: str) -> StopView:
    """Of a symbol that is held."""
    live, wanted = desk.stops(symbol), stops.wanted(symbol)
    resting = [order for order in live if order.rests]
    main = next((order for order in resting if order.intent.purpose is Purpose.STOP), next(iter(resting), None))
    protection = Protection.RESTS
    if not is_protected(desk.book(symbol).amount, live):
        protection = Protection.MISSING if wanted is not None else Protection.UNWANTED
    elif len(live) > 1 or not _is_in_step(main, wanted):
        protection = Protection.MOVING
    trigger = None if main is None or main.intent.trigger is None else float(main.intent.trigger)
    since_ms = stops.unprotected_since.get(symbol, 0)
    return StopView(symbol, protection, trigger, None if wanted is None else float(wanted.trigger), since_ms)


def _is_in_step(main: LiveOrder | None, wanted: WantedStop | None) -> bool:
    return main is not None and (wanted is None or main.intent.trigger == wanted.trigger)


def _difference(desk: Desk, found: Difference) -> DifferenceView:
    match found:
        case PositionDiffers():
            return DifferenceView("position", found.symbol, f"{found.expected:f}", f"{found.actual:f}")
        case OrderMissing():
            order = desk.state.orders.get(found.client_id)
            return DifferenceView("order_missing", "" if order is None else order.intent.symbol, found.client_id)
        case ForeignOrder():
            seen, kind = found.order, "orphan_order" if found.is_orphan else "foreign_order"
            price = seen.trigger if seen.trigger is not None else seen.price
            said = f"{seen.client_id}: {seen.side.value} {seen.quantity:f} @ {price:f}"
            return DifferenceView(kind, seen.symbol, "", said)
        case _:
            wanted = desk.setup.symbols[found.symbol]
            ours = _settings(wanted.leverage, wanted.isolated)
            return DifferenceView("settings", found.symbol, ours, _settings(found.leverage, found.isolated))


def _settings(leverage: int | None, isolated: bool | None) -> str:
    mode = "?" if isolated is None else "isolated" if isolated else "cross"
    return f"{leverage or '?'}x {mode}"


def _risk(desk: Desk, positions: PositionDesk, held: list[str], now_ms: int) -> RiskFigures:
    worths = [float(abs(desk.book(symbol).amount) * desk.price(symbol)) for symbol in held]
    marked = desk.state.equity
    return RiskFigures(
        equity=positions.equity,
        day_equity=marked.day_equity if marked is not None else 0.0,
        peak_equity=max(marked.peak_equity, positions.equity) if marked is not None else 0.0,
        worth=sum(worths),
        largest=max(worths, default=0.0),
        orders=positions.orders_last_minute(now_ms),
    )
