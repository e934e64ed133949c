"""Trade control, account control and the account engine: the one core of backtest, paper and live."""
