"""The clock that the exchange shows its clients, which a fault can put wrong. Pure."""

from __future__ import annotations

from atm.exchange.demo.access import KEPT_ADDRESSES


class ShownClock:
    """So much ahead of the market's clock. A client that stamps its requests by the clock as it was before a jump is refused until
    it has asked for the time."""

    def __init__(self) -> None:
        self.ahead_ms = 0
        self._jumped = False
        self._told: dict[str, None] = {}

    def jump(self, ahead_ms: int) -> None:
        """Be so much ahead from now on."""
        if ahead_ms != self.ahead_ms:
            self.ahead_ms, self._jumped = ahead_ms, True
            self._told.clear()

    def tell(self, address: str) -> None:
        """An address has asked for the time."""
        if self._jumped:
            self._told[address] = None
            if len(self._told) > KEPT_ADDRESSES:
                del self._told[next(iter(self._told))]

    def is_known_to(self, address: str) -> bool:
        """Whether an address has asked for the time since the last jump."""
        return not self._jumped or address in self._told
