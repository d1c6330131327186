#!/bin/sh
# check_units.sh: systemd understands every line of the units, and their exposure is 1.5 of 10 at most.
set -eu

cd "$(dirname "$0")/../.."
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

# What the units start must be there.
make --no-print-directory -s prefix="$stage" sysconfdir="$stage/etc" install >"$stage/log" 2>&1 || {
    cat "$stage/log" >&2
    exit 1
}
for unit in accountd.service accountd@.service; do
    file=$stage/lib/systemd/system/$unit
    said=$(systemd-analyze verify --man=no "$file" 2>&1) && [ -z "$said" ] || {
        printf 'check_units: systemd-analyze verify %s says:\n%s\n' "$unit" "$said" >&2
        exit 1
    }
    systemd-analyze security --offline=true --threshold=15 --no-pager "$file" >"$stage/log" 2>&1 || {
        cat "$stage/log" >&2
        exit 1
    }
    echo "check_units: $(sed -n 's/^→ //p' "$stage/log")"
done
