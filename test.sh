#!/usr/bin/env bash
# Sets up, then checks style, types and floors and runs all tests, those with a window included.
# Arguments are passed to pytest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

install_display() {
    command -v Xvfb >/dev/null 2>&1 && ldconfig -p | grep -q 'libGL\.so\.1' && ldconfig -p | grep -q 'libEGL\.so\.1' && return
    local as_root=""
    [ "$(id -u)" = 0 ] || as_root="sudo -n"
    if command -v apt-get >/dev/null 2>&1 && { [ -z "$as_root" ] || $as_root true 2>/dev/null; }; then
        echo "test: installing Xvfb and Mesa's software OpenGL"
        $as_root apt-get update -qq
        DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq xvfb libgl1 libgl1-mesa-dri libegl1 >/dev/null
    else
        echo "test: the tests with a window need Xvfb and Mesa's software OpenGL; install them" \
            "(Debian: apt-get install xvfb libgl1 libgl1-mesa-dri libegl1) and start again." >&2
        exit 1
    fi
}

./setup.sh dev
case "$(uname -s)" in Linux) install_display ;; esac
bin=.venv/bin
$bin/ruff check .
$bin/ruff format --check .
$bin/mypy
$bin/lint-imports
$bin/python -m pytest -q --cov=atm --cov-report=term:skip-covered "$@"
