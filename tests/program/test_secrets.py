"""A short session with actual accounts: no key lies anywhere but in the process that signs, and there no longer than it signs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from atm.ipc.messages import BINANCE_API
from benchmarks import secrecy

pytestmark = [pytest.mark.program, pytest.mark.timeout(600)]

OF_THE_EXCHANGE = {"the demo exchange's own file"}


@pytest.mark.skipif(sys.platform != "linux", reason="looks into processes as Linux offers it")
def test_keys_lie_in_the_process_that_signs_alone_and_there_only_while_an_account_is_active(tmp_path: Path) -> None:
    outcome = secrecy.measure(tmp_path, secrecy.SHORT)
    assert outcome.searched["queue messages"] > 100_000 and outcome.searched["logs"] > 0
    assert {place for place, names in outcome.found.items() if names} <= OF_THE_EXCHANGE
    assert outcome.found["the demo exchange's own file"], "the search finds what is there"
    assert outcome.searched["messages of the notifier"] > 0 and outcome.searched["exported incidents"] > 0
    assert outcome.cores == [] and outcome.crashed == 1
    if os.geteuid():
        pytest.skip("the memory of processes is read by root alone")
    holders = {
        (name, moment)
        for name, held in outcome.memory.items()
        for moment, names in held.items()
        if names and name != secrecy.EXCHANGE
    }
    assert holders == {(BINANCE_API, secrecy.ACTIVE)}, outcome.places
