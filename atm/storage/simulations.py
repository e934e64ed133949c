"""Stored simulations: specification, state, equity curve and trades."""

from __future__ import annotations

import zlib

import msgspec
import numpy as np
from numpy.typing import NDArray
from sqlalchemy import delete, select

from atm.model.account import TradeRecord
from atm.model.errors import Refused
from atm.model.simulation import (
    SimulationSpec,
    SimulationState,
    SimulationStatus,
    SimulationSummary,
    expanded_specification,
)
from atm.model.statistics import SimulationDetails
from atm.storage.repository import Repository, from_payload, readable, to_payload
from atm.storage.schema import SimulationRow


class SimulationRepository(Repository):
    def add(self, spec: SimulationSpec, created_ms: int) -> SimulationState:
        """Store a new simulation as queued. Raises `Refused` when the code is taken."""
        state = SimulationState(spec.code, SimulationStatus.QUEUED, 0.0, created_ms)
        with self._writing() as session:
            if session.get(SimulationRow, spec.code) is not None:
                raise Refused(f"a simulation {spec.code} exists already")
            session.add(
                SimulationRow(
                    code=spec.code,
                    created_ms=created_ms,
                    spec=to_payload(spec),
                    state=to_payload(state),
                )
            )
        return state

    def set_state(self, state: SimulationState) -> None:
        """Replace the state of a stored simulation; one that was removed meanwhile stays removed."""
        with self._writing() as session:
            row = session.get(SimulationRow, state.code)
            if row is not None:
                row.state = to_payload(state)

    def save_result(
        self,
        code: str,
        summary: SimulationSummary,
        equity_time: NDArray[np.int64],
        equity: NDArray[np.float64],
        trades: list[TradeRecord],
        details: SimulationDetails | None = None,
    ) -> None:
        """Completed: summary, equity curve, trades and details in one transaction."""
        curve = zlib.compress(equity_time.astype("<i8").tobytes() + equity.astype("<f8").tobytes())
        with self._writing() as session:
            row = session.get(SimulationRow, code)
            if row is None:
                return
            state = SimulationState(code, SimulationStatus.COMPLETED, 1.0, row.created_ms, "", summary)
            row.state = to_payload(state)
            row.equity = curve
            row.trades = zlib.compress(msgspec.msgpack.encode(trades))
            row.details = None if details is None else details.pack()

    def states(self) -> list[SimulationState]:
        """All simulations, oldest first; one that this version cannot read is logged, left out and kept."""
        query = select(SimulationRow.code, SimulationRow.state)
        with self._reading() as session:
            rows = session.execute(query.order_by(SimulationRow.created_ms, SimulationRow.code))
            return readable([(row.code, row.state) for row in rows], SimulationState)

    def spec(self, code: str) -> SimulationSpec:
        """Raises `Refused` when there is none that this version can read."""
        try:
            return from_payload(self._row(code).spec, SimulationSpec, expanded_specification)
        except ValueError as error:
            raise Refused(f"the stored simulation {code} cannot be read: {error}") from error

    def equity(self, code: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """(time, equity) of a completed simulation; empty before. Raises `Refused` when there is none."""
        packed = self._row(code).equity
        data = zlib.decompress(packed) if packed is not None else b""
        half = len(data) // 2
        return np.frombuffer(data[:half], "<i8"), np.frombuffer(data[half:], "<f8")

    def trades(self, code: str) -> list[TradeRecord]:
        """Trades of a completed simulation, in order. Raises `Refused` when there is none."""
        packed = self._row(code).trades
        if packed is None:
            return []
        return msgspec.msgpack.decode(zlib.decompress(packed), type=list[TradeRecord])

    def details(self, code: str) -> SimulationDetails | None:
        """Round trips and hourly report; None before completion and in results of earlier versions.

        Raises `Refused` when there is no such simulation.
        """
        packed = self._row(code).details
        return None if packed is None else SimulationDetails.unpack(packed)

    def remove(self, code: str) -> None:
        with self._writing() as session:
            session.execute(delete(SimulationRow).where(SimulationRow.code == code))

    def _row(self, code: str) -> SimulationRow:
        with self._reading() as session:
            row = session.get(SimulationRow, code)
            if row is None:
                raise Refused(f"there is no simulation {code}")
            session.expunge(row)
            return row
