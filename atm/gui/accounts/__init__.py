"""Parts of the Accounts page: one file each."""
