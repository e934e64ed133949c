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

    @property
    def market_root(self) -> Path:
        """Where this endpoint's market store lives."""
        return self.home / "market" / self.endpoint.value

    @property
    def database(self) -> str:
        """SQLAlchemy URL of the relational store of this endpoint."""
        return self.database_url or f"sqlite:///{self.home / f'{self.endpoint.value}.sqlite3'}"
