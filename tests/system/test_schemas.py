"""The published schemas say what accountd does: examples, generated commands, and the tables in the C code."""

import copy
import itertools
import json
import os
import re
import subprocess

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from schema import DIRECTORY, SCHEMAS, accepted, complaints, validator
from servers import ROOT
from world import World

EXAMPLES = sorted((DIRECTORY / "examples").glob("*.json"))

# What validation answers; all other codes come from the state.
REFUSALS = {
    "malformed",
    "unsupported_version",
    "unknown_op",
    "missing_field",
    "unknown_field",
    "invalid_field",
    "confirmation_required",
}

COMMANDS = 400
MUTANTS = 900


def schema_of(example):
    kind = example.stem.split("-")[0]
    return "record.schema.json#change" if kind == "change" else f"{kind}.schema.json"


@pytest.mark.parametrize("name", SCHEMAS)
def test_schema_is_one(name):
    Draft202012Validator.check_schema(SCHEMAS[name])
    for example in SCHEMAS[name]["examples"]:
        assert not complaints(name, example)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example(example):
    assert not complaints(schema_of(example), json.loads(example.read_text()))


def test_examples_show_every_op():
    commands = [json.loads(path.read_text()) for path in EXAMPLES if path.stem.startswith("command-")]
    ops = [branch["$ref"].rpartition("/")[2] for branch in SCHEMAS["command.schema.json"]["oneOf"]]
    assert {command["op"] for command in commands} == set(ops)


DOCUMENT = (ROOT / "docs" / "protocol.md").read_text()


@pytest.mark.parametrize("block", re.findall(r"^```json\n(.*?)^```", DOCUMENT, re.M | re.S))
def test_example_in_the_document(block):
    value = json.loads(block)
    kinds = {
        "reply.schema.json": "status",
        "command.schema.json": "op",
        "manifest.schema.json": "export_id",
        "record.schema.json": "profile",
        "reply.schema.json#/$defs/error": "code",
    }
    reference = next(reference for reference, member in kinds.items() if member in value)
    assert not complaints(reference, value)


@pytest.mark.parametrize(
    "change",
    [
        {"status": "fine"},
        {"status": "error"},
        {"revision": 0},
        {"revision": None},
        {"id": "with a blank"},
        {"op": "list"},
        {"at": "2026-11-22T20:09:08Z"},
        {"source": {"topic": "account.commands", "partition": 0}},
        {"error": {"code": "internal", "message": "x"}},
        {"surprise": 1},
        {"results": [], "counts": {"ok": 0, "error": 0}},
    ],
    ids=str,
)
def test_reply_schema_is_strict(change):
    reply = json.loads((DIRECTORY / "examples" / "reply-create.json").read_text())
    assert complaints("reply.schema.json", {**reply, **change})


# --- generated commands against the daemon


def sampled(strategy, count):
    """That many different examples, the same ones in every run."""
    found = []

    @settings(
        max_examples=count,
        database=None,
        derandomize=True,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def keep(value):
        found.append(value)

    keep()
    return found


def places(value, path=()):
    """The paths of everything in a command, without the command itself."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in inner:
        yield (*path, step)
        yield from places(item, (*path, step))


TAGS = ["".join(letters) for letters in itertools.product("abcde", repeat=2)]

# Wrong for most fields, and right for some.
ODD_VALUES = [
    *(None, True, False, 0, 1, -1, 1.0, 3.0, 1.5, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 1e300, 1001, 1000),
    *("", " ", "x", "1", "admin", "none", "error", "0000-01-01", "2023-02-29", "2024-02-29", "2024-2-1"),
    *("a" * 16, "a" * 17, "a" * 32, "a" * 33, "a" * 64, "a" * 65, "a" * 500, "a" * 501, "é" * 8, "é" * 9),
    *("é" * 250, "é" * 251, "a\nb", "a\tb", "a\rb", "a\n", "\x00", "\x7f", "\x85", "a\u2028b", "_a", ".a", "a.b@c-d"),
    *("2026-11-22T20:09:08.123Z", "2026-02-29T00:00:00.000Z", "1969-12-31T23:59:59.999Z", "2026-11-22T20:09:60.000Z"),
    *("http://", "http://a", "https:///a", "http://?a", "http://é", "ftp://a", "http://a b", "HTTP://a"),
    *([], ["a"], ["a", "a"], ["a", {"account": "a"}], [{"account": "b"}], [1], [None], [[]], [{}], ["app", "custom"]),
    *([f"a{i}" for i in range(100)], [f"a{i}" for i in range(101)], ["level", "level"], ["profile"]),
    *({}, {"account": "a"}, {"a": "b"}, {"nickname": None}, {"profile": {}}, {"custom": {}}, {"level": 1}),
    *(dict.fromkeys(TAGS[:20], "x"), dict.fromkeys(TAGS[:21], "x"), dict.fromkeys(TAGS[:21])),
    *({"abcdefgh": "x"}, {"abcdefghi": "x"}, {"a1": "x"}, {"é": "x"}, {"": "x"}, {"a": ""}, {"a": 1}),
]

MEMBERS = [
    *("v", "id", "op", "app", "account", "accounts", "type", "profile", "if_revision", "on_exists", "confirm"),
    *("dry_run", "limit", "after", "all", "format", "fields", "compression", "created_after", "updated_after"),
    *("unknown", "App", "custom", "nickname"),
    *("level", "", "avatar_url", "gender", "birthday", "location", "signature", "role"),
]


OPS = ["create", "edit", "delete", "get", "list", "export"]


@st.composite
def mutants(draw, commands):
    """A command with one or two changes: a member gone, another value, a member more."""
    command = copy.deepcopy(draw(st.sampled_from(commands)))
    for _ in range(draw(st.sampled_from([1, 1, 2]))):
        path = draw(st.sampled_from([(), *places(command)]))
        parent = command
        for step in path[:-1]:
            parent = parent[step]
        target = parent[path[-1]] if path else command
        actions = ["remove", "replace", "replace"] if path else []
        actions += ["add", "add"] if isinstance(target, dict) else []
        action = draw(st.sampled_from(actions))
        if action == "remove":
            del parent[path[-1]]
        elif action == "replace" and path[-1] == "op":
            parent["op"] = draw(st.sampled_from([*OPS, "Create", None, 1]))
        elif action == "replace":
            parent[path[-1]] = copy.deepcopy(draw(st.sampled_from(ODD_VALUES)))
        else:
            target[draw(st.sampled_from(MEMBERS))] = copy.deepcopy(draw(st.sampled_from(ODD_VALUES)))
    return command


LIMITS = {"nickname": 500, "avatar_url": 500, "location": 16, "signature": 500}


def beyond_schema(command):
    """True for what the schema's comments say that it can't refuse. The command satisfies the schema."""
    entries = [entry if isinstance(entry, dict) else {"account": entry} for entry in command.get("accounts") or []]
    names = [entry["account"] for entry in entries]
    return (
        any("\0" in path[-1] for path in places(command) if isinstance(path[-1], str))
        or len(set(names)) != len(names)
        or isinstance(command.get("after"), str)
        or any(too_long(holder.get("profile") or {}) for holder in [command, *entries])
    )


def too_long(profile):
    texts = [(profile.get(name) or "", limit) for name, limit in LIMITS.items()]
    texts += [(value or "", 500) for value in (profile.get("custom") or {}).values()]
    return any(len(text.encode()) > limit for text, limit in texts)


@pytest.fixture(scope="module")
def schema_world(kafka, tmp_path_factory):
    made = World(kafka, tmp_path_factory.mktemp("schemas"), "schemas", 2)
    yield made
    made.close()


@pytest.fixture(scope="module")
def commands():
    return sampled(accepted("command.schema.json"), COMMANDS)


def replies_to(world, commands):
    """Posts all the commands, half of them as MessagePack, and returns the replies as values, in order."""
    encodings = itertools.cycle(["json", "msgpack"])
    records = []
    for command, encode in zip(commands, encodings):
        # MessagePack has no integers this large.
        large = any(isinstance(number, int) and number >= 2**64 for number in numbers(command))
        records.append(world.post(command, encode="json" if large else encode))
    world.poster.flush()
    return [world.reply_to(record).body() for record in records]


def numbers(value):
    if isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from numbers(inner)
    elif not isinstance(value, bool):
        yield value


def disagreements(commands, replies):
    """Commands that only one of the two accepts, and replies that are none, as text."""
    good = validator("command.schema.json").is_valid
    for command, reply in zip(commands, replies):
        code = reply.get("error", {}).get("code")
        expected = good(command) and not beyond_schema(command)
        if expected != (code not in REFUSALS):
            error = reply.get("error", reply["status"])
            yield f"the schema {'accepts' if expected else 'refuses'}: {json.dumps(command):.600}\n  accountd: {error}"
        wrong = complaints("reply.schema.json", reply)
        if wrong:
            yield "\n  ".join([f"no reply: {json.dumps(reply):.600}", *wrong[:12]])


def refuse_disagreements(commands, replies):
    found = list(disagreements(commands, replies))
    assert not found, f"{len(found)} of {len(commands)}:\n" + "\n".join(found[:8])


def test_what_the_schema_accepts_accountd_accepts(schema_world, commands):
    replies = replies_to(schema_world, commands)
    refuse_disagreements(commands, replies)
    codes = {reply.get("error", {}).get("code") for reply in replies}
    assert {None, "account_not_found"} <= codes, "the commands are too tame to show anything"


def test_mutants_are_refused_by_both_or_by_none(schema_world, commands):
    changed = sampled(mutants(commands), MUTANTS)
    # A mutation comes to this one by rare luck only.
    changed.append({"op": "delete", "app": "demo", "accounts": ["alice", "bob"]})
    replies = replies_to(schema_world, changed)
    refuse_disagreements(changed, replies)
    codes = {reply.get("error", {}).get("code") for reply in replies}
    assert REFUSALS - codes <= {"malformed"}, f"mutants that never got {REFUSALS - codes}"


def test_records_replies_and_changes_are_as_the_schemas_say(schema_world, commands):
    """Every op on accounts that exist, with the profiles that the schema generates."""
    creates = [command for command in commands if command["op"] == "create" and not beyond_schema(command)]
    edits = [command for command in commands if command["op"] == "edit" and not beyond_schema(command)]
    rounds = []
    for number, (create, edit) in enumerate(zip(creates, itertools.cycle(edits))):
        app = f"schema{number % 3}"
        one, two = f"one{number}", f"two{number}"
        both = {"app": app, "accounts": [one, two]}
        profiles = [command.get("profile") or {} for command in (create, edit)]
        rounds += [
            {"op": "create", "app": app, "account": one, "profile": profiles[0], "type": "admin"},
            {"op": "create", **both, "profile": profiles[1], "on_exists": "update"},
            {"op": "edit", "app": app, "account": one, "profile": profiles[0], "dry_run": True},
            {"op": "edit", "app": app, "account": one, "profile": profiles[1], "if_revision": 1},
            {"op": "edit", "app": app, "account": one, "profile": profiles[0], "if_revision": 77},
            {"op": "edit", **both, "type": "general", "profile": profiles[0]},
            {"op": "get", "app": app, "account": one},
            {"op": "get", **both},
            {"op": "list", "app": app, "limit": 2},
            {"op": "export", "app": app, "account": two, "compression": ["none", "gzip", "zstd"][number % 3]},
            {"op": "export", "app": app, "accounts": [one, "nobody"], "format": "csv"},
            {"op": "export", "app": app, "accounts": ["nobody"], "format": "msgpack"},
            {"op": "delete", **both, "confirm": True},
        ]
    replies = replies_to(schema_world, rounds)
    refuse_disagreements(rounds, replies)
    codes = {reply.get("error", {}).get("code") for reply in replies}
    assert codes >= {None, "account_not_found", "revision_conflict"}, codes
    assert {reply["status"] for reply in replies} == {"ok", "partial", "error"}

    for message in schema_world.changelog.drain():
        if message.key.startswith(b"accountd:"):
            continue  # an export of a whole app that is open
        assert not complaints("record.schema.json#change", json.loads(message.value))
    messages = [message for message in schema_world.exports.drain() if message.header("export-manifest")]
    manifests = [json.loads(message.value) for message in messages]
    for manifest in manifests:
        assert not complaints("manifest.schema.json", manifest)
    by_source = {manifest["source"]: manifest for manifest in manifests}
    promised = [reply["export"] for reply in replies if "export" in reply]
    assert promised and promised == [by_source[manifest["source"]] for manifest in promised]


# --- the C code's tables

PRINT_TABLES = r"""
#include <stdio.h>

#include "accountd/command.h"

#define LIMIT(name) printf("limit %s %d\n", #name, (int)(name));

int main(void)
{
#define X(id, name, kind, max, choices) printf("field %s %s %d %s\n", name, #kind, max, choices);
    ACD_FIELDS(X)
#undef X
#define X(id, text) printf("code %s\n", text);
    ACD_CODES(X)
#undef X
    LIMIT(ACD_APP_MAX) LIMIT(ACD_NAME_MAX) LIMIT(ACD_CUSTOM_MAX) LIMIT(ACD_CUSTOM_TAG_MAX)
    LIMIT(ACD_CUSTOM_VALUE_MAX) LIMIT(ACD_TARGETS_MAX) LIMIT(ACD_ID_MAX) LIMIT(ACD_LIST_MAX)
    LIMIT(ACD_LIST_DEFAULT) LIMIT(ACD_PATH_MAX)
    return 0;
}
"""


@pytest.fixture(scope="module")
def c_tables(tmp_path_factory):
    """The rows of the C tables, split into words, by their first word."""
    directory = tmp_path_factory.mktemp("tables")
    (directory / "tables.c").write_text(PRINT_TABLES)
    compiler = os.environ.get("CC", "cc").split()
    build = [*compiler, "-std=c11", "-D_GNU_SOURCE", f"-I{ROOT}/include", "tables.c", "-o", "tables"]
    subprocess.run(build, cwd=directory, check=True)
    text = subprocess.run([directory / "tables"], check=True, capture_output=True, text=True).stdout
    tables = {}
    for row in text.splitlines():
        kind, *words = row.split()
        tables.setdefault(kind, []).append(words)
    return tables


def field_row(name, schema):
    """A profile field's row of the C table, as the schema tells it."""
    if "enum" in schema:
        return [name, "ACD_FIELD_ENUM", str(max(map(len, schema["enum"]))), *schema["enum"]]
    if schema.get("$ref") == "#/$defs/uint32":
        return [name, "ACD_FIELD_UINT32", str(len(str(2**32 - 1)))]
    if schema.get("format") == "date":
        return [name, "ACD_FIELD_DATE", str(len("YYYY-MM-DD"))]
    kind = "ACD_FIELD_URL" if "http" in schema["pattern"] else "ACD_FIELD_TEXT"
    return [name, kind, str(schema["maxLength"])]


def test_profile_fields_are_those_of_the_c_table(c_tables):
    record = SCHEMAS["record.schema.json"]
    names = [name for name in record["properties"]["profile"]["properties"] if name != "custom"]
    assert [field_row(name, record["$defs"][name]) for name in names] == c_tables["field"]


def test_every_list_of_profile_fields_is_the_same(c_tables):
    names = [row[0] for row in c_tables["field"]] + ["custom"]
    command = SCHEMAS["command.schema.json"]["$defs"]
    profile = command["profile"]["anyOf"][0]["properties"]
    assert list(profile) == names
    for name in names[:-1]:
        parts = {f"record.schema.json#/$defs/{name}", "#/$defs/removed"}
        assert {part["$ref"] for part in profile[name]["anyOf"]} == parts
    own = [name for name in SCHEMAS["record.schema.json"]["properties"] if name != "profile"]
    assert command["export"]["properties"]["fields"]["items"]["enum"] == own + names


def test_codes_are_those_of_the_c_table(c_tables):
    codes = SCHEMAS["reply.schema.json"]["$defs"]["error"]["properties"]["code"]["enum"]
    assert [["ok"], *([code] for code in codes)] == c_tables["code"]


def test_limits_are_those_of_the_c_code(c_tables):
    record, command, reply = (SCHEMAS[f"{name}.schema.json"] for name in ("record", "command", "reply"))
    parts, own = record["$defs"], command["$defs"]
    custom = record["properties"]["profile"]["properties"]["custom"]
    listing = own["list"]["properties"]["limit"]
    many = {own[op]["properties"]["accounts"]["anyOf"][0]["maxItems"] for op in ("create", "edit", "delete")}
    assert dict(c_tables["limit"]) == {
        "ACD_APP_MAX": longest(parts["app"]),
        "ACD_NAME_MAX": longest(parts["account"]),
        "ACD_CUSTOM_MAX": str(custom["maxProperties"]),
        "ACD_CUSTOM_TAG_MAX": longest(parts["custom_tag"]),
        "ACD_CUSTOM_VALUE_MAX": str(parts["custom_value"]["maxLength"]),
        "ACD_TARGETS_MAX": " ".join(map(str, many | {own["accounts_read"]["maxItems"]})),
        "ACD_ID_MAX": longest(own["id"]),
        "ACD_LIST_MAX": str(listing["maximum"]),
        "ACD_LIST_DEFAULT": str(listing["default"]),
        "ACD_PATH_MAX": str(reply["$defs"]["error"]["properties"]["field"]["maxLength"]),
    }


def longest(schema):
    """The length that a pattern of one character class and a count allows, tried out."""
    valid = Draft202012Validator(schema).is_valid
    return str(max(length for length in range(1000) if valid("a" * length)))
