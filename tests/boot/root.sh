#!/bin/sh
# root.sh SUITE DIRECTORY: two file systems of a Debian release in DIRECTORY, made once and then kept:
#
#   DIRECTORY/boot     a minimal machine with systemd, what accountd's package depends on, curl and stunnel
#   DIRECTORY/debs     the packages, built for that release from the sources as they are now
#
# For another release than this machine's they are built in a third one, DIRECTORY/build. HTTP proxies and mirrors are
# those of debootstrap and of this machine's apt; MIRROR names another one.
set -eu

suite=$1
mkdir -p "$2"
directory=$(cd "$2" && pwd)
cd "$(dirname "$0")/../.."
own_suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")

# shellcheck source-path=SCRIPTDIR/../..
. tests/boot/machine.sh

make_root() { # NAME PACKAGE...
    name=$1
    shift
    [ ! -d "$directory/$name" ] || return 0
    echo "root: $suite for $name"
    rm -rf "$directory/$name.new"
    quietly debootstrap --variant=minbase \
        --include=systemd,systemd-sysv,dbus,procps,libnss-systemd "$suite" "$directory/$name.new" ${MIRROR:+"$MIRROR"}
    [ $# -eq 0 ] || in_root "$directory/$name.new" apt-get install -y --no-install-recommends "$@"
    mv "$directory/$name.new" "$directory/$name"
}

# The packages are built anew when a source has changed.
sum=$(find Makefile include schemas src systemd docs -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum)
if [ "$sum" != "$(cat "$directory/debs.sum" 2>/dev/null)" ]; then
    echo "root: packages for $suite"
    rm -rf "$directory/debs"
    mkdir "$directory/debs"
    version=$(sed -n 's/^VERSION := //p' Makefile)
    if [ "$suite" = "$own_suite" ]; then
        DEB_BUILD_OPTIONS=nocheck quietly systemd/build-deb.sh "$version" "$directory/debs"
    else
        make_root build make
        bind_here="--bind-ro=$PWD:/src --bind=$directory/debs:/debs"
        # shellcheck disable=SC2086
        in_root "$directory/build" $bind_here sh -c 'cd /src && tests/deps.sh deb'
        # shellcheck disable=SC2086
        in_root "$directory/build" $bind_here sh -c "DEB_BUILD_OPTIONS=nocheck /src/systemd/build-deb.sh $version /debs"
    fi
    echo "$sum" >"$directory/debs.sum"
fi

# What the packages depend on stays when they go, and what else the documents use: the test installs the packages itself.
make_root boot
if ! cmp -s "$directory/debs.sum" "$directory/boot.sum"; then
    in_root "$directory/boot" --bind-ro="$directory/debs:/debs" sh -c '
        apt-get update && apt-get install -y --no-install-recommends /debs/accountd_*.deb /debs/accountctl_*.deb \
            curl stunnel4 &&
        dpkg --purge accountd accountctl'
    cp "$directory/debs.sum" "$directory/boot.sum"
fi
