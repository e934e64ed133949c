"""The exchange: the client that trades on Binance, and the demo exchange that speaks the same protocol."""
