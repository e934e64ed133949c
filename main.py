"""Entry point of the Auto Trade Machine: `python main.py --help`."""

import sys

from atm.app.command_line import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
