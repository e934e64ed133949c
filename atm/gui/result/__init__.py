"""The Simulation Result page in parts: what it shows as values (`view`), one file per tab, and the window's side of a trial."""
