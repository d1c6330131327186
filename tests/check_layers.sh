#!/bin/sh
# check_layers.sh DIRECTORY: proves that the layers are what docs/design.md says.
#
# 1. The core is pure: its objects (DIRECTORY/*.o) import nothing but its own and the base's functions, and
#    those of the C library that only look at or copy memory: no I/O, clock, malloc or randomness.
# 2. Includes follow the layers: base and core know only themselves; codec, kafka, store and export do not know
#    each other, but for export, which is made of codec; ops knows no other adapter. The directories of
#    accountctl's commands do not know each other.
#
# Prints what is wrong and exits with 1.
set -u

if [ $# -ne 1 ] || [ ! -d "$1" ]; then
    echo "usage: $0 DIRECTORY_OF_THE_CORE'S_OBJECTS" >&2
    exit 2
fi
objects=$1
cd "$(dirname "$0")/.." || exit 2
case $objects in
/*) ;;
*) objects=$OLDPWD/$objects ;;
esac
wrong=0

complain() {
    echo "check_layers: $*"
    wrong=1
}

# --- 1: what the core imports ---

# `library` looks at or copies memory; `built_in` is put into any object by the compiler and the sanitizers.
library='memchr|memcmp|memcpy|memmove|memset|strchr|strcmp|strcspn|strlen|strncmp|strspn|__assert_fail'
base='acd_(arena|buffer)_[a-z0-9_]*'
built_in='__stack_chk_fail|__mem[a-z]*_chk|_GLOBAL_OFFSET_TABLE_|__asan_.*|__ubsan_.*|__tsan_.*|__gcov_.*'
core=
count=0

for source in src/core/*.c; do
    object=$objects/$(basename "$source" .c).o
    if [ -e "$object" ]; then
        core="$core $object"
        count=$((count + 1))
    else
        complain "$source has no object $object"
    fi
done
# shellcheck disable=SC2086 # a list of files
own=$(nm --defined-only $core | awk 'NF == 3 { print $3 }' | sort -u | paste -sd '|')
for object in $core; do
    for symbol in $(nm -u "$object" | awk 'NF { print $NF }' | sed 's/@.*//' |
        grep -vxE "$own|$base|$library|$built_in"); do
        complain "$(basename "$object") imports $symbol, which is neither pure nor the core's own"
    done
done

# --- 2: who includes whom ---

# The layer of each public header.
layer_of() {
    case $1 in
    slice | arena | buffer | hash | nearest) echo base ;;
    text | value | account | command | result | state | apply | position | outgoing | job | census | auth | dead_letter) echo core ;;
    codec | reply) echo codec ;;
    consumer | producer | sender | changelog | routing | topics | embedded) echo kafka ;;
    redis | store | cache | embedded_redis) echo store ;;
    export | file_stream) echo export ;;
    settings | secret | keyring | finding | log | metrics | service | watch | clock | slot | nonce) echo ops ;;
    recovery | pending) echo recovery ;;
    rules | worker | daemon) echo top ;;
    *) echo unknown ;;
    esac
}

# The layers that a layer may include, beside itself.
allowed_to() {
    case $1 in
    base) echo '' ;;
    core) echo 'base' ;;
    ops | codec | kafka | store) echo 'base core ops' ;;
    export) echo 'base core ops codec' ;;
    recovery) echo 'base core codec kafka store ops' ;;
    top | ctl) echo 'base core codec kafka store export ops recovery' ;;
    esac
}

# own_of_ctl FILE HEADER: in accountctl a command's directory may use what is shared above it, and main.c joins the
# commands.
own_of_ctl() {
    case $1:$2 in
    src/ctl/main.c:../* | src/ctl/*:*/*/*) return 1 ;;
    src/ctl/main.c:* | src/ctl/*/*:../*) [ -e "$(dirname "$1")/$2" ] ;;
    *) return 1 ;;
    esac
}

# check_file FILE LAYER: FILE, of LAYER, includes only what it may.
check_file() {
    for header in $(sed -n 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*"\([^"]*\)".*/\1/p' "$1"); do
        case $header in
        accountd/*.h)
            name=${header#accountd/}
            other=$(layer_of "${name%.h}")
            ;;
        *_lua.h)
            # Made from a Lua file when the program is built.
            continue
            ;;
        */*)
            own_of_ctl "$1" "$header" ||
                complain "$1 includes $header, which is neither a public header nor beside it"
            continue
            ;;
        *)
            # A private header is beside the files that use it, and so of their layer.
            [ -e "$(dirname "$1")/$header" ] || complain "$1 includes $header, which is not beside it"
            continue
            ;;
        esac
        case " $2 $(allowed_to "$2") " in
        *" $other "*) ;;
        *) complain "$1 ($2) includes $header ($other)" ;;
        esac
    done
}

for file in include/accountd/*.h; do
    name=$(basename "$file" .h)
    layer=$(layer_of "$name")
    if [ "$layer" = unknown ]; then
        complain "$file is of no layer that this check knows"
    else
        check_file "$file" "$layer"
    fi
done
for file in $(find src -name '*.[ch]'); do
    case $file in
    src/*/*)
        layer=${file#src/}
        layer=${layer%%/*}
        ;;
    *) layer=top ;;
    esac
    check_file "$file" "$layer"
done

# The core includes no header of the system that brings more than types, memory and strings.
for file in src/core/*.[ch] include/accountd/*.h; do
    case $file in
    src/core/*) ;;
    *)
        case $(layer_of "$(basename "$file" .h)") in
        core) ;;
        *) continue ;;
        esac
        ;;
    esac
    for header in $(sed -n 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*<\([^>]*\)>.*/\1/p' "$file"); do
        case $header in
        assert.h | inttypes.h | limits.h | stdarg.h | stdbool.h | stddef.h | stdint.h | string.h) ;;
        *) complain "$file includes <$header>" ;;
        esac
    done
done

[ $wrong -eq 0 ] && echo "check_layers: $count core objects are pure, and the layers hold"
exit $wrong
