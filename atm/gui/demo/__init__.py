"""Parts of the Demo exchange page: its market, its accounts and its faults."""
