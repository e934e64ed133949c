"""Schema changes, one file each, applied in order when a database is opened."""
