"""Exactly one effect and exactly one reply for each command, whatever happens to the processes and connections."""

import collections
import json
import os
import random
import signal
import time

import pytest

import exports
from generator import Load
from oracle.accounts import Account, App, merged
from servers import wait_for

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]

# Small batches, so that a moment chosen at random falls between the steps of one.
SMALL = {"worker": {"threads": 2, "batch_max": 20}}


@pytest.fixture
def seed():
    value = int(os.environ.get("SEED") or random.SystemRandom().randrange(2**32))
    print(f"SEED={value}")
    return value


def answered(world):
    return sum(len(tap.since()) for tap, _ in world.reply_taps)


def check_everything(world):
    """Every reply, change, dead letter, export and hash against the model."""
    total = len(world.posted)
    wait_for(lambda: f"{total} replies, got {answered(world)}\n{world.logs()}", lambda: answered(world) >= total, 90)
    exchanges = [world.check(record) for record in world.posted]
    world.check_exactly_once()
    world.check_changelog()
    world.check_redis()
    dead = [(m.partition, dict(m.headers)["__dlq.errors.offset"]) for m in world.dead_letters.drain()]
    expected = [(e.record.partition, str(e.record.offset).encode()) for e in exchanges if e.expected.dead]
    assert sorted(dead) == sorted(expected)
    world.exports.drain()
    for exchange in exchanges:
        if exchange.expected.file:
            exports.check(world, exchange)
    codes = collections.Counter(exchange.code or exchange.reply["status"] for exchange in exchanges)
    print(f"{total} commands answered once each: {dict(codes)}")


@pytest.mark.parametrize("processes", [1, 2])
def test_killed_again_and_again_under_load(world, seed, processes):
    chance = random.Random(seed)
    load = Load(seed, partitions=4)
    here = world(partitions=4, settings=SMALL)
    if processes == 2:
        here.daemon()
    kills, burst = 20, 1000
    for _ in range(kills):
        load.post(here, burst)
        victim = chance.choice(here.daemons)
        wait_until_it_works(here, chance, burst)
        victim.kill()
        victim.start(ready=False)
    check_everything(here)
    print(f"{kills} kills, {processes} process(es)")
    for daemon in here.daemons:
        daemon.wait_ready()
        daemon.stop()


def wait_until_it_works(world, chance, burst):
    """Mostly until some replies of the burst are there, and a moment more; sometimes just a moment."""
    if chance.random() < 0.25:
        time.sleep(chance.uniform(0, 2))
        return
    wanted = max(answered(world), len(world.posted) - burst) + chance.randint(1, burst // 2)
    wanted = min(wanted, len(world.posted))
    wait_for(lambda: f"{wanted} replies, got {answered(world)}\n{world.logs()}", lambda: answered(world) >= wanted, 30, 0.001)
    time.sleep(chance.uniform(0, 0.03))


def test_a_process_more_and_a_process_less(world, seed):
    load = Load(seed, partitions=4)
    here = world(partitions=4, settings=SMALL)
    first = here.daemons[0]
    load.post(here, 2000)
    second = here.daemon(start=False)
    second.start(ready=False)
    for _ in range(10):
        load.post(here, 300)
        time.sleep(0.1)
    second.wait_ready()
    load.post(here, 2000)
    first.stop()
    load.post(here, 2000)
    first.start(ready=False)
    load.post(here, 2000)
    second.stop()
    load.post(here, 500)
    check_everything(here)
    first.stop()


def test_a_process_that_sleeps_through_its_replacement(world, seed):
    chance = random.Random(seed)
    load = Load(seed, partitions=4)
    here = world(partitions=4, settings=SMALL)
    here.daemon()
    for turn in range(4):
        sleeper = here.daemons[turn % 2]
        load.post(here, 1500)
        wait_until_it_works(here, chance, 1500)
        sleeper.send(signal.SIGSTOP)
        load.post(here, 500)
        # Longer than session.timeout.ms: the other one gets the partitions and serves them.
        wait_for(lambda: f"all replies\n{here.logs()}", lambda: answered(here) >= len(here.posted), 30)
        sleeper.send(signal.SIGCONT)
        load.post(here, 500)
    check_everything(here)
    for daemon in here.daemons:
        daemon.stop()


@pytest.mark.parametrize("processes", [1, 2])
def test_the_same_accounts_through_two_partitions(world, seed, processes):
    """Any order between the partitions is right, but it must be one order: revisions 1, 2, 3 … each from a
    command that was possible then, and in the end exactly that in Redis."""
    chance = random.Random(seed)
    here = world(partitions=2, settings=SMALL)
    if processes == 2:
        here.daemon()
    commands = {}
    for number in range(3000):
        name = f"n{chance.randrange(15)}"
        command = {"app": "demo", "account": name, "op": chance.choices(["create", "edit", "delete"], [3, 8, 2])[0]}
        if command["op"] != "delete":
            command["profile"] = {"level": number, "custom": {chance.choice("abc"): str(number)}}
        record = here.post(command, partition=number % 2, timestamp=1700000000000 + number)
        commands[number] = (record, command)
    here.poster.flush()
    answers = [(record, command, here.reply_to(record, 60).body()) for record, command in commands.values()]
    here.check_exactly_once()
    app = App()
    for name in {command["account"] for _, command, _ in answers}:
        replay(app, name, [answer for answer in answers if answer[1]["account"] == name])
    here.model.apps["demo"] = app
    here.check_redis("demo")
    check_last_changes(here, app)


def replay(app, name, answers):
    done = sorted((a for a in answers if a[2]["status"] == "ok"), key=lambda answer: answer[2]["revision"])
    assert [reply["revision"] for _, _, reply in done] == list(range(1, len(done) + 1)), name
    profile, exists, offsets, created = {}, False, {0: -1, 1: -1}, None
    for record, command, reply in done:
        assert record.offset > offsets[record.partition], f"{name}: out of its partition's order"
        offsets[record.partition] = record.offset
        assert exists == (command["op"] != "create"), f"{name}: {command['op']} at revision {reply['revision']}"
        if command["op"] == "create":
            profile, created = {}, record.timestamp
        exists = command["op"] != "delete"
        profile = merged(profile, command.get("profile", {}))
    if exists:
        app.accounts[name] = Account("general", len(done), created, done[-1][0].timestamp, profile)


def check_last_changes(world, app):
    """Of all values of a changelog key, the one of the highest revision is the account as it is."""
    newest = {}
    for message in world.changelog.drain():
        value = json.loads(message.value)
        newest[value["account"]] = max(newest.get(value["account"], value), value, key=lambda v: v["revision"])
    alive = {name: value for name, value in newest.items() if "deleted" not in value}
    assert alive == {name: account.record("demo", name) for name, account in app.accounts.items()}


@pytest.mark.parametrize("processes", [1, 2])
def test_never_more_than_ten_admins_through_two_partitions(world, seed, processes):
    chance = random.Random(seed)
    here = world(partitions=2, settings=SMALL)
    if processes == 2:
        here.daemon()
    records = []
    for number in range(60):
        command = {"op": "create", "app": "demo", "type": "admin", "account": f"n{chance.randrange(40)}"}
        records.append((here.post(command, partition=number % 2), command))
    here.poster.flush()
    replies = [(command["account"], here.reply_to(record, 60).body()) for record, command in records]
    made = [name for name, reply in replies if reply["status"] == "ok"]
    assert len(made) == 10 and len(set(made)) == 10
    assert here.redis.smembers("admins:{demo}") == set(made)
    refused = {(name in made, reply["error"]["code"]) for name, reply in replies if reply["status"] == "error"}
    assert refused <= {(False, "admin_limit"), (True, "account_exists")}
    # Now they come and go: replayed in any order that fits, there are never more than ten.
    for number in range(400):
        name = f"n{chance.randrange(14)}"
        command = {"op": chance.choice(["create", "delete"]), "app": "demo", "account": name}
        command.update({"type": "admin"} if command["op"] == "create" else {})
        records.append((here.post(command, partition=number % 2), command))
        if number % 20 == 0:
            here.poster.flush()
            assert here.redis.scard("admins:{demo}") <= 10
    here.poster.flush()
    alive = {}
    for record, command in records:
        reply = here.reply_to(record, 60).body()
        if reply["status"] == "ok":
            alive.setdefault(command["account"], []).append((reply["revision"], command["op"]))
    names = {name for name, steps in alive.items() if max(steps)[1] == "create"}
    assert here.redis.smembers("admins:{demo}") == names and len(names) <= 10
    here.check_exactly_once()
