"""The same accounts through two partitions at once. Any order between the partitions is right, but it must be
ONE order, the same for replies, Redis and changelog."""

import json
import random

import pytest

from generator import SMALL, wait_until_it_works
from oracle.accounts import Account, App, merged

pytestmark = [pytest.mark.long, pytest.mark.timeout(200)]


@pytest.mark.parametrize("processes, kills", [(1, 0), (2, 0), (2, 8)])
def test_revisions_without_a_gap(world, seed, processes, kills):
    """Revisions 1, 2, 3 …, each from a command that was possible then; reads show one of these moments."""
    chance = random.Random(seed)
    here = world(partitions=2, settings=SMALL)
    if processes == 2:
        here.daemon()
    commands = []
    for _ in range(max(kills, 1)):
        for number in range(len(commands), len(commands) + 3000 // max(kills, 1)):
            commands.append(post_one(here, chance, number))
        here.poster.flush()
        if kills:
            victim = chance.choice(here.daemons)
            wait_until_it_works(here, chance, 300)
            victim.kill()
            victim.start(ready=False)
    answers = [(record, command, here.reply_to(record, 60).body()) for record, command in commands]
    here.check_exactly_once()
    app = App()
    for name in {command["account"] for _, command, _ in answers}:
        replay(app, name, [answer for answer in answers if answer[1]["account"] == name])
    here.model.apps["demo"] = app
    here.check_redis("demo")
    check_last_changes(here, app)


def post_one(world, chance, number):
    op = chance.choices(["create", "edit", "delete", "get"], [3, 8, 2, 2])[0]
    command = {"app": "demo", "account": f"n{chance.randrange(15)}", "op": op}
    if op in ("create", "edit"):
        command["profile"] = {"level": number, "custom": {chance.choice("abc"): str(number)}}
    return world.post(command, partition=number % 2, timestamp=1700000000000 + number), command


def replay(app, name, answers):
    """Puts an account's commands in the order that their revisions claim, and does them again."""
    done = [answer for answer in answers if answer[2]["status"] == "ok" and answer[1]["op"] != "get"]
    done.sort(key=lambda answer: answer[2]["revision"])
    assert [reply["revision"] for _, _, reply in done] == list(range(1, len(done) + 1)), name
    offsets, history = {0: -1, 1: -1}, [None]
    for record, command, reply in done:
        account = history[-1]
        assert reply["changed"] is True
        assert record.offset > offsets[record.partition], f"{name}: out of its partition's order"
        offsets[record.partition] = record.offset
        assert (account is None) == (command["op"] == "create"), f"{name}: {command['op']} at {reply['revision']}"
        created = account.created_ms if account else record.timestamp
        profile = merged(account.profile if account else {}, command.get("profile", {}))
        after = Account("general", reply["revision"], created, record.timestamp, profile)
        history.append(None if command["op"] == "delete" else after)
    for _, command, reply in answers:
        if command["op"] == "get" and reply["status"] == "ok":
            seen = reply["record"]
            assert seen == history[seen["revision"]].record("demo", name)
        elif reply["status"] == "error":
            wanted = "account_exists" if command["op"] == "create" else "account_not_found"
            assert reply["error"]["code"] == wanted
    if history[-1]:
        app.accounts[name] = history[-1]


def check_last_changes(world, app):
    """Of all values of a changelog key, the one of the highest revision is the account as it is."""
    newest = {}
    for message in world.changelog.drain():
        value = json.loads(message.value)
        newest[value["account"]] = max(newest.get(value["account"], value), value, key=lambda v: v["revision"])
    alive = {name: value for name, value in newest.items() if "deleted" not in value}
    assert alive == {name: account.record("demo", name) for name, account in app.accounts.items()}


@pytest.mark.parametrize("processes", [1, 2])
def test_never_more_than_ten_admins(world, seed, processes):
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
