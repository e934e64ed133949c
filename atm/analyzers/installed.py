"""The indicators of this process: the built-in ones, and the users' once a process has said where their files are.

Nothing is read before a configuration names a user's indicator, or someone asks for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from atm.analyzers.builtin import built_in
from atm.analyzers.contract import Registry
from atm.analyzers.user_indicators import Report, UserIndicators
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.program import ProgramContext

_users = UserIndicators(())


def install(folders: Sequence[Path], verdicts: Path | None = None) -> UserIndicators:
    """Say where users' files are and where what was found about them is kept. Once, when the process begins."""
    global _users
    _users = UserIndicators(folders, verdicts)
    return _users


def install_for(context: ProgramContext) -> None:
    """Where a program with this context has users' files."""
    install(context.strategies, context.indicator_verdicts)


def registry() -> Registry:
    """All indicators; files that have changed since the last call are loaded again."""
    _users.refresh()
    return _users.registry()


def registry_for(configuration: AnalysisConfiguration) -> Registry:
    """The indicators that a configuration needs: without users' ones, no file is looked at."""
    return registry() if any(analyses.user for analyses in configuration.intervals) else built_in()


def reports() -> tuple[Report, ...]:
    """What became of each user's file."""
    _users.refresh()
    return _users.reports
