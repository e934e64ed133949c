"""Small values that must survive: window preferences, where an analysis began."""

from __future__ import annotations

from typing import Any

import msgspec

from atm.storage.repository import Repository
from atm.storage.schema import SettingRow


class SettingRepository(Repository):
    def get(self, key: str) -> Any:
        """The stored JSON value, or None."""
        with self._reading() as session:
            row = session.get(SettingRow, key)
            return None if row is None else msgspec.json.decode(row.payload)

    def put(self, key: str, value: Any) -> None:
        with self._writing() as session:
            session.merge(SettingRow(key=key, payload=msgspec.json.encode(value)))
