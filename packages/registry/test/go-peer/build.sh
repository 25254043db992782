#!/usr/bin/env bash
# Builds the Go programs that the interoperation test talks to, from Debian's packages: build.sh OUTPUT
# Then: COORD_GO_PEER=OUTPUT npx vitest run --project etcd packages/registry/test/go-interop.etcd.test.ts
set -euo pipefail
out=$(realpath -m "${1:?usage: build.sh OUTPUT}")
here=$(cd "$(dirname "$0")" && pwd)
if [ ! -d /usr/share/gocode/src/go.etcd.io/etcd/clientv3 ]; then
  echo "needs Debian's golang-go and golang-etcd-server-dev" >&2
  exit 1
fi
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$tmp/src/gopeer" && cp "$here/main.go" "$tmp/src/gopeer/"
GOPATH="$tmp:/usr/share/gocode" GO111MODULE=off go build -o "$out" gopeer
