"""The doctor: each weakness of a result is found, named with its number, and the worst comes first."""

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from atm.gui.texts import Texts, placeholders, read_catalogue
from atm.model.account import TradeRecord
from atm.model.notice import Severity
from atm.model.statistics import Finding, PeriodReturn, RegimeResult, Significance, SimulationStatistics
from atm.simulators import diagnosis
from atm.simulators.statistics.fill_table import FillTable
from atm.simulators.statistics.path import SymbolPath
from tests.gui.filled import ASSETS
from tests.simulators.statistics.fills import facts_of, fill, still_path, trips_of
from tests.simulators.test_summary import SPEC, concluded

MINUTES = 3_000
EMPTY, _ = concluded([])
SOUND = Significance(365, 3.0, 0.003, 4, 500, 7.0, 1.0, 3.0, 0.1, 0.5)


def path(**changes: Any) -> SymbolPath:
    return replace(still_path(MINUTES), **changes)


def fills(*profits: float, size: float = 1.0) -> list[TradeRecord]:
    made = []
    for k, profit in enumerate(profits):
        made += [fill(4 * k, size, 100, size, 100), fill(4 * k + 2, -size, 100, 0, profit=profit)]
    return made


def evidence(trades: list[TradeRecord], minutes: SymbolPath | None = None, **changes: Any) -> diagnosis.Evidence:
    """An unobjectionable result with these trades; changes by name of a field of statistics, summary or evidence."""
    paths = {"A": minutes or path()}
    summary = msgspec.structs.replace(EMPTY, fees=0.0, funding=0.0, total_return=0.5, max_drawdown=0.1, liquidations=0)
    statistics = SimulationStatistics(days=400, significance=SOUND, benchmark_return=0.1)
    trips, seen = trips_of(trades, paths)[0], facts_of(trades, paths)
    found = diagnosis.Evidence(SPEC, summary, statistics, trips, FillTable.of(trades), seen, 1.0)
    for name, value in changes.items():
        if hasattr(found, name):
            found = replace(found, **{name: value})
        elif hasattr(statistics, name):
            found = replace(found, statistics=msgspec.structs.replace(found.statistics, **{name: value}))
        else:
            found = replace(found, summary=msgspec.structs.replace(found.summary, **{name: value}))
    return found


def found(evidence: diagnosis.Evidence) -> dict[str, Finding]:
    return {finding.text: finding for finding in diagnosis.findings(evidence)}


GOOD = fills(*[1.0, 2.0] * 200)


def test_of_a_sound_result_nothing_worse_than_a_note_is_said() -> None:
    said = found(evidence(GOOD))
    assert {finding.severity for finding in said.values()} <= {Severity.INFO, Severity.SUCCESS}
    assert {"finding.significant", "finding.better_than_holding", "finding.thick_fills"} <= set(said)


@pytest.mark.parametrize(
    ("trades", "changes", "text", "severity", "number"),
    [
        (GOOD, {"fees": 400.0, "funding": 60.0}, "costs_share", Severity.WARNING, 460 / 600),
        (GOOD, {"fees": 60.0}, "costs_share", Severity.INFO, 0.1),
        (GOOD, {"fees": 700.0}, "costs_exceed", Severity.CRITICAL, 700 / 600),
        (GOOD, {"room": 0.04, "unmarked_share": 0.3}, "liquidation_unmarked", Severity.WARNING, 0.3),
        (GOOD, {"liquidations": 1, "unmarked_share": 1.0}, "liquidation_unmarked", Severity.WARNING, 1.0),
        (GOOD, {"constant_share": 0.25}, "constant_funding", Severity.INFO, 0.25),
        (fills(-3, 1), {}, "gross_loss", Severity.CRITICAL, -2),
        (fills(*[-1] * 50, 60), {}, "best_trade", Severity.WARNING, 6),
        (fills(*[-1] * 50, *[12] * 5), {}, "best_five", Severity.WARNING, 6),
        (fills(*[1] * 50, 30), {}, "best_trade", Severity.INFO, 30 / 80),
        (GOOD, {"months": tuple(PeriodReturn(2023, m, v, True) for m, v in ((8, -0.1), (9, 0.7)))}, "best_month",
         Severity.WARNING, 0.7),
        (GOOD, {"liquidations": 2}, "liquidated", Severity.CRITICAL, 2),
        (GOOD, {"room": 0.01}, "liquidation_distance", Severity.CRITICAL, 0.01),
        (GOOD, {"room": 0.03}, "liquidation_distance", Severity.WARNING, 0.03),
        (GOOD, {"room": 0.3}, "liquidation_distance", Severity.INFO, 0.3),
        (GOOD, {"ruined": True}, "ruined", Severity.CRITICAL, 1),
        (GOOD, {"significance": None, "days": 12.0}, "too_short", Severity.WARNING, 12),
        (GOOD, {"significance": msgspec.structs.replace(SOUND, p=0.2)}, "not_significant", Severity.WARNING, 0.2),
        (GOOD, {"significance": msgspec.structs.replace(SOUND, t=-3.0)}, "significant_loss", Severity.CRITICAL, 0.003),
        (GOOD, {"significance": msgspec.structs.replace(SOUND, sharpe_low=-0.5)}, "interval_zero", Severity.WARNING, -0.5),
        (GOOD, {"benchmark_return": 0.6}, "worse_than_holding", Severity.WARNING, -0.1),
        (GOOD, {"total_return": -0.05, "benchmark_return": -0.3}, "better_than_holding", Severity.INFO, 0.25),
        (GOOD, {"regimes": tuple(RegimeResult("trend", k, 10, v) for k, v in enumerate((-5.0, -1.0, 20.0)))},
         "regime_trend", Severity.WARNING, 20),
        (GOOD, {"regimes": tuple(RegimeResult("volatility", k, 10, v) for k, v in enumerate((5.0, 8.0, 10.0)))},
         "regime_volatility", Severity.INFO, 10),
        ([], {}, "no_trades", Severity.WARNING, 0),
    ],
)  # fmt: skip
def test_a_weakness_is_found_with_its_number(
    trades: list[TradeRecord], changes: dict[str, Any], text: str, severity: Severity, number: float
) -> None:
    finding = found(evidence(trades, **changes))[f"finding.{text}"]
    assert (finding.severity, finding.number) == (severity, pytest.approx(number))


def test_a_mark_price_that_is_not_recorded_matters_where_a_liquidation_was_near() -> None:
    assert "finding.liquidation_unmarked" not in found(evidence(GOOD, room=0.06, unmarked_share=1.0))
    assert "finding.liquidation_unmarked" not in found(evidence(GOOD, room=0.01, unmarked_share=0.0))
    assert "finding.constant_funding" not in found(evidence(GOOD, constant_share=0.0))


def test_fills_are_held_against_the_volume_of_their_minute() -> None:
    volumes = np.full(MINUTES, 1_000, np.float32)
    volumes[0], volumes[2] = 5, 0
    said = found(evidence(GOOD, path(volumes=volumes)))["finding.thin_fills"]
    assert said.parameters == {
        "count": "2", "silent": "1", "fills": "800", "limit": "10.0%", "worst": "20.0%", "symbol": "A",
        "time": "1970-01-01 00:00",
    }  # fmt: skip
    assert said.severity is Severity.WARNING
    crowded = found(evidence(fills(*[1.0] * 20, size=500)))["finding.thin_fills"]
    assert (crowded.severity, crowded.number) == (Severity.CRITICAL, 1)


def test_missing_and_stale_bars_and_what_was_held_through_them() -> None:
    closes, volumes = np.full(MINUTES, 100.0), np.full(MINUTES, 1_000, np.float32)
    closes[5:6] = np.nan  # within the second trip (minutes 4 to 6)
    closes[2_000:2_100] = np.nan
    volumes[2_100:] = 0
    said = found(evidence(GOOD, path(closes=closes, volumes=volumes)))
    assert said["finding.missing_bars"].number == pytest.approx(101 / MINUTES)
    assert said["finding.missing_bars"].severity is Severity.WARNING
    assert said["finding.held_through_gap"].parameters == {"symbol": "A", "count": "1", "trips": "1"}
    assert said["finding.stale_bars"].number == pytest.approx(0.3)


def test_a_result_says_where_its_minutes_came_from() -> None:
    sources = {"archive": MINUTES - 300, "rest": 200, "missing": 100}
    said = found(evidence(GOOD, path(sources=sources)))["finding.sources"]
    assert (said.severity, said.number) == (Severity.INFO, pytest.approx(300 / MINUTES))
    assert said.parameters == {
        "stream": "0%",
        "rest": "6.7%",
        "archive": "90.0%",
        "sample": "0%",
        "missing": "3.3%",
    }
    assert "finding.sources" not in found(evidence(GOOD))


def test_numbers_of_the_configurations_in_use_are_counted_once() -> None:
    few = found(evidence(fills(*[1.0] * 20)))["finding.parameters"]
    count = diagnosis.parameters(SPEC)
    assert few.number == pytest.approx(20 / count)
    assert few.severity is Severity.CRITICAL
    unused = msgspec.structs.replace(SPEC.trade[0], code="unused")
    assert diagnosis.parameters(msgspec.structs.replace(SPEC, trade=(*SPEC.trade, unused))) == count
    stop = msgspec.structs.replace(SPEC.trade[0], full_stop_loss_close=0.1)
    assert diagnosis.parameters(msgspec.structs.replace(SPEC, trade=(stop,))) == count + 1


def test_the_worst_comes_first() -> None:
    order = [finding.severity for finding in diagnosis.findings(evidence(GOOD, liquidations=1, benchmark_return=2.0))]
    ranks = [diagnosis._ORDER.index(severity) for severity in order]
    assert ranks == sorted(ranks)
    assert order[0] is Severity.CRITICAL


def test_every_sentence_gets_exactly_the_parameters_that_it_names() -> None:
    catalogue = read_catalogue(ASSETS / "texts" / "en" / "LC_MESSAGES" / "atm.po")
    weak = evidence(
        fills(*[-1.0] * 50, 60), room=0.01, unmarked_share=0.5, constant_share=0.5,
        significance=msgspec.structs.replace(SOUND, sharpe_low=-0.5, p=0.5),
        months=(PeriodReturn(2023, 8, 0.1, True), PeriodReturn(2023, 9, 0.1, True)),
        regimes=tuple(RegimeResult(kind, k, 1, 1.0) for kind in ("trend", "volatility") for k in range(3)),
    )  # fmt: skip
    texts = Texts(ASSETS / "texts", "ko")
    for each in (weak, evidence(GOOD), evidence([]), evidence(GOOD, liquidations=1, total_return=-1.0)):
        for finding in diagnosis.findings(each):
            assert placeholders(catalogue[finding.text]) <= set(finding.parameters), finding.text
            assert "{" not in texts(finding.text, **finding.parameters)
