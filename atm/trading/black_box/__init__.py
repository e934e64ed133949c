"""The black box: what the cores of accounts were given and what they answered, recorded so that it can be replayed bit for bit.

`records`: what is written; `recorder`: who writes it; `memory`: the whole memory of a live account as plain data; `redaction`: what
never enters; `replay` and `story`: what can be done with it. See docs/black-box.md.
"""
