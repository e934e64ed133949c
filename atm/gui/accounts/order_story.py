"""Entries of the order journal as lines of a story. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from atm.gui.texts import Texts
from atm.model.journal import JournalEntry
from atm.model.live_order import OrderIntent
from atm.model.order_facts import (
    CancelAsked,
    Declined,
    Dropped,
    Filled,
    Intended,
    Lost,
    NotFound,
    NotPlaced,
    Reported,
    Sent,
)

_PLAIN = {Sent: "sent", Lost: "lost", NotPlaced: "not_placed", CancelAsked: "cancel_asked"}


@dataclass(frozen=True, slots=True)
class StoryLine:
    """time_ms: of the exchange's clock; what, details: in the language of the window; is_bad: a refusal or an unknown outcome."""

    time_ms: int
    what: str
    details: str = ""
    is_bad: bool = False


def story_line(t: Texts, entry: JournalEntry) -> StoryLine:
    """What an entry about an order says."""
    match entry:
        case Intended():
            return StoryLine(entry.time_ms, t("story.intended"), _intent(t, entry.intent))
        case Reported():
            executed = t("story.executed", quantity=_written(entry.executed))
            number = entry.order_id or entry.algo_id
            named = f"{executed}   {t('story.number', number=number)}" if number else executed
            reason = "" if entry.reason.isupper() else f"   {entry.reason}"
            return StoryLine(entry.time_ms, t(f"order_state.{entry.state.value}"), f"{named}{reason}".rstrip())
        case Filled():
            fill = entry.fill
            fee = "" if fill.commission is None else t("story.fee", fee=_written(fill.commission), asset=fill.asset)
            said = t("story.fill", quantity=_written(fill.quantity), price=_written(fill.price))
            return StoryLine(fill.time_ms, t("story.filled"), f"{said}   {fee}".rstrip())
        case Declined():
            return StoryLine(entry.time_ms, t("story.declined"), f"{entry.reason} ({entry.code})", is_bad=True)
        case Dropped():
            return StoryLine(entry.time_ms, t("story.dropped"), entry.reason, is_bad=True)
        case NotFound():
            return StoryLine(entry.asked_ms, t("story.not_found"), is_bad=True)
        case Sent() | Lost() | NotPlaced() | CancelAsked():
            return StoryLine(entry.time_ms, t(f"story.{_PLAIN[type(entry)]}"), is_bad=isinstance(entry, Lost))
        case _:
            return StoryLine(entry.time_ms, type(entry).__name__)


def _intent(t: Texts, intent: OrderIntent) -> str:
    parts = [t(f"order_purpose.{intent.purpose.name}"), t(f"side.{intent.side.value}")]
    parts.append(_written(intent.quantity) if intent.quantity else t("orders.everything"))
    if intent.trigger is not None:
        parts.append(t("story.trigger", price=_written(intent.trigger)))
    parts.append(t("orders.market") if intent.price is None else t("story.limit", price=_written(intent.price)))
    if intent.reduce_only:
        parts.append(t("story.reduce_only"))
    return "   ".join(parts)


def _written(value: Decimal) -> str:
    return f"{value.normalize():f}"
