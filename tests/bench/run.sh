#!/bin/sh
# Runs a benchmark on servers of its own; make bench-programs builds what it needs.
#
#   tests/bench/run.sh throughput.py --mix create edit --commands 1000000 --rounds 5
#   tests/bench/run.sh latency.py --rates 1000 --seconds 30
#   tests/bench/run.sh resources.py | smoke.py | restore.py | bulk.py     (--help says more)
#
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
