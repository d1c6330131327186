#!/bin/sh
# Runs seeds of the simulation on all cores, after showing that a seed says the same twice.
#
#     tests/sim/check.sh PROGRAM SEEDS JOBS
set -eu

program=$1 seeds=$2 jobs=$3
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

for seed in 1 2 3 4 5 6 7 8; do
    "$program" --seed "$seed" --trace > "$scratch/once" || :
    "$program" --seed "$seed" --trace > "$scratch/again" || :
    if ! cmp -s "$scratch/once" "$scratch/again"; then
        echo "seed $seed does not say the same twice:"
        diff "$scratch/once" "$scratch/again" | head -5
        exit 1
    fi
done
exec "$program" --seeds 1 "$seeds" --jobs "$jobs"
