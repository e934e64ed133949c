"""The sample market that is shipped with the program: instruments with their real filters and brackets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from atm.model.instrument import Instrument, LeverageBracket


def load_exchange_info(assets: Path) -> dict[str, Any]:
    """The recorded answer of GET /fapi/v1/exchangeInfo, reduced to the sample's symbols."""
    info: dict[str, Any] = json.loads((assets / "sample" / "exchange_info.json").read_text())
    return info


def load_instruments(assets: Path) -> tuple[Instrument, ...]:
    """Instruments of the sample with filters and leverage brackets."""
    tiers = json.loads((assets / "sample" / "leverage_brackets.json").read_text())
    return tuple(_instrument(entry, tiers) for entry in load_exchange_info(assets)["symbols"])


def _instrument(entry: dict[str, Any], tiers: dict[str, list[dict[str, Any]]]) -> Instrument:
    filters = {item["filterType"]: item for item in entry["filters"]}
    brackets = tuple(
        LeverageBracket(
            float(row["floor"]),
            float(row["cap"]),
            float(row["maintMarginRate"]),
            float(row["cum"]),
            int(row["maxLeverage"]),
        )
        for row in tiers.get(entry["symbol"], [])
    )
    return Instrument(
        symbol=entry["symbol"],
        base_asset=entry["baseAsset"],
        quote_asset=entry["quoteAsset"],
        status=entry["status"],
        price_precision=entry["pricePrecision"],
        quantity_precision=entry["quantityPrecision"],
        tick_size=filters["PRICE_FILTER"]["tickSize"],
        step_size=filters["LOT_SIZE"]["stepSize"],
        market_step_size=filters["MARKET_LOT_SIZE"]["stepSize"],
        min_quantity=filters["MARKET_LOT_SIZE"]["minQty"],
        max_market_quantity=filters["MARKET_LOT_SIZE"]["maxQty"],
        min_notional=filters["MIN_NOTIONAL"]["notional"],
        liquidation_fee=entry["liquidationFee"],
        onboard_ms=entry["onboardDate"],
        brackets=brackets,
        min_price=filters["PRICE_FILTER"]["minPrice"],
        max_price=filters["PRICE_FILTER"]["maxPrice"],
        multiplier_up=filters["PERCENT_PRICE"]["multiplierUp"],
        multiplier_down=filters["PERCENT_PRICE"]["multiplierDown"],
    )
