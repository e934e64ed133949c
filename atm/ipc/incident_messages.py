"""Messages about incidents, which main has exported from the black box. See `atm.ipc.messages`, through which all are imported."""

from __future__ import annotations

from typing import Annotated

import msgspec

from atm.ipc.message_forms import Request

LONGEST_EXPORT_S = 300.0
"""How long the export of an incident may take."""


class ExportIncident(Request, frozen=True):
    """To main: write what the black box has of an account ("" = all) in the last `last_s` seconds to `file`, a name in the folder of
    incidents at home. → Done, or Failed"""

    account: str
    last_s: Annotated[float, msgspec.Meta(gt=0)]
    file: str
