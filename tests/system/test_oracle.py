"""The model itself, against what the contract says in so many words. Needs no server."""

import json

import msgpack
import pytest

from oracle import Model, Record, differences
from oracle.decode import Malformed, decode
from oracle.routing import Topics

TOPICS = Topics("c", "r", "e", "l", "d", ["other", "^team\\..*$"], {"c": 4, "r": 4, "e": 1, "l": 4, "d": 4, "other": 2})
WHEN = 1795723748123  # 2026-11-26T20:09:08.123Z


class Post:
    def __init__(self):
        self.model = Model(TOPICS)
        self.offset = 0

    def __call__(self, command, headers=(), key=b"k"):
        value = command if isinstance(command, (bytes, type(None))) else json.dumps(command).encode()
        self.offset += 1
        return self.model.apply(Record("c", 1, self.offset, WHEN, key, value, list(headers)))


@pytest.fixture
def post():
    return Post()


def create(account="alice", **rest):
    return {"op": "create", "app": "demo", "account": account, **rest}


def test_first_example_of_the_contract(post):
    reply = post(create(id="c-1")).reply
    assert reply == {
        "v": 1,
        "id": "c-1",
        "op": "create",
        "app": "demo",
        "account": "alice",
        "status": "ok",
        "revision": 1,
        "changed": True,
        "at": "2026-11-26T20:09:08.123Z",
        "source": {"topic": "c", "partition": 1, "offset": 1},
    }


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"[]",
        b"{} {}",
        b'{"a":1,"a":2}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":1e999}',
        b'{"a":9223372036854775808}',
        b'{"a\\u0000":1}',
        b'{"a":"\\ud800"}',
        b'{"a":"\xff"}',
        b'{"a":' * 17 + b"1" + b"}" * 17,
        b'{"a":' + b"[" * 10000 + b"]" * 10000 + b"}",
        b"\x81\x01\x01",
        b"\x81\xc4\x01a\x01",
        b"\x82\xa1a\x01\xa1a\x01",
        b"\x80\x80",
        b"\x81\xa1a\xdd\xff\xff\xff\xff",
        b"\x81\xa1a\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x81\xa1a\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00",
        b"\x81\xa1a\xc1",
        b"\x00\x00\x00\x00",
    ],
)
def test_malformed(value):
    with pytest.raises(Malformed):
        decode(value, None, 1 << 20)


@pytest.mark.parametrize("tree", [{"a": [1, -1, 2.5, "é", None, True, {"b": [[]]}]}, {"n": 2**63 - 1}, {"n": -(2**63)}])
def test_decodes_both_encodings_alike(tree):
    assert decode(json.dumps(tree).encode(), None, 1 << 20) == tree
    assert decode(msgpack.packb(tree), None, 1 << 20) == tree
    assert decode(b"\0\0\0\0\7" + msgpack.packb(tree), None, 1 << 20) == tree


@pytest.mark.parametrize(
    "command, code, field",
    [
        ({"v": 2}, "unsupported_version", "v"),
        ({}, "missing_field", "op"),
        ({"op": "drop", "zzz": 1}, "unknown_op", "op"),
        ({"op": "edit"}, "missing_field", "app"),
        ({"op": "edit", "app": "a"}, "missing_field", "account"),
        ({"op": "edit", "app": "a", "account": "b"}, "missing_field", "profile"),
        ({"op": "get", "app": "a", "accounts": ["b", {}]}, "missing_field", "accounts[1].account"),
        ({"op": "get", "app": "", "account": "b", "limit": 1}, "unknown_field", "limit"),
        ({"op": "get", "app": "a", "account": "b", "limit": None}, None, None),
        ({"op": "get", "app": "a", "account": "b", "accounts": ["b"]}, "invalid_field", "accounts"),
        ({"op": "get", "app": "a", "accounts": ["b", "c", "b"]}, "invalid_field", "accounts[2]"),
        ({"op": "get", "app": "a", "accounts": ["b", {"account": "b"}]}, "invalid_field", "accounts[1].account"),
        ({"op": "get", "app": "a", "accounts": []}, "invalid_field", "accounts"),
        (create(type="boss", profile={"nickname": 1}), "invalid_field", "type"),
        (create(profile={"level": True, "nickname": 1}), "invalid_field", "profile.nickname"),
        (create(profile={"custom": {"a b": "x"}}), "invalid_field", "profile.custom.a b"),
        (create(profile={"zzz": None}), "unknown_field", "profile.zzz"),
        ({"op": "delete", "app": "a", "accounts": ["b"]}, "confirmation_required", "confirm"),
        ({"op": "delete", "app": "a", "accounts": ["b"], "confirm": "yes"}, "invalid_field", "confirm"),
        ({"op": "x" * 10, "v": 3}, "unsupported_version", "v"),
        (create(**{"q" * 200: 1}), "unknown_field", "q" * 128),
    ],
)
def test_precedence_and_path(post, command, code, field):
    error = post(command).reply.get("error", {})
    if code is None:
        assert error.get("code") == "account_not_found"
    else:
        assert (error["code"], error["field"]) == (code, field)


@pytest.mark.parametrize(
    "name, good, bad",
    [
        ("nickname", ["é" * 250, "a b", ""], ["é" * 251, "a\tb", "\u0085", 1, True, []]),
        ("avatar_url", ["http://a", "https://a?b#c", ""], ["http://", "http:///a", "https://?", "ftp://a", "http://a b"]),
        ("birthday", ["0001-01-01", "2024-02-29"], ["0000-01-01", "2023-02-29", "2024-2-3", "20240203", "2024-01-01T"]),
        ("location", ["x" * 16], ["x" * 17]),
        ("signature", ["a\n\tb"], ["a\rb", "\x7f"]),
        ("level", [0, 4294967295, 3.0], [-1, 4294967296, 1.5, True, "1"]),
        ("gender", ["female", ""], ["Female", "x"]),
    ],
)
def test_profile_values(post, name, good, bad):
    for value in good:
        assert post(create(profile={name: value}, on_exists="update")).reply["status"] == "ok", value
    for value in bad:
        assert post(create(profile={name: value})).reply["error"]["field"] == f"profile.{name}", value


def test_life_of_an_account(post):
    assert post(create(profile={"level": 1, "custom": {"a": "1"}})).reply["revision"] == 1
    assert post(create()).reply["error"]["code"] == "account_exists"
    assert post(create(on_exists="skip", type="admin")).reply["changed"] is False
    assert post(create(on_exists="update", type="admin")).reply["error"]["code"] == "immutable_field"
    edit = {"op": "edit", "app": "demo", "account": "alice"}
    assert post({**edit, "profile": {"level": 1.0}}).reply["changed"] is False
    assert post({**edit, "profile": {"level": None, "custom": {"b": "2", "a": ""}}, "if_revision": 1}).reply["revision"] == 2
    conflict = post({**edit, "profile": {}, "if_revision": 1}).reply["error"]
    assert (conflict["code"], conflict["revision"]) == ("revision_conflict", 2)
    record = post({"op": "get", "app": "demo", "account": "alice"}).reply["record"]
    assert record["profile"] == {"custom": {"b": "2"}}
    dry = post({"op": "delete", "app": "demo", "account": "alice", "dry_run": True})
    assert (dry.reply["revision"], dry.reply["dry_run"], dry.changes) == (3, True, [])
    gone = post({"op": "delete", "app": "demo", "account": "alice"})
    assert gone.changes[0][1]["deleted"] is True and gone.reply["revision"] == 3
    assert post(create()).reply["revision"] == 4


def test_at_most_ten_admins_also_within_one_command(post):
    many = {"op": "create", "app": "demo", "type": "admin", "accounts": [f"a{i}" for i in range(12)]}
    dry = post({**many, "dry_run": True}).reply
    assert dry["counts"] == {"ok": 10, "error": 2}
    reply = post(many).reply
    assert reply["status"] == "partial" and reply["counts"] == {"ok": 10, "error": 2}
    assert reply["results"][10]["error"]["code"] == "admin_limit"


def test_custom_limit(post):
    tags = [chr(97 + i) for i in range(21)]
    post(create(profile={"custom": {tag: "x" for tag in tags[:20]}}))
    edit = {"op": "edit", "app": "demo", "account": "alice"}
    assert post({**edit, "profile": {"custom": {"u": "x"}}}).reply["error"]["code"] == "custom_limit"
    assert post({**edit, "profile": {"custom": {"a": None, "u": "x"}}}).reply["status"] == "ok"


def test_list_pages_by_creation(post):
    for name in ("b", "a", "c"):
        post(create(name))
    first = post({"op": "list", "app": "demo", "limit": 2}).reply
    assert [row["account"] for row in first["rows"]] == ["a", "b"] and first["total"] == 3
    assert not differences(first["next"], "cursor")
    second = post({"op": "list", "app": "demo", "after": "cursor"}).reply
    assert [row["account"] for row in second["rows"]] == ["c"] and second["next"] is None
    assert post({"op": "list", "app": "demo", "after": "x"}).reply["error"]["field"] == "after"


@pytest.mark.parametrize(
    "headers, topic, partition, field",
    [
        ([], "r", 1, None),
        ([("kafka_replyTopic", b"other")], "other", 1, None),
        ([("reply_to", b"other")], "other", 1, None),
        ([("reply_to", b"d"), ("kafka_replyTopic", b"other")], "other", 1, None),
        ([("kafka_replyTopic", b"d"), ("kafka_replyTopic", b"other")], "other", 1, None),
        ([("kafka_replyTopic", b"team.x")], "r", 1, "kafka_replyTopic"),
        ([("kafka_replyTopic", b"d")], "r", 1, "kafka_replyTopic"),
        ([("kafka_replyPartition", b"\0\0\0\3")], "r", 3, None),
        ([("kafka_replyPartition", b"3")], "r", 3, None),
        ([("kafka_replyPartition", b"0003")], "r", 3, None),
        ([("kafka_replyPartition", b"4")], "r", 1, "kafka_replyPartition"),
        ([("kafka_replyTopic", b"other"), ("kafka_replyPartition", b"\0\0\0\2")], "r", 1, "kafka_replyPartition"),
    ],
)
def test_routing(post, headers, topic, partition, field):
    expected = post(create(), headers)
    assert (expected.topic, expected.partition) == (topic, partition)
    assert expected.reply.get("error", {}).get("field") == field


def test_differences_tell_types_apart():
    assert differences(1, True) and differences(1, 1.0) and differences({"a": 1}, {"a": 1, "b": 2})
    assert not differences({"a": [1, "x"]}, {"a": [1, "x"]})
