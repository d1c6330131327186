"""Exports of whole apps: they go on beside the commands, and whatever happens to accountd or Redis meanwhile, each is
answered once, with a file that is whole."""

import random
import signal
import threading

import pytest

import exports
from generator import SMALL, answered
from oracle.accounts import as_time
from servers import wait_for
from test_recovery import emptied, metric, recoveries, restarted_without_persistence, rolled_back
from world import World

pytestmark = pytest.mark.long

ACCOUNTS = 6_000


def fill(here, count=ACCOUNTS, app="demo"):
    """Accounts by the hundred, with what spreadsheets and parsers stumble over."""
    for start in range(0, count, 100):
        entries = [{"account": f"n{i}", "profile": profile(i)} for i in range(start, min(start + 100, count))]
        here.post({"op": "create", "app": app, "accounts": entries}, partition=start // 100 % here.partitions)
    here.poster.flush()
    for record in here.posted[:]:
        here.check(record, 60)


def profile(i):
    return {
        "nickname": ["=1+1", 'quo"ted', "línea, 日本 🎉", "plain"][i % 4] + str(i),
        "level": i % 100,
        "custom": {"a": f"b{i}", "note": "x" * (i % 150)},
    }


def ask_for(app="demo", **options):
    return {"op": "export", "app": app, "all": True, **options}


@pytest.fixture(scope="module")
def filled(kafka, tmp_path_factory):
    here = World(kafka, tmp_path_factory.mktemp("filled"), "filled", partitions=2)
    try:
        fill(here)
        yield here
        here.check_exactly_once()
        here.check_changelog()
        here.check_redis()
        here.daemons[0].stop()
    finally:
        here.close()


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
@pytest.mark.parametrize("form", ["ndjson", "json", "csv", "msgpack"])
def test_every_format(filled, form, compression):
    exchange = filled.ask(ask_for(format=form, compression=compression))
    assert exchange.reply["export"]["accounts"] == ACCOUNTS
    assert exchange.reply["export"]["attempt"] == 1
    if compression == "none":
        assert exchange.reply["export"]["chunks"] > 1
    exports.check(filled, exchange)


def test_chosen_columns(filled):
    exports.check(filled, filled.ask(ask_for(format="csv", fields=["account", "nickname", "level"])))
    exports.check(filled, filled.ask(ask_for(fields=["account", "custom"])))


# ---- Which accounts


@pytest.fixture(scope="module")
def dated(filled):
    """An app whose accounts were made and changed a second apart; the fourth is an admin's."""
    at = 1_795_000_000_000
    for i in range(10):
        filled.ask(
            {"op": "create", "app": "dated", "account": f"d{i}", "type": "admin" if i == 3 else "general"},
            timestamp=at + 1000 * i,
        )
    for i in (2, 3, 7):
        filled.ask(
            {"op": "edit", "app": "dated", "account": f"d{i}", "profile": {"level": 1}}, timestamp=at + 60_000 + i
        )
    return lambda ms: as_time(at + ms)


CHOICES = {
    "all": ({}, "0123456789"),
    "admins": ({"type": "admin"}, "3"),
    "general": ({"type": "general"}, "012456789"),
    "after": ({"created_after": 4000}, "456789"),
    "just after": ({"created_after": 4001}, "56789"),
    "before": ({"created_before": 4000}, "0123"),
    "just before": ({"created_before": 4001}, "01234"),
    "between": ({"created_after": 2000, "created_before": 6000}, "2345"),
    "none of them": ({"created_after": 6000, "created_before": 2000}, ""),
    "too late": ({"created_after": 10**8}, ""),
    "too early": ({"created_before": -(10**8)}, ""),
    "changed": ({"updated_after": 60_000}, "237"),
    "changed lately": ({"updated_after": 60_003}, "37"),
    "changed after all": ({"updated_after": 60_008}, ""),
    "all of it": ({"type": "general", "created_after": 1000, "created_before": 7000, "updated_after": 60_000}, "2"),
}


@pytest.mark.parametrize("name", CHOICES)
def test_chosen_accounts(filled, dated, name):
    choice, wanted = CHOICES[name]
    choice = {key: dated(value) if isinstance(value, int) else value for key, value in choice.items()}
    exchange = filled.ask(ask_for("dated", **choice))
    records = exports.read_ndjson(exports.check(filled, exchange))
    assert [record["account"] for record in records] == [f"d{digit}" for digit in wanted]
    said = exchange.reply["export"]
    assert said["read"] == said["accounts"] + said["gone"] + said["left_out"]


def test_the_next_piece_of_a_large_app(filled):
    """Half-open intervals leave no account out and have none twice, wherever they meet."""
    whole = exports.read_ndjson(exports.check(filled, filled.ask(ask_for(fields=["account", "created_at"]))))
    times = sorted({record["created_at"] for record in whole})
    cuts = [times[len(times) * i // 4] for i in range(1, 4)]
    pieces = []
    for after, before in zip([None, *cuts], [*cuts, None]):
        exchange = filled.ask(ask_for(created_after=after, created_before=before, fields=["account", "created_at"]))
        pieces += exports.read_ndjson(exports.check(filled, exchange))
    assert pieces == whole


WRONG = {
    "type": [{"type": "owner"}, {"type": 1}],
    "created_after": [{"created_after": value} for value in (1, "", "2026-11-22", "2026-11-22T20:09:08Z", "2026-02-30T00:00:00.000Z")],
    "created_before": [{"created_before": "2026-11-22T20:09:08.123+00:00"}],
    "updated_after": [{"updated_after": ["2026-11-22T20:09:08.123Z"]}, {"updated_after": "9" * 40}],
}


@pytest.mark.parametrize("field", WRONG)
def test_a_choice_that_is_none(filled, field):
    for choice in WRONG[field]:
        reply = filled.ask(ask_for(**choice)).reply
        assert (reply["error"]["code"], reply["error"]["field"]) == ("invalid_field", field), reply


def test_a_choice_without_all(filled):
    for field, value in (("type", "general"), ("updated_after", "2026-11-22T20:09:08.123Z"), ("created_before", 5)):
        for about in ({"account": "n1"}, {"accounts": ["n1"]}, {"account": "n1", "all": False}):
            reply = filled.ask({"op": "export", "app": "demo", field: value, **about}).reply
            assert (reply["error"]["code"], reply["error"]["field"]) == ("invalid_field", field), reply
    reply = filled.ask({"op": "export", "app": "demo", "accounts": [{"account": "n1", "type": "general"}]}).reply
    assert (reply["error"]["code"], reply["error"]["field"]) == ("unknown_field", "accounts[0].type")
    assert filled.ask({"op": "list", "app": "demo", "created_after": 5}).code == "unknown_field"


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
@pytest.mark.parametrize("form", ["ndjson", "json", "csv", "msgpack"])
def test_an_app_without_accounts(filled, form, compression):
    exchange = filled.ask(ask_for("empty", format=form, compression=compression))
    assert exchange.reply["export"]["accounts"] == 0
    exports.check(filled, exchange)


def test_many_wait_in_line(filled):
    """More than are made at once; the commands after them are answered meanwhile, out of turn."""
    records = [filled.post(ask_for(id=f"job-{i}", compression="zstd"), partition=i % 2) for i in range(6)]
    later = filled.ask({"op": "get", "app": "demo", "account": "n1"}, partition=0)
    assert later.reply["status"] == "ok"
    assert metric(filled.daemons[0], "accountd_exports_open") > 0
    for record in records:
        exports.check(filled, filled.check(record, 60))
    assert metric(filled.daemons[0], "accountd_exports_open") == 0


@pytest.mark.parametrize("limit", [1, 3])
def test_so_many_are_made_at_once(world, limit):
    """limits.exports of them, and the others begin as these end."""
    here = world(partitions=2, settings={"limits": {"exports": limit}})
    fill(here)
    records = [here.post(ask_for(id=f"job-{i}", compression="gzip"), partition=i % 2) for i in range(8)]
    here.poster.flush()
    running = set()

    def answered_all():
        running.add(metric(here.daemons[0], "accountd_exports_running"))
        return all(map(here.messages_of, records))

    wait_for(here.logs, answered_all, 90)
    assert max(running) == limit, running
    check_exports(here, records)
    here.daemons[0].stop()


def test_one_partition_takes_so_many(filled):
    records = [filled.post(ask_for(fields=["account"])) for _ in range(80)]
    filled.poster.flush()
    replies = [filled.reply_to(record, 60).body() for record in records]
    refused = [reply for reply in replies if reply["status"] == "error"]
    assert refused and len(replies) - len(refused) >= 64
    for reply in refused:
        assert reply["error"]["code"] == "internal" and "waiting already" in reply["error"]["message"]


def test_a_command_that_is_too_long_for_it(filled):
    record = filled.post({**ask_for(), "id": "long"}, headers=[("x", b"y" * 17_000)])
    filled.poster.flush()
    error = filled.reply_to(record).body()["error"]
    assert (error["code"], error["field"]) == ("invalid_field", "all")


def test_memory_does_not_grow_with_the_app(filled):
    daemon = filled.daemons[0]
    before = daemon.resident_kb()
    for _ in range(5):
        filled.ask(ask_for(format="json", compression="gzip"))
    assert daemon.resident_kb() - before < 16_000


@pytest.mark.parametrize("size", [1024, 5000])
def test_small_chunks(world, size):
    """limits.chunk_bytes is the bound of every chunk, of exports of all and of named accounts."""
    here = world(settings={"limits": {"chunk_bytes": size}})
    fill(here, 100)
    for about in ({"all": True}, {"accounts": [f"n{i}" for i in range(100)]}):
        exchange = here.ask({"op": "export", "app": "demo", **about})
        exports.check(here, exchange)
        source = exchange.reply["export"]["source"].encode()
        chunks = here.exports.select(
            lambda m: m.header("export-source") == source and m.header("export-manifest") is None
        )
        # A sweep that takes long sends what it has each second.
        sizes = [len(chunk.value) for chunk in chunks]
        assert len(chunks) > 1 and 0 < min(sizes) and max(sizes) == size
    here.daemons[0].stop()


# ---- What happens meanwhile


def begun(here):
    return sum(daemon.told(": attempt ") for daemon in here.daemons)


def check_exports(here, records):
    """Every one is answered once, with a file of all accounts."""
    for record in records:
        exports.check(here, here.check(record, 90))
    here.check_exactly_once()
    here.check_changelog()
    here.check_redis()


def test_killed_in_the_middle(world, seed):
    """Attempts are cut short at any moment of theirs; the file is that of one attempt."""
    chance = random.Random(seed)
    here = world(partitions=2, settings=SMALL)
    daemon = here.daemons[0]
    fill(here)
    records = [here.post(ask_for(id=f"job-{i}", compression="gzip"), partition=i % 2) for i in range(4)]
    here.poster.flush()
    for _ in range(6):
        before = begun(here)
        wait_for(here.logs, lambda: begun(here) > before or all(map(here.messages_of, records)), 30, every=0.002)
        threading.Event().wait(chance.random() * 0.1)
        daemon.kill()
        daemon.start(ready=False)
    check_exports(here, records)
    attempts = [here.reply_to(record).body()["export"]["attempt"] for record in records]
    assert max(attempts) > 1, attempts
    daemon.stop()


@pytest.mark.parametrize("loss", [emptied, restarted_without_persistence, rolled_back])
def test_redis_lost_in_the_middle(world, loss):
    """The job comes back from the changelog; a file of what Redis was before is not named."""
    here = world(partitions=2)
    here.redis.save()
    fill(here)
    records = [here.post(ask_for(id=f"job-{i}", compression="gzip"), partition=i % 2) for i in range(2)]
    here.poster.flush()
    wait_for(here.logs, lambda: begun(here) >= 1, 30, every=0.002)
    loss(here)
    wait_for(here.logs, lambda: recoveries(here) >= 1, 60)
    check_exports(here, records)
    here.daemons[0].stop()


def test_processes_come_and_go(world):
    here = world(partitions=4, settings=SMALL)
    fill(here)
    records = [here.post(ask_for(id=f"job-{i}", compression="gzip"), partition=i % 4) for i in range(8)]
    here.poster.flush()
    wait_for(here.logs, lambda: begun(here) >= 1, 30, every=0.002)
    second = here.daemon(start=False)
    second.start(ready=False)
    second.wait_ready()
    here.daemons[0].send(signal.SIGSTOP)
    wait_for(here.logs, lambda: ": attempt " in second.log() or all(map(here.messages_of, records)), 30)
    here.daemons[0].send(signal.SIGCONT)
    check_exports(here, records)
    for daemon in here.daemons:
        daemon.stop()


def test_changes_meanwhile(world):
    """An export beside commands that create, edit and delete: what none of them touches is in it, and nothing twice."""
    here = world(partitions=2, settings=SMALL)
    fill(here, 5000)
    records = []
    for i in range(3000):
        here.post({"op": "create", "app": "demo", "account": f"m{i}"}, partition=0)
        here.post({"op": "edit", "app": "demo", "account": f"m{i}", "profile": {"level": 1}}, partition=0)
        if i % 2:
            here.post({"op": "delete", "app": "demo", "account": f"m{i - 1}"}, partition=0)
        if i % 300 == 0:
            records.append(here.post(ask_for(id=f"job-{i}"), partition=1))
    here.poster.flush()
    wait_for(here.logs, lambda: answered(here) >= len(here.posted), 90)
    for record in records:
        reply = here.reply_to(record).body()
        said = reply["export"]
        assert said["read"] == said["accounts"] + said["gone"] and said["left_out"] == 0
        joined = exports.fetch(here, Made(record, reply))
        names = [entry["account"] for entry in exports.read_ndjson(joined)]
        assert len(names) == len(set(names)) == reply["export"]["accounts"]
        assert {f"n{i}" for i in range(5000)} <= set(names)
    here.check_exactly_once()
    here.daemons[0].stop()


class Made:
    def __init__(self, record, reply):
        self.record = record
        self.reply = reply
