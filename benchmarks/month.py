"""A simulated month of an actual account on the demo exchange's core: income and balances equal the exchange's in the end.

Funding, fees, transfers in between, stops, a process that is killed now and then; virtual time. `./run.sh bench month --minutes 43200`.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from atm.app.bench import BenchRow
from atm.model.income import TOLERANCE
from atm.simulators.orders.month import Month
from atm.storage.database import Database

ASSETS = Path(__file__).parent.parent / "assets"
SETTINGS = {"minutes": 43_200.0, "seed": 1.0}
MOST_CPU_S = 180.0


def rows(settings: Mapping[str, float]) -> list[BenchRow]:
    """The greatest difference, what disagrees, and processor time."""
    minutes = int(settings["minutes"])
    begun_s = time.process_time()
    with tempfile.TemporaryDirectory() as home:
        database = Database(f"sqlite:///{Path(home) / 'month.sqlite3'}")
        outcome = Month(ASSETS, database, minutes, int(settings["seed"])).go()
        database.close()
    cpu_s = time.process_time() - begun_s
    has, made = outcome.wallet
    print(
        f"records {outcome.records}, {outcome.twice} told again and stored once, {outcome.readings} readings, "
        f"{outcome.kills} kills, {outcome.stops} stops; {outcome.check.agreeing} fills agree; wallet {has:f}, ours {made:f}",
        file=sys.stderr,
    )
    for line in outcome.check.open:
        print(f"{line}", file=sys.stderr)
    worst, wrong = float(outcome.worst), len(outcome.check.open) + outcome.unlike
    budget_s = MOST_CPU_S * max(1.0, minutes / SETTINGS["minutes"])
    return [
        BenchRow(
            "month: greatest difference", worst, "USDT", "tolerance", float(TOLERANCE), worst / float(TOLERANCE),
            float(TOLERANCE), worst <= float(TOLERANCE),
        ),
        BenchRow("month: records that disagree", wrong, "records", "all", sum(outcome.records.values()), wrong, 0.0, not wrong),
        BenchRow("month: processor time", cpu_s, "s", "minutes", minutes, cpu_s / minutes, budget_s, cpu_s <= budget_s),
    ]  # fmt: skip
