"""Deterministic simulation of order handling: journal, live account and demo exchange in one thread under one seeded scheduler and
a virtual clock, with every fault that the exchange is known for. A seed is a whole run; a failure is one line, `--seed N`.

The live account and the exchange are the code that runs in production; only what lies between them (network, processes, disk) is
swapped. See docs/orders.md.
"""
