# shellcheck shell=sh
# machine.sh: what the tests on whole machines share; to be sourced.

quietly() {
    log=$(mktemp)
    "$@" >"$log" 2>&1 || {
        tail -60 "$log" >&2
        rm -f "$log"
        echo "failed: $*" >&2
        exit 1
    }
    rm -f "$log"
}

# Runs a command in a root as if it were a machine, without booting it. Options of systemd-nspawn come first.
in_root() { # ROOT [--OPTION...] COMMAND...
    root=$1
    shift
    options=
    while [ "${1#--}" != "$1" ]; do
        options="$options $1"
        shift
    done
    # A machine that systemd runs has scopes to put it in; another one has none.
    [ -d /run/systemd/system ] || options="$options --register=no --keep-unit"
    # shellcheck disable=SC2086
    quietly systemd-nspawn -q -D "$root" --pipe --resolv-conf=copy-host $options \
        --setenv=DEBIAN_FRONTEND=noninteractive "$@" </dev/null
}
