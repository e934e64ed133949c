"""Live days worked again: the same core over the stored market with what was recorded of the day, held against what was decided; a
backtest of the day, held against what was filled; and whether live drifts away from the backtest (docs/parity.md).

    recorded = RecordedDay(…)                       # what was kept of the day
    again = worked_again(recorded, store)           # → ParityDay: every difference with its cause
    decisions = compared(recorded, DayMarket(…))    # the decisions alone
"""

from atm.simulators.parity.day import worked_again as worked_again
from atm.simulators.parity.day_market import DayMarket as DayMarket
from atm.simulators.parity.decisions import ComparedDecisions as ComparedDecisions
from atm.simulators.parity.decisions import compared as compared
from atm.simulators.parity.recorded_day import RecordedDay as RecordedDay
from atm.simulators.parity.stored_day import stored_day as stored_day
