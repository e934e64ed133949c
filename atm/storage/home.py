"""Every path under the home folder, named once."""

from __future__ import annotations

from pathlib import Path

import platformdirs


def default_home() -> Path:
    """Where user data lives unless `--home` or ATM_HOME says otherwise."""
    return Path(platformdirs.user_data_dir("auto-trade-machine", appauthor=False))


def lock_file(home: Path) -> Path:
    return home / "program.lock"


def control_file(home: Path) -> Path:
    """Address and key of the running program's control listener; readable by its owner only."""
    return home / "control.json"


def logs(home: Path) -> Path:
    return home / "logs"


def demo_state(home: Path) -> Path:
    return home / "demo_exchange.json"


def recordings(home: Path) -> Path:
    """Recorded sessions of exchanges."""
    return home / "recordings"


def black_box(home: Path) -> Path:
    """Segments of the flight recorder."""
    return home / "black-box"


def incidents(home: Path) -> Path:
    """Exported incidents."""
    return home / "incidents"
