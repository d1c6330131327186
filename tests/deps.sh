#!/bin/sh
# Installs what is missing on a Debian 12 or 13, and is silent when nothing is.
#
#   tests/deps.sh         what building, the demo and the tests need
#   tests/deps.sh demo    … without what only the tests need
#   tests/deps.sh deb     what building Debian packages needs
#   tests/deps.sh boot    what the tests on whole machines need more than the others
set -eu

packages="gcc libc6-dev make pkg-config librdkafka-dev libhiredis-dev libjansson-dev libconfig-dev
libmicrohttpd-dev libzstd-dev zlib1g-dev libssl-dev redis-server redis-tools kcat scdoc"
case ${1:-} in
demo) ;;
deb) packages="$packages libcmocka-dev build-essential debhelper lintian systemd" ;;
boot) packages="$packages systemd-container debootstrap default-jre-headless maven python3 python3-venv ca-certificates" ;;
*)
    packages="$packages libcmocka-dev clang-format clang libclang-rt-dev liblua5.1-0-dev default-jre-headless maven
python3 python3-venv ca-certificates openssl stunnel4 procps systemd zsh"
    ;;
esac

# Debian has Valkey from 13 on; the tests run on it, too.
release=$(sed -n 's/^VERSION_ID="\([0-9]*\)"$/\1/p' /etc/os-release)
[ -n "${1:-}" ] || [ "${release:-0}" -lt 13 ] || packages="$packages valkey-server"

installed() {
    dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed
}

missing=""
for package in $packages; do
    installed "$package" || missing="$missing $package"
done
# NEW|OLD: renamed, or split, between the two releases.
installed libmsgpack-c-dev || installed libmsgpack-dev || missing="$missing libmsgpack-c-dev|libmsgpack-dev"
[ "${1:-}" != deb ] || [ -e /usr/share/pkgconfig/systemd.pc ] || missing="$missing systemd-dev|systemd"
[ -n "$missing" ] || exit 0

as_root=""
if [ "$(id -u)" -ne 0 ]; then
    as_root=sudo
    command -v sudo >/dev/null || {
        echo "missing:$missing; install them, or sudo, as root" >&2
        exit 1
    }
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
quietly() {
    "$@" >"$log" 2>&1 || {
        cat "$log" >&2
        exit 1
    }
}

echo "installing:$missing"
quietly $as_root apt-get update
names=""
for package in $missing; do
    name=${package%|*}
    apt-cache show "$name" >/dev/null 2>&1 || name=${package#*|}
    names="$names $name"
done
# shellcheck disable=SC2086
quietly $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $names
