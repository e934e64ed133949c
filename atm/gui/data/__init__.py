"""Parts of the Database page: its table, the pictures of one symbol, the jobs and the dialogs."""
