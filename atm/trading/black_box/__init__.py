"""The black box: what the cores of accounts were given and what they answered, recorded so that it can be replayed bit for bit.

`records`: what is written; `recorder`, `recorded_account`, `engine_watch`: who writes it; `memory`: what a live account remembers, as
plain data; `redaction`: what never enters; `incident`: the exported file; `replay` and `story`: what can be done with it. See
docs/black-box.md.
"""
