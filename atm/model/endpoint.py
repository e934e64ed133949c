"""The three endpoints between which there is no other difference than their addresses."""

from __future__ import annotations

from enum import Enum

import msgspec


class Endpoint(Enum):
    DEMO = "demo"
    TESTNET = "testnet"
    LIVE = "live"


class Addresses(msgspec.Struct, frozen=True):
    """Base addresses without trailing slash. `rest` e.g. https://fapi.binance.com; `stream` e.g. wss://…"""

    rest: str
    stream: str


FIXED_ADDRESSES = {
    Endpoint.LIVE: Addresses("https://fapi.binance.com", "wss://fstream.binance.com"),
    Endpoint.TESTNET: Addresses("https://demo-fapi.binance.com", "wss://fstream.binancefuture.com"),
}
SPOT_ADDRESSES = {Endpoint.LIVE: "https://api.binance.com"}
"""Where permissions of keys and the user's number are asked for. The demo exchange tells them itself, the test network not at all."""
