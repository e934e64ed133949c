"""The indicators and users' methods of this process: the built-in ones, and the users' once a process has said where their files are.

Nothing is read before a configuration names a user's indicator, or someone asks for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from atm.analyzers.builtin import built_in
from atm.analyzers.checker import Verdict
from atm.analyzers.contract import Registry
from atm.analyzers.examine import examine_apart
from atm.analyzers.user_indicators import Report, UserIndicators, examine_here
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.program import ProgramContext

_users = UserIndicators(())


def install(
    folders: Sequence[Path], verdicts: Path | None = None, examine: Callable[[Path], Verdict] = examine_here
) -> UserIndicators:
    """Say where users' files are, where verdicts are kept and how a file is examined. Once, when the process begins."""
    global _users
    _users = UserIndicators(folders, verdicts, examine)
    return _users


def install_for(context: ProgramContext) -> None:
    """Users' files of a program with this context; new ones are examined in a process of their own."""
    install(context.strategies, context.indicator_verdicts, examine_apart)


def registry() -> Registry:
    """All indicators; files that have changed since the last call are loaded again."""
    _users.refresh()
    return _users.registry()


def loaded() -> Registry:
    """All indicators as of the last look at the files; looks at none, so it takes no time."""
    return _users.registry()


def registry_for(configuration: AnalysisConfiguration) -> Registry:
    """The indicators that a configuration needs: without users' ones, no file is looked at."""
    return registry() if any(analyses.user for analyses in configuration.intervals) else built_in()


def examine_new() -> None:
    """Examine users' files that are new or have changed, which takes seconds each. May run on another thread."""
    _users.examine_new()


def versions() -> dict[str, str]:
    """Version of each user's indicator in use, by name, as of the last look at the files."""
    return {indicator.name: indicator.version for indicator in _users.registry() if indicator.version}


def outdated() -> dict[str, str]:
    """Indicators and methods in use of which there is a newer version that was refused, and why."""
    return _users.outdated()


def reports() -> tuple[Report, ...]:
    """What became of each user's file."""
    _users.refresh()
    return _users.reports
