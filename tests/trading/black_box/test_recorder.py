"""What a recorder must not miss, cost or do."""

from __future__ import annotations

import inspect

from atm.trading.black_box.recorder import RecordedAccount
from atm.trading.live.live_account import LiveAccount

READ_ONLY = {"halts", "view"}


def test_every_input_of_a_live_account_is_recorded() -> None:
    methods = inspect.getmembers(LiveAccount, inspect.isfunction)
    inputs = {name for name, _ in methods if not name.startswith("_")} - READ_ONLY
    assert inputs == inputs & vars(RecordedAccount).keys(), "a new input has to be recorded and replayed"
