"""accountd --embedded: everything a producer's author needs, from one command, until Ctrl-C."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
import redis
from confluent_kafka import Producer

from client import Poster, Tap
from oracle import Model, differences
from oracle.routing import Topics
from servers import BUILD, WITH_PARENT, wait_for

NAMES = {role: f"account.{role.replace('_', '-')}" for role in ("commands", "replies", "exports", "changelog", "dead_letters")}


class Embedded:
    def __init__(self, directory):
        self.output = directory / "stdout"
        self.errors = directory / "stderr"
        with open(self.output, "wb") as output, open(self.errors, "wb") as errors:
            self.process = subprocess.Popen(
                [*WITH_PARENT, BUILD / "accountd", "--embedded"], cwd=directory, stdout=output, stderr=errors
            )
        addresses = wait_for(lambda: f"the addresses: {self.said()}", self.addresses, 30)
        self.brokers, self.redis_address = addresses

    def said(self):
        return self.output.read_text() + self.errors.read_text()

    def addresses(self):
        assert self.process.poll() is None, self.said()
        found = [re.search(rf"^{name}: (\S+:\d+)$", self.output.read_text(), re.M) for name in ("kafka", "redis")]
        return [match.group(1) for match in found] if all(found) else None

    def descendants(self):
        """Processes that this one started, directly or not."""
        parents = {}
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
        family = {self.process.pid}
        while True:
            more = {pid for pid, parent in parents.items() if parent in family} - family
            if not more:
                return family - {self.process.pid}
            family |= more


@pytest.fixture
def embedded(tmp_path):
    started = Embedded(tmp_path)
    yield started
    if started.process.poll() is None:
        started.process.send_signal(signal.SIGTERM)
        started.process.wait(20)


def test_main_operations(embedded):
    poster = Poster(embedded.brokers, NAMES["commands"])
    replies = Tap(embedded.brokers, NAMES["replies"])
    exported = Tap(embedded.brokers, NAMES["exports"])
    count = len(replies.positions)
    model = Model(Topics(**NAMES, partitions=dict.fromkeys(NAMES.values(), count)))
    commands = [
        {"op": "create", "app": "demo", "account": "alice", "profile": {"nickname": "Alice", "level": 3}},
        {"op": "create", "app": "demo", "account": "boss", "type": "admin"},
        {"op": "create", "app": "demo", "accounts": ["b", {"account": "c", "profile": {"role": 1}}]},
        {"op": "edit", "app": "demo", "account": "alice", "profile": {"level": None, "custom": {"a": "b"}}},
        {"op": "get", "app": "demo", "account": "alice"},
        {"op": "list", "app": "demo"},
        {"op": "delete", "app": "demo", "accounts": ["b", "nobody"], "confirm": True},
        {"op": "export", "app": "demo", "accounts": ["alice", "boss"], "format": "csv"},
        {"op": "create", "app": "demo", "account": "alice"},
        b"rubbish",
    ]
    try:
        for number, command in enumerate(commands):
            encode = "json" if number % 2 else "msgpack"
            record = poster.post(command, key=b"k", headers=[("kafka_correlationId", b"\0\1")], encode=encode)
            poster.flush()
            place = (record.topic, record.partition, record.offset)
            message = replies.wait(1, lambda m: m.source() == place, what=f"replies to {command}")[0]
            assert not differences(model.apply(record).reply, message.body())
            assert message.header("kafka_correlationId") == b"\0\1"
        assert exported.wait(2, what="chunk and manifest")[-1].header("export-manifest") == b"1"
        host, port = embedded.redis_address.split(":")
        with redis.Redis(host=host, port=int(port), decode_responses=True) as client:
            for name, account in model.apps["demo"].accounts.items():
                assert client.hgetall(f"acct:{{demo}}:{name}") == account.hash()
    finally:
        replies.close()
        exported.close()
    assert_clean_end(embedded, signal.SIGINT)


def test_any_kafka_client_without_a_partition(embedded):
    """A producer with a client's defaults: no partition, no key, no headers."""
    producer = Producer({"bootstrap.servers": embedded.brokers, "log_level": 0})
    replies = Tap(embedded.brokers, NAMES["replies"])
    producer.produce(NAMES["commands"], b'{"op":"create","app":"demo","account":"alice"}')
    assert producer.flush(10) == 0
    assert replies.wait(1)[0].body()["status"] == "ok"
    replies.close()


def test_two_at_once(embedded, tmp_path):
    (tmp_path / "other").mkdir()
    other = Embedded(tmp_path / "other")
    assert other.brokers != embedded.brokers and other.redis_address != embedded.redis_address
    assert_clean_end(other, signal.SIGTERM)
    assert_clean_end(embedded, signal.SIGINT)


def assert_clean_end(embedded, number):
    children = embedded.descendants()
    assert children, "a private redis-server was expected"
    embedded.process.send_signal(number)
    assert embedded.process.wait(20) == 0, embedded.said()
    left = [pid for pid in children if os.path.exists(f"/proc/{pid}")]
    assert not left, f"left behind: {left}"
    assert "AddressSanitizer" not in embedded.said()


def test_killed_it_leaves_no_child(embedded):
    children = embedded.descendants()
    embedded.process.kill()
    embedded.process.wait()
    deadline = time.monotonic() + 5
    while any(os.path.exists(f"/proc/{pid}") for pid in children):
        assert time.monotonic() < deadline, f"left behind: {children}"
        time.sleep(0.05)
