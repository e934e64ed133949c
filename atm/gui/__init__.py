"""The window: theme, texts, widgets, chart and one file per page."""
