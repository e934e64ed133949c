"""Trying order types: what is sent never trades, and what answers mean."""

from __future__ import annotations

from decimal import Decimal

import pytest

from atm.exchange.client.order_probe import TAKEN, judge, listed, plan
from atm.model.order_probe import Probe, ProbeOutcome, ProbeTarget

D = Decimal
X = "FILUSDT"
FLAT, HELD = ProbeTarget(X, D("3.247"), D(2)), ProbeTarget(X, D("3.247"), D(2), is_held=True)


def test_plain_orders_go_to_the_test_end_point_and_stops_can_only_be_refused() -> None:
    calls = dict(plan(FLAT))
    for probe in (Probe.MARKET, Probe.LIMIT, Probe.REDUCE):
        assert calls[probe].path == "order/test"
    for probe in (Probe.STOP, Probe.BRIDGE):
        sent = calls[probe].parameters
        assert (calls[probe].path, sent["side"], sent["type"]) == ("algoOrder", "SELL", "STOP_MARKET")
        assert D(sent["triggerPrice"]) > FLAT.price, "a stop to sell above the price would fire at once"
        assert D(sent["triggerPrice"]) % D("0.001") == 0
        assert "closePosition" in sent or sent["reduceOnly"] == "true", "and can open nothing"
    assert calls.keys() == set(Probe) - {Probe.LISTED}


def test_where_something_is_held_no_conditional_order_is_sent() -> None:
    assert [call for _, call in plan(HELD) if call.method == "POST" and call.path == "algoOrder"] == []


@pytest.mark.parametrize(
    ("probe", "code", "outcome"),
    [
        (Probe.MARKET, TAKEN, ProbeOutcome.HOLDS),
        (Probe.MARKET, -2019, ProbeOutcome.HOLDS),
        (Probe.MARKET, -1116, ProbeOutcome.BROKEN),
        (Probe.LIMIT, -1115, ProbeOutcome.BROKEN),
        (Probe.LIMIT, -1008, ProbeOutcome.UNKNOWN),
        (Probe.REDUCE, -2022, ProbeOutcome.HOLDS),
        (Probe.REDUCE, -1106, ProbeOutcome.BROKEN),
        (Probe.STOP, -2021, ProbeOutcome.HOLDS),
        (Probe.STOP, -4120, ProbeOutcome.BROKEN),
        (Probe.STOP, TAKEN, ProbeOutcome.BROKEN),
        (Probe.BRIDGE, -2021, ProbeOutcome.HOLDS),
        (Probe.QUERY, -2013, ProbeOutcome.HOLDS),
        (Probe.QUERY, TAKEN, ProbeOutcome.BROKEN),
        (Probe.CANCEL, -2011, ProbeOutcome.HOLDS),
        (Probe.CANCEL, -4140, ProbeOutcome.UNKNOWN),
        (Probe.CANCEL_STOP, -1016, ProbeOutcome.BROKEN),
        (Probe.QUERY_STOP, -2015, ProbeOutcome.BROKEN),
    ],
)
def test_what_answers_mean(probe: Probe, code: int, outcome: ProbeOutcome) -> None:
    found = judge(X, probe, code, "words")
    assert found.outcome is outcome
    assert bool(found.details) == (outcome is not ProbeOutcome.HOLDS)


def test_the_exchanges_own_list_is_held_against_what_we_send() -> None:
    whole = {"symbol": X, "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET"], "timeInForce": ["GTC", "IOC"]}
    assert listed({"symbols": [whole]}, X).outcome is ProbeOutcome.HOLDS
    lacking = whole | {"orderTypes": ["LIMIT"], "timeInForce": ["IOC"]}
    assert listed({"symbols": [lacking]}, X).details == "not offered: MARKET, STOP_MARKET, GTC"
    assert listed({"symbols": []}, X).outcome is ProbeOutcome.BROKEN
