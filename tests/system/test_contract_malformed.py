"""Whatever lies on the topic: one reply, one dead letter, and the next command is answered as quickly as ever."""

import json
import random

import msgpack
import pytest

from oracle import differences

GOOD = {"op": "create", "app": "x", "account": "a"}


def spoiled(text):
    """A create command whose nickname is written as the given bytes."""
    return b'{"op":"create","app":"x","account":"a","profile":{"nickname":' + text + b"}}"


def nested(levels, opening=b"[", closing=b"]"):
    return spoiled(opening * levels + b"1" + closing * levels)


def packed(value):
    """A create command in MessagePack whose profile is the given bytes."""
    return b"\x84\xa2op\xa6create\xa3app\xa1x\xa7account\xa1a\xa7profile" + value


MALFORMED = {
    "tombstone": None,
    "empty": b"",
    "blank": b"  \n",
    "random bytes": random.Random(7).randbytes(300),
    "random bytes that begin like MessagePack": b"\x8f" + random.Random(8).randbytes(300),
    "text": b"hello",
    "array": b"[]",
    "number": b"1",
    "null": b"null",
    "string": b'"x"',
    "two objects": b"{}{}",
    "rubbish after it": json.dumps(GOOD).encode() + b"x",
    "cut": json.dumps(GOOD).encode()[:-3],
    "trailing comma": b'{"op":"get",}',
    "single quotes": b"{'op':'get'}",
    "comment": b'{"op":"get" /* x */}',
    "NaN": spoiled(b"NaN"),
    "Infinity": spoiled(b"-Infinity"),
    "beyond double": spoiled(b"1e400"),
    "beyond int64": spoiled(b"9223372036854775808"),
    "below int64": spoiled(b"-9223372036854775809"),
    "5,000 digits": spoiled(b"9" * 5000),
    "leading zero": spoiled(b"01"),
    "plus": spoiled(b"+1"),
    "hexadecimal": spoiled(b"0x10"),
    "raw control character": spoiled(b'"a\nb"'),
    "bad escape": spoiled(b'"\\x41"'),
    "invalid UTF-8": spoiled(b'"\xff"'),
    "overlong UTF-8": spoiled(b'"\xc0\xaf"'),
    "surrogate in UTF-8": spoiled(b'"\xed\xa0\x80"'),
    "beyond Unicode": spoiled(b'"\xf4\x90\x80\x80"'),
    "half a surrogate pair": spoiled(b'"\\ud800"'),
    "a key twice": b'{"op":"get","app":"x","account":"a","account":"b"}',
    "a key twice, once escaped": b'{"op":"get","app":"x","account":"a","\\u0061pp":"y"}',
    "a key twice, deep": spoiled(b'{"a":1,"a":1}'),
    "a key with NUL": spoiled(b'{"a\\u0000":1}'),
    "17 levels": b'{"x":' + b"[" * 16 + b"]" * 16 + b"}",
    "10,000 levels of arrays": nested(10000),
    "10,000 levels of maps": nested(10000, b'{"a":', b"}"),
    "100,000 levels, never closed": b"[" * 100000,
    "msgpack array of 2^32": packed(b"\xdd\xff\xff\xff\xff"),
    "msgpack map of 2^32": packed(b"\xdf\xff\xff\xff\xff"),
    "msgpack string of 2^32": packed(b"\xdb\xff\xff\xff\xff"),
    "msgpack bin of 2^32": packed(b"\xc6\xff\xff\xff\xff"),
    "msgpack root map of 2^32": b"\xdf\xff\xff\xff\xff",
    "msgpack arrays of 2^32 in each other": packed(b"\xdd\xff\xff\xff\xff" * 12),
    "msgpack 10,000 levels": packed(b"\x91" * 10000 + b"\x01"),
    "msgpack key twice": b"\x82\xa2op\xa3get\xa2op\xa3get",
    "msgpack integer key": b"\x81\x01\x02",
    "msgpack nil key": b"\x81\xc0\x02",
    "msgpack bin key": b"\x81\xc4\x02op\xa3get",
    "msgpack key with NUL": b"\x81\xa3a\x00b\x01",
    "msgpack uint64": packed(b"\xcf" + b"\xff" * 8),
    "msgpack NaN": packed(b"\xcb\x7f\xf8" + b"\0" * 6),
    "msgpack infinity in 32 bits": packed(b"\xca\x7f\x80\0\0"),
    "msgpack invalid UTF-8": packed(b"\xa2\xff\xff"),
    "msgpack unused byte": packed(b"\xc1"),
    "msgpack rubbish after it": msgpack.packb(GOOD) + b"\xc0",
    "msgpack cut": msgpack.packb(GOOD)[:-1],
    "framing and nothing": b"\0\0\0\0\1",
    "half a framing": b"\0\0\0",
    "framing twice": b"\0\0\0\0\1\0\0\0\0\1" + json.dumps(GOOD).encode(),
    "longer than the limit": spoiled(b'"' + b"x" * (1 << 20) + b'"'),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed(shared, app, name):
    value = MALFORMED[name]
    headers = [("content-encoding", b"x"), ("kafka_correlationId", b"\0\xff"), ("odd", None), ("odd", b"2")]
    bad = shared.post(value, key=b"key", headers=headers, partition=1, timestamp=1234567890123)
    seconds, good = shared.timed({"op": "create", "app": app, "account": "a"}, partition=1)
    refused = shared.check(bad)
    assert refused.code == "malformed" and "op" not in refused.reply
    assert good.reply["status"] == "ok" and seconds < 3
    check_dead_letter(shared, bad, "malformed")


def check_dead_letter(world, record, code):
    offset = str(record.offset).encode()

    def is_its(message):
        return message.partition == record.partition and ("__dlq.errors.offset", offset) in message.headers

    letter = world.dead_letters.wait(1, is_its, what="dead letters")[0]
    assert (letter.key, letter.timestamp) == (record.key, record.timestamp)
    assert letter.headers[: len(record.headers)] == record.headers
    added = dict(letter.headers[len(record.headers) :])
    assert added.pop("__dlq.errors.message")
    if letter.value != record.value:
        assert record.value.startswith(letter.value) and len(letter.value) > 500_000
        assert added.pop("accountd-cut") == str(len(record.value)).encode()
    expected = {
        "__dlq.errors.topic": record.topic.encode(),
        "__dlq.errors.partition": str(record.partition).encode(),
        "__dlq.errors.offset": offset,
        "__dlq.errors.group": world.settings["kafka"]["group"].encode(),
        "accountd-error-code": code.encode(),
    }
    assert not differences(expected, added)


def test_a_key_beyond_all_measure(shared):
    """It is left out, and said so; headers and value are there."""
    record = shared.post(b"no command", key=b"k" * 950_000, headers=[("h", b"1")], timestamp=1234567890123)
    shared.poster.flush()
    assert shared.reply_to(record).body()["error"]["code"] == "malformed"
    cut = ("accountd-cut-key", b"950000")
    letter = shared.dead_letters.wait(1, lambda message: cut in message.headers, what="dead letters")[0]
    assert (letter.key, letter.value, letter.headers[0]) == (None, b"no command", ("h", b"1"))
    assert letter.header("accountd-cut") is None and letter.header("accountd-cut-headers") is None
    assert letter.timestamp == 1234567890123


def test_headers_of_an_earlier_failure(shared):
    """The dead letter has the new ones only, and all other headers in their order."""
    own = [("b", b"1"), ("a", None), ("b", b"\xff\x00"), ("", b""), ("accountd-cutlery", b"3")]
    earlier = [("__dlq.errors.offset", b"7"), ("accountd-error-code", b"internal"), ("accountd-cut", b"1")]
    record = shared.post(b"no command", headers=own[:2] + earlier + own[2:], partition=1)
    shared.check(shared_flushed(shared, record))
    offset = ("__dlq.errors.offset", str(record.offset).encode())
    letter = shared.dead_letters.wait(1, lambda message: offset in message.headers and message.partition == 1)[0]
    assert letter.headers[: len(own)] == own
    assert [name for name, _ in letter.headers[len(own) :]] == [
        "__dlq.errors.topic",
        "__dlq.errors.partition",
        "__dlq.errors.offset",
        "__dlq.errors.group",
        "__dlq.errors.message",
        "accountd-error-code",
    ]


def shared_flushed(world, record):
    world.poster.flush()
    return record


def test_refusals_of_well_formed_commands_are_no_dead_letters(shared, app):
    shared.send({"op": "drop"}, {"op": "get", "app": app, "account": "nobody"}, {}, partition=0)
    shared.dead_letters.drain()
    topic = shared.dead_letters.select(lambda letter: ("accountd-error-code", b"malformed") not in letter.headers)
    assert topic == []


@pytest.mark.parametrize(
    "content_type, encode, ok",
    [
        (b"application/json", "json", True),
        (b"application/json; charset=utf-8", "json", True),
        (b"application/msgpack", "msgpack", True),
        (b"application/x-msgpack", "msgpack", True),
        (b"application/vnd.msgpack", "msgpack", True),
        (b"application/json", "msgpack", False),
        (b"application/msgpack", "json", False),
        (b"text/plain", "json", True),
        (b"text/plain", "msgpack", True),
        (b"", "msgpack", True),
        (None, "json", True),
        (b"\xff\xfe", "json", True),
    ],
)
def test_content_type_decides(shared, app, content_type, encode, ok):
    command = {"op": "create", "app": app, "account": "a"}
    for framing in (b"", b"\0\1\2\3\4"):
        value = framing + (json.dumps(command).encode() if encode == "json" else msgpack.packb(command))
        answer = shared.ask(value, headers=[("content-type", b"application/xml"), ("content-type", content_type)])
        assert (answer.code != "malformed") == ok


def test_odd_but_good_json(shared, app):
    base = f'"op":"create","app":"{app}","on_exists":"update"'
    texts = [
        f' \t\r\n{{ {base} , "account" : "a" }} \n',
        f'{{{base},"account":"\\u0061"}}',
        f'{{{base},"account":"a","profile":{{"nickname":"\\ud83d\\ude00\\/"}}}}',
        f'{{{base},"account":"a","profile":{{"level":1e2,"role":-0.0,"language":20E-1,"message_settings":-0}}}}',
        f'{{"\\u006fp":"get","app":"{app}","account":"a"}}',
    ]
    for text in texts:
        assert shared.ask(text.encode()).reply["status"] == "ok", text
    deep = f'{{{base},"account":"a","x":' + "[" * 15 + "]" * 15 + "}"
    assert shared.ask(deep.encode()).field == "x"
    integer = f'{{{base},"account":"a","x":-9223372036854775808,"y":9223372036854775807}}'
    assert shared.ask(integer.encode()).field == "x"
    assert shared.ask(f'{{{base},"account":"a","profile":{{"nickname":"\\u0000"}}}}'.encode()).code == "invalid_field"


def test_odd_but_good_msgpack(shared, app):
    pairs = [("op", "create"), ("app", app), ("account", "a"), ("on_exists", "update")]
    wide = b"\xdf\0\0\0\4" + b"".join(
        b"\xdb" + len(text).to_bytes(4, "big") + text.encode() for pair in pairs for text in pair
    )
    assert shared.ask(wide).reply["status"] == "ok"
    for number in (b"\xcf" + (7).to_bytes(8, "big"), b"\xd3" + (8).to_bytes(8, "big"), b"\xca\x40\x40\0\0"):
        body = b"\x85" + b"".join(msgpack.packb(text) for pair in pairs for text in pair)
        assert shared.ask(body + b"\xa7profile\x81\xa5level" + number).reply["changed"] is True
    shared.check_redis(app)


def test_a_nickname_of_a_mebibyte_within_the_limit(shared, app):
    nickname = "x" * ((1 << 20) - 200)
    refused = shared.ask({"op": "create", "app": app, "account": "a", "profile": {"nickname": nickname}})
    assert (refused.code, refused.field) == ("invalid_field", "profile.nickname")


def test_memory_stays_flat(shared, app):
    """Hundreds of the worst, then the resident size: what they claim or hold is not kept."""
    values = [value for value in MALFORMED.values() if value is not None]
    daemon = shared.daemons[0]

    def round_of_rubbish():
        for _ in range(3):
            shared.send(*values, partition=0)

    round_of_rubbish()
    before = daemon.resident_kb()
    for _ in range(3):
        round_of_rubbish()
    grown = daemon.resident_kb() - before
    assert grown < 8 * 1024, f"grew by {grown} KiB from {before} KiB"
    seconds, exchange = shared.timed({"op": "create", "app": app, "account": "a"})
    assert exchange.reply["status"] == "ok" and seconds < 2


@pytest.mark.parametrize("count", [99_990, 120_000])
def test_more_headers_than_anybody_needs(world, count):
    """As many as fit into a record: the dead letter leaves out what it has no room for, and the line goes on."""
    here = world(partitions=1)
    headers = [("h", b"")] * count
    record = here.post(b"x" * 600_000, headers=headers)
    here.poster.flush()
    assert here.reply_to(record, 30).body()["error"]["code"] == "malformed"
    letter = here.dead_letters.wait(1, what="dead letters")[0]
    assert letter.header("accountd-error-code") == b"malformed"
    assert record.value.startswith(letter.value)
    kept = sum(name == "h" for name, _ in letter.headers)
    # Beyond 100,000 they cannot be counted.
    assert letter.header("accountd-cut-headers") == (b"all" if count > 100_000 else str(count - kept).encode())
    assert letter.header("accountd-cut-key") is None
    assert here.ask({"op": "create", "app": "demo", "account": "a"}).reply["revision"] == 1
    here.daemons[0].stop()
