"""Answers to signed requests: settings, balances, positions and income."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from atm.exchange.demo import access, documents
from atm.exchange.demo.account import MAKER_FEE, TAKER_FEE
from atm.exchange.demo.documents import AccountView, Document
from atm.exchange.demo.engine import KEPT_MS, Engine
from atm.exchange.demo.refusal import ExchangeRefusal
from atm.exchange.demo.request import Asked, Handler, amount_of, inside, integer, limit, times
from atm.model.interval import DAY_MS

_DONE = {"code": 200, "msg": "success"}
_DEFAULT_DAYS = 7


class AccountAnswers:
    """Handlers by method and path."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._markets = engine, engine.markets
        self.handlers: dict[tuple[str, str], Handler] = {
            ("GET", "v1/leverageBracket"): self._leverage_brackets,
            ("GET", "v2/account"): lambda asked: self._view(asked).state("v2"),
            ("GET", "v3/account"): lambda asked: self._view(asked).state("v3"),
            ("GET", "v2/balance"): lambda asked: [self._view(asked).balance_row()],
            ("GET", "v3/balance"): lambda asked: [self._view(asked).balance_row()],
            ("GET", "v2/positionRisk"): self._position_risk,
            ("GET", "v3/positionRisk"): self._position_risk,
            ("GET", "v1/symbolConfig"): self._symbol_configurations,
            ("GET", "v1/accountConfig"): self._account_configuration,
            ("GET", "v1/commissionRate"): self._commission,
            ("GET", "v1/rateLimit/order"): lambda _: _ORDER_LIMITS,
            ("GET", "v1/positionSide/dual"): lambda asked: {"dualSidePosition": asked.owner.hedge},
            ("POST", "v1/positionSide/dual"): lambda asked: self._only(asked, "dualSidePosition", "false", -4059),
            ("GET", "v1/multiAssetsMargin"): lambda asked: {"multiAssetsMargin": asked.owner.multi_assets},
            ("POST", "v1/multiAssetsMargin"): lambda asked: self._only(asked, "multiAssetsMargin", "false", -4171),
            ("POST", "v1/leverage"): self._set_leverage,
            ("POST", "v1/marginType"): self._set_margin_type,
            ("POST", "v1/positionMargin"): self._move_margin,
            ("GET", "v1/positionMargin/history"): self._margin_history,
            ("GET", "v1/adlQuantile"): self._adl,
            ("GET", "v1/apiTradingStatus"): lambda asked: {"indicators": {}, "updateTime": asked.now_ms},
            ("GET", "v1/feeBurn"): lambda _: {"feeBurn": False},
            ("POST", "v1/feeBurn"): lambda asked: self._only(asked, "feeBurn", "false", None),
            ("GET", "v1/income"): self._income,
        }

    def _view(self, asked: Asked) -> AccountView:
        return AccountView(asked.owner, self._markets, self._engine.brackets, asked.now_ms)

    def _wanted(self, given: Mapping[str, str]) -> list[str]:
        """The symbol that is named, else all."""
        return [self._engine.market(given["symbol"]).symbol] if given.get("symbol") else list(self._markets)

    def _leverage_brackets(self, asked: Asked) -> Any:
        wanted = self._wanted(asked.given)
        return [documents.bracket_rows(symbol, self._engine.brackets[symbol]) for symbol in wanted]

    def _position_risk(self, asked: Asked) -> Any:
        view, wanted = self._view(asked), self._wanted(asked.given)
        if asked.version == "v3":
            busy = asked.owner.busy_symbols
            wanted = [symbol for symbol in wanted if symbol in busy]
        return [view.risk_row(symbol, asked.version) for symbol in wanted]

    def _symbol_configurations(self, asked: Asked) -> Any:
        return [self._configuration(asked, symbol) for symbol in self._wanted(asked.given)]

    def _configuration(self, asked: Asked, symbol: str) -> Document:
        return documents.configuration(asked.owner, symbol, self._engine.brackets[symbol])

    def _account_configuration(self, asked: Asked) -> Any:
        return {"feeTier": 0, "canTrade": True, "canDeposit": True, "canWithdraw": True, "dualSidePosition": asked.owner.hedge,
                "updateTime": 0, "multiAssetsMargin": asked.owner.multi_assets, "tradeGroupId": -1}  # fmt: skip

    def _commission(self, asked: Asked) -> Any:
        symbol = self._engine.market(asked.given.get("symbol")).symbol
        return {"symbol": symbol, "makerCommissionRate": f"{MAKER_FEE:.6f}", "takerCommissionRate": f"{TAKER_FEE:.6f}",
                "rpiCommissionRate": "0.000050"}  # fmt: skip

    # --- settings ---------------------------------------------------------------------------------------------

    def _only(self, asked: Asked, name: str, offered: str, unchanged: int | None) -> Any:
        """A mode of which the demo exchange offers one value only: asking for it changes nothing."""
        wanted = asked.given.get(name, "").lower()
        if not wanted:
            raise ExchangeRefusal(-1102, name)
        if wanted not in ("true", "false"):
            raise ExchangeRefusal(-1130, name)
        if wanted != offered:
            raise ExchangeRefusal(-4084)
        if unchanged is not None:
            raise ExchangeRefusal(unchanged)
        return _DONE

    def _adl(self, asked: Asked) -> Any:
        wanted = set(self._wanted(asked.given)) & asked.owner.busy_symbols
        held = [symbol for symbol in sorted(wanted) if asked.owner.position(symbol).amount]
        return [{"symbol": symbol, "adlQuantile": {"LONG": 0, "SHORT": 0, "BOTH": 1}} for symbol in held]

    def _set_leverage(self, asked: Asked) -> Any:
        symbol, leverage = self._engine.market(asked.given.get("symbol")).symbol, integer(asked.given, "leverage")
        if leverage is None:
            raise ExchangeRefusal(-1102, "leverage")
        self._engine.set_leverage(asked.owner, symbol, leverage, asked.now_ms)
        own = self._configuration(asked, symbol)
        return {name: own[name] for name in ("symbol", "leverage", "maxNotionalValue")}

    def _set_margin_type(self, asked: Asked) -> Any:
        symbol, kind = self._engine.market(asked.given.get("symbol")).symbol, asked.given.get("marginType")
        if not kind:
            raise ExchangeRefusal(-1102, "marginType")
        if kind not in ("ISOLATED", "CROSSED"):
            raise ExchangeRefusal(-1130, "marginType")
        self._engine.set_margin_type(asked.owner, symbol, kind == "ISOLATED", asked.now_ms)
        return _DONE

    def _move_margin(self, asked: Asked) -> Any:
        symbol, kind = self._engine.market(asked.given.get("symbol")).symbol, integer(asked.given, "type")
        amount = amount_of(asked.given, "amount")
        if kind not in (1, 2):
            raise ExchangeRefusal(-1130, "type")
        self._engine.move_margin(asked.owner, symbol, amount, kind == 1, asked.now_ms)
        return {"amount": amount, "code": 200, "msg": "Successfully modify position margin.", "type": kind}

    # --- history ----------------------------------------------------------------------------------------------

    def _margin_history(self, asked: Asked) -> Any:
        given, symbol = asked.given, self._engine.market(asked.given.get("symbol")).symbol
        (start_ms, end_ms), most, kind = times(given), limit(given, 100, 500), integer(given, "type")
        found = [
            move
            for move in asked.owner.margin_moves
            if move.symbol == symbol
            and kind in (None, 1 if move.amount > 0 else 2)
            and inside(move.time_ms, start_ms, end_ms)
        ]
        return [documents.margin_move(move) for move in found[-most:]]

    def _income(self, asked: Asked) -> Any:
        given = asked.given
        symbol = self._engine.market(given["symbol"]).symbol if given.get("symbol") else None
        (start_ms, end_ms), most = times(given), limit(given, 100, 1000)
        if (start_ms, end_ms) == (None, None):
            start_ms = asked.now_ms - _DEFAULT_DAYS * DAY_MS
        start_ms = max(start_ms or 0, asked.now_ms - KEPT_MS)
        page = max(1, integer(given, "page") or 1)
        found = [
            entry
            for entry in asked.owner.incomes
            if symbol in (None, entry.symbol) and given.get("incomeType", entry.kind) == entry.kind
            if inside(entry.time_ms, start_ms, end_ms)
        ]
        return [documents.income_row(entry) for entry in found[(page - 1) * most : page * most]]


_ORDER_LIMITS = [
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": access.ORDERS_10S},
    {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": access.ORDERS_1M},
]
