"""Live days against their backtests: days, differences with their causes, and the drift alarm, as a tab of Account History."""
