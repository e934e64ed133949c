"""Parts of the Account History page."""
