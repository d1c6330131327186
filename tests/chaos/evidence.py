"""What a client can see after a run: commands, committed replies and files, changelog, dead letters, Redis."""

import collections
from dataclasses import dataclass, field

from client import Tap
from oracle import Record
from oracle.routing import Topics


@dataclass
class Shown:
    """An app, as readers of Redis see it."""

    hashes: dict = field(default_factory=dict)
    index: dict = field(default_factory=dict)
    admins: set = field(default_factory=set)


@dataclass
class Evidence:
    topics: Topics
    commands: list  # Records
    replies: list  # Messages, as all that follow
    changelog: list
    dead_letters: list
    exports: list
    redis: dict  # app: Shown


def collect(stage):
    """Of a stage on which nothing happens any more."""
    brokers = stage.kafka.address
    parts = {role: everything(brokers, name) for role, name in stage.topics.items()}
    known = stage.kafka.admin.list_topics(timeout=10).topics
    counts = {name: len(known[name].partitions) for name in stage.topics.values()}
    commands = [
        Record(m.topic, m.partition, m.offset, m.timestamp, m.key, m.value, m.headers) for m in parts.pop("commands")
    ]
    return Evidence(Topics(**stage.topics, partitions=counts), commands, redis=shown(stage.master.client), **parts)


def everything(brokers, topic):
    tap = Tap(brokers, topic)
    try:
        return tap.drain(120)
    finally:
        tap.close()


def shown(client):
    apps = collections.defaultdict(Shown)
    for key in client.scan_iter("*", count=1000):
        kind, _, rest = key.partition(":{")
        app, _, name = rest.partition("}")
        if kind == "acct":
            apps[app].hashes[name.removeprefix(":")] = client.hgetall(key)
        elif kind == "accounts":
            apps[app].index = dict(client.zrange(key, 0, -1, withscores=True))
        elif kind == "admins":
            apps[app].admins = set(client.smembers(key))
    return dict(apps)
