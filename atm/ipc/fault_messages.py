"""Messages about faults of the demo exchange. See `atm.ipc.messages`, through which all are imported."""

from __future__ import annotations

from atm.ipc.message_forms import Reply, Request
from atm.model.fault import FaultCommand, FaultReport


class ControlFaults(Request, frozen=True):
    """To binance_api: carry out a command at the demo exchange (an empty one only looks). → FaultsTold as it is then.

    Failed with Invalid or Refused for bad input, when nothing was changed; Refused on another endpoint; Unavailable while the demo
    exchange cannot be reached. Faults never strike this.
    """

    command: FaultCommand = FaultCommand()


class FaultsTold(Reply, frozen=True):
    report: FaultReport
