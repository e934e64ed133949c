"""The client of Binance USDⓈ-M Futures; endpoints live, testnet and demo differ in their addresses only.

`rest.FuturesClient` is the typed REST client, `feed.MarketFeed` the market as messages (streams, conflation, minutes
without holes), `transport.Credentials` the keys. Pure parts, driven by events and time as arguments: `rate_budget`,
`bar_sequence`, `reduction`, `stream_plan`, `clock`, `failures`. Nothing is re-exported here, so that the pure parts can be
imported without the HTTP libraries.
"""
