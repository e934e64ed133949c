"""What happens in a run of the kill campaign, drawn from its number."""

from __future__ import annotations

from enum import Enum
from random import Random

import msgspec

from benchmarks._kill_program import EXCHANGE, MAIN


class Instant(Enum):
    """At which moment a run strikes."""

    JOURNAL_SEND = "between journal and send"
    SEND_ANSWER = "between send and acknowledgement"
    PARTIAL_FILL = "in a partial fill"
    RECONCILIATION = "in reconciliation"
    REPLACEMENT = "in a stop's replacement"
    START = "in start-up"
    RANDOM = "at a random moment"


HOLDS = ("no_answer_after", "no_answer_before", "late_execution", "late_answer")
"""How a request is held: carried out or not, and answered never; carried out late; answered late."""
HELD_MS = {"late_execution": (500, 4_500), "late_answer": (3_000, 24_000)}
"""Milliseconds of the market. No order is carried out after its receive window of 5 s: an exchange that did so could not be traded on
without the risk of orders made twice."""
NETWORKS = ("cut", "black hole", "maintenance")
_BOTH = ("trade", "binance_api")
_OTHERS = ("data", "analyzer-0", "simulation", "neural_network", EXCHANGE)
_OF_ORDERS = (("trade",), ("binance_api",), _BOTH, (MAIN,), ())
"""Who is killed where an order is under way; (): nobody, the network alone."""
_SNAPSHOT = ("/fapi/v1/openOrders", "/fapi/v1/openAlgoOrders", "/fapi/v3/positionRisk", "/fapi/v3/balance")


class Plan(msgspec.Struct, frozen=True):
    """victims: who is killed, together; frozen_s: for how long they are stopped before; network: what else befalls the connections
    ("" = nothing); delay_s: from the instant to the blow, or from the beginning of the run; hold, hold_ms, target: how, for
    how long in market time and which request is held."""

    seed: int
    instant: Instant
    victims: tuple[str, ...]
    frozen_s: float
    network: str
    delay_s: float
    hold: str = ""
    hold_ms: int = 0
    target: str = ""

    def __str__(self) -> str:
        hurt = " and ".join(self.victims) or "nobody"
        held = f", {self.target} held ({self.hold} {self.hold_ms or ''})" if self.hold else ""
        frozen = f", frozen for {self.frozen_s:.1f} s before" if self.frozen_s else ""
        network = f", network: {self.network}" if self.network else ""
        return f"{self.instant.value}: {hurt} killed after {self.delay_s:.2f} s{frozen}{network}{held}"


def plan(seed: int) -> Plan:
    """Of a run by its number."""
    random = Random(seed)
    instant = list(Instant)[seed % len(Instant)]
    victims = _victims(random, instant)
    network = random.choice(NETWORKS) if not victims or random.random() < 0.15 else ""
    frozen_s = random.uniform(0.1, 2.0) if victims and random.random() < 0.3 else 0.0
    delay_s = random.uniform(0.0, 8.0) if instant is Instant.RANDOM else random.choice((0.0, random.uniform(0.0, 0.6)))
    hold, target = "", ""
    if instant in (Instant.SEND_ANSWER, Instant.REPLACEMENT, Instant.RECONCILIATION):
        hold = random.choice(HOLDS)
    if instant is Instant.SEND_ANSWER:
        target = "POST /fapi/v1/order"
    elif instant is Instant.REPLACEMENT:
        target = random.choice(("POST /fapi/v1/algoOrder", "DELETE /fapi/v1/algoOrder"))
    elif instant is Instant.RECONCILIATION:
        target = f"GET {random.choice(_SNAPSHOT)}"
    elif instant is Instant.START and random.random() < 0.5:
        hold, target, victims = "no_answer_before", "POST /fapi/v1/listenKey", ("binance_api",)
    hold_ms = int(random.uniform(*HELD_MS[hold])) if hold in HELD_MS else 0
    return Plan(seed, instant, victims, frozen_s, network, delay_s, hold, hold_ms, target)


def _victims(random: Random, instant: Instant) -> tuple[str, ...]:
    if instant is Instant.START:
        return random.choice((("trade",), ("binance_api",), (MAIN,)))
    if instant is Instant.RANDOM:
        kind = random.random()
        if kind < 0.4:
            return (random.choice(_OTHERS),)
        if kind < 0.7:
            return tuple(random.sample((*_BOTH, *_OTHERS), random.randint(2, 3)))
        return random.choice(_OF_ORDERS)
    if random.random() < 0.1:
        return tuple(random.sample((*_BOTH, *_OTHERS), 3))
    return random.choice(_OF_ORDERS)
