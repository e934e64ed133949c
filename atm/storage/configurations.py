"""Stored analysis and trade configurations."""

from __future__ import annotations

import msgspec
from sqlalchemy import delete, select

from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.trade_configuration import TradeConfiguration
from atm.storage.repository import Repository
from atm.storage.schema import ConfigurationRow


class ConfigurationRepository(Repository):
    def analyses(self) -> list[AnalysisConfiguration]:
        """All analysis configurations, by code."""
        return [msgspec.json.decode(data, type=AnalysisConfiguration) for data in self._payloads("analysis")]

    def trades(self) -> list[TradeConfiguration]:
        """All trade configurations, by code."""
        return [msgspec.json.decode(data, type=TradeConfiguration) for data in self._payloads("trade")]

    def put_analysis(self, configuration: AnalysisConfiguration) -> None:
        """Create or replace."""
        self._put("analysis", configuration.code, msgspec.json.encode(configuration))

    def put_trade(self, configuration: TradeConfiguration) -> None:
        """Create or replace."""
        self._put("trade", configuration.code, msgspec.json.encode(configuration))

    def remove_analysis(self, code: str) -> None:
        self._remove("analysis", code)

    def remove_trade(self, code: str) -> None:
        self._remove("trade", code)

    def _payloads(self, kind: str) -> list[bytes]:
        query = select(ConfigurationRow.payload).where(ConfigurationRow.kind == kind).order_by(ConfigurationRow.code)
        with self._transaction() as session:
            return list(session.scalars(query))

    def _put(self, kind: str, code: str, payload: bytes) -> None:
        with self._transaction() as session:
            session.merge(ConfigurationRow(kind=kind, code=code, payload=payload))

    def _remove(self, kind: str, code: str) -> None:
        where = (ConfigurationRow.kind == kind, ConfigurationRow.code == code)
        with self._transaction() as session:
            session.execute(delete(ConfigurationRow).where(*where))
