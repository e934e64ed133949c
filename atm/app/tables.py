"""Tables for the terminal."""

from __future__ import annotations

import unicodedata
from typing import Any

from atm.app.bench import BenchRow
from atm.app.doctor import Finding
from atm.gui.texts import Texts
from atm.model.demo_state import DemoKeyPair, DemoState
from atm.model.interval import format_time
from atm.model.simulation import SimulationSummary
from atm.simulators.comparison import Comparison
from atm.simulators.figures import FIGURES, GROUPS, shown


def print_summary(s: SimulationSummary, t: Texts) -> None:
    """The result of a backtest: what was run, every figure by group, then what the doctor found, worst first."""
    print(f"{s.code}: {t('tear_sheet.range', symbols=', '.join(s.symbols), start=s.start, end=s.end)}")
    for group, figures in GROUPS.items():
        print(f"\n{t(f'statistic_group.{group}')}")
        for figure in figures:
            print(f"  {padded(t(f'statistic.{figure.name}'), 34)}{shown(figure, figure.of(s)):>16}")
    print(f"\n{t('tear_sheet.findings')}")
    for finding in s.findings:
        print(f"  {padded(t(f'severity.{finding.severity.value}'), 10)}{t(finding.text, **finding.parameters)}")
    for warning in s.warnings:
        print(f"! {t.said(warning)}")
    for method, version in s.methods.items():
        print(f"! {t('tear_sheet.method', name=method, version=version)}")
    print(f"\n{s.bars:,} minutes ({s.missing_bars:,} missing) in {s.wall_seconds:.3f} s, trade hash {s.trade_hash}")


def print_demo(state: DemoState, made: DemoKeyPair | None) -> None:
    """The state of a demo exchange, and a key pair that was made."""
    pace = "held" if state.paused else f"{state.speed:g}×"
    print(f"market time  {format_time(state.market_ms, seconds=True)} UTC, {pace}")
    print(f"recording    {format_time(state.first_ms)} to {format_time(state.last_ms)}, then anew")
    print(f"sockets      {state.sockets}")
    for account in state.accounts:
        holdings = f"{account.positions} positions, {account.open_orders} open orders, {len(account.keys)} keys"
        print(f"account      {account.name}: {account.balance:,.2f} USDT, {holdings}")
    if made is not None:
        print(f"API key      {made.key}\nsecret       {made.secret}  (not shown again)")


def print_recording(told: dict[str, Any]) -> None:
    """A recording of the running program's session."""
    if not told["path"]:
        print("nothing is recorded")
        return
    print(
        f"{'recording' if told['is_running'] else 'recorded'} since {format_time(told['since_ms'], seconds=True)} UTC"
    )
    print(f"file      {told['path']}")
    print(f"messages  {told['messages']:,}, {told['bytes']:,} bytes written, {told['lost']:,} left out")
    if told["ended"]:
        print(f"ended     {told['ended']}")


def print_comparison(comparison: Comparison, t: Texts) -> None:
    """One column a simulation; a star marks the best of a figure."""
    rows = [
        ("", *comparison.codes),
        (t("comparison.range"), *comparison.ranges),
        (t("comparison.symbols"), *(", ".join(symbols) for symbols in comparison.symbols)),
    ]
    for compared in comparison.figures:
        texts = [shown(FIGURES[compared.name], value) for value in compared.values]
        marked = [f"{text}{' *' if index in compared.best else '  '}" for index, text in enumerate(texts)]
        rows.append((t(f"statistic.{compared.name}"), *marked))
    widths = [max(width(row[column]) for row in rows) for column in range(len(rows[0]))]
    for name, *cells in rows:
        line = "".join(" " * (2 + w - width(cell)) + cell for cell, w in zip(cells, widths[1:], strict=True))
        print(f"{padded(name, widths[0])}{line}")
    if not comparison.comparable:
        print(f"! {t('comparison.different')}")


def width(text: str) -> int:
    """Columns that a text takes in a terminal: East Asian wide characters take two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def padded(text: str, columns: int) -> str:
    """The text, filled with spaces on the right to at least `columns`."""
    return text + " " * max(1, columns - width(text))


def print_bench(rows: list[BenchRow]) -> None:
    """Name, value, reference, ratio, budget."""
    for row in rows:
        budget = "" if row.budget is None else f"budget {row.budget:g} {'ok' if row.ok else 'MISSED'}"
        reference = f"{row.reference} {row.reference_value:.4g}"
        print(f"{row.name:<52}{row.value:>10.4g} {row.unit:<8}{reference:<44}×{row.ratio:<8.3g}{budget}")


def print_findings(findings: list[Finding]) -> None:
    for finding in findings:
        print(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.name:<20}{finding.text}")
