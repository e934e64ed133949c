"""Stored analysis and trade configurations."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Engine, delete, select

from atm.model.analysis_configuration import AnalysisConfiguration, expanded
from atm.model.trade_configuration import TradeConfiguration, expanded_trade
from atm.storage.repository import Repository, readable, to_payload
from atm.storage.schema import ConfigurationRow


class ConfigurationRepository(Repository):
    def __init__(self, engine: Engine, wall_ms: Callable[[], int]) -> None:
        super().__init__(engine)
        self._wall_ms = wall_ms

    def analyses(self) -> list[AnalysisConfiguration]:
        """All analysis configurations, by code."""
        return readable(self._payloads("analysis"), AnalysisConfiguration, expanded)

    def trades(self) -> list[TradeConfiguration]:
        """All trade configurations, by code."""
        return readable(self._payloads("trade"), TradeConfiguration, expanded_trade)

    def put_analysis(self, configuration: AnalysisConfiguration) -> None:
        """Create or replace."""
        self._put("analysis", configuration.code, to_payload(configuration))

    def put_trade(self, configuration: TradeConfiguration) -> None:
        """Create or replace."""
        self._put("trade", configuration.code, to_payload(configuration))

    def rename_analysis(self, old: str, configuration: AnalysisConfiguration) -> None:
        """Put one that was stored as `old` under its new code, at once."""
        self._rename("analysis", old, configuration.code, to_payload(configuration))

    def rename_trade(self, old: str, configuration: TradeConfiguration) -> None:
        """Put one that was stored as `old` under its new code, at once."""
        self._rename("trade", old, configuration.code, to_payload(configuration))

    def remove_analysis(self, code: str) -> None:
        self._remove("analysis", code)

    def remove_trade(self, code: str) -> None:
        self._remove("trade", code)

    def _payloads(self, kind: str) -> list[tuple[str, bytes]]:
        query = select(ConfigurationRow.code, ConfigurationRow.payload).where(ConfigurationRow.kind == kind)
        with self._reading() as session:
            return [(row.code, row.payload) for row in session.execute(query.order_by(ConfigurationRow.code))]

    def _put(self, kind: str, code: str, payload: bytes) -> None:
        with self._writing() as session:
            row = session.get(ConfigurationRow, (kind, code))
            if row is None:
                session.add(
                    ConfigurationRow(kind=kind, code=code, payload=payload, version=1, updated_ms=self._wall_ms())
                )
            elif row.payload != payload:
                row.payload, row.version, row.updated_ms = payload, row.version + 1, self._wall_ms()

    def _rename(self, kind: str, old: str, code: str, payload: bytes) -> None:
        with self._writing() as session:
            session.execute(delete(ConfigurationRow).where(ConfigurationRow.kind == kind, ConfigurationRow.code == old))
            session.add(ConfigurationRow(kind=kind, code=code, payload=payload, version=1, updated_ms=self._wall_ms()))

    def _remove(self, kind: str, code: str) -> None:
        where = (ConfigurationRow.kind == kind, ConfigurationRow.code == code)
        with self._writing() as session:
            session.execute(delete(ConfigurationRow).where(*where))
