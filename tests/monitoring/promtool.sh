#!/bin/sh
# Prints the path of promtool. Where it is not installed, it is taken out of Debian's package, once, into build/: on
# Debian 12 that is prometheus, which as a whole would bring a server that runs, and 100 MB.
set -eu

cd "$(dirname "$0")/../.."
if command -v promtool; then
    exit 0
fi

download() {
    package=prometheus
    [ -z "$(apt-cache show promtool 2>/dev/null)" ] || package=promtool
    (cd "$1" && apt-get download -qq -o "APT::Sandbox::User=$(id -un)" $package >&2)
}

if [ ! -x build/promtool ]; then
    mkdir -p build
    place=$(mktemp -d build/promtool.XXXXXX)
    trap 'rm -rf "$place"' EXIT
    as_root=""
    [ "$(id -u)" -eq 0 ] || as_root=sudo
    # The lists may be missing, or older than what the mirror keeps.
    download "$place" 2>/dev/null || { $as_root apt-get update -qq >&2 && download "$place"; }
    dpkg-deb --fsys-tarfile "$place"/prom*.deb | tar -x -C "$place" ./usr/bin/promtool
    mv "$place/usr/bin/promtool" build/promtool
fi
echo "$PWD/build/promtool"
