#!/bin/sh
# Runs a part of the system tests on programs that were built with sanitizers, and fails when one reports
# anything.
#
#   BUILD=build-tsan tests/sanitize/run.sh thread             its part
#   BUILD=build-asan tests/sanitize/run.sh address            the same, and every way to end
#   BUILD=build-tsan tests/sanitize/run.sh thread -k routing  any other pytest arguments
#   BUILD=build-tsan tests/sanitize/run.sh thread --run make  a command whose reports go to stderr
#
# All of the sanitizers' options stand here.
set -eu

kind=$1
shift
here=$(cd "$(dirname "$0")" && pwd)
BUILD=$(cd "$BUILD" && pwd)
export BUILD

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
SANITIZER_REPORTS=$scratch/reports
mkdir "$SANITIZER_REPORTS"
export SANITIZER_REPORTS

[ "${1:-}" != --run ] || SANITIZER_REPORTS=
# exitcode: one that nothing else ends with, see sanitizer_reports.py.
# allocator_may_return_null: tests ask for more memory than there can be, and malloc refuses it.
common="exitcode=99:allocator_may_return_null=1${SANITIZER_REPORTS:+:log_path=$SANITIZER_REPORTS/report}"
export ASAN_OPTIONS="$common:detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1"
export UBSAN_OPTIONS="$common:print_stacktrace=1"
# ignore_noninstrumented_modules: librdkafka counts references by atomic operations that ThreadSanitizer does not
# see, so what a library itself reads and writes cannot be judged. Its locks and threads are seen.
export TSAN_OPTIONS="$common:halt_on_error=1:second_deadlock_stack=1:ignore_noninstrumented_modules=1"

if [ "${1:-}" = --run ]; then
    shift
    "$@"
    exit
fi

part="test_two_partitions.py::test_revisions_without_a_gap[1-0]
      test_two_partitions.py::test_revisions_without_a_gap[2-8]
      test_exactly_once.py::test_a_process_more_and_a_process_less
      test_recovery.py::test_lost_under_load[rolled_back]
      test_broken_redis.py::test_connections_that_break_under_load
      test_settings.py::test_reloads_under_load
      test_contract_operations.py test_contract_export.py test_accountctl.py"
case $kind in
address)
    faults="overflow leak undefined"
    # Kafka's sleep takes most of a minute.
    ends="test_exits.py --deselect test_exits.py::test_kafka_sleeps"
    ;;
thread)
    faults="race"
    ends="test_exits.py::test_under_load test_exits.py::test_redis_sleeps test_exits.py::test_embedded[15]"
    ;;
esac

# They are found where they should be, or nothing would mean anything. (What is undefined is told on stderr.)
for fault in $faults; do
    "$BUILD/sanitize/planted" "$fault" 2>"$scratch/said" && status=0 || status=$?
    if [ "$status" != 99 ] || ! grep -qs "ERROR\|WARNING\|runtime error" "$SANITIZER_REPORTS"/report.* "$scratch/said"; then
        echo "a planted $fault is not reported (status $status)" >&2
        exit 1
    fi
    rm -f "$SANITIZER_REPORTS"/*
done

export PYTHONPATH="$here${PYTHONPATH:+:$PYTHONPATH}"
[ $# -gt 0 ] || set -- $part $ends
"$here/../system/run.sh" -p sanitizer_reports -n "${SYSTEM_JOBS:-2}" --dist loadfile --no-loadscope-reorder -q "$@"
