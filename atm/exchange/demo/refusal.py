"""Refusals in the exchange's words (spec of the API: error codes)."""

from __future__ import annotations

TEXTS = {
    -1003: "Too many requests; current limit of IP(127.0.0.1) is 2400 requests per minute. Please use the websocket for "
    "live updates to avoid polling the API.",
    -1015: "Too many new orders; current limit is {} orders per {}.",
    -1021: "Timestamp for this request is outside of the recvWindow.",
    -1022: "Signature for this request is not valid.",
    -1102: "Mandatory parameter '{}' was not sent, was empty/null, or malformed.",
    -1106: "Parameter '{}' sent when not required.",
    -1111: "Precision is over the maximum defined for this asset.",
    -1115: "Invalid timeInForce.",
    -1116: "Invalid orderType.",
    -1117: "Invalid side.",
    -1120: "Invalid interval.",
    -1121: "Invalid symbol.",
    -1125: "This listenKey does not exist.",
    -1130: "Data sent for parameter '{}' is not valid.",
    -2011: "Unknown order sent.",
    -2013: "Order does not exist.",
    -2014: "API-key format invalid.",
    -2015: "Invalid API-key, IP, or permissions for action.",
    -2019: "Margin is insufficient.",
    -2022: "ReduceOnly Order is rejected.",
    -2025: "Reach max open order limit.",
    -2027: "Exceeded the maximum allowable position at current leverage.",
    -2028: "Leverage is smaller than permitted: insufficient margin balance.",
    -4003: "Quantity less than or equal to zero.",
    -4004: "Quantity less than min quantity.",
    -4005: "Quantity greater than max quantity.",
    -4014: "Price not increased by tick size.",
    -4015: "Client order id is not valid.",
    -4016: "Limit price can't be higher than {}.",
    -4021: "'{}' is not valid depth limit.",
    -4023: "Qty not increased by step size.",
    -4024: "Limit price can't be lower than {}.",
    -4028: "Leverage {} is not valid",
    -4046: "No need to change margin type.",
    -4047: "Margin type cannot be changed if there exists open orders.",
    -4048: "Margin type cannot be changed if there exists position.",
    -4059: "No need to change position side.",
    -4061: "Order's position side does not match user's setting.",
    -4116: "clientOrderId is duplicated",
    -4120: "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.",
    -4161: "Leverage reduction is not supported in Isolated Margin Mode with open positions",
    -4164: "Order's notional must be no smaller than {} (unless you choose reduce only)",
    -5021: "Due to the order could not be filled immediately, the FOK order has been rejected.",
    -5022: "Due to the order could not be executed as maker, the Post Only order will be rejected.",
}
_STATUS = {-1003: 429, -1015: 429, -2014: 401, -2015: 401}


class ExchangeRefusal(Exception):
    """A request is answered with this code; nothing was changed."""

    def __init__(self, code: int, *details: object) -> None:
        self.code = code
        self.text = TEXTS[code].format(*details)
        self.status = _STATUS.get(code, 400)
        super().__init__(self.text)
