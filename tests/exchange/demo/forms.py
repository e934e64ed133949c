"""Field lists of the exchange's answers and events, carried over from the fact sheet of Binance USDⓈ-M futures (official documents of
2026-05 with the change log up to 2026-10, the official SDK, recordings), and a check that tells what deviates.

A form is a type (below), `None` for null, a dict of fields ("name?": may be absent), a list of one form (every element), a `Row` (a
fixed number of elements) or an `Either`. Fields that only an older or a rarer form of an answer has are marked as may be absent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

INT, NUM, DEC, TEXT, BOOL = "an integer", "a number", "a decimal string", "a text", "a boolean"
_DECIMAL = re.compile(r"-?\d+(\.\d+)?")

Form = Any


@dataclass(frozen=True)
class Row:
    """An array of exactly these elements."""

    forms: tuple[Form, ...]


@dataclass(frozen=True)
class Either:
    """One of several forms."""

    forms: tuple[Form, ...]


def deviations(form: Form, value: Any, path: str = "") -> list[str]:
    """What is missing, superfluous or of another type, each with its place."""
    if isinstance(form, Either):
        found = [deviations(each, value, path) for each in form.forms]
        return min(found, key=len)
    if isinstance(form, dict):
        return _of_fields(form, value, path) if isinstance(value, dict) else [f"{path}: no object but {value!r}"]
    if isinstance(form, list):
        if not isinstance(value, list):
            return [f"{path}: no array but {value!r}"]
        return [each for place, item in enumerate(value) for each in deviations(form[0], item, f"{path}[{place}]")]
    if isinstance(form, Row):
        if not isinstance(value, list) or len(value) != len(form.forms):
            return [f"{path}: no array of {len(form.forms)} but {value!r}"]
        pairs = enumerate(zip(form.forms, value, strict=True))
        return [each for place, (one, item) in pairs for each in deviations(one, item, f"{path}[{place}]")]
    if form is None:
        return [] if value is None else [f"{path}: no null but {value!r}"]
    return [] if _is(form, value) else [f"{path}: not {form} but {value!r}"]


def _of_fields(form: dict[str, Form], value: dict[str, Any], path: str) -> list[str]:
    known = {name.removesuffix("?"): each for name, each in form.items()}
    found = [f"{path}.{name}: missing" for name in form if not name.endswith("?") and name not in value]
    found += [f"{path}.{name}: superfluous" for name in value if name not in known]
    for name, each in known.items():
        if name in value:
            found += deviations(each, value[name], f"{path}.{name}")
    return found


def _is(kind: str, value: Any) -> bool:
    if kind == BOOL:
        return isinstance(value, bool)
    if kind == INT:
        return isinstance(value, int) and not isinstance(value, bool)
    if kind == NUM:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind == DEC:
        return isinstance(value, str) and _DECIMAL.fullmatch(value) is not None
    return isinstance(value, str)


LEVELS = [Row((DEC, DEC))]
DONE = {"code": INT, "msg": TEXT}
KLINE_ROW = Row((INT, DEC, DEC, DEC, DEC, DEC, INT, DEC, INT, DEC, DEC, DEC))
RATE_LIMIT = {"rateLimitType": TEXT, "interval": TEXT, "intervalNum": INT, "limit": INT}

_SYMBOL = {
    "symbol": TEXT, "pair": TEXT, "contractType": TEXT, "deliveryDate": INT, "onboardDate": INT, "status": TEXT,
    "maintMarginPercent": DEC, "requiredMarginPercent": DEC, "baseAsset": TEXT, "quoteAsset": TEXT, "marginAsset": TEXT,
    "pricePrecision": INT, "quantityPrecision": INT, "baseAssetPrecision": INT, "quotePrecision": INT, "underlyingType": TEXT,
    "underlyingSubType": [TEXT], "triggerProtect": DEC, "liquidationFee": DEC, "marketTakeBound": DEC, "maxMoveOrderLimit": INT,
    "orderTypes": [TEXT], "timeInForce": [TEXT], "permissionSets": [TEXT],
    "filters": [Either((
        {"filterType": TEXT, "minPrice": DEC, "maxPrice": DEC, "tickSize": DEC},
        {"filterType": TEXT, "minQty": DEC, "maxQty": DEC, "stepSize": DEC},
        {"filterType": TEXT, "limit": INT},
        {"filterType": TEXT, "notional": DEC},
        {"filterType": TEXT, "multiplierUp": DEC, "multiplierDown": DEC, "multiplierDecimal": DEC},
        {"filterType": TEXT, "positionControlSide": TEXT},
    ))],
}  # fmt: skip

# Answers of orders: since 2026-07-15 those to placing, changing and cancelling have no avgPrice and no cumQuote.
ORDER = {
    "orderId": INT, "symbol": TEXT, "status": TEXT, "clientOrderId": TEXT, "price": DEC, "origQty": DEC, "executedQty": DEC,
    "cumQty": DEC, "timeInForce": TEXT, "type": TEXT, "reduceOnly": BOOL, "closePosition": BOOL, "side": TEXT,
    "positionSide": TEXT, "stopPrice": DEC, "workingType": TEXT, "priceProtect": BOOL, "origType": TEXT, "priceMatch": TEXT,
    "selfTradePreventionMode": TEXT, "goodTillDate": INT, "updateTime": INT,
}  # fmt: skip
CHANGED_ORDER = {**ORDER, "pair": TEXT, "modifyId?": Either((INT, None))}
QUERIED_ORDER = {name: form for name, form in ORDER.items() if name != "cumQty"} | {
    "pair": TEXT, "avgPrice": DEC, "cumQuote": DEC, "cumBase": DEC, "time": INT, "modifyId?": INT,
}  # fmt: skip

ALGO = {
    "algoId": INT, "clientAlgoId": TEXT, "algoType": TEXT, "orderType": TEXT, "symbol": TEXT, "side": TEXT, "positionSide": TEXT,
    "timeInForce": TEXT, "quantity": DEC, "algoStatus": TEXT, "triggerPrice": DEC, "price": DEC, "icebergQuantity": None,
    "selfTradePreventionMode": TEXT, "workingType": TEXT, "priceMatch": TEXT, "closePosition": BOOL, "priceProtect": BOOL,
    "reduceOnly": BOOL, "activatePrice": TEXT, "callbackRate": TEXT, "createTime": INT, "updateTime": INT, "triggerTime": INT,
    "goodTillDate": INT,
}  # fmt: skip
QUERIED_ALGO = ALGO | {
    "actualOrderId": TEXT, "actualPrice": DEC, "actualType": TEXT, "actualQty": TEXT, "tpTriggerPrice": DEC, "tpPrice": DEC,
    "slTriggerPrice": DEC, "slPrice": DEC, "tpOrderType": TEXT,
}  # fmt: skip

_V3_ASSET = dict.fromkeys((
    "walletBalance", "unrealizedProfit", "marginBalance", "maintMargin", "initialMargin", "positionInitialMargin",
    "openOrderInitialMargin", "crossWalletBalance", "crossUnPnl", "availableBalance", "maxWithdrawAmount",
), DEC) | {"asset": TEXT, "updateTime": INT}  # fmt: skip
_TOTALS = dict.fromkeys((
    "totalInitialMargin", "totalMaintMargin", "totalWalletBalance", "totalUnrealizedProfit", "totalMarginBalance",
    "totalPositionInitialMargin", "totalOpenOrderInitialMargin", "totalCrossWalletBalance", "totalCrossUnPnl", "availableBalance",
    "maxWithdrawAmount",
), DEC)  # fmt: skip
_V3_POSITION = dict.fromkeys((
    "positionAmt", "unrealizedProfit", "isolatedMargin", "notional", "isolatedWallet", "initialMargin", "maintMargin",
), DEC) | {"symbol": TEXT, "positionSide": TEXT, "updateTime": INT}  # fmt: skip
_V2_POSITION = dict.fromkeys((
    "initialMargin", "maintMargin", "unrealizedProfit", "positionInitialMargin", "openOrderInitialMargin", "leverage", "entryPrice",
    "maxNotional", "bidNotional", "askNotional", "positionAmt", "breakEvenPrice?", "notional?", "isolatedWallet?",
), DEC) | {"symbol": TEXT, "isolated": BOOL, "positionSide": TEXT, "updateTime": INT}  # fmt: skip
_BALANCE = dict.fromkeys((
    "balance", "crossWalletBalance", "crossUnPnl", "availableBalance", "maxWithdrawAmount",
), DEC) | {"accountAlias": TEXT, "asset": TEXT, "marginAvailable": BOOL, "updateTime": INT}  # fmt: skip
_V3_RISK = dict.fromkeys((
    "positionAmt", "entryPrice", "breakEvenPrice", "markPrice", "unRealizedProfit", "liquidationPrice", "isolatedMargin", "notional",
    "isolatedWallet", "initialMargin", "maintMargin", "positionInitialMargin", "openOrderInitialMargin", "bidNotional",
    "askNotional",
), DEC) | {"symbol": TEXT, "positionSide": TEXT, "marginAsset": TEXT, "adl": INT, "updateTime": INT}  # fmt: skip
_V2_RISK = dict.fromkeys((
    "positionAmt", "entryPrice", "breakEvenPrice", "markPrice", "unRealizedProfit", "liquidationPrice", "isolatedMargin", "notional",
    "isolatedWallet", "leverage", "maxNotionalValue",
), DEC) | {"symbol": TEXT, "positionSide": TEXT, "marginType": TEXT, "isAutoAddMargin": TEXT, "updateTime": INT,
           "adlQuantile?": INT}  # fmt: skip

_DAY_TICKER = dict.fromkeys((
    "priceChange", "priceChangePercent", "weightedAvgPrice", "lastPrice", "lastQty", "openPrice", "highPrice", "lowPrice", "volume",
    "quoteVolume",
), DEC) | {"symbol": TEXT, **dict.fromkeys(("openTime", "closeTime", "firstId", "lastId", "count"), INT)}  # fmt: skip
_PRICE_TICKER = {"symbol": TEXT, "price": DEC, "time": INT}
_BOOK_TICKER = {"symbol": TEXT, "bidPrice": DEC, "bidQty": DEC, "askPrice": DEC, "askQty": DEC, "time": INT}
_PREMIUM = {"symbol": TEXT, "markPrice": DEC, "indexPrice": DEC, "estimatedSettlePrice": DEC, "lastFundingRate": DEC,
            "interestRate": DEC, "nextFundingTime": INT, "time": INT}  # fmt: skip
_BRACKET = {
    "bracket": INT,
    "initialLeverage": INT,
    "notionalCap": NUM,
    "notionalFloor": NUM,
    "maintMarginRatio": NUM,
    "cum": NUM,
}
_AGGREGATE = {"a": INT, "p": DEC, "q": DEC, "nq": DEC, "f": INT, "l": INT, "T": INT, "m": BOOL}

BATCH_ELEMENT = Either((ORDER, CHANGED_ORDER, DONE))

ANSWERS: dict[tuple[str, str], Form] = {
    ("GET", "v1/ping"): {},
    ("GET", "v3/ping"): {},
    ("GET", "v1/time"): {"serverTime": INT},
    ("GET", "v3/time"): {"serverTime": INT},
    ("GET", "v1/exchangeInfo"): {
        "timezone": TEXT, "serverTime": INT, "futuresType": TEXT, "rateLimits": [RATE_LIMIT], "exchangeFilters": [TEXT],
        "assets": [{"asset": TEXT, "marginAvailable": BOOL, "autoAssetExchange": Either((DEC, None))}], "symbols": [_SYMBOL],
    },
    ("GET", "v1/depth"): {"lastUpdateId": INT, "E": INT, "T": INT, "bids": LEVELS, "asks": LEVELS},
    ("GET", "v1/rpiDepth"): {"lastUpdateId": INT, "E": INT, "T": INT, "bids": LEVELS, "asks": LEVELS},
    ("GET", "v1/openInterest"): {"openInterest": DEC, "symbol": TEXT, "time": INT},
    ("GET", "v1/trades"): [{"id": INT, "price": DEC, "qty": DEC, "quoteQty": DEC, "time": INT, "isBuyerMaker": BOOL,
                            "isRPITrade": BOOL}],
    ("GET", "v1/aggTrades"): [_AGGREGATE],
    ("GET", "v1/klines"): [KLINE_ROW],
    ("GET", "v1/continuousKlines"): [KLINE_ROW],
    ("GET", "v1/markPriceKlines"): [KLINE_ROW],
    ("GET", "v1/indexPriceKlines"): [KLINE_ROW],
    ("GET", "v1/premiumIndexKlines"): [KLINE_ROW],
    ("GET", "v1/premiumIndex"): Either((_PREMIUM, [_PREMIUM])),
    ("GET", "v1/fundingRate"): [{"symbol": TEXT, "fundingTime": INT, "fundingRate": DEC, "markPrice": DEC, "rateType": TEXT}],
    ("GET", "v1/fundingInfo"): [{"symbol": TEXT, "adjustedFundingRateCap": DEC, "adjustedFundingRateFloor": DEC,
                                 "fundingIntervalHours": INT, "disclaimer": BOOL, "updateTime?": INT}],
    ("GET", "v1/ticker/24hr"): Either((_DAY_TICKER, [_DAY_TICKER])),
    ("GET", "v1/ticker/price"): Either((_PRICE_TICKER, [_PRICE_TICKER])),
    ("GET", "v2/ticker/price"): Either((_PRICE_TICKER, [_PRICE_TICKER])),
    ("GET", "v1/ticker/bookTicker"): Either((_BOOK_TICKER, [_BOOK_TICKER])),
    ("GET", "v1/leverageBracket"): [{"symbol": TEXT, "notionalCoef?": NUM, "brackets": [_BRACKET]}],
    ("GET", "v2/balance"): [_BALANCE],
    ("GET", "v3/balance"): [_BALANCE],
    ("GET", "v3/account"): {**_TOTALS, "assets": [_V3_ASSET], "positions": [_V3_POSITION]},
    ("GET", "v2/account"): {
        **_TOTALS, "assets": [{**_V3_ASSET, "marginAvailable": BOOL}], "positions": [_V2_POSITION], "feeTier": INT, "feeBurn": BOOL,
        "canTrade": BOOL, "canDeposit": BOOL, "canWithdraw": BOOL, "updateTime": INT, "multiAssetsMargin": BOOL, "tradeGroupId": INT,
    },
    ("GET", "v3/positionRisk"): [_V3_RISK],
    ("GET", "v2/positionRisk"): [_V2_RISK],
    ("GET", "v1/symbolConfig"): [{"symbol": TEXT, "marginType": TEXT, "isAutoAddMargin": BOOL, "leverage": INT,
                                  "maxNotionalValue": DEC}],
    ("GET", "v1/accountConfig"): {"feeTier": INT, "canTrade": BOOL, "canDeposit": BOOL, "canWithdraw": BOOL,
                                  "dualSidePosition": BOOL, "updateTime": INT, "multiAssetsMargin": BOOL, "tradeGroupId": INT},
    ("GET", "v1/commissionRate"): {"symbol": TEXT, "makerCommissionRate": DEC, "takerCommissionRate": DEC,
                                   "rpiCommissionRate": DEC},
    ("GET", "v1/rateLimit/order"): [RATE_LIMIT],
    ("GET", "v1/income"): [{"symbol": TEXT, "incomeType": TEXT, "income": DEC, "asset": TEXT, "info": TEXT, "time": INT,
                            "tranId": INT, "tradeId": TEXT}],
    ("GET", "v1/userTrades"): [{"symbol": TEXT, "pair": TEXT, "id": INT, "orderId": INT, "side": TEXT, "positionSide": TEXT,
                                "price": DEC, "qty": DEC, "quoteQty": DEC, "baseQty": DEC, "marginAsset": TEXT,
                                "realizedPnl": DEC, "commission": DEC, "commissionAsset": TEXT, "buyer": BOOL, "maker": BOOL,
                                "time": INT}],
    ("GET", "v1/apiTradingStatus"): {"indicators": {}, "updateTime": INT},
    ("GET", "v1/adlQuantile"): [{"symbol": TEXT, "adlQuantile": {"LONG": INT, "SHORT": INT, "BOTH?": INT, "HEDGE?": INT}}],
    ("GET", "v1/forceOrders"): [QUERIED_ORDER],
    ("POST", "v1/order"): ORDER,
    ("POST", "v1/order/test"): Either(({}, ORDER)),
    ("PUT", "v1/order"): CHANGED_ORDER,
    ("DELETE", "v1/order"): ORDER,
    ("GET", "v1/order"): QUERIED_ORDER,
    ("GET", "v1/openOrder"): QUERIED_ORDER,
    ("GET", "v1/openOrders"): [QUERIED_ORDER],
    ("GET", "v1/allOrders"): [QUERIED_ORDER],
    ("DELETE", "v1/allOpenOrders"): DONE,
    ("POST", "v1/batchOrders"): [BATCH_ELEMENT],
    ("PUT", "v1/batchOrders"): [BATCH_ELEMENT],
    ("DELETE", "v1/batchOrders"): [BATCH_ELEMENT],
    ("GET", "v1/orderAmendment"): [{
        "amendmentId": INT, "symbol": TEXT, "pair": TEXT, "orderId": INT, "clientOrderId": TEXT, "time": INT,
        "amendment": {"price": {"before": DEC, "after": DEC}, "origQty": {"before": DEC, "after": DEC}, "count": INT,
                      "modifyId?": Either((INT, None))},
    }],
    ("POST", "v1/countdownCancelAll"): {"symbol": TEXT, "countdownTime": DEC},
    ("POST", "v1/algoOrder"): ALGO,
    ("GET", "v1/algoOrder"): QUERIED_ALGO,
    ("GET", "v1/openAlgoOrders"): [QUERIED_ALGO],
    ("GET", "v1/allAlgoOrders"): [QUERIED_ALGO],
    ("DELETE", "v1/algoOrder"): {"algoId": INT, "clientAlgoId": TEXT, "code": TEXT, "msg": TEXT},
    ("DELETE", "v1/algoOpenOrders"): DONE,
    ("POST", "v1/leverage"): {"leverage": INT, "maxNotionalValue": DEC, "symbol": TEXT},
    ("POST", "v1/marginType"): DONE,
    ("POST", "v1/positionMargin"): {"amount": NUM, "code": INT, "msg": TEXT, "type": INT},
    ("GET", "v1/positionMargin/history"): [{"symbol": TEXT, "type": INT, "deltaType": TEXT, "amount": DEC, "asset": TEXT,
                                            "time": INT, "positionSide": TEXT}],
    ("GET", "v1/positionSide/dual"): {"dualSidePosition": BOOL},
    ("POST", "v1/positionSide/dual"): DONE,
    ("GET", "v1/multiAssetsMargin"): {"multiAssetsMargin": BOOL},
    ("POST", "v1/multiAssetsMargin"): DONE,
    ("GET", "v1/feeBurn"): {"feeBurn": BOOL},
    ("POST", "v1/feeBurn"): DONE,
    ("POST", "v1/listenKey"): {"listenKey": TEXT},
    ("PUT", "v1/listenKey"): {"listenKey": TEXT},
    ("DELETE", "v1/listenKey"): {},
}  # fmt: skip

NOT_OFFERED = frozenset((
    ("GET", "v1/historicalTrades"), ("GET", "v1/constituents"),
    ("GET", "v1/indexInfo"), ("GET", "v1/assetIndex"), ("GET", "v1/insuranceBalance"), ("GET", "v1/symbolAdlRisk"),
    ("GET", "v1/tradingSchedule"), ("GET", "futures/data/…"),
))  # fmt: skip
"""Endpoints of the fact sheet that the demo exchange does not have: it answers them with 404."""

_KLINE = {
    "t": INT, "T": INT, "s": TEXT, "i": TEXT, "f": INT, "L": INT, "o": DEC, "c": DEC, "h": DEC, "l": DEC, "v": DEC, "n": INT,
    "x": BOOL, "q": DEC, "V": DEC, "Q": DEC, "B": DEC,
}  # fmt: skip
_MARK = {"e": TEXT, "E": INT, "s": TEXT, "p": DEC, "ap": DEC, "i": DEC, "P": DEC, "r": DEC, "T": INT, "st": INT}
_MINI = {
    "e": TEXT,
    "E": INT,
    "s": TEXT,
    "c": DEC,
    "o": DEC,
    "h": DEC,
    "l": DEC,
    "v": DEC,
    "q": DEC,
    "ps": TEXT,
    "st": INT,
}
_TICKER = _MINI | {"p": DEC, "P": DEC, "w": DEC, "Q": DEC, "O": INT, "C": INT, "F": INT, "L": INT, "n": INT}

EVENTS: dict[str, Form] = {
    "kline": {"e": TEXT, "E": INT, "s": TEXT, "k": _KLINE},
    "continuous_kline": {"e": TEXT, "E": INT, "ps": TEXT, "ct": TEXT,
                         "k": {name: form for name, form in _KLINE.items() if name != "s"}},
    "aggTrade": {"e": TEXT, "E": INT, "s": TEXT, **_AGGREGATE, "st": INT},
    "depthUpdate": {"e": TEXT, "E": INT, "T": INT, "s": TEXT, "U": INT, "u": INT, "pu": INT, "b": LEVELS, "a": LEVELS, "ps": TEXT,
                    "st": INT},
    "bookTicker": {"e": TEXT, "u": INT, "E": INT, "T": INT, "s": TEXT, "b": DEC, "B": DEC, "a": DEC, "A": DEC, "ps": TEXT, "st": INT},
    "markPriceUpdate": _MARK,
    "forceOrder": {"e": TEXT, "E": INT, "ps": TEXT, "st": INT, "o": {
        "s": TEXT, "S": TEXT, "o": TEXT, "f": TEXT, "q": DEC, "p": DEC, "ap": DEC, "X": TEXT, "l": DEC, "z": DEC, "T": INT}},
    "24hrMiniTicker": _MINI,
    "24hrTicker": _TICKER,
    "contractInfo": {"e": TEXT, "E": INT, "s": TEXT, "ps": TEXT, "ct": TEXT, "dt": INT, "ot": INT, "cs": TEXT, "st": INT,
                     "bks?": [{"bs": INT, "bnf": NUM, "bnc": NUM, "mmr": NUM, "cf": NUM, "mi": INT, "ma": INT}]},
    "ORDER_TRADE_UPDATE": {"e": TEXT, "E": INT, "T": INT, "o": {
        "s": TEXT, "c": TEXT, "S": TEXT, "o": TEXT, "f": TEXT, "q": DEC, "p": DEC, "ap": DEC, "sp": DEC, "x": TEXT, "X": TEXT,
        "i": INT, "l": DEC, "z": DEC, "L": DEC, "N?": Either((TEXT, None)), "n?": Either((DEC, None)), "T": INT, "t": INT, "b": DEC,
        "a": DEC, "m": BOOL, "R": BOOL, "wt": TEXT, "ot": TEXT, "ps": TEXT, "cp": BOOL, "pP": BOOL, "si": INT, "ss": INT, "rp": DEC,
        "V": TEXT, "pm": TEXT, "gtd": INT, "er": DEC, "M?": INT, "AP?": DEC, "cr?": DEC}},
    "TRADE_LITE": {"e": TEXT, "E": INT, "T": INT, "s": TEXT, "q": DEC, "p": DEC, "m": BOOL, "c": TEXT, "S": TEXT, "L": DEC, "l": DEC,
                   "t": INT, "i": INT},
    "ACCOUNT_UPDATE": {"e": TEXT, "E": INT, "T": INT, "a": {
        "m": TEXT, "S?": TEXT, "B": [{"a": TEXT, "wb": DEC, "cw": DEC, "bc": DEC}],
        "P?": [{"s": TEXT, "pa": DEC, "ep": DEC, "bep": DEC, "cr": DEC, "up": DEC, "mt": TEXT, "iw": DEC, "ps": TEXT}]}},
    "ACCOUNT_CONFIG_UPDATE": {"e": TEXT, "E": INT, "T": INT, "ac?": {"s": TEXT, "l": INT}, "ai?": {"j": BOOL}},
    "MARGIN_CALL": {"e": TEXT, "E": INT, "cw?": DEC, "p": [
        {"s": TEXT, "ps": TEXT, "pa": DEC, "mt": TEXT, "iw": DEC, "mp": DEC, "up": DEC, "mm": DEC}]},
    "listenKeyExpired": {"e": TEXT, "E": INT, "listenKey": TEXT},
    "ALGO_UPDATE": {"e": TEXT, "E": INT, "T": INT, "o": {
        "caid": TEXT, "aid": INT, "at": TEXT, "o": TEXT, "s": TEXT, "S": TEXT, "ps": TEXT, "f": TEXT, "q": DEC, "X": TEXT, "ai": TEXT,
        "tp": DEC, "p": DEC, "V": TEXT, "wt": TEXT, "pm": TEXT, "cp": BOOL, "pP": BOOL, "R": BOOL, "tt": INT, "gtd": INT, "ap?": DEC,
        "aq?": DEC, "act?": TEXT, "rm?": TEXT, "ia?": BOOL, "AP?": TEXT, "cr?": DEC}},
}  # fmt: skip
