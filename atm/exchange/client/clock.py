"""The exchange's clock, estimated from `GET /fapi/v1/time` (exchangeInfo.serverTime is stale on the test net)."""

from __future__ import annotations

_NORMAL_RATE = 0.25  # a measured rate closer to 1 than this is measuring error, not an accelerated replay
_LONG_MS = 2 * 3_600_000.0
_FASTEST = 1_250.0  # a measured rate beyond this is no rate: the replay was moved forward in between


class ExchangeClock:
    """Exchange time as a linear function of the local one. All times Unix ms; nothing here reads a clock.

    The rate is 1 on Binance. A demo exchange that replays at a multiple of real time has that multiple as its rate,
    found from two samples that lie far enough apart compared with their round trips; one that is held has the rate 0.
    A clock may also jump: a rate unlike the one known so far is believed when a second one confirms it, until which the
    clock `is_doubtful`. is_held: a replay has said that it is held, so that silence is no sign of anything.
    """

    def __init__(self) -> None:
        self.rate = 1.0
        self.latency_ms = 0.0
        self.samples = 0
        self.is_doubtful = False
        self.is_held = False
        self._is_steady = False
        self._strange = 1.0
        self._local_ms = 0.0
        self._exchange_ms = 0.0

    def sample(self, sent_ms: float, received_ms: float, exchange_ms: float) -> None:
        """Take one answer of the exchange. Its stamp is assumed to be of the middle of the round trip."""
        local_ms = (sent_ms + received_ms) / 2
        round_trip_ms = max(0.0, received_ms - sent_ms)
        self.is_held = self.is_held and exchange_ms <= self._exchange_ms
        if self.samples:
            self._measure_rate(local_ms - self._local_ms, exchange_ms - self._exchange_ms, round_trip_ms)
        self._local_ms, self._exchange_ms = local_ms, exchange_ms
        self.latency_ms = round_trip_ms
        self.samples += 1

    def tell(self, local_ms: float, exchange_ms: float, rate: float) -> None:
        """Take the word of a replay for its time and rate (0: it is held), which somebody may just have changed."""
        self._local_ms, self._exchange_ms, self.rate = local_ms, exchange_ms, rate
        self._is_steady, self.is_doubtful = True, False
        self.is_held = rate == 0
        self.samples += 1

    def _measure_rate(self, local_ms: float, exchange_ms: float, round_trip_ms: float) -> None:
        uncertain_ms = (round_trip_ms + self.latency_ms) / 2 + 1.0
        if local_ms < 4 * uncertain_ms:
            return
        rate = exchange_ms / local_ms
        if rate > _FASTEST:
            return
        rate = 1.0 if rate < 0 or abs(rate - 1) < _NORMAL_RATE + uncertain_ms / local_ms else rate
        tolerance = _NORMAL_RATE + uncertain_ms / local_ms
        if self._is_steady and not _alike(rate, self.rate, tolerance):
            self._strange = rate
            self.is_doubtful, self._is_steady = True, False
        elif self.is_doubtful and not any(_alike(rate, known, tolerance) for known in (self.rate, self._strange)):
            self._strange = rate
        else:
            self.rate, self._is_steady, self.is_doubtful = rate, True, False

    def now_ms(self, local_ms: float) -> float:
        """Exchange time at the local time `local_ms`; the local time itself before the first sample."""
        return self._exchange_ms + (local_ms - self._local_ms) * self.rate if self.samples else local_ms

    def offset_ms(self, local_ms: float) -> int:
        """Exchange clock minus local clock."""
        return round(self.now_ms(local_ms) - local_ms)

    def surely_past_ms(self, local_ms: float) -> float:
        """An exchange time that has passed for certain, whatever the error of the estimate (≥ 1 s of local time)."""
        return self.now_ms(local_ms) - (1_000 + self.latency_ms) * max(1.0, self.rate)

    def long_past_ms(self, local_ms: float) -> float:
        """An exchange time that has passed even if the exchange's clock is wrong by an hour."""
        return self.surely_past_ms(local_ms) - _LONG_MS

    def window_ms(self, local_ms: float) -> float:
        """Time by which rate windows are aligned: exchange time on Binance, local time on a replay of another day."""
        now_ms = self.now_ms(local_ms)
        return now_ms if abs(now_ms - local_ms) < 60_000 else local_ms


def _alike(rate: float, other: float, tolerance: float) -> bool:
    return abs(rate - other) <= tolerance * max(rate, other)
