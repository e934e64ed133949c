"""Backtests: the simulator process, statistics and specifications read from files."""
