#!/bin/sh
# check_install.sh: make install puts what it promises where it belongs, keeps a configuration that is there, and make
# uninstall leaves nothing but that.
set -eu

cd "$(dirname "$0")/../.."
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

fail() {
    echo "check_install: $*" >&2
    exit 1
}

run_make() {
    make --no-print-directory -s DESTDIR="$stage" prefix=/usr "$@" >"$stage.log" 2>&1 || {
        cat "$stage.log" >&2
        fail "make $* failed"
    }
    rm -f "$stage.log"
}

contents() {
    (cd "$stage" && find . ! -type d -printf '%m /%P\n' | sort -k 2)
}

run_make install
{
    cat <<'END'
644 /etc/accountd/accountd.conf
755 /usr/bin/accountctl
755 /usr/bin/accountd
644 /usr/share/bash-completion/completions/accountctl
644 /usr/share/doc/accountd/README.md
644 /usr/share/doc/accountd/examples/accountd.conf
644 /usr/share/zsh/site-functions/_accountctl
END
    for file in docs/*.md; do echo "644 /usr/share/doc/accountd/${file##*/}"; done
    for file in docs/monitoring/*; do echo "644 /usr/share/doc/accountd/monitoring/${file##*/}"; done
    for file in docs/clients/*/*; do echo "644 /usr/share/doc/accountd/examples/${file#docs/}"; done
    for file in schemas/*.json schemas/*.yaml; do echo "644 /usr/share/accountd/schemas/${file##*/}"; done
    for unit in accountd accountd@; do echo "644 /usr/lib/systemd/system/$unit.service"; done
    for file in docs/man/*.scd; do
        page=$(basename "$file" .scd)
        echo "644 /usr/share/man/man${page##*.}/$page"
    done
} | sort -k 2 >"$stage.expected"
contents | diff "$stage.expected" - >&2 || fail 'make install does not install what is expected (left)'
rm "$stage.expected"

"$stage/usr/bin/accountd" --check-config -c "$stage/etc/accountd/accountd.conf" ||
    fail 'the sample configuration is wrong'
grep -q '^ExecStart=/usr/bin/accountd -c /etc/accountd/' "$stage"/usr/lib/systemd/system/accountd.service ||
    fail 'the unit does not start what is installed'

echo 'apps = ["mine"];' >"$stage/etc/accountd/accountd.conf"
run_make install
run_make uninstall
[ "$(contents)" = '644 /etc/accountd/accountd.conf' ] || fail "make uninstall leaves: $(contents)"
grep -q mine "$stage/etc/accountd/accountd.conf" || fail 'make install wrote over a configuration'
echo 'check_install: install and uninstall do what they say'
