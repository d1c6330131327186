"""Every field at its limits and beyond, the path of the field to blame, and the precedence of several faults."""

import msgpack
import pytest

NAMES = ["a", "Z", "0", "a.b_c@d-e", "x" * 32]
NOT_NAMES = ["", ".a", "_a", "@a", "-a", "a b", "é", "a/b", "a:b", "x" * 33, 1, True, [], {}]
IDS = ["a", "!", "~", "x" * 64]
NOT_IDS = ["", " ", "a b", "é", "x" * 65, "\x7f", 1, False, []]
ENUMS = {
    "gender": ["unknown", "female", "male"],
    "allow_type": ["need_confirm", "allow_any", "deny_any"],
    "admin_forbid": ["none", "send_out"],
}
NO_TEXTS = [0, 1.5, True, [], {}]
CONTROLS = ["\x00", "\x01", "\x1f", "\x7f", "\x80", "\x9f", "a\r"]

# field: values that are taken, values that are refused
PROFILE = {
    "nickname": (["x" * 500, "é" * 250, " ", "😀" * 125, "\xa0"], ["x" * 501, "é" * 251, "\n", "\t", *CONTROLS, *NO_TEXTS]),
    "avatar_url": (
        ["http://a", "https://a", "http://" + "a" * 493, "http://x:y@h:1/p?q#f", "https://!~"],
        ["http://", "https:///", "http://?a", "http://#a", "HTTP://a", "ftp://a", "a", "http://a b", "http://é"]
        + ["http://" + "a" * 494, "http://a\n", " http://a", *NO_TEXTS],
    ),
    "birthday": (
        ["0001-01-01", "9999-12-31", "2000-02-29", "2024-02-29", "1999-12-31"],
        ["0000-01-01", "1900-02-29", "2023-02-29", "2023-04-31", "2023-13-01", "2023-00-10", "2023-01-00"]
        + ["2023-1-1", "20230101", "2023-01-01T", "2023/01/01", "-001-01-01", "10000-01-01", "２０２３-01-01", *NO_TEXTS],
    ),
    "location": (["x" * 16, "é" * 8, "-x"], ["x" * 17, "é" * 9, "a\n", *CONTROLS, *NO_TEXTS]),
    "signature": (["x" * 500, "a\n\tb", "\n"], ["x" * 501, "a\rb", *CONTROLS, *NO_TEXTS]),
}
for name, choices in ENUMS.items():
    PROFILE[name] = (choices, ["nonsense", choices[0].upper(), choices[0] + " ", *NO_TEXTS])
for name in ("language", "message_settings", "level", "role"):
    PROFILE[name] = ([0, 1, 4294967295, 3.0, 4294967295.0, 0.0], [-1, 4294967296, 1.5, 1e300, "1", True, False, [], {}])


def create(app, **rest):
    return {"op": "create", "app": app, "account": "a", "on_exists": "update"} | rest


@pytest.mark.parametrize("encode", ["json", "msgpack"])
@pytest.mark.parametrize("name", PROFILE)
def test_profile_field(shared, app, name, encode):
    good, bad = PROFILE[name]
    for exchange in shared.send(*(create(app, profile={name: value}) for value in good), encode=encode):
        assert exchange.reply["status"] == "ok", exchange.record.value
    for exchange in shared.send(*(create(app, profile={name: value}) for value in bad), encode=encode):
        assert (exchange.code, exchange.field) == ("invalid_field", f"profile.{name}"), exchange.record.value
    shared.check_redis(app)


@pytest.mark.parametrize("encode", ["json", "msgpack"])
def test_custom_fields(shared, app, encode):
    tags = [chr(97 + i) for i in range(21)]
    good = [{tag: "x" for tag in tags[:20]}, {"abcdefgh": "x" * 500, "ABCDEFGH": "é" * 250, "a": None}]
    for custom in good:
        assert shared.ask(create(app, account=f"n{len(custom)}", profile={"custom": custom}), encode=encode).code is None
    bad_keys = ["", "abcdefghi", "a1", "a b", "é", "a.b", "a_b", "-"]
    for key in bad_keys:
        for value in ("x", None):
            refused = shared.ask(create(app, profile={"custom": {"ok": "x", key: value}}), encode=encode)
            assert (refused.code, refused.field) == ("invalid_field", f"profile.custom.{key}")
    for value in ["x" * 501, "a\nb", *CONTROLS, *NO_TEXTS]:
        refused = shared.ask(create(app, profile={"custom": {"key": value}}), encode=encode)
        assert (refused.code, refused.field) == ("invalid_field", "profile.custom.key")
    for value in [{tag: "x" for tag in tags}, [], "x", 1, True]:
        refused = shared.ask(create(app, profile={"custom": value}), encode=encode)
        assert (refused.code, refused.field) == ("invalid_field", "profile.custom")
    shared.check_redis(app)


@pytest.mark.parametrize("encode", ["json", "msgpack"])
def test_other_fields(shared, app, encode):
    edit = {"op": "edit", "app": app, "account": "a", "profile": {}}
    delete = {"op": "delete", "app": app, "account": "nobody"}
    listing = {"op": "list", "app": app}
    export = {"op": "export", "app": app, "account": "nobody"}
    bad = [
        *((create(app, account=name), "account") for name in NOT_NAMES),
        *((create(app, id=value), "id") for value in NOT_IDS),
        *((create(app) | {"app": value}, "app") for value in ["", "a.b", "a b", "x" * 33, "é", 1, True, []]),
        *((create(app, type=value), "type") for value in ["Admin", "", 1, True, []]),
        *((create(app, profile=value), "profile") for value in ["", "x", 1, True, []]),
        *((create(app, on_exists=value), "on_exists") for value in ["Error", "", 1, True, []]),
        *((create(app, dry_run=value), "dry_run") for value in ["true", 1, 0, "", []]),
        *((edit | {"if_revision": value}, "if_revision") for value in [-1, 1.5, "1", True, [], {}]),
        *((delete | {"if_revision": value}, "if_revision") for value in [-1, "0", False]),
        *((delete | {"confirm": value}, "confirm") for value in ["true", 1, "", []]),
        *((listing | {"limit": value}, "limit") for value in [0, -1, 1001, 1.5, "1", True]),
        *((listing | {"after": value}, "after") for value in ["", "nonsense", "é", "x" * 5000, 1, True, [], {}]),
        *((export | {"format": value}, "format") for value in ["CSV", "", "xml", 1, []]),
        *((export | {"compression": value}, "compression") for value in ["", "zip", 1, True]),
        *((export | {"fields": value}, "fields") for value in ["account", 1, True, {}]),
        (export | {"fields": ["account", "profile"]}, "fields[1]"),
        (export | {"fields": ["account", "nonsense"]}, "fields[1]"),
        (export | {"fields": ["account", 1]}, "fields[1]"),
        (export | {"fields": ["level", "account", "level"]}, "fields[2]"),
        (create(app) | {"account": None, "accounts": "a"}, "accounts"),
        (create(app) | {"account": None, "accounts": {}}, "accounts"),
        (create(app) | {"account": None, "accounts": []}, "accounts"),
        (create(app) | {"account": None, "accounts": ["a", "a b"]}, "accounts[1]"),
        (create(app) | {"account": None, "accounts": ["a", 1]}, "accounts[1]"),
        (create(app) | {"account": None, "accounts": ["a", None]}, "accounts[1]"),
        (create(app) | {"account": None, "accounts": ["a", []]}, "accounts[1]"),
        (create(app) | {"account": None, "accounts": ["a", "b", "a"]}, "accounts[2]"),
        (create(app) | {"account": None, "accounts": ["a", {"account": "a"}]}, "accounts[1].account"),
        (create(app) | {"account": None, "accounts": [{"account": "a b"}]}, "accounts[0].account"),
        (create(app) | {"account": None, "accounts": [{"account": "a", "type": "x"}]}, "accounts[0].type"),
        (create(app) | {"account": None, "accounts": [{"account": "a", "profile": 1}]}, "accounts[0].profile"),
        (
            create(app) | {"account": None, "accounts": ["b", {"account": "a", "profile": {"custom": {"ü": ""}}}]},
            "accounts[1].profile.custom.ü",
        ),
        (
            {"op": "delete", "app": app, "confirm": True, "accounts": [{"account": "a", "if_revision": -1}]},
            "accounts[0].if_revision",
        ),
    ]
    exchanges = shared.send(*(command for command, _ in bad), encode=encode)
    for (command, field), exchange in zip(bad, exchanges):
        assert (exchange.code, exchange.field) == ("invalid_field", field), command
    good = [create(app, account=name) for name in NAMES] + [create(app, id=value) for value in IDS]
    good += [create(value) for value in ("A-Z_09", "y" * 32)]
    for exchange in shared.send(*good, encode=encode):
        assert exchange.reply["status"] == "ok"
    shared.check_redis(app)


def test_unknown_fields(shared, app):
    base = {
        "create": {"account": "a"},
        "edit": {"account": "a", "profile": {}},
        "delete": {"account": "a"},
        "get": {"account": "a"},
        "list": {},
        "export": {"account": "a"},
    }
    own = {
        "type": ["create", "edit", "export"],
        "profile": ["create", "edit"],
        "if_revision": ["edit", "delete"],
        "on_exists": ["create"],
        "confirm": ["delete"],
        "dry_run": ["create", "edit", "delete"],
        "limit": ["list"],
        "after": ["list"],
        "all": ["export"],
        "format": ["export"],
        "fields": ["export"],
        "compression": ["export"],
        "created_after": ["export"],
        "created_before": ["export"],
        "updated_after": ["export"],
        "account": ["create", "edit", "delete", "get", "export"],
        "accounts": ["create", "edit", "delete", "get", "export"],
        "nonsense": [],
        "Op": [],
        "profile.level": [],
    }
    for op, fields in base.items():
        for name, ops in own.items():
            if op not in ops:
                refused = shared.ask({"op": op, "app": app, **fields, name: "x"})
                assert (refused.code, refused.field) == ("unknown_field", name), (op, name)
    entries = [("get", "type"), ("get", "profile"), ("delete", "type"), ("delete", "profile"), ("create", "if_revision")]
    for op, name in entries + [("create", "nonsense"), ("edit", "id"), ("export", "profile"), ("export", "type")]:
        rest = {"confirm": True} if op == "delete" else {"profile": {}} if op == "edit" else {}
        refused = shared.ask({"op": op, "app": app, "accounts": ["b", {"account": "a", name: {}}], **rest})
        assert (refused.code, refused.field) == ("unknown_field", f"accounts[1].{name}")
    refused = shared.ask(create(app, profile={"level": 1, "nonsense": None}))
    assert (refused.code, refused.field) == ("unknown_field", "profile.nonsense")


@pytest.mark.parametrize("name", ["q" * 200, "é" * 100, "x" + "é" * 100, "q" * 128, "q" * 127])
def test_a_long_path_is_cut_between_characters(shared, app, name):
    refused = shared.ask(create(app, **{name: 1}))
    assert refused.code == "unknown_field" and len(refused.field.encode()) <= 128


@pytest.mark.parametrize("encode", ["json", "msgpack"])
def test_precedence(shared, app, encode):
    """One command collects faults; the worst one is answered, then mended, and the next one is answered."""
    profile = {"role": "x", "nickname": 1}
    command = {"zzz": 1, "v": 2, "op": "erase", "id": "", "profile": profile, "dry_run": 3, "type": "x"}
    steps = [
        ("unsupported_version", "v", {"v": 1}),
        ("unknown_op", "op", {"op": None}),
        ("missing_field", "op", {"op": "edit"}),
        ("missing_field", "app", {"app": "a b"}),
        ("missing_field", "account", {"account": "-"}),
        ("unknown_field", "zzz", {"zzz": None, "profile": {"zzz": 1, **profile}}),
        ("unknown_field", "profile.zzz", {"profile": profile}),
        ("invalid_field", "id", {"id": "i"}),
        ("invalid_field", "app", {"app": app}),
        ("invalid_field", "account", {"account": "a"}),
        ("invalid_field", "type", {"type": "general"}),
        ("invalid_field", "profile.nickname", {"profile": {"role": "x"}}),
        ("invalid_field", "profile.role", {"profile": {}}),
        ("invalid_field", "dry_run", {"dry_run": True}),
        ("account_not_found", None, {}),
    ]
    for code, field, change in steps:
        exchange = shared.ask(command, encode=encode)
        assert exchange.code == code
        if field:
            assert exchange.field == field
        command = {**command, **change}


def test_precedence_within_accounts(shared, app):
    bad = {"account": "b b", "profile": {"level": -1}, "if_revision": -1, "type": "x"}
    edit = {"op": "edit", "app": app, "profile": {"level": -1}, "type": "y", "accounts": ["a", bad, "", {"type": "x"}]}
    steps = [
        ("missing_field", "accounts[3].account", lambda: edit["accounts"].pop()),
        ("invalid_field", "accounts[1].account", lambda: bad.update(account="b")),
        ("invalid_field", "accounts[1].type", lambda: bad.update(type="admin")),
        ("invalid_field", "accounts[1].profile.level", lambda: bad.update(profile={})),
        ("invalid_field", "accounts[1].if_revision", lambda: bad.pop("if_revision")),
        ("invalid_field", "accounts[2]", lambda: edit["accounts"].pop()),
        ("invalid_field", "type", lambda: edit.pop("type")),
        ("invalid_field", "profile.level", lambda: edit.update(profile={})),
    ]
    for code, field, mend in steps:
        exchange = shared.ask(edit)
        assert (exchange.code, exchange.field) == (code, field)
        mend()
    assert shared.ask(edit).code == "account_not_found"


def test_account_and_accounts_together(shared, app):
    both = {"op": "get", "app": app, "account": "a", "accounts": ["b"]}
    assert shared.ask(both).field == "accounts"
    assert shared.ask({"op": "export", "app": app, "account": "a", "all": True}).field == "all"
    assert shared.ask({"op": "export", "app": app, "accounts": ["a"], "all": True}).field == "all"
    assert shared.ask({"op": "get", "app": app}).field == "account"
    assert shared.ask({"op": "export", "app": app}).field == "account"


@pytest.mark.parametrize("version", [0, 2, -1, 1.5, "1", True, [], {}])
def test_other_versions(shared, app, version):
    refused = shared.ask(create(app, v=version))
    assert (refused.code, refused.field) == ("unsupported_version", "v")


@pytest.mark.parametrize("op", ["Create", "", "drop", "create ", 1, True, [], {}])
def test_other_ops(shared, app, op):
    refused = shared.ask(create(app, op=op))
    assert (refused.code, refused.field) == ("unknown_op", "op")


def test_msgpack_bin_and_ext_are_no_strings(shared, app):
    for strange in (b"bytes", msgpack.ExtType(5, b"x"), msgpack.Timestamp(1)):
        refused = shared.ask(create(app, profile={"nickname": strange}), encode="msgpack")
        assert (refused.code, refused.field) == ("invalid_field", "profile.nickname")
        refused = shared.ask(create(app, account=strange), encode="msgpack")
        assert (refused.code, refused.field) == ("invalid_field", "account")
        refused = shared.ask(create(app, op=strange), encode="msgpack")
        assert refused.code == "unknown_op"
