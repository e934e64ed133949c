"""Analyses go to free analyzers, survive their deaths, and leave no analyzer idle for long."""

from __future__ import annotations

from atm.ipc.messages import ProcessState
from atm.managers.analysis_placement import SHARE_SECONDS, AnalysisPlacement, Halt, Retire, Run, StartAnalyzer
from atm.managers.worker_pool import IDLE_SECONDS, REFUSED_SECONDS


def state(name: str, what: str, pid: int = 1) -> ProcessState:
    return ProcessState(name, what, pid, 0)


def running(*names: str, size: int = 2) -> AnalysisPlacement:
    placement = AnalysisPlacement(size)
    for pid, name in enumerate(names, 100):
        placement.process(state(name, "running", pid), 0.0)
    return placement


def test_starts_one_analyzer_at_a_time_then_shares_by_load() -> None:
    placement = AnalysisPlacement(2)
    placement.wanted = {"a", "b", "c"}
    assert placement.plan(0.0) == [StartAnalyzer()]
    assert placement.plan(0.0) == []
    placement.pool.started("analyzer-0", 0.0)
    placement.process(state("analyzer-0", "running", 7), 0.0)
    assert placement.plan(0.0) == [Run("a", "analyzer-0"), StartAnalyzer()]
    placement.pool.started("analyzer-1", 0.0)
    placement.process(state("analyzer-1", "running", 8), 0.0)
    assert placement.plan(0.0) == [Run("b", "analyzer-1"), Run("c", "analyzer-0")]
    assert placement.plan(0.0) == []


def test_a_refused_start_puts_all_on_what_there_is() -> None:
    placement = running("analyzer-0", size=5)
    placement.wanted = {"a", "b"}
    assert placement.plan(0.0) == [Run("a", "analyzer-0"), StartAnalyzer()]
    placement.pool.refused(0.0)
    assert placement.plan(1.0) == [Run("b", "analyzer-0")]
    placement.wanted = {"a", "b", "c"}
    assert placement.plan(REFUSED_SECONDS) == [StartAnalyzer()]


def test_a_dead_or_replaced_analyzer_gets_its_analyses_again() -> None:
    placement = running("analyzer-0", size=1)
    placement.wanted = {"a"}
    assert placement.plan(0.0) == [Run("a", "analyzer-0")]
    placement.process(state("analyzer-0", "dead", 100), 1.0)
    assert placement.plan(1.0) == []
    placement.process(state("analyzer-0", "running", 200), 2.0)
    assert placement.plan(2.0) == [Run("a", "analyzer-0")]
    placement.process(state("analyzer-0", "running", 300), 3.0)  # the death was overwritten by the restart
    assert placement.plan(3.0) == [Run("a", "analyzer-0")]


def test_after_our_own_restart_an_analysis_stays_where_it_runs() -> None:
    placement = running("analyzer-0", "analyzer-1")
    placement.claim("a", "analyzer-1")
    placement.claim("orphan", "analyzer-0")
    placement.wanted = {"a"}
    assert placement.plan(0.0) == [Run("a", "analyzer-1"), Halt("orphan", "analyzer-0")]


def test_an_analyzer_that_serves_a_window_does_not_retire_before_that_ends() -> None:
    placement = running("analyzer-0")
    placement.serves("analyzer-0", True)
    assert placement.plan(10 * IDLE_SECONDS) == []
    placement.serves("analyzer-0", False)
    assert placement.plan(10 * IDLE_SECONDS + 1) == []
    assert placement.plan(11 * IDLE_SECONDS) == [Retire("analyzer-0")]


def test_idle_analyzers_retire_after_a_minute() -> None:
    placement = running("analyzer-0", "analyzer-1")
    placement.wanted = {"a"}
    placement.plan(0.0)
    assert placement.plan(IDLE_SECONDS - 1) == []
    assert placement.plan(IDLE_SECONDS) == [Retire("analyzer-1")]
    placement.wanted = set()
    assert placement.plan(IDLE_SECONDS + 1) == [Halt("a", "analyzer-0")]
    assert placement.plan(2 * IDLE_SECONDS + 1) == [Retire("analyzer-0")]


def test_a_restarted_analysis_is_told_to_the_same_analyzer_again() -> None:
    placement = running("analyzer-0")
    placement.wanted = {"a"}
    placement.plan(0.0)
    placement.restart("a")
    assert placement.plan(0.0) == [Run("a", "analyzer-0")]
    placement.failed("a", "analyzer-0")
    assert placement.plan(0.0) == [Run("a", "analyzer-0")]


def test_measured_loads_decide_the_heaviest_first() -> None:
    placement = running("analyzer-0", "analyzer-1")
    placement.wanted = {"a", "b", "c", "heavy"}
    for analysis, cost in (("a", 10.0), ("b", 20.0), ("heavy", 100.0), ("unwanted", 9_999.0), ("c", 0.0)):
        placement.measured(analysis, cost)
    assert placement.plan(0.0) == [
        Run("heavy", "analyzer-0"),
        Run("c", "analyzer-1"),  # not measured yet: counts as the mean, 43 µs
        Run("b", "analyzer-1"),
        Run("a", "analyzer-1"),
    ]


def test_a_survivor_takes_over_at_once_and_shares_when_the_other_is_back() -> None:
    placement = running("analyzer-0", "analyzer-1")
    placement.wanted = {"a", "b", "c"}
    placement.plan(0.0)
    for analysis, cost in (("a", 30.0), ("b", 10.0), ("c", 20.0)):
        placement.measured(analysis, cost)
    placement.process(state("analyzer-0", "dead", 100), 1.0)
    assert placement.plan(1.0) == [Run("a", "analyzer-1"), Run("c", "analyzer-1")]
    placement.process(state("analyzer-0", "running", 300), 2.0)
    assert placement.plan(2.0) == []
    later = 2.0 + SHARE_SECONDS
    assert placement.plan(later) == [Halt("a", "analyzer-1"), Run("a", "analyzer-0")]
    assert placement.plan(later) == []
    assert placement.plan(later + 2 * IDLE_SECONDS) == []


def test_one_analysis_is_not_moved_to_and_fro() -> None:
    placement = running("analyzer-0", "analyzer-1")
    placement.wanted = {"a"}
    placement.plan(0.0)
    placement.measured("a", 50.0)
    assert placement.plan(SHARE_SECONDS) == []
