"""Exports: every format and compression, columns, chunks, manifest, checksums, and what the reply says."""

import pytest

import exports

PROFILES = {
    "plain": {},
    "full": {
        "nickname": 'comma, "quote"',
        "avatar_url": "https://example.org/a.png?x=1#y",
        "gender": "female",
        "birthday": "1990-02-28",
        "location": "-minus",
        "signature": "one\n\ttwo",
        "allow_type": "deny_any",
        "language": 7,
        "message_settings": 0,
        "admin_forbid": "none",
        "level": 4294967295,
        "role": 1,
        "custom": {"Tag": '"quoted", value', "b": "Ω"},
    },
    "formula": {"nickname": "=1+1", "location": "+4912", "signature": "@home"},
    "quoted": {"nickname": "'tis", "signature": "\tindented", "location": "-"},
    "lines": {"signature": "\n", "nickname": "''"},
}


@pytest.fixture(scope="module")
def filled(shared):
    app = "exports"
    for name, profile in PROFILES.items():
        kind = "admin" if name == "full" else "general"
        shared.ask({"op": "create", "app": app, "account": name, "type": kind, "profile": profile})
    return app


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
@pytest.mark.parametrize("form", ["ndjson", "json", "csv", "msgpack"])
def test_every_format(shared, filled, form, compression):
    named = {"op": "export", "app": filled, "accounts": list(PROFILES)}
    exchange = shared.ask({**named, "format": form, "compression": compression})
    assert exchange.reply["export"]["accounts"] == len(PROFILES)
    exports.check(shared, exchange)


def test_defaults(shared, filled):
    exchange = shared.ask({"op": "export", "app": filled, "account": "full", "id": "mine-1"}, key=b"some key")
    said = exchange.reply["export"]
    assert (said["format"], said["compression"], said["export_id"]) == ("ndjson", "none", "mine-1")
    assert (said["chunks"], said["attempt"], said["not_found"]) == (1, 1, [])
    exports.check(shared, exchange)


def test_order_of_columns(shared, filled):
    exchange = shared.ask({"op": "export", "app": filled, "account": "full", "format": "csv"})
    header = exports.check(shared, exchange).split(b"\r\n")[0].decode()
    assert header == (
        "app,account,type,revision,created_at,updated_at,nickname,avatar_url,gender,birthday,location,"
        "signature,allow_type,language,message_settings,admin_forbid,level,role,custom"
    )


@pytest.mark.parametrize("form", ["ndjson", "json", "csv", "msgpack"])
@pytest.mark.parametrize("columns", [["nickname", "account"], ["account"], ["custom", "level", "updated_at"], ["role"]])
def test_chosen_columns(shared, filled, form, columns):
    named = {"op": "export", "app": filled, "accounts": ["full", "plain"]}
    exports.check(shared, shared.ask({**named, "format": form, "fields": columns}))


def test_cells_that_a_spreadsheet_would_run(shared, filled):
    columns = {"format": "csv", "fields": ["nickname", "location", "signature"]}
    named = {"op": "export", "app": filled, "accounts": ["formula", "quoted"], **columns}
    text = exports.check(shared, shared.ask(named)).decode()
    lines = text.split("\r\n")
    assert lines[1].replace('"', "") == "'=1+1,'+4912,'@home"
    assert lines[2].replace('"', "") == "''tis,'-,'\tindented"


def test_some_are_not_there(shared, filled):
    exchange = shared.ask({"op": "export", "app": filled, "accounts": ["nobody", "plain", "no.one", "full"]})
    assert exchange.reply["status"] == "partial"
    assert exchange.reply["export"]["not_found"] == ["nobody", "no.one"]
    exports.check(shared, exchange)


def test_none_is_there(shared, filled):
    missing = shared.send(
        {"op": "export", "app": filled, "account": "nobody"},
        {"op": "export", "app": filled, "accounts": ["nobody", "no.one"]},
    )
    for exchange in missing:
        assert exchange.code == "account_not_found" and "export" not in exchange.reply
    shared.exports.drain()
    sources = {f"{e.record.topic}:{e.record.partition}:{e.record.offset}".encode() for e in missing}
    assert not shared.exports.select(lambda message: message.header("export-source") in sources)


@pytest.mark.parametrize("form", ["ndjson", "csv"])
def test_a_hundred_large_accounts_in_chunks(shared, app, form):
    text = "é" * 250
    profile = {"nickname": text, "signature": text, "custom": {chr(97 + i): text for i in range(20)}}
    names = [f"n{i}" for i in range(100)]
    shared.ask({"op": "create", "app": app, "accounts": names, "profile": profile})
    exchange = shared.ask({"op": "export", "app": app, "accounts": names, "format": form})
    assert exchange.reply["export"]["chunks"] > 1
    exports.check(shared, exchange)


def test_an_export_shows_its_moment(shared, app):
    """Posted together: the file holds what the commands before it made, and nothing of those after."""
    edit = {"op": "edit", "app": app, "account": "a"}
    exchanges = shared.send(
        {"op": "create", "app": app, "account": "a", "profile": {"level": 1}},
        {"op": "export", "app": app, "account": "a"},
        {**edit, "profile": {"level": 2}},
        {"op": "export", "app": app, "account": "a", "id": "same"},
        {"op": "delete", "app": app, "account": "a"},
        {"op": "export", "app": app, "account": "a", "id": "same"},
    )
    for index in (1, 3):
        exports.check(shared, exchanges[index])
    assert exchanges[5].code == "account_not_found"


def test_msgpack_command_gets_a_msgpack_reply_and_a_json_manifest(shared, filled):
    exchange = shared.ask({"op": "export", "app": filled, "account": "full", "format": "json"}, encode="msgpack")
    assert exchange.message.header("content-type").endswith(b"msgpack")
    exports.check(shared, exchange)


@pytest.mark.parametrize("form", ["ndjson", "json", "csv", "msgpack"])
def test_the_whole_app(shared, app, form):
    shared.send(*({"op": "create", "app": app, "account": f"n{i}", "profile": {"level": i}} for i in range(250)))
    exchange = shared.ask({"op": "export", "app": app, "all": True, "format": form, "compression": "gzip"})
    assert exchange.reply["export"]["accounts"] == 250
    exports.check(shared, exchange)
