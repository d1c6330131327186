"""What readers of Redis and of the changelog see, and what the settings change about commands."""

import json
import subprocess

import pytest

from servers import BUILD

CREATE = {"op": "create", "app": "demo", "account": "a"}


def test_redis_exactly(shared, app):
    profile = {"nickname": "N", "level": 7, "custom": {"Tag": "v"}}
    shared.ask({**CREATE, "app": app, "type": "admin", "profile": profile}, timestamp=1700000000123)
    shared.ask({"op": "edit", "app": app, "account": "a", "profile": {"role": 0}}, timestamp=1700000009999)
    shared.ask({**CREATE, "app": app, "account": "b"}, timestamp=5)
    assert shared.redis.hgetall(f"acct:{{{app}}}:a") == {
        "type": "admin",
        "rev": "2",
        "created_at": "1700000000123",
        "updated_at": "1700000009999",
        "nickname": "N",
        "level": "7",
        "role": "0",
        "custom.Tag": "v",
    }
    assert shared.redis.zrange(f"accounts:{{{app}}}", 0, -1, withscores=True) == [("b", 5.0), ("a", 1700000000123.0)]
    assert shared.redis.smembers(f"admins:{{{app}}}") == {"a"}
    shared.ask({"op": "delete", "app": app, "accounts": ["a", "b"], "confirm": True})
    for key in (f"acct:{{{app}}}:a", f"acct:{{{app}}}:b", f"accounts:{{{app}}}", f"admins:{{{app}}}"):
        assert shared.redis.exists(key) == 0, key


def test_redis_shows_a_change_before_its_reply(shared, app):
    for level in range(50):
        shared.ask({**CREATE, "app": app, "on_exists": "update", "profile": {"level": level}})
        assert shared.redis.hget(f"acct:{{{app}}}:a", "level") == str(level)


def test_other_keys_have_names_of_their_own(shared, app):
    shared.ask({**CREATE, "app": app})
    shared.ask({"op": "delete", "app": app, "account": "a"})
    for key in shared.redis.scan_iter(count=1000):
        public = key.startswith(("acct:{", "accounts:{", "admins:{"))
        assert public or key.startswith("accountd:") or ":{" in key, key


@pytest.mark.parametrize("revision", [None, "", "one", "0", "-1", "007", "1" * 19, "9" * 30])
def test_a_hash_without_a_revision_is_nobodys_account(world, revision):
    """It holds no command up, and nothing of it gets into the account that is then made in its place."""
    here = world(partitions=1, settings={"worker": {"threads": 1}})
    rest = {"nickname": "left over", "custom.Tag": "v", **({"rev": revision} if revision is not None else {})}
    for name in ("a", "b"):
        here.redis.hset(f"acct:{{demo}}:{name}", mapping=rest)
    assert here.ask({"op": "get", "app": "demo", "account": "a"}).code == "account_not_found"
    assert here.ask({"op": "edit", "app": "demo", "account": "a", "profile": {"level": 1}}).code == "account_not_found"
    for name in ("a", "b"):
        assert here.ask({**CREATE, "account": name}).reply["status"] == "ok"
        assert set(here.redis.hgetall(f"acct:{{demo}}:{name}")) == {"type", "rev", "created_at", "updated_at"}
    here.redis.delete("acct:{demo}:a", "acct:{demo}:b")


def test_accounts_that_are_there_though_they_are_created(world):
    """Accounts of creations are not read before, unless the last of these did exist: both ways give the same replies."""
    here = world(partitions=1, settings={"worker": {"threads": 1}})
    first = here.send(*({**CREATE, "account": f"a{n}"} for n in range(0, 300, 3)))
    assert all(exchange.reply["status"] == "ok" for exchange in first)
    here.daemons[0].stop()
    here.daemons[0].start()
    for _ in range(2):
        second = here.send(*({**CREATE, "account": f"a{n}", "profile": {"level": 1}} for n in range(300)))
    assert {exchange.code for exchange in second} == {"account_exists"}
    here.check_exactly_once()
    here.check_redis()


def test_an_outbox_that_a_process_left_half_sent(world):
    """It died behind the outbox of a batch that opens an export, and before the commit: the next batch is another one."""
    here = world(partitions=1, start=False)
    left = {"marker": "m", "messages": "x", "jobs": "x", "no_records": "1", "exports": "x", "records": "0"}
    here.redis.hset("accountd:outbox:0:next", mapping=left)
    here.daemon()
    here.ask(CREATE)
    assert here.redis.keys("accountd:exports:*") == []
    here.check_redis()


def test_changelog(shared, app):
    """Each change in its command's partition: the record, or a tombstone in words; nothing for what changes nothing."""
    for partition in (0, 1):
        name = f"a{partition}"
        mine = {"app": app, "account": name}
        exchanges = shared.send(
            {"op": "create", **mine, "profile": {"level": 1}},
            {"op": "create", **mine},
            {"op": "edit", **mine, "profile": {"level": 1}},
            {"op": "edit", **mine, "profile": {"level": 2}},
            {"op": "edit", **mine, "profile": {"level": 3}, "dry_run": True},
            {"op": "get", **mine},
            {"op": "delete", **mine},
            {"op": "create", "app": app, "accounts": [name, f"b{partition}"]},
            partition=partition,
            encode="msgpack",
        )
        keys = (f"{app}/{name}".encode(), f"{app}/b{partition}".encode())
        came = shared.changelog.wait(5, lambda message: message.key in keys)
        assert {message.partition for message in came} == {partition}
        values = [json.loads(message.value) for message in came]
        assert [value["revision"] for value in values] == [1, 2, 3, 4, 1]
        at = exchanges[6].reply["at"]
        assert values[2] == {**mine, "deleted": True, "revision": 3, "at": at}
        assert values[0]["profile"] == {"level": 1} and values[1]["profile"] == {"level": 2}
    shared.check_changelog()


def test_times_are_the_records_and_kept_within_four_digits(shared, app):
    last = {"op": "get", "app": app, "account": "a"}
    for timestamp, text in [
        (1 << 60, "9999-12-31T23:59:59.999Z"),
        (253402300800000, "9999-12-31T23:59:59.999Z"),
        (253402300799999, "9999-12-31T23:59:59.999Z"),
        (253402300799998, "9999-12-31T23:59:59.998Z"),
        (951782400001, "2000-02-29T00:00:00.001Z"),
        (1, "1970-01-01T00:00:00.001Z"),
    ]:
        made = shared.ask({**CREATE, "app": app}, timestamp=timestamp)
        assert made.reply["at"] == text
        assert shared.ask(last).reply["record"]["created_at"] == text
        shared.check_redis(app)
        shared.ask({"op": "delete", "app": app, "account": "a"})


def test_key_prefix(world):
    here = world(settings={"redis": {"key_prefix": "some:thing:"}})
    here.ask({**CREATE, "type": "admin"})
    assert here.redis.exists("some:thing:acct:{demo}:a") == 1
    here.check_redis("demo")
    assert not [key for key in here.redis.scan_iter() if not key.startswith("some:thing:")]


def test_apps_and_limits(world):
    limits = {"admins_per_app": 2, "command_bytes": 1000}
    here = world(settings={"apps": ["demo", "other"], "limits": limits})
    for name in ("a", "b"):
        assert here.ask({**CREATE, "account": name, "type": "admin"}).reply["status"] == "ok"
    assert here.ask({**CREATE, "account": "c", "type": "admin"}).code == "admin_limit"
    assert here.ask({**CREATE, "app": "other", "type": "admin"}).reply["status"] == "ok"
    refused = here.ask({**CREATE, "app": "third"})
    assert (refused.code, refused.field) == ("app_forbidden", "app")
    assert here.ask({"op": "delete", "app": "third", "accounts": ["a"]}).code == "app_forbidden"
    assert here.ask({"op": "list", "app": "third"}).code == "app_forbidden"
    assert here.ask({"op": "list", "app": "third", "limit": 0}).code == "invalid_field"
    text = json.dumps(CREATE).encode()
    assert here.ask(text + b" " * (1000 - len(text))).code == "account_exists"
    assert here.ask(text + b" " * (1001 - len(text))).code == "malformed"
    here.check_exactly_once()
    here.check_changelog()
    here.check_redis("demo", "other", "third")


def test_http(shared):
    daemon = shared.daemons[0]
    assert daemon.http("/livez")[0] == 200
    assert daemon.http("/readyz")[0] == 200
    assert daemon.http("/version")[0] == 200
    status, text = daemon.http("/metrics")
    assert status == 200 and "# TYPE accountd_" in text
    assert daemon.http("/nonsense")[0] == 404


def test_a_clean_stop_and_start_goes_on_where_it_was(world):
    here = world(start=False)
    first = here.post(CREATE)
    here.poster.flush()
    daemon = here.daemon()
    assert here.check(first).reply["revision"] == 1
    daemon.stop()
    second = here.post({"op": "edit", "app": "demo", "account": "a", "profile": {"level": 1}})
    here.poster.flush()
    daemon.start()
    assert here.check(second).reply["revision"] == 2
    assert here.ask({**CREATE, "account": "b"}, partition=1).reply["revision"] == 1
    daemon.stop()
    here.check_exactly_once()
    here.check_changelog()
    here.check_redis()


@pytest.mark.parametrize(
    "text, line",
    [
        ('kafka: { grup = "x"; };', 1),
        ('\nredis: { port = "six"; };', 2),
        ("\n\nnonsense = 1;", 3),
        ('kafka: { properties = [ "no.such.property=1" ]; };', 1),
        ("kafka: {", 1),
    ],
)
def test_a_wrong_setting_stops_the_start(tmp_path, text, line):
    config = tmp_path / "wrong.conf"
    config.write_text(text)
    for arguments in (["--check-config", "-c", str(config)], ["-c", str(config)]):
        done = subprocess.run([BUILD / "accountd", *arguments], capture_output=True, text=True, timeout=20)
        assert done.returncode != 0
        assert f"{config}:{line}: " in done.stderr, done.stderr


def test_redis_by_its_socket(world):
    here = world(partitions=1, start=False)
    here.daemon(redis={"socket": str(here.redis_server.directory / "sock"), "port": 1})
    assert here.ask({"op": "create", "app": "demo", "account": "a"}).reply["revision"] == 1
    here.check_redis()
    here.daemons[0].stop()
