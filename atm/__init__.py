"""Auto Trade Machine: research, backtest, optimise and trade crypto-futures strategies."""

__version__ = "0.1.0"
