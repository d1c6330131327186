#!/bin/sh
# build-deb.sh VERSION OUT: Debian packages of the release that this machine runs, source and binary, into OUT.
#
# dpkg-buildpackage wants debian/ at the top of the sources: they are copied, with systemd/debian in that place. What
# is in the way of an upload fails: an error or a warning of lintian, too.
set -eu

version=$1
mkdir -p "$2"
out=$(cd "$2" && pwd)
cd "$(dirname "$0")/.."
name=accountd-$version

packaged=$(dpkg-parsechangelog -l systemd/debian/changelog -S Version)
[ "${packaged%-*}" = "$version" ] || {
    echo "build-deb: systemd/debian/changelog has $packaged, the Makefile $version" >&2
    exit 1
}

rm -rf "${out:?}"/*
mkdir "$out/$name"
tar -c --exclude=__pycache__ --exclude=.pytest_cache --exclude=node_modules --exclude=target \
    Makefile LICENSE README.md .clang-format .ci docs include schemas src systemd tests | tar -x -C "$out/$name"
tar -C "$out" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$(dpkg-parsechangelog \
    -l systemd/debian/changelog -S Timestamp)" -cJf "$out/accountd_$version.orig.tar.xz" "$name"
cp -r systemd/debian "$out/$name/debian"

# The variables of the make that started this are not the package's.
(cd "$out/$name" && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u BUILD -u CFLAGS -u LDFLAGS \
    dpkg-buildpackage -us -uc -j"$(nproc)") >"$out/build.log" 2>&1 || {
    tail -60 "$out/build.log" >&2
    exit 1
}
rm -r "${out:?}/$name"
as_user=
[ "$(id -u)" -ne 0 ] || as_user=--allow-root
lintian $as_user --fail-on error,warning "$out"/accountd_*.changes
ls "$out"/*.deb
