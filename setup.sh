#!/usr/bin/env bash
# Makes .venv, installs the pinned packages and compiles the kernels. Each step is skipped when nothing it depends on
# has changed. `./setup.sh dev` installs what the tests need as well.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

fail() { printf 'setup: %s\n' "$1" >&2; exit 1; }

find_python() {
    local candidate
    for candidate in python3.11 python3.12 python3.13 python3; do
        if command -v "$candidate" >/dev/null 2>&1 \
            && "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
            printf '%s' "$candidate"
            return
        fi
    done
    fail "Python 3.11, 3.12 or 3.13 is needed; install it (Debian: apt-get install python3 python3-venv) and start again."
}

if [ ! -x .venv/bin/python ]; then
    python=$(find_python)
    echo "setup: making .venv with $($python --version)"
    "$python" -m venv .venv || fail "the venv module is missing; install it (Debian: apt-get install python3-venv)."
fi

list=requirements.txt
[ "${1:-}" = dev ] && list=requirements-dev.txt
installed() { [ "$(cat ".venv/.installed-$1" 2>/dev/null)" = "$(cat requirements.txt "$1" | cksum)" ]; }
# what the tests need includes what the program needs
if ! installed "$list" && ! installed requirements-dev.txt; then
    echo "setup: installing the packages of $list (the first time this takes some minutes)"
    .venv/bin/python -m pip install --disable-pip-version-check --quiet --quiet --progress-bar off -r "$list" \
        || fail "the packages of $list could not be installed; see the message of pip above."
    cat requirements.txt "$list" | cksum > ".venv/.installed-$list"
fi

kernels=$(find atm -name '*.py' -exec grep -l '@kernel' {} + | sort | xargs cat 2>/dev/null | cksum)
stamp=.venv/.kernels
if [ "$(cat "$stamp" 2>/dev/null)" != "$kernels" ]; then
    # a cached kernel does not notice that a kernel of another file, which it contains, has changed
    find atm -name '*.nb[ic]' -delete
    .venv/bin/python -m atm.app.warm_up || fail "the kernels could not be compiled; see the message above."
    printf '%s' "$kernels" > "$stamp"
fi
