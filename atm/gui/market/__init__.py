"""Parts of the Market page: header, list of symbols, order book, trades and liquidations, and how fresh all of it is."""
