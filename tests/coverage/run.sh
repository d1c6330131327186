#!/bin/sh
# run.sh BUILD all|unit|report [PYTEST ARGUMENT...]: runs tests on the programs in BUILD, which gcc --coverage made,
# and says what they reached.
#
#   all     the unit tests, then the system tests (those that the arguments select)
#   unit    the unit tests
#   report  no test: counts what earlier runs left
#
# A process that is killed takes its counters along: some system tests do that to theirs, so that what is printed is a
# lower bound. Needs python3-venv; gcovr is fetched once, into build/.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=$(cd "$1" && pwd)
what=$2
shift 2
cd "$root"

venv=$root/build/coverage-venv
if ! cmp -s "$here/requirements.txt" "$venv/requirements.txt"; then
    rm -rf "$venv"
    mkdir -p build
    /usr/bin/python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
    cp "$here/requirements.txt" "$venv/requirements.txt"
fi

[ "$what" = report ] || find "$build" -name '*.gcda' -delete

failed=0
if [ "$what" != report ]; then
    for test in "$build"/unit/test_*; do
        [ -x "$test" ] || continue
        "$test" >"$build/test.log" 2>&1 || {
            cat "$build/test.log"
            failed=1
        }
    done
    echo "unit tests: $([ $failed -eq 0 ] && echo passed || echo FAILED)"
fi
if [ "$what" = all ]; then
    BUILD=$build PYTHONPATH=$here tests/system/run.sh -q -p clean_ends "$@" || failed=1
fi

# Ways that no test goes: an assert's end of the process, and "" for an absent text in a message.
"$venv/bin/gcovr" --root "$root" --filter src/ --object-directory "$build" --json "$build/coverage.json" \
    --exclude-branches-by-pattern '.*\b(assert|ACD_SLICE_ARGS)\(.*' --merge-mode-functions=separate \
    --gcov-ignore-parse-errors=suspicious_hits.warn "$build/obj" >"$build/gcovr.log" 2>&1 || {
    cat "$build/gcovr.log"
    exit 1
}
"$venv/bin/python" -B "$here/report.py" "$build/coverage.json" || failed=1
exit $failed
