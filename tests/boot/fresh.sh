#!/bin/sh
# Proves the README on a Debian that has nothing: tests/boot/fresh.sh [MAKE TARGET]... (default: demo check)
#
# A minimal root of the release that SUITE names gets what the README asks for, git and make, and a clone of what is
# committed here. Then it is the README's commands, each with the time that it took, and those that install by make. Needs
# root, for systemd-nspawn.
set -eu

cd "$(dirname "$0")/../.."
suite=${SUITE:-bookworm}
directory=$(realpath -m "${BUILD:-build}")/fresh/$suite
[ $# -gt 0 ] || set -- demo check

# shellcheck source-path=SCRIPTDIR/../..
. tests/boot/machine.sh

tests/deps.sh boot
mkdir -p "$directory"
if [ ! -d "$directory/base" ]; then
    rm -rf "$directory/base.new"
    quietly debootstrap --variant=minbase "$suite" "$directory/base.new" ${MIRROR:+"$MIRROR"}
    mv "$directory/base.new" "$directory/base"
fi
rm -rf "$directory/root"
cp -a "$directory/base" "$directory/root"
trap 'rm -rf "$directory/root"' EXIT
# Certificate authorities that this machine trusts beside the usual ones it trusts for a reason.
if [ -d /usr/local/share/ca-certificates ]; then
    mkdir -p "$directory/root/usr/local/share"
    cp -r /usr/local/share/ca-certificates "$directory/root/usr/local/share/"
fi

timed() { # WHAT COMMAND...
    what=$1
    shift
    start=$(date +%s)
    in_root "$directory/root" "$@"
    echo "fresh $suite: $what: $(($(date +%s) - start)) s"
}

timed 'apt install git make' sh -c 'apt-get update && apt-get install -y --no-install-recommends git make'
quietly git clone --no-hardlinks . "$directory/root/accountd"
for target in "$@"; do
    timed "make $target" --chdir=/accountd make "$target"
done
by_make=$(sed -n '/^```sh make-install$/,/^```$/{/^```/!p}' docs/operations.md)
in_root "$directory/root" apt-get install -y --no-install-recommends sudo
timed 'make, make install' --chdir=/accountd sh -exc "$by_make
accountd --version && accountctl help"
