#!/bin/sh
# Runs the chaos test. Options: tests/chaos/run.sh --help
#
# Needs what the system tests need. BUILD names the directory that holds the binaries. The small disks that some
# faults fill are mounted in a namespace of this process, and gone with it; where none can be made, those faults are
# left out.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

# It fetches the Python packages and the broker, if they are not there yet.
"$root/tests/system/run.sh" --version >/dev/null

BUILD=$(cd "${BUILD:-$root/build}" && pwd)
export BUILD
python="$root/build/venv/bin/python -B"
if unshare --mount true 2>/dev/null; then
    own="unshare --mount"
elif unshare --mount --map-root-user true 2>/dev/null; then
    own="unshare --mount --map-root-user"
else
    echo "no mounts of one's own here: the faults that need a full disk are left out" >&2
    own=""
fi
[ -z "$own" ] || export OWN_MOUNTS=1
# shellcheck disable=SC2086
exec $own $python "$here/chaos.py" "$@"
