"""Start-up: command line, configuration, single instance, supervision of the process tree."""
