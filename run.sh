#!/usr/bin/env bash
# Sets up what is missing, then starts the program; all arguments are passed on (./run.sh --help).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
"$here/setup.sh" >&2
exec "$here/.venv/bin/python" "$here/main.py" "$@"
