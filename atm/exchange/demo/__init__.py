"""The exchange in a box: a local server with Binance's REST and WebSocket protocol on replayed bars."""
