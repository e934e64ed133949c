"""One file per manager process."""
