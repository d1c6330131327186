#!/bin/sh
# Boots a Debian and runs accountd there as its packages and systemd do: tests/boot/run.sh [PYTEST ARGUMENT]...
#
# SUITE names the release: bookworm (12), trixie (13). Needs root, for systemd-nspawn. What was fetched stays in
# build/boot; nothing else stays.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
SUITE=${SUITE:-bookworm}
BUILD=$(realpath -m "${BUILD:-build}")
export SUITE BUILD
if [ "$(id -u)" -ne 0 ]; then
    echo 'check-boot: systemd-nspawn needs root' >&2
    exit 1
fi
"$here/../deps.sh" boot
"$here/root.sh" "$SUITE" "$BUILD/boot/$SUITE"
exec "$here/../system/run.sh" -q -x "$here/test_boot.py" "$@"
