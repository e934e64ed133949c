"""The page: tiles, findings, charts, tables."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from atm.model.simulation import SimulationSpec, SimulationSummary
from atm.model.statistics import BalanceReport, Finding, RoundTrip, SimulationDetails, SimulationStatistics
from atm.simulators.figures import FIGURES, GROUPS, UNDEFINED, Figure, shown
from atm.simulators.statistics.equity import thin
from atm.simulators.statistics.time_weighted import flows_between, time_weighted
from atm.simulators.tear_sheet import charts

_STYLE = (Path(__file__).parent / "style.css").read_text("utf-8")
_TILES = ("net_profit", "total_return", "max_drawdown", "sharpe", "profit_factor", "win_rate")
_SIGNED = ("net_profit", "total_return", "cagr", "sharpe", "sortino", "calmar", "alpha", "expectancy", "growth_per_day")
_COLUMNS = (("result", "costs"), ("risk", "path"), ("trades",))
_SIDES = {
    "round_trips": "trips",
    "win_rate": "win_rate",
    "net_profit": "profit",
    "expectancy": "average_profit",
    "profit_factor": "profit_factor",
}
"""Fields of `SideStatistics` by the figure whose name and form they have."""
_POINTS = 2_400
_STRONGEST = 62.0


class Texts(Protocol):
    """The catalogue of a language: `t("key", name=value)`."""

    def __call__(self, key: str, **parameters: object) -> str: ...


def tear_sheet(
    spec: SimulationSpec,
    summary: SimulationSummary,
    details: SimulationDetails,
    equity_time: NDArray[np.int64],
    equity: NDArray[np.float64],
    t: Texts,
    language: str = "en",
    transfers: tuple[tuple[int, float], ...] = (),
) -> str:
    """HTML of a result; equity as stored or whole; transfers: (Unix ms, paid in, out below 0).

    Raises ValueError for a result without statistics or equity."""
    statistics = summary.statistics
    if statistics is None or not len(equity):
        raise ValueError(f"the result {summary.code} has no statistics")
    initial = sum(asset.initial_balance for asset in spec.assets.values())
    body = [
        _header(summary, t),
        f'<div class="tiles">{"".join(_tile(summary, name, t) for name in _TILES)}</div>',
        _section(t("tear_sheet.findings"), _findings(summary.findings, t)),
        _curves(equity_time, equity, flows_between(equity_time, transfers), details.hourly, initial, t),
        f'<div class="two"><div>{_months(statistics, t)}{_regimes(statistics, t)}</div>',
        f"{_distribution(details.trips, t)}</div>",
        _statistics(summary, statistics, t),
        _footer(spec, summary, t),
    ]
    return (
        f'<!doctype html><html lang="{escape(language)}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(summary.code)}</title><style>{_STYLE}</style></head>"
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )


def _section(title: str, content: str, before: str = "") -> str:
    return f"<section>{before}<h2>{escape(title)}</h2>{content}</section>"


def _header(summary: SimulationSummary, t: Texts) -> str:
    line = t("tear_sheet.range", start=summary.start, end=summary.end, symbols=", ".join(summary.symbols))
    methods = [t("tear_sheet.method", name=name, version=version) for name, version in summary.methods.items()]
    lines = "".join(f"<p>{escape(each)}</p>" for each in (line, *methods))
    return f"<header><h1>{escape(summary.code)}</h1>{lines}</header>"


def _tone(figure: Figure, value: float | None) -> str:
    if value is None or figure.name not in _SIGNED or value == 0.0:
        return ""
    return "good" if value > 0.0 else "bad"


def _tile(summary: SimulationSummary, name: str, t: Texts) -> str:
    figure = FIGURES[name]
    value = figure.of(summary)
    return (
        f"<section><span>{escape(t(f'statistic.{name}'))}</span>"
        f'<b class="{_tone(figure, value)}">{escape(shown(figure, value))}</b></section>'
    )


def _findings(findings: Sequence[Finding], t: Texts) -> str:
    items = (
        f'<li><em class="{finding.severity.value}">{escape(t(f"severity.{finding.severity.value}"))}</em>'
        f"<span>{escape(t(finding.text, **finding.parameters))}</span></li>"
        for finding in findings
    )
    return f"<ul>{''.join(items)}</ul>"


def _curves(
    time: NDArray[np.int64],
    equity: NDArray[np.float64],
    flows: NDArray[np.float64],
    hourly: BalanceReport,
    initial: float,
    t: Texts,
) -> str:
    """Equity beside buy-and-hold, and the drawdown below it."""
    begin = int(hourly.open_time[0])
    worth, first = time_weighted(equity, initial, flows)
    peak = np.maximum(np.maximum.accumulate(worth), first)
    fall_time, fall = _from(begin, 0.0, time, np.maximum(worth, 0.0) / peak - 1.0)
    held_time = np.minimum(hourly.open_time + hourly.step_ms, time[-1])
    held_time, held = _from(begin, initial, held_time, hourly.column("benchmark"))
    time, equity = _from(begin, initial, time, equity)
    key = (
        f'<div class="key"><span><i class="m"></i>{escape(t("tear_sheet.strategy"))}</span>'
        f'<span><i class="h"></i>{escape(t("tear_sheet.held"))}</span></div>'
    )
    title, below = t("tear_sheet.equity"), t("tear_sheet.drawdown")
    upper = charts.line_chart(time, equity, (held_time, held), lambda value: f"{value:,.0f}", title)
    lower = charts.line_chart(fall_time, fall, None, lambda value: f"{value:.0%}", below, 170, area=True)
    return _section(title, f'{upper}<h2 class="below">{escape(below)}</h2>{lower}', key)


def _from(
    begin: int, first: float, time: NDArray[np.int64], values: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """A curve thinned for drawing that begins with the value before its first."""
    time, values = thin(time, values, _POINTS)
    return np.concatenate(([begin], time)), np.concatenate(([first], values))


def _months(statistics: SimulationStatistics, t: Texts) -> str:
    """Rows of years, columns of months; months that the range covers in part are in italics."""
    years = {year.year: {0: year} for year in statistics.years}
    for month in statistics.months:
        years[month.year][month.month] = month
    largest = max((abs(month.value) for month in statistics.months), default=0.0) or 1.0
    head = "".join(f"<th>{number}</th>" for number in range(1, 13))
    rows = [f"<tr><th></th>{head}<th>{escape(t('tear_sheet.year'))}</th></tr>"]
    for year, periods in sorted(years.items()):
        cells = [f"<th>{year}</th>"]
        for number in (*range(1, 13), 0):
            period = periods.get(number)
            if period is None:
                cells.append("<td></td>")
                continue
            strength = min(1.0, abs(period.value) / largest) * _STRONGEST
            side = "up" if period.value >= 0.0 else "down"
            part = "" if period.whole else " part"
            text = f"{period.value * 100:+.1f}" if abs(period.value) < 10 else f"{period.value:+.0f}×"
            cells.append(f'<td class="{side}{part}" style="--v:{strength:.0f}">{text}</td>')
        rows.append(f"<tr>{''.join(cells)}</tr>")
    note = f'<p class="note">{escape(t("tear_sheet.months_note"))}</p>'
    return _section(
        t("tear_sheet.months"), f'<div class="scroll"><table class="heat">{"".join(rows)}</table></div>{note}'
    )


def _distribution(trips: Sequence[RoundTrip], t: Texts) -> str:
    title = t("tear_sheet.distribution")
    if not trips:
        return _section(title, f"<p>{escape(t('finding.no_trades'))}</p>")
    profits = np.array([trip.profit for trip in trips])
    chart = charts.histogram(profits, lambda value: f"{value:,.0f}", title)
    return _section(title, f'{chart}<p class="note">{escape(t("tear_sheet.distribution_note"))}</p>')


def _statistics(summary: SimulationSummary, statistics: SimulationStatistics, t: Texts) -> str:
    """All figures by group in three columns, the sides apart below the trades."""
    parts = []
    for groups in _COLUMNS:
        tables = [(t(f"statistic_group.{group}"), _table(summary, GROUPS[group], t)) for group in groups]
        if "trades" in groups:
            tables.append((t("tear_sheet.sides"), _sides(statistics, t)))
        parts.append("".join(f"<h3>{escape(name)}</h3>{table}" for name, table in tables))
    columns = "".join(f"<div>{part}</div>" for part in parts)
    return _section(t("tear_sheet.statistics"), f'<div class="three">{columns}</div>')


def _table(summary: SimulationSummary, figures: Sequence[Figure], t: Texts) -> str:
    rows = []
    for figure in figures:
        value = figure.of(summary)
        name = escape(t(f"statistic.{figure.name}"))
        rows.append(f'<tr><td>{name}</td><td class="{_tone(figure, value)}">{escape(shown(figure, value))}</td></tr>')
    return f"<table>{''.join(rows)}</table>"


def _sides(statistics: SimulationStatistics, t: Texts) -> str:
    rows = [["", t("tear_sheet.long"), t("tear_sheet.short")]]
    for name, field in _SIDES.items():
        values = (getattr(side, field) for side in (statistics.long, statistics.short))
        rows.append([t(f"statistic.{name}"), *(shown(FIGURES[name], value) for value in values)])
    return _plain(rows)


def _regimes(statistics: SimulationStatistics, t: Texts) -> str:
    rows = [("", t("tear_sheet.low"), t("tear_sheet.middle"), t("tear_sheet.high"))]
    for kind in ("trend", "volatility"):
        profits = [f"{regime.profit:+,.2f}" for regime in statistics.regimes if regime.kind == kind]
        low, middle, high = profits or [UNDEFINED] * 3
        rows.append((t(f"tear_sheet.{kind}"), low, middle, high))
    note = f'<p class="note">{escape(t("tear_sheet.regimes_note"))}</p>'
    return _section(t("tear_sheet.regimes"), _plain(rows) + note)


def _plain(rows: Sequence[Sequence[str]]) -> str:
    lines = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows)
    return f"<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def _footer(spec: SimulationSpec, summary: SimulationSummary, t: Texts) -> str:
    costs = spec.costs
    said = t(
        "tear_sheet.costs",
        taker=f"{costs.taker_fee * (1 - costs.fee_discount):.3%}",
        slippage=f"{costs.slippage + costs.half_spread:.3%}",
        funding=f"{costs.funding_rate:.3%}",
        hours=costs.funding_hours,
    )
    definitions = t("tear_sheet.definitions")
    return f"<footer>{escape(said)} {escape(definitions)}<br>{escape(t('result.trade_hash'))}: {summary.trade_hash}</footer>"
