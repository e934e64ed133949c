"""The client of Binance USDⓈ-M Futures: REST, streams, rate budget; endpoints live, testnet and demo."""
