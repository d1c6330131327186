"""accountctl tail on the real broker: what comes, as it comes, and nothing that a terminal would obey."""

import json
import os
import re
import select
import signal
import subprocess
import time
from datetime import datetime, timezone

import pytest
from confluent_kafka import Producer

from servers import BUILD, WITH_PARENT, wait_for
from world import World

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m"


@pytest.fixture(scope="module")
def here(kafka, tmp_path_factory):
    """A world of its own: what the tests write to its topics is not the model's matter."""
    made = World(kafka, tmp_path_factory.mktemp("tail"), "tail", 2)
    yield made
    made.close()


class Tail:
    """An accountctl tail that runs, and its lines."""

    def __init__(self, world, *arguments, environment=()):
        command = [*WITH_PARENT, str(BUILD / "accountctl"), "-c", str(world.daemons[0].config), "tail", *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, env={**os.environ, **dict(environment)}, **pipes)
        self.read = b""

    def lines(self, count=None, seconds=15):
        """All lines up to the end, or so many of them as soon as they are there."""
        deadline = time.monotonic() + seconds
        while count is None or self.read.count(b"\n") < count:
            ready = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))[0]
            assert ready, f"no line came: {self.read}"
            piece = os.read(self.process.stdout.fileno(), 65536)
            if not piece:
                break
            self.read += piece
        return self.read.decode().splitlines()

    def until(self, text):
        """All lines up to one that has this."""
        while not any(text in line for line in self.lines(1)):
            self.lines(self.read.count(b"\n") + 1)
        return self.lines(1)

    def end(self, code=0):
        said = self.process.communicate(timeout=15)[1].decode()
        assert self.process.returncode == code, said
        return said

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)
        self.end()


def whole(here, count, *arguments, **how):
    """The lines from the beginning of the topic, of which there are so many."""
    tail = Tail(here, *arguments, "--from-beginning", "--count", str(count), **how)
    lines = tail.lines()
    tail.end()
    return lines


def command(op, app, account, **more):
    return {"op": op, "app": app, "account": account, **more}


def test_replies(here, app):
    here.send(command("create", app, "alice", id="c-1"), command("create", app, "alice", id="c-2"), partition=1)
    here.send(
        {"op": "delete", "app": app, "accounts": ["alice", "bob"], "confirm": True},
        command("get", app, "alice", id="c-3"),
        encode="msgpack",
    )
    lines = whole(here, 4, "replies", "--app", app)
    assert len(lines) == 4
    created = next(line for line in lines if "id=c-1" in line)
    assert f" ok create {app}/alice revision=1 id=c-1 source={here.topics.commands}:1:" in created
    refused = next(line for line in lines if "id=c-2" in line)
    assert f" error create {app}/alice code=account_exists" in refused and "message=account alice exists" in refused
    assert any(f" partial delete {app} ok=1 error=1 " in line for line in lines)
    assert any(f" error get {app}/alice code=account_not_found id=c-3" in line for line in lines)
    for number, filters in [
        (1, ["--id", "c-1"]),
        (2, ["--op", "create"]),
        (2, ["--code", "account_not_found"]),
        (4, ["--account", "alice"]),
        (1, ["--account", "bob"]),
        (1, ["--op", "create", "--code", "account_exists"]),
    ]:
        assert whole(here, number, "replies", "--app", app, *filters) == [
            line for line in whole(here, 4, "replies", "--app", app) if number == 4 or matches(line, filters)
        ], filters
    (line,) = whole(here, 1, "replies", "--app", app, "--id", "c-3", "--json")
    message = json.loads(line)
    assert message["body"]["error"]["code"] == "account_not_found" and message["kind"] == "reply"
    assert {"name": "accountd-code", "value": "account_not_found"} in message["headers"]


def matches(line, filters):
    """What a filter of the test above means, told from the line."""
    wanted = dict(zip(filters[::2], filters[1::2]))
    texts = {
        "--id": f"id={wanted.get('--id')}",
        "--op": f" {wanted.get('--op')} ",
        "--code": f"code={wanted.get('--code')}",
        "--account": " partial delete " if wanted.get("--account") == "bob" else "",
    }
    found = [texts[name] in line or (name == "--code" and " partial delete " in line) for name in wanted]
    return all(found)


def wait_reading(tail, reply):
    """Until the tail shows what comes now: `reply` makes something come."""

    def first_line():
        reply()
        return select.select([tail.process.stdout], [], [], 0.2)[0]

    wait_for("a line", first_line, 20)


def test_from_the_end_until_interrupted(here, app):
    here.send(command("create", app, "before", id="before"))
    tail = Tail(here, "replies", "--app", app)
    wait_reading(tail, lambda: here.send(command("get", app, "a")))
    here.send(command("get", app, "a", id="last"))
    tail.until("id=last")
    tail.interrupt()
    assert "id=before" not in tail.read.decode()


def test_since(here, app):
    here.send(command("create", app, "old", id="old"))
    time.sleep(6)  # so that five seconds before a tail that starts late are after it, and before what follows
    between = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    here.send(command("create", app, "new", id="new"))
    for since, shown in (("5s", ["new"]), (between, ["new"]), ("1h", ["old", "new"])):
        tail = Tail(here, "replies", "--app", app, "--since", since, "--count", str(len(shown)))
        assert sorted(re.findall(r"id=(\w+)", "".join(tail.lines()))) == sorted(shown)
        tail.end()


def test_app_from_the_environment(here, app):
    other = f"{app}x"
    here.send(command("create", app, "a", id="mine"), command("create", other, "a", id="theirs"))
    assert f" set {app}/a " in whole(here, 1, "changelog", "--app", app)[0]
    environment = {"ACCOUNTCTL_APP": other}
    assert ["id=theirs" in line for line in whole(here, 1, "replies", environment=environment)] == [True]
    lines = whole(here, 2, "replies", "--app", "", "--op", "create", environment=environment)
    assert len(lines) == 2


def test_changelog(here, app):
    here.send(command("create", app, "alice", type="admin"), command("delete", app, "alice"))
    here.ask({"op": "export", "app": app, "all": True, "id": "whole"})
    write(here.kafka, here.topics.changelog, key=f"{app}/{HOSTILE}", value=None)
    write(here.kafka, here.topics.changelog, key=b"\xff\x1b[2J", value=b"\xff" + HOSTILE.encode())
    lines = whole(here, 3, "changelog", "--app", app)
    assert lines[0].endswith(f" set {app}/alice type=admin revision=1")
    assert lines[1].endswith(f" deleted {app}/alice revision=2")
    assert lines[2].endswith(f" tombstone {app}/\\x1b]0;owned\\x07\\x1b[2J\\u009b31m")
    assert len(whole(here, 2, "changelog", "--app", app, "--account", "alice")) == 2
    tail = Tail(here, "changelog", "--from-beginning")
    lines = tail.until(" other hex:ff1b5b324a")
    assert any(" accountd accountd:export/" in line for line in lines)
    tail.interrupt()
    assert_harmless(tail.read)
    tail = Tail(here, "changelog", "--from-beginning", "--json")
    lines = tail.until('"kind":"other"')
    tail.interrupt()
    assert {json.loads(line)["kind"] for line in lines} == {"set", "deleted", "accountd", "tombstone", "other"}
    assert_harmless(tail.read)


def assert_harmless(output):
    text = output.decode()
    assert not [c for c in text if (ord(c) < 0x20 and c != "\n") or 0x7F <= ord(c) < 0xA0], text


def write(kafka, topic, partition=0, key=None, value=None, headers=None):
    producer = Producer({"bootstrap.servers": kafka.address})
    errors = []
    producer.produce(topic, value, key, partition, headers=headers, on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(10) == 0 and errors == [None]


def test_dead_letters(here, app):
    record = here.post(HOSTILE.encode(), key=HOSTILE.encode(), headers=[(HOSTILE, HOSTILE.encode())], partition=1)
    here.poster.flush()
    here.check(record)
    line = whole(here, 1, "dead-letters", "--code", "malformed")[0]
    assert line.split()[2:4] == [f"{here.topics.commands}:1:{record.offset}", "malformed"]
    (line,) = whole(here, 1, "dead-letters", "--json")
    letter = json.loads(line)
    assert letter["value"] == HOSTILE and letter["kind"] == "dead_letter" and letter["headers"][0]["name"] == HOSTILE
    assert_harmless(line.encode() + b"\n")
    ctl = [str(BUILD / "accountctl"), "-c", str(here.daemons[0].config), "dlq", "replay", "--all", "--no-wait"]
    assert subprocess.run(ctl, capture_output=True, timeout=30).returncode == 0
    # The dead letter, the note and the dead letter of what was posted again, in any order.
    lines = whole(here, 3, "dead-letters")
    assert sum(f" replayed {letter['partition']}:{letter['offset']}" in line for line in lines) == 1


def test_only_what_is_committed(here, app):
    producer = Producer({"bootstrap.servers": here.kafka.address, "transactional.id": f"{here.name}-{app}"})
    producer.init_transactions(10)
    tail = Tail(here, "replies", "--from-beginning", "--app", app)
    for end, name in ((producer.abort_transaction, "aborted"), (producer.commit_transaction, "committed")):
        producer.begin_transaction()
        body = json.dumps({"app": app, "account": HOSTILE, "status": "ok", "id": name})
        producer.produce(here.topics.replies, body, headers=[("content-type", b"application/json")], partition=0)
        producer.flush(10)
        end(10)
    (line,) = tail.lines(1)
    tail.interrupt()
    assert line.endswith(f" ok {app}/\\x1b]0;owned\\x07\\x1b[2J\\u009b31m id=committed")


def test_new_partitions(here, app):
    tail = Tail(here, "replies", "--app", app)
    body = json.dumps({"app": app, "status": "ok", "id": "new"}).encode()
    wait_reading(tail, lambda: write(here.kafka, here.topics.replies, 0, value=body))
    here.kafka.grow_topic(here.topics.replies, 3)
    write(here.kafka, here.topics.replies, 2, value=body)
    tail.until(" 2:0 ok ")
    tail.interrupt()


def test_wrong_usage(here):
    for line in (
        "",
        "commands",
        "replies changelog",
        "replies --since 1w",
        "replies --since 1h --from-beginning",
        "replies --count 0",
        "replies --code nonsense",
        "changelog --op create",
        "changelog --code malformed",
        "dead-letters --id x",
        "replies --raw",
    ):
        assert Tail(here, *line.split()).end(2), line


def test_nobody_there(here):
    tail = Tail(here, "replies", "--brokers", "127.0.0.1:1", "--timeout", "1")
    assert "127.0.0.1:1" in tail.end(6)
