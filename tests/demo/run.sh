#!/usr/bin/env bash
# The main job, shown on a Kafka and a Redis of its own: commands posted by accountctl and kcat, as JSON and as
# MessagePack; each reply; the hashes in Redis; exported files. Every step is checked. Nothing stays behind.
set -euo pipefail

cd "$(dirname "$0")/../.."
build=$(realpath "${BUILD:-build}")
start_seconds=40
reply_seconds=10
stop_seconds=15

work=$(mktemp -d)
daemon=

clean_up() {
    local deadline=$((SECONDS + stop_seconds))

    if [ -n "$daemon" ]; then
        kill -TERM "$daemon" 2>/dev/null || true
        while kill -0 "$daemon" 2>/dev/null && [ $SECONDS -lt $deadline ]; do sleep 0.1; done
        kill -KILL "$daemon" 2>/dev/null || true
        wait "$daemon" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi

heading() {
    printf '\n%s== %s%s\n' "$bold" "$1" "$plain"
}

fail() {
    printf '\ndemo: %s\n--- what accountd logged:\n' "$1" >&2
    cat "$work/log" >&2
    exit 1
}

# Shows a command line, runs it and shows what it prints; `expect` looks at that afterwards.
run() {
    line=$1
    status=0
    printf '\n$ %s\n' "$line"
    bash -o pipefail -c "$line" >"$work/printed" 2>&1 || status=$?
    cat "$work/printed"
}

# What ran last must have ended with this status, and printed each of these texts.
expect() {
    local text

    [ "$status" -eq "$1" ] || fail "this ended with $status, not $1: $line"
    shift
    for text in "$@"; do
        LC_ALL=C grep -aqF -- "$text" "$work/printed" || fail "'$text' is not in what this printed: $line"
    done
}

# What ran last must not have printed this text.
expect_no() {
    ! LC_ALL=C grep -aqF -- "$1" "$work/printed" || fail "'$1' is in what this printed: $line"
}

# Shows the reply with this correlation id, its headers first. kcat can't wait for one, so it reads all replies
# until that one is among them; its command line is shown once.
reply() {
    local deadline=$((SECONDS + reply_seconds))
    local view=${2:-cat}

    status=0
    line="kcat -C -b \$KAFKA -t account.replies -X isolation.level=read_committed -o beginning -e -q \\
    -f '%h %s\\n' | grep -a kafka_correlationId=$1"
    until bash -o pipefail -c "$line" >"$work/printed" 2>/dev/null; do
        [ $SECONDS -lt $deadline ] || fail "there is no reply to $1 after $reply_seconds s"
    done
    [ "$view" = cat ] || line+=" | $view"
    printf '\n$ %s\n' "$line"
    $view <"$work/printed"
}

# Posts a line of stdin, or a file, as a command. The partitioner is that of Kafka's own clients, which keeps an
# account in one partition whoever posts.
post='kcat -P -b $KAFKA -t account.commands -X partitioner=murmur2_random \
   '

heading 'accountd --embedded: a Kafka and a Redis of its own'
"$build/accountd" --embedded >"$work/addresses" 2>"$work/log" &
daemon=$!
until grep -q '^ready' "$work/addresses"; do
    kill -0 "$daemon" 2>/dev/null || fail 'accountd ended'
    [ $SECONDS -lt $start_seconds ] || fail "accountd is not ready after $start_seconds s"
    sleep 0.1
done
cat "$work/addresses"
KAFKA=$(sed -n 's/^kafka: //p' "$work/addresses")
REDIS=$(sed -n 's/^redis: .*://p' "$work/addresses")
export KAFKA REDIS ACCOUNTCTL_BROKERS=$KAFKA ACCOUNTCTL_APP=demo PATH=$build:$PATH
printf '\n$ export KAFKA=%s REDIS=%s ACCOUNTCTL_BROKERS=$KAFKA ACCOUNTCTL_APP=demo\n' "$KAFKA" "$REDIS"
cd "$work"

heading 'accountctl: create, edit, refuse'
run "accountctl create alice --set nickname='Alice L.' --set language=7 --custom city=Berlin"
expect 0 'created alice (revision 1)'
run 'accountctl create boss --type admin --set nickname=Boss --json'
expect 0 '"account":"boss"' '"status":"ok"' '"revision":1'
run 'accountctl edit alice --set gender=female --set level=3 --unset language --if-revision 1'
expect 0 'edited alice (revision 2)'
run 'accountctl create alice'
expect 1 'account_exists'
run 'accountctl edit alice --set birthday=2023-02-29'
expect 1 'invalid_field' 'profile.birthday'
run "redis-cli -p \$REDIS HGETALL 'acct:{demo}:alice' | paste - -"
expect 0 $'type\tgeneral' $'rev\t2' $'nickname\tAlice L.' $'gender\tfemale' $'level\t3' $'custom.city\tBerlin'
expect_no 'language'

heading 'kcat, JSON: a general account, an admin, several accounts'
run "$post -k bob -H kafka_correlationId=json-1 <<'END'
{\"op\":\"create\",\"app\":\"demo\",\"account\":\"bob\",\"profile\":{\"nickname\":\"Bob\"}}
END"
expect 0
reply json-1
expect 0 'accountd-status=ok' '"account":"bob"' '"revision":1'
run "$post -k root -H kafka_correlationId=json-2 <<'END'
{\"op\":\"create\",\"app\":\"demo\",\"account\":\"root\",\"type\":\"admin\"}
END"
expect 0
reply json-2
expect 0 'accountd-status=ok' '"account":"root"' '"revision":1'
run "$post -k dave -H kafka_correlationId=json-3 <<'END'
{\"op\":\"create\",\"app\":\"demo\",\"accounts\":[\"dave\",{\"account\":\"erin\",\"type\":\"admin\"},\"bob\"]}
END"
expect 0
reply json-3
expect 0 'accountd-status=partial' '"counts":{"ok":2,"error":1}' '"account_exists"'

heading 'kcat, MessagePack: create and edit, answered as MessagePack'
run "printf '\\x84\\xa2op\\xa6create\\xa3app\\xa4demo\\xa7account\\xa5carol\\xa7profile\\x82\\xa8nickname\\xa5Carol\\xa5level\\x05' >create.msgpack
$post -k carol -H kafka_correlationId=msgpack-1 -H content-type=application/msgpack create.msgpack"
expect 0
reply msgpack-1 'od -A d -t x1z'
expect 0 'content-type=application/msgpack' 'accountd-status=ok' $'\xa7account\xa5carol' $'\xa8revision\x01'
run "printf '\\x84\\xa2op\\xa4edit\\xa3app\\xa4demo\\xa7account\\xa5carol\\xa7profile\\x82\\xa8nickname\\xc0\\xa5level\\x06' >edit.msgpack
$post -k carol -H kafka_correlationId=msgpack-2 -H content-type=application/msgpack edit.msgpack"
expect 0
reply msgpack-2 'od -A d -t x1z'
expect 0 'accountd-status=ok' $'\xa8revision\x02' $'\xa7changed\xc3'
run "redis-cli -p \$REDIS HGETALL 'acct:{demo}:carol' | paste - -"
expect 0 $'rev\t2' $'level\t6'
expect_no 'nickname'

heading 'list, and what Redis holds'
run 'accountctl list'
expect 0 'alice' 'boss' 'bob' 'root' 'dave' 'erin' 'carol' '7 accounts in all'
run "redis-cli -p \$REDIS ZRANGE 'accounts:{demo}' 0 -1 WITHSCORES | paste - -"
expect 0 $'alice\t' $'carol\t'
run "redis-cli -p \$REDIS SMEMBERS 'admins:{demo}' | sort"
expect 0 'boss' 'erin' 'root'
expect_no 'alice'

heading 'export of one account, and of several'
run 'accountctl export alice -o alice.ndjson && cat alice.ndjson'
expect 0 'exported 1 account to alice.ndjson' '"account":"alice"' '"nickname":"Alice L."' '"revision":2'
run 'accountctl export alice boss bob --format csv --fields account,type,nickname,level -o three.csv && cat three.csv'
expect 0 'exported 3 accounts to three.csv' 'account,type,nickname,level' 'alice,general,Alice L.,3' \
    'boss,admin,Boss,' 'bob,general,Bob,'
run 'accountctl export alice carol --format json --compression gzip | gzip -dc && echo'
expect 0 '"account":"alice"' '"account":"carol"'
run "$post -H kafka_correlationId=export-1 <<'END'
{\"id\":\"e-1\",\"op\":\"export\",\"app\":\"demo\",\"accounts\":[\"dave\",\"nobody\"]}
END"
expect 0
reply export-1
expect 0 'accountd-status=partial' '"export_id":"e-1"' '"not_found":["nobody"]' '"chunks":1'
run "kcat -C -b \$KAFKA -t account.exports -X isolation.level=read_committed -o beginning -e -q \\
    -f '%k %h %s\\n' | grep -a ^e-1"
expect 0 'export-seq=1' '"account":"dave"' 'export-manifest=1'

heading 'delete several'
run 'accountctl delete dave erin nobody --confirm'
expect 3 'deleted dave (revision 2)' 'deleted erin (revision 2)' 'account_not_found'
run "redis-cli -p \$REDIS EXISTS 'acct:{demo}:dave' 'acct:{demo}:erin'"
expect 0 '0'
run 'accountctl list --json'
expect 0 '"total":5'
expect_no 'dave'

heading "done in $SECONDS s; everything was what it should be"
