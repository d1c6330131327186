#!/bin/sh
# Runs the soak test. Options: tests/soak/run.sh --help
#
# Needs what the system tests need. BUILD names the directory that holds the binaries; the samples are left in
# BUILD/soak.csv.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

# It fetches the Python packages and the broker, if they are not there yet.
"$root/tests/system/run.sh" --version >/dev/null

BUILD=$(cd "${BUILD:-$root/build}" && pwd)
export BUILD
exec "$root/build/venv/bin/python" -B "$here/soak.py" "$@"
