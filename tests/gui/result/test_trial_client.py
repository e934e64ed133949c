"""The window's side of a trial: opened, asked, overtaken, opened anew when its simulator dies."""

from __future__ import annotations

from atm.gui.result.trial_client import MOST_UNDER_WAY, RETRY_MS, START_MS, Sent, TrialClient
from atm.ipc.messages import (
    MAIN,
    CloseTrial,
    Failed,
    OpenTrial,
    RunTrial,
    StartWorker,
    TrialOpened,
    TrialOvertaken,
    TrialRun,
    WorkerStarted,
)
from atm.ipc.shared_array import ArrayReference
from atm.model.trial import TrialFigures
from tests.gui.filled import spec

SPEC = spec("one")
ONE = {"simulator-0": 11}
CURVE = ArrayReference("x", "<f8", (2, 0))


def run(sent: Sent, profit: float = 1.0) -> TrialRun:
    assert isinstance(sent.request, RunTrial)
    figures = TrialFigures(profit, 0.0, 0.0, None, 0, 0.0, 0.0, 0)
    return TrialRun(sent.request.trial, sent.request.number, figures, CURVE, 0.1)


def opened() -> TrialClient:
    client = TrialClient()
    client.want(SPEC, {})
    (sent,) = client.step(0, ONE)
    assert sent.to == "simulator-0" and isinstance(sent.request, OpenTrial)
    client.answered(sent, TrialOpened(client.trial, 5, 0.1))
    return client


def based() -> TrialClient:
    client = opened()
    (base,) = client.step(0, ONE)
    client.answered(base, run(base))
    return client


def test_the_first_run_is_the_base_and_a_wish_is_sent_at_once() -> None:
    client = opened()
    (base,) = client.step(1, ONE)
    client.answered(base, run(base, 7.0))
    assert client.base is client.shown is not None
    assert not client.step(2, ONE)
    client.want(SPEC, {"trade[0].leverage": 3})
    (sent,) = client.step(3, ONE)
    assert isinstance(sent.request, RunTrial) and sent.request.changes == {"trade[0].leverage": 3}
    assert client.busy
    client.answered(sent, run(sent, 9.0))
    assert client.base.figures.net_profit == 7.0
    assert client.shown is not None and client.shown.figures.net_profit == 9.0
    assert not client.busy


def test_no_more_than_a_few_are_under_way_and_the_newest_wish_comes_last() -> None:
    client = based()
    sent: list[Sent] = []
    for value in range(1, 30):
        client.want(SPEC, {"trade[0].leverage": value})
        sent += client.step(value, ONE)
    assert len(sent) == MOST_UNDER_WAY
    for each in sent[:-1]:
        assert isinstance(each.request, RunTrial)
        client.answered(each, TrialOvertaken(client.trial, each.request.number))
    (last,) = client.step(50, ONE)
    assert isinstance(last.request, RunTrial) and last.request.changes == {"trade[0].leverage": 29}


def test_an_answer_to_an_earlier_wish_does_not_replace_a_later_one() -> None:
    client = based()
    client.want(SPEC, {"costs.slippage": 0.1})
    (first,) = client.step(0, ONE)
    client.want(SPEC, {"costs.slippage": 0.2})
    (second,) = client.step(0, ONE)
    assert client.answered(second, run(second)) is not None
    assert client.answered(first, run(first)) is None
    assert client.shown is not None and client.shown.number == 3


def test_without_a_simulator_one_is_asked_for_once_in_a_while() -> None:
    client = TrialClient()
    client.want(SPEC, {})
    (sent,) = client.step(0, {})
    assert (sent.to, sent.request) == (MAIN, StartWorker("simulator"))
    client.answered(sent, WorkerStarted("simulator-0"))
    assert client.step(1, {}) == []
    assert isinstance(client.step(2, ONE)[0].request, OpenTrial)
    client = TrialClient()
    client.want(SPEC, {})
    (sent,) = client.step(0, {})
    client.answered(sent, Failed("Refused", "the pool is full"))
    assert client.problem == "the pool is full"
    assert client.step(START_MS - 1, {}) == []
    assert len(client.step(START_MS, {})) == 1


def test_a_simulator_that_died_is_noticed_and_the_trial_opened_anew_with_the_wish() -> None:
    client = opened()
    (base,) = client.step(1, ONE)
    client.answered(base, run(base))
    client.want(SPEC, {"trade[0].leverage": 2})
    (lost,) = client.step(2, ONE)
    (again,) = client.step(RETRY_MS, {"simulator-0": 12})
    assert isinstance(again.request, OpenTrial)
    client.answered(lost, Failed("Unavailable", "simulator-0 has died"))
    assert client.phase == "opening", "an answer of the former session does not matter"
    client.answered(again, TrialOpened(client.trial, 5, 0.1))
    (sent,) = client.step(RETRY_MS + 1, {"simulator-0": 12})
    assert isinstance(sent.request, RunTrial)
    assert (sent.request.changes, sent.request.trial) == ({"trade[0].leverage": 2}, again.request.trial)


def test_a_trial_that_somebody_else_has_closed_is_opened_anew() -> None:
    client = opened()
    (base,) = client.step(1, ONE)
    client.answered(base, Failed("Refused", "simulator-0 does not have the trial"))
    (again,) = client.step(RETRY_MS, ONE)
    assert isinstance(again.request, OpenTrial)


def test_what_is_not_allowed_is_kept_until_something_else_is_wanted() -> None:
    client = opened()
    (base,) = client.step(1, ONE)
    client.answered(base, run(base))
    client.want(SPEC, {"trade[0].leverage": 99})
    (sent,) = client.step(2, ONE)
    client.answered(sent, Failed("Invalid", "trade[0].leverage: 99 is not allowed", "trade[0].leverage"))
    assert client.refusal is not None
    assert not client.busy
    client.want(SPEC, {"trade[0].leverage": 4})
    (sent,) = client.step(3, ONE)
    client.answered(sent, run(sent))
    assert client.refusal is None


def test_what_cannot_be_opened_is_not_tried_again_by_itself() -> None:
    client = TrialClient()
    client.want(SPEC, {})
    (sent,) = client.step(0, ONE)
    client.answered(sent, Failed("Invalid", "minutes: too many"))
    assert (client.phase, client.problem) == ("failed", "minutes: too many")
    assert client.step(100_000, ONE) == []
    client.retry()
    assert isinstance(client.step(100_001, ONE)[0].request, OpenTrial)


def test_leaving_closes_and_another_simulation_closes_the_first() -> None:
    client = opened()
    trial = client.trial
    (closing,) = client.want(spec("two"), {})
    assert closing.request == CloseTrial(trial)
    (sent,) = client.step(0, ONE)
    assert isinstance(sent.request, OpenTrial) and sent.request.spec.code == "two"
    assert client.leave()[0].request == CloseTrial(sent.request.trial)
    assert client.step(1, ONE) == []


def test_a_wish_that_was_there_before_the_base_is_asked_after_it() -> None:
    client = TrialClient()
    client.want(SPEC, {"trade[0].leverage": 2})
    (sent,) = client.step(0, ONE)
    client.answered(sent, TrialOpened(client.trial, 5, 0.1))
    (base,) = client.step(1, ONE)
    assert isinstance(base.request, RunTrial) and base.request.changes == {}
    assert client.step(2, ONE) == [], "nothing may overtake it"
    client.answered(base, run(base))
    (wish,) = client.step(3, ONE)
    assert isinstance(wish.request, RunTrial) and wish.request.changes == {"trade[0].leverage": 2}
