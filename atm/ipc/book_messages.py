"""Messages about whole order books and about recordings of a session. See `atm.ipc.messages`, through which all are imported."""

from __future__ import annotations

from typing import ClassVar

from atm.ipc.message_forms import Delivery, Event, Reply, Request


class FollowBooks(Request, frozen=True):
    """To binance_api: keep the whole books of exactly these symbols for `by` (a page, a strategy). → Done, or Failed: Invalid

    Holds for 60 s: ask again as long as they are wanted, e.g. every 20 s; with no symbols it ends at once. The union of what is asked
    for is streamed, each symbol with the most levels that anybody wants (1 to 1,000) in its messages.
    """

    by: str
    symbols: tuple[str, ...] = ()
    levels: int = 100


class WholeBook(Event, frozen=True):
    """The best levels of a whole book as (price, quantity), best first. Key: symbol. At most four times a second.

    is_synchronised False: differences are missing, a snapshot is under way; the levels are the last that were right. update_id: the
    exchange's number of this state; gaps: how often differences were missing since it is followed; is_short: a side has fewer levels than
    were asked for because more of it is not known, which another snapshot mends.
    """

    delivery: ClassVar[Delivery] = "latest"
    symbol: str
    time_ms: int
    update_id: int
    is_synchronised: bool
    gaps: int
    bids: tuple[tuple[float, float], ...]
    asks: tuple[tuple[float, float], ...]
    is_short: bool = False


class RecordSession(Request, frozen=True):
    """To binance_api: "start" or "stop" recording what comes from the exchange, or say the "state". → SessionRecording, or Failed

    Files go to the folder "recordings" at home. A recording that runs goes on when it is started again.
    """

    action: str


class SessionRecording(Reply, frozen=True):
    """A recording of the session. path: its newest file; bytes: of its files; lost: messages that were left out; error: why it
    ended by itself."""

    is_running: bool
    path: str = ""
    bytes: int = 0
    messages: int = 0
    lost: int = 0
    since_ms: int = 0
    error: str = ""
