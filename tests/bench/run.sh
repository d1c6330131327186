#!/bin/sh
# Runs a benchmark on servers of its own: tests/bench/run.sh restore.py [--accounts N] [--rounds N]
# The Python packages and the broker come from where tests/system/run.sh puts them.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
"$root/tests/system/run.sh" --version >/dev/null
BUILD=$(cd "${BUILD:-$root/build}" && pwd)
export BUILD
program=$1
shift
exec "$root/build/venv/bin/python" -B "$here/$program" "$@"
