#!/bin/sh
# The commands of docs/performance.md, word for word, with small amounts.
set -eu

cd "$(dirname "$0")/../.."
commands=$(sed -n '/^```sh measure$/,/^```$/{/^```/!p}' docs/performance.md)
[ -n "$commands" ]
BENCH_SHORT=1 sh -exc "$commands"
