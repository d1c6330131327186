#!/bin/sh
# run.sh DIRECTORY SECONDS|check TARGET...: runs fuzz targets that were built in DIRECTORY.
#
# SECONDS: fuzzes each target for so long, from its corpus in the repository and what earlier runs found, which is
# kept in DIRECTORY/corpus. FUZZ_JOBS=2 runs two at once. An input may take long: they may have to wait for the
# processor. An input that ends the program is left in
# DIRECTORY/crashes; it belongs into tests/fuzz/regressions/TARGET when what it shows is mended.
# check: each target on each input in the repository once.
set -u

here=$(dirname "$0")
build=$1
how=$2
shift 2

# Sanitizers of this age need addresses that the kernel may give away otherwise; some containers forbid to say so.
run=
setarch -R true 2>/dev/null && run='setarch -R'

# What fuzz_one has to say of a run's log: the last value of a statistic.
figure() {
    sed -n "s/.*$1 *\([0-9][0-9]*\).*/\1/p" "$log" | tail -n 1
}

# The same words for all that are made of them.
dictionary() {
    case $1 in
    json | msgpack | changelog) name=command ;;
    *) name=$1 ;;
    esac
    [ -e "$here/dictionaries/$name.dict" ] && echo "-dict=$here/dictionaries/$name.dict"
}

# Prints why the run in $log failed, without the noise.
reason() {
    grep -hE 'not so:|runtime error|ERROR: |leaked|Test unit written|^    #[0-9]+ .* in .*(src|tests/fuzz)/' "$log" |
        head -n 12 | sed 's/^/    /'
}

fuzz_one() {
    target=$1
    log=$build/$target.log
    mkdir -p "$build/corpus/$target" "$build/crashes"
    # shellcheck disable=SC2046,SC2086 # options, or none
    $run "$build/fuzz_$target" -max_total_time="$how" -timeout=300 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$build/crashes/$target-" $(dictionary "$target") "$build/corpus/$target" \
        $(find "$here/corpus/$target" "$here/regressions/$target" -maxdepth 0 2>/dev/null) >"$log" 2>&1
    ended=$?
    printf '%-10s %10s runs %7s/s %5s edges %5s inputs' "$target" "$(figure number_of_executed_units:)" \
        "$(figure average_exec_per_sec:)" "$(figure 'cov:')" "$(find "$build/corpus/$target" -type f | wc -l)"
    if [ $ended -eq 0 ]; then
        printf '   0 crashes\n'
        return 0
    fi
    printf '   CRASHED (%s)\n' "$log"
    reason
    return 1
}

check_one() {
    target=$1
    log=$build/$target.check.log
    inputs=$(find "$here/corpus/$target" "$here/regressions/$target" -type f 2>/dev/null)
    if [ -z "$inputs" ]; then
        echo "$target has no inputs in $here/corpus/$target"
        return 1
    fi
    # shellcheck disable=SC2086 # a list of files
    if $run "$build/fuzz_$target" -timeout=10 $inputs >"$log" 2>&1; then
        printf '%-10s %4s inputs\n' "$target" "$(echo "$inputs" | wc -l)"
        return 0
    fi
    echo "$target fails on $(sed -n 's/^Running: //p' "$log" | tail -n 1) ($log)"
    reason
    return 1
}

if [ "$how" = check ]; then
    wrong=0
    for target; do
        check_one "$target" || wrong=1
    done
    exit $wrong
fi
if [ $# -eq 1 ]; then
    fuzz_one "$1"
    exit
fi
printf '%s\n' "$@" | xargs -P "${FUZZ_JOBS:-1}" -I '{}' "$0" "$build" "$how" '{}'
