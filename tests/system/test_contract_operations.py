"""Create, edit, delete and get, one and many, in both encodings. Every reply is also compared with the model."""

import pytest

pytestmark = pytest.mark.parametrize("encode", ["json", "msgpack"])

FULL = {
    "nickname": "Alice Ω",
    "avatar_url": "https://example.org/a.png?x=1#y",
    "gender": "female",
    "birthday": "1990-02-28",
    "location": "Zürich",
    "signature": "first line\n\tsecond",
    "allow_type": "need_confirm",
    "language": 7,
    "message_settings": 1,
    "admin_forbid": "send_out",
    "level": 4294967295,
    "role": 0,
    "custom": {"Tag": "value", "b": "ß"},
}


@pytest.fixture
def ask(shared, app, encode):
    def ask(op, account=None, **rest):
        named = {} if account is None else {"account": account}
        return shared.ask({"op": op, "app": app, **named, **rest}, key=b"k", encode=encode)

    ask.redis = lambda: shared.check_redis(app)
    return ask


def test_life_of_an_account(ask, shared, app):
    created = ask("create", "alice", profile=FULL, id="c-1").reply
    assert (created["id"], created["status"], created["revision"], created["changed"]) == ("c-1", "ok", 1, True)
    stored = shared.redis.hgetall(f"acct:{{{app}}}:alice")
    assert (stored["rev"], stored["level"], stored["custom.Tag"]) == ("1", "4294967295", "value")
    assert ask("get", "alice").reply["record"]["profile"] == FULL
    assert ask("create", "alice").code == "account_exists"
    assert ask("edit", "alice", profile={"nickname": "A", "role": None, "custom": {"b": None}}).reply["revision"] == 2
    assert ask("edit", "alice", profile={"custom": None}).reply["revision"] == 3
    assert "custom" not in ask("get", "alice").reply["record"]["profile"]
    ask.redis()
    assert ask("delete", "alice").reply["revision"] == 4
    assert shared.redis.exists(f"acct:{{{app}}}:alice") == 0
    assert ask("get", "alice").code == "account_not_found"
    assert ask("edit", "alice", profile={}).code == "account_not_found"
    assert ask("delete", "alice").code == "account_not_found"
    assert ask("create", "alice").reply["revision"] == 5
    ask.redis()


def test_names_are_case_sensitive_and_may_hold_dots(ask):
    for name in ("a", "A", "0.b_c@d-e", "x" * 32):
        assert ask("create", name).reply["status"] == "ok"
    ask.redis()


def test_a_change_that_changes_nothing(ask):
    ask("create", "a", profile={"level": 3, "custom": {"x": "1"}})
    for profile in ({}, {"level": 3}, {"level": 3.0}, {"role": None}, {"nickname": ""}, {"custom": {}}):
        reply = ask("edit", "a", profile=profile).reply
        assert (reply["changed"], reply["revision"]) == (False, 1), profile
    assert ask("edit", "a", profile={"custom": {"x": "1", "y": None, "z": ""}}).reply["changed"] is False
    ask.redis()


def test_null_and_empty_texts_are_not_set_at_creation(ask):
    profile = {"nickname": None, "location": "", "gender": "", "birthday": "", "avatar_url": "", "custom": {"a": ""}}
    ask("create", "a", profile=profile)
    assert ask("get", "a").reply["record"]["profile"] == {}
    ask("create", "b", profile={"custom": None})
    assert ask("get", "b").reply["record"]["profile"] == {}
    ask.redis()


def test_null_outside_the_profile_counts_as_absent(ask):
    absent = dict.fromkeys(["v", "id", "type", "profile", "on_exists", "dry_run", "accounts", "limit", "nonsense"])
    assert ask("create", "a", **absent).reply["status"] == "ok"
    assert ask("edit", "a", profile=None).field == "profile"
    assert ask("delete", accounts=["a"], confirm=None).code == "confirmation_required"


def test_on_exists(ask):
    ask("create", "a", profile={"nickname": "n", "level": 1})
    assert ask("create", "a", on_exists="error").code == "account_exists"
    skipped = ask("create", "a", on_exists="skip", type="admin", profile={"nickname": "other"}).reply
    assert (skipped["revision"], skipped["changed"]) == (1, False)
    updated = ask("create", "a", on_exists="update", profile={"level": None, "role": 2}).reply
    assert (updated["revision"], updated["changed"]) == (2, True)
    assert ask("create", "a", on_exists="update", profile={"role": 2}).reply["changed"] is False
    assert ask("create", "a", on_exists="update", type="admin").code == "immutable_field"
    assert ask("create", "b", on_exists="update").reply["revision"] == 1
    assert ask("create", "c", on_exists="skip").reply["revision"] == 1
    ask.redis()


def test_type_never_changes(ask):
    ask("create", "boss", type="admin")
    ask("create", "clerk")
    assert ask("edit", "boss", type="admin", profile={"level": 1}).reply["revision"] == 2
    assert ask("edit", "boss", type="general", profile={}).code == "immutable_field"
    assert ask("edit", "clerk", type="admin", profile={"level": 1}).code == "immutable_field"
    ask.redis()


def test_if_revision(ask):
    ask("create", "a")
    assert ask("edit", "a", profile={"level": 1}, if_revision=1).reply["revision"] == 2
    refused = ask("edit", "a", profile={"level": 2}, if_revision=1)
    assert (refused.code, refused.reply["error"]["revision"]) == ("revision_conflict", 2)
    assert ask("edit", "a", profile={"level": 2}, if_revision=0).code == "revision_conflict"
    assert ask("edit", "a", profile={"level": 1}, if_revision=2.0).reply["changed"] is False
    assert ask("delete", "a", if_revision=1).reply["error"]["revision"] == 2
    assert ask("delete", "a", if_revision=2).reply["revision"] == 3
    assert ask("delete", "a", if_revision=0).code == "account_not_found"
    assert ask("edit", "never", profile={}, if_revision=5).code == "account_not_found"
    ask.redis()


def test_state_faults_in_order_of_precedence(ask):
    ask("create", "a", profile={"custom": {chr(97 + i): "x" for i in range(20)}})
    too_many = {"custom": {"zz": "y"}}
    assert ask("edit", "a", type="admin", profile=too_many, if_revision=9).code == "revision_conflict"
    assert ask("edit", "a", type="admin", profile=too_many, if_revision=1).code == "immutable_field"
    assert ask("edit", "a", type="general", profile=too_many, if_revision=1).code == "custom_limit"
    assert ask("edit", "a", profile={"custom": {"zz": "y", "a": None}}).reply["revision"] == 2
    assert ask("create", "a", type="admin").code == "account_exists"
    ask.redis()


def test_many(ask):
    entries = ["a", {"account": "b", "type": "admin", "profile": {"level": 2}}, {"account": "c", "type": None}]
    made = ask("create", accounts=entries, profile={"level": 1}).reply
    assert (made["status"], made["counts"]) == ("ok", {"ok": 3, "error": 0})
    assert [entry["account"] for entry in made["results"]] == ["a", "b", "c"]
    assert "account" not in made and "revision" not in made
    again = ask("create", accounts=["d", "a"]).reply
    assert (again["status"], again["counts"]) == ("partial", {"ok": 1, "error": 1})
    failed = ask("create", accounts=["d", "a"]).reply
    assert (failed["status"], failed["error"]["code"]) == ("error", "account_exists")
    edits = [{"account": "a", "profile": {"role": 1}}, {"account": "b", "if_revision": 7}, "c", "x"]
    edited = ask("edit", accounts=edits, profile={"level": 9}, if_revision=1).reply
    codes = [entry.get("error", {}).get("code") for entry in edited["results"]]
    assert codes == [None, "revision_conflict", None, "account_not_found"]
    got = ask("get", accounts=["c", "a", "nobody"]).reply
    assert got["results"][0]["record"]["profile"] == {"level": 9}
    assert got["results"][1]["record"]["profile"] == {"level": 1, "role": 1}
    ask.redis()
    assert ask("delete", accounts=["a", "b"]).code == "confirmation_required"
    assert ask("delete", accounts=["a", "b"], confirm=False).code == "confirmation_required"
    assert ask("delete", accounts=["a", "b", "x"], confirm=True).reply["counts"] == {"ok": 2, "error": 1}
    assert ask("delete", accounts=[{"account": "c", "if_revision": 9}, "d"], confirm=True).reply["status"] == "partial"
    assert ask("delete", "c", confirm=True).reply["status"] == "ok"
    ask.redis()


def test_a_hundred_accounts_and_no_more(ask):
    names = [f"n{i}" for i in range(101)]
    assert ask("create", accounts=names).field == "accounts"
    assert ask("create", accounts=names[:100]).reply["counts"] == {"ok": 100, "error": 0}
    assert ask("get", accounts=names[:100]).reply["status"] == "ok"
    assert ask("delete", accounts=names[:100], confirm=True).reply["counts"] == {"ok": 100, "error": 0}
    ask.redis()


def test_a_refused_command_changes_none_of_its_accounts(ask):
    assert ask("create", accounts=["a", {"account": "b", "profile": {"level": -1}}]).code == "invalid_field"
    assert ask("get", accounts=["a", "b"]).code == "account_not_found"
    ask.redis()


def test_ten_admins(ask):
    names = [f"a{i}" for i in range(12)]
    made = ask("create", accounts=names, type="admin").reply
    assert made["counts"] == {"ok": 10, "error": 2}
    assert [entry["error"]["code"] for entry in made["results"][10:]] == ["admin_limit"] * 2
    assert ask("create", "late", type="admin").code == "admin_limit"
    assert ask("create", "late", type="admin", on_exists="update").code == "admin_limit"
    assert ask("create", "a3", type="admin").code == "account_exists"
    ask("delete", "a3")
    assert ask("create", "late", type="admin").reply["revision"] == 1
    assert ask("create", "a3", type="admin").code == "admin_limit"
    assert ask("create", "a3").reply["revision"] == 3
    ask.redis()


def test_dry_run_answers_and_changes_nothing(ask, shared):
    names = [f"a{i}" for i in range(11)]
    tried = ask("create", accounts=names, type="admin", dry_run=True).reply
    assert (tried["dry_run"], tried["counts"]) == (True, {"ok": 10, "error": 1})
    assert ask("create", "a", profile={"level": 1}, dry_run=False).reply.get("dry_run") is None
    edited = ask("edit", "a", profile={"level": 2}, dry_run=True).reply
    assert (edited["revision"], edited["changed"], edited["dry_run"]) == (2, True, True)
    assert ask("edit", "a", profile={"level": 1}, dry_run=True).reply["changed"] is False
    assert ask("delete", "a", dry_run=True).reply["revision"] == 2
    assert ask("delete", "b", dry_run=True).code == "account_not_found"
    assert ask("delete", accounts=["a"], dry_run=True).code == "confirmation_required"
    assert ask("get", "a").reply["record"]["revision"] == 1
    ask.redis()


def test_id_and_version(ask):
    first = ask("create", "a", v=1, id="!~" * 32)
    assert first.reply["id"] == "!~" * 32
    same = ask("get", "a", v=1.0, id="!~" * 32)
    assert same.reply["status"] == "ok"
    nameless = ask("get", "a")
    source = nameless.reply["source"]
    assert nameless.reply["id"] == f"{source['topic']}:{source['partition']}:{source['offset']}"
    assert ask("get", "a", v=2).code == "unsupported_version"
    assert ask("get", "a", id="a b").field == "id"


def test_all_fields_at_once_for_many_until_the_reply_is_too_large(ask):
    text = '"' * 500
    profile = {**FULL, "nickname": text, "signature": text, "custom": {chr(97 + i): text for i in range(20)}}
    names = [f"n{i}" for i in range(100)]
    assert ask("create", accounts=names, profile=profile).reply["status"] == "ok"
    assert ask("get", accounts=names).code == "reply_too_large"
    assert ask("get", accounts=names[:20]).reply["status"] == "ok"
    ask.redis()
