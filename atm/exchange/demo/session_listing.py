"""What the demo exchange lists of a recorded session: as its file says, else as the sample does, else made from its own numbers."""

from __future__ import annotations

from typing import Any

import msgspec

from atm.exchange.client.answers import instruments as read_instruments
from atm.exchange.demo.market import decimals_of
from atm.exchange.demo.session_index import SessionIndex
from atm.model.instrument import Instrument

_ASSETS = ("USDT", "USDC")


def listing(
    index: SessionIndex, sample_info: dict[str, Any], sample: tuple[Instrument, ...]
) -> tuple[tuple[Instrument, ...], dict[str, Any]]:
    """(instruments, exchangeInfo) of the session's symbols. Leverage brackets are never recorded: those of the sample's symbol, of its
    first one where it has none."""
    known = {
        entry["symbol"]: entry for info in (sample_info, index.exchange_info or {}) for entry in info.get("symbols", ())
    }
    template = sample_info["symbols"][0]
    entries = [known.get(symbol) or _made(symbol, template, *index.price_texts.get(symbol, ("0.01", "0.001")))
               for symbol in index.symbols]  # fmt: skip
    info = {**sample_info, **(index.exchange_info or {}), "symbols": entries}
    brackets = {instrument.symbol: instrument.brackets for instrument in sample}
    found, _, _ = read_instruments(info)
    return tuple(
        msgspec.structs.replace(each, brackets=brackets.get(each.symbol, sample[0].brackets)) for each in found
    ), info


def _made(symbol: str, template: dict[str, Any], price: str, quantity: str) -> dict[str, Any]:
    """The template for a symbol whose prices and quantities are written so: tick and step are their last decimals."""
    tick, step = (_last_decimal(text) for text in (price, quantity))
    quote = next((asset for asset in _ASSETS if symbol.endswith(asset)), template["quoteAsset"])
    changed = {
        "PRICE_FILTER": {"tickSize": tick, "minPrice": tick, "maxPrice": "10000000"},
        "LOT_SIZE": {"stepSize": step, "minQty": step},
        "MARKET_LOT_SIZE": {"stepSize": step, "minQty": step},
    }
    filters = [{**entry, **changed.get(entry["filterType"], {})} for entry in template["filters"]]
    return {**template, "symbol": symbol, "pair": symbol, "baseAsset": symbol.removesuffix(quote), "quoteAsset": quote,
            "marginAsset": quote, "pricePrecision": decimals_of(tick), "quantityPrecision": decimals_of(step),
            "filters": filters}  # fmt: skip


def _last_decimal(text: str) -> str:
    places = len(text.partition(".")[2])
    return f"{10**-places:.{places}f}" if places else "1"
