"""What every process of the program is told when it starts."""

from __future__ import annotations

from pathlib import Path

import msgspec

from atm.model.endpoint import Addresses, Endpoint


class ProgramContext(msgspec.Struct, frozen=True):
    """Handed to every child. `home`: folder of all user data; `addresses`: of the exchange in use."""

    home: Path
    assets: Path
    endpoint: Endpoint
    addresses: Addresses
    analyzers: int
    simulators: int
    symbols: tuple[str, ...]
    language: str = "en"
    theme: str = "dark"
    database_url: str = ""
    headless: bool = False
    analysis_cache_bytes: int = 2_000_000_000
    record_session: bool = False
    black_box_bytes: int = 256_000_000
    black_box_days: float = 14.0
    demo_recording: Path | None = None

    @property
    def market_root(self) -> Path:
        """Where this endpoint's market store lives."""
        return self.home / "market" / self.endpoint.value

    @property
    def analysis_cache(self) -> Path:
        """Folder of stored results of analyses."""
        return self.home / "cache" / "analyses"

    @property
    def strategies(self) -> tuple[Path, Path]:
        """Folders of users' indicators and strategies: the program's own and the user's."""
        return self.assets.parent / "strategies", self.home / "strategies"

    @property
    def indicator_verdicts(self) -> Path:
        """What was found when users' indicators were examined."""
        return self.home / "cache" / "indicator_verdicts.json"

    @property
    def built_in_verdicts(self) -> Path:
        """What was found when the built-in indicators were examined."""
        return self.home / "cache" / "built_in_verdicts.json"

    @property
    def database(self) -> str:
        """SQLAlchemy URL of the relational store of this endpoint."""
        return self.database_url or f"sqlite:///{self.home / f'{self.endpoint.value}.sqlite3'}"
