"""Tables for the terminal."""

from __future__ import annotations

from atm.app.bench import BenchRow
from atm.app.doctor import Finding
from atm.model.simulation import SimulationSummary


def print_summary(s: SimulationSummary) -> None:
    """The summary of a backtest, one figure a line."""
    lines = [
        ("simulation", s.code),
        ("symbols", ", ".join(s.symbols)),
        ("range (UTC)", f"{s.start} … {s.end}"),
        ("minutes (missing)", f"{s.bars:,} ({s.missing_bars:,})"),
        ("final equity", f"{s.final_equity:,.2f}"),
        ("net profit", f"{s.net_profit:+,.2f} ({s.total_return:+.2%})"),
        ("fees / funding paid", f"{s.fees:,.2f} / {s.funding:,.2f}"),
        ("fills / round trips", f"{s.trades:,} / {s.round_trips:,}"),
        ("win rate", f"{s.win_rate:.1%}"),
        ("profit factor", f"{s.profit_factor:.2f}"),
        ("maximum drawdown", f"{s.max_drawdown:.2%}"),
        ("Sharpe ratio (daily, 365)", f"{s.sharpe:.2f}"),
        ("time in market", f"{s.exposure:.1%}"),
        ("liquidations", str(s.liquidations)),
        ("wall time", f"{s.wall_seconds:.3f} s"),
        ("trade hash", s.trade_hash),
    ]
    for name, value in lines:
        print(f"{name:<28}{value}")
    for warning in s.warnings:
        print(f"! {warning}")


def print_bench(rows: list[BenchRow]) -> None:
    """Name, value, reference, ratio, budget."""
    for row in rows:
        budget = "" if row.budget is None else f"budget {row.budget:g} {'ok' if row.ok else 'MISSED'}"
        reference = f"{row.reference} {row.reference_value:.4g}"
        print(f"{row.name:<52}{row.value:>10.4g} {row.unit:<8}{reference:<44}×{row.ratio:<8.3g}{budget}")


def print_findings(findings: list[Finding]) -> None:
    for finding in findings:
        print(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.name:<20}{finding.text}")
