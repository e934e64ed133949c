"""Messages about the records of an account. See `atm.ipc.messages`, through which all are imported."""

from __future__ import annotations

from atm.ipc.message_forms import Reply, Request
from atm.ipc.shared_array import ArrayReference
from atm.model.account_review import ReviewCheck
from atm.model.simulation import SimulationSpec, SimulationSummary


class ReviewAccount(Request, frozen=True):
    """To simulation: look at the stored records of an account as at a simulation. → AccountReviewed

    start_ms, end_ms: the range, Unix ms UTC on whole minutes; 0 = from its first, to its last stored minute. A range that begins
    while something is held is widened to the last moment when nothing was. Failed with Invalid for an unknown account or a
    range that is none, Refused where there is nothing to look at yet.
    """

    name: str
    start_ms: int = 0
    end_ms: int = 0


class AccountReviewed(Reply, frozen=True):
    """spec: the account as a simulation over the range that was looked at; details: a packed `SimulationDetails`; curve: float64
    (2, n), Unix ms and equity, thinned; checks: what was reconciled over the whole life of the account."""

    spec: SimulationSpec
    summary: SimulationSummary
    details: bytes
    curve: ArrayReference
    checks: tuple[ReviewCheck, ...]
