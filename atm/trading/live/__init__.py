"""Live trading, the pure core: from the targets of the account engine to orders on an exchange, and back.

Nothing here does I/O or reads a clock. `LiveAccount` takes events and answers with commands; its state is the fold of the
journal (`LiveState.apply`), so that a restarted process knows what the dead one knew. See docs/orders.md.
"""
