"""A WebSocket connection that hands whole text frames on where they are received.

The library takes every frame through its parser, an event, a queue and a task that is woken: twice what decoding and
reducing it costs. What an exchange sends in a flood is one kind of frame (final, text, neither masked nor compressed), of which
header and length are all there is to know. Those are cut out of the received bytes here; every other frame (pings, closing,
fragments) goes to the library, whole and in its place, so that it answers and ends as ever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import ClientConnection

_FINAL_TEXT = 0x81
_MASKED = 0x80
_TWO_BYTES, _EIGHT_BYTES = 126, 127


class DirectConnection(ClientConnection):
    """See the module. Until `hand_to` it is the library's own; what comes by the library's way is still got by `recv`."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._take: Callable[[bytes], None] | None = None
        self._rest = b""

    def hand_to(self, take: Callable[[bytes], None]) -> None:
        """Call `take` with the content of every whole text frame from now on. What it raises ends the connection."""
        self._take = take

    def data_received(self, data: bytes) -> None:
        """Called by the transport."""
        # The library may hold the beginning of a frame, from the time of the handshake: it must get the end of it as well.
        if self._take is None or (not self._rest and self.protocol.reader.buffer):
            super().data_received(data)
            return
        data, self._rest = self._rest + data, b""
        at, too_large = self._cut(data, self._take)
        if too_large:
            self._take = None  # the library says what is wrong with it
            super().data_received(data[at:])
        else:
            self._rest = data[at:]

    def _cut(self, data: bytes, take: Callable[[bytes], None]) -> tuple[int, bool]:
        """Hand on all whole frames; where the first one begins that is not whole, and whether it is larger than allowed."""
        at, end_of_data = 0, len(data)
        most = self.protocol.max_message_size
        while end_of_data - at >= 2:
            first, second = data[at], data[at + 1]
            size, begin = second & 0x7F, at + 2
            if size == _TWO_BYTES:
                begin = at + 4
                if begin > end_of_data:
                    break
                size = data[at + 2] << 8 | data[at + 3]
            elif size == _EIGHT_BYTES:
                begin = at + 10
                if begin > end_of_data:
                    break
                size = int.from_bytes(data[at + 2 : begin], "big")
            if most is not None and size > most:
                return at, True
            end = begin + size
            if end > end_of_data:
                break
            if first == _FINAL_TEXT and second < _MASKED:
                take(data[begin:end])
            else:
                super().data_received(data[at:end])
            at = end
        return at, False
