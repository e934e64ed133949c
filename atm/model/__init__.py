"""Values: instruments, bars, orders, accounts, configurations, intervals and errors.

The lowest floor. Nothing here does I/O, knows a process or imports another package of the program.
"""
