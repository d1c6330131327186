#!/bin/sh
# All tests, one kind after another, the quick ones first; ends at the first that fails. Says at the end how long each
# took. The fuzzers run beside all of it, on the processor time that the others leave.
set -eu

cd "$(dirname "$0")/.."
BUILD=${BUILD:-build}
jobs=$(nproc)
took=""
fuzz=""

# An end before the fuzzers' own takes them along.
trap '[ -z "$fuzz" ] || kill "$fuzz" 2>/dev/null || true' EXIT

piece() {
    start=$(date +%s)
    make --no-print-directory BUILD="$BUILD" WERROR=1 "$@"
    shift $(($# - 1))
    took="$took$(printf '  %-20s %4d s' "$1" $(($(date +%s) - start)))
"
}

piece -j"$jobs" all
piece tidy
piece check-unit
piece check-install
piece -j"$jobs" check-asan-unit
piece -j"$jobs" fuzz-corpus-check
chrt --idle 0 make --no-print-directory BUILD="$BUILD" WERROR=1 fuzz >"$BUILD/fuzz.txt" 2>&1 &
fuzz=$!
piece check-sim
piece check-asan-sim
piece check-system
! command -v valkey-server >/dev/null || piece check-valkey
piece chaos-short
piece check-asan-system
piece check-tsan
piece check-oom
piece check-mutations
echo "fuzzing:"
wait "$fuzz" && status=0 || status=$?
fuzz=""
cat "$BUILD/fuzz.txt"
[ "$status" = 0 ]
# On a machine that has nothing else to do any more.
piece bench-smoke
printf 'all of it passed:\n%s' "$took"
