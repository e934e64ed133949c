"""Trade control, account control and the account engine: the one core of backtest, paper and live.

`TradeMethod`, with `Held` and `Answer`, is the door for trade-control methods of users.
"""

from __future__ import annotations

from atm.model.trade_method import Answer, Held, TradeMethod

__all__ = ["Answer", "Held", "TradeMethod"]
