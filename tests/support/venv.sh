#!/usr/bin/env bash
# Makes the Python environment that some tests start moto from, and prints where it is. Does nothing where it is
# already made from this requirements.txt. The tests make it in the same way if they find it missing or old.
#
#   tests/support/venv.sh [REQUIREMENTS [VENV]]
set -euo pipefail

tests=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
requirements=${1:-$tests/requirements.txt}
venv=${2:-${BYLAW_VENV:-$HOME/.cache/bylaw/venv}}
marker=$venv/.requirements.sha256

fail() {
    echo "$0: $*" >&2
    exit 1
}

[ -f "$requirements" ] || fail "no file \`$requirements\`"
command -v python3 >/dev/null || fail 'no `python3` on the PATH: install Python 3.9 or later'
hash=$(python3 -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())' "$requirements")

made() { [ -x "$venv/bin/python" ] && [ "$(cat "$marker" 2>/dev/null)" = "$hash" ]; }

if ! made; then
    mkdir -p "$(dirname "$venv")"
    # Two runs at once would write the same files; the second waits and finds it made.
    exec 9>"$venv.lock"
    if command -v flock >/dev/null; then flock 9; fi
    if ! made; then
        rm -rf "$venv"
        python3 -m venv "$venv" >&2 || fail 'python3 cannot make an environment: install its `venv` module (python3-venv)'
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input -r "$requirements" >&2 ||
            fail "could not install \`$requirements\` into \`$venv\`"
        # Written last: an environment without it is half made, and made anew.
        printf %s "$hash" >"$marker"
    fi
fi
echo "$venv"
