"""An ordinary client that never stops: a thread that posts commands at a bounded rate, and one that watches the
replies. Accounts are reached from several partitions, admins come and go near the limit, and nonsense is among it."""

import base64
import collections
import json
import os
import random
import threading
import time

import msgpack
import redis
from client import Poster
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Producer, TopicPartition

RUBBISH = [
    None,
    b"",
    b"{",
    b"\xc1",
    b'{"op":"get","op":"get"}',
    b"\xdd\xff\xff\xff\xff",
    b"\0\1\2\3\4{}{}",
    b"[" * 500,
    b'{"op":"create","app":"crowd","account":"\xff"}',
    b'{"op":"get","app":"crowd","account":"n1","v":1e999}',
]

# app: how many accounts. Few accounts are hot: most of their commands meet one of another partition.
HOT, COURT, CROWD = ("hot", 12), ("court", 24), ("crowd", 300)

# The broker goes away and comes back: whoever measures must not be late himself.
PATIENT = {"reconnect.backoff.max.ms": 300}

# A client that gets no answers does not go on asking for ever.
UNANSWERED_MAX = 1500
TICK = 0.02


class Commands:
    """What is posted, from a seed. `shares` of the apps: hot, court, crowd."""

    def __init__(self, seed, shares=(2, 1, 9)):
        self.random = random.Random(seed)
        self.shares = shares
        self.number = 0

    def next(self):
        """(value, headers)"""
        self.number += 1
        headers = []
        if self.random.random() < 0.3:
            headers.append(("kafka_correlationId", self.random.randbytes(8)))
        if self.random.random() < 0.02:
            return self.random.choice(RUBBISH), headers
        command = self.command()
        if self.random.random() < 0.2:
            command["id"] = f"c-{self.number}"
        if self.random.random() < 0.3:
            return msgpack.packb(command), headers
        return json.dumps(command).encode(), headers

    def command(self):
        app, accounts = self.random.choices([HOT, COURT, CROWD], self.shares)[0]
        names = [f"n{i}" for i in range(accounts)]
        makers = {
            self.create: 24,
            self.edit: 34,
            self.delete: 12,
            self.get: 12,
            self.create_many: 3,
            self.edit_many: 3,
            self.delete_many: 2,
            self.get_many: 3,
            self.list: 0.5,
            self.export: 0.3,
            self.refused: 1,
        }
        maker = self.random.choices(list(makers), list(makers.values()))[0]
        return {"app": app, **maker(app, names)}

    def sometimes(self, likely, **fields):
        return {name: value for name, value in fields.items() if self.random.random() < likely}

    def kind(self, app):
        likely = 0.8 if app == "court" else 0.02
        return {"type": "admin"} if self.random.random() < likely else {}

    def profile(self):
        """Nearly every one differs from all others, so that a version of an account is known by its content."""
        fields = {
            "nickname": lambda: self.random.choice([f"N{self.number}", f"Ω{self.number}", None]),
            "level": lambda: self.number,
            "location": lambda: self.random.choice(["x", "y" * 16, ""]),
            "gender": lambda: self.random.choice(["female", "male", None]),
            "custom": lambda: {self.random.choice("abcdefghijklmnopqrstuvwxyz"): self.random.choice(["1", "2", None])},
        }
        return {name: fields[name]() for name in self.random.sample(list(fields), self.random.randint(0, 4))}

    def several(self, names):
        return self.random.sample(names, self.random.randint(1, 8))

    def create(self, app, names):
        how = {"on_exists": self.random.choice(["update", "skip", "error"]), "profile": self.profile()}
        return {
            "op": "create",
            "account": self.random.choice(names),
            **self.kind(app),
            **self.sometimes(0.5, **how),
            **self.sometimes(0.05, dry_run=True),
        }

    def edit(self, app, names):
        more = self.sometimes(0.08, if_revision=self.random.randrange(30), dry_run=True, type="general")
        return {"op": "edit", "account": self.random.choice(names), "profile": self.profile(), **more}

    def delete(self, app, names):
        more = self.sometimes(0.08, if_revision=self.random.randrange(30), dry_run=True)
        return {"op": "delete", "account": self.random.choice(names), **more}

    def get(self, app, names):
        return {"op": "get", "account": self.random.choice(names)}

    def create_many(self, app, names):
        entries = [{"account": name, **self.kind(app), "profile": self.profile()} for name in self.several(names)]
        return {"op": "create", "accounts": entries, **self.sometimes(0.2, on_exists="update", dry_run=True)}

    def edit_many(self, app, names):
        more = self.sometimes(0.1, dry_run=True)
        return {"op": "edit", "accounts": self.several(names), "profile": self.profile(), **more}

    def delete_many(self, app, names):
        return {"op": "delete", "accounts": self.several(names), **self.random.choice([{"confirm": True}, {}])}

    def get_many(self, app, names):
        return {"op": "get", "accounts": self.several(names)}

    def list(self, app, names):
        return {"op": "list", **self.sometimes(0.5, limit=self.random.randint(1, 20))}

    def export(self, app, names):
        how = {"format": self.random.choice(["ndjson", "json", "msgpack"]), "compression": "gzip"}
        return {"op": "export", "accounts": self.several(names), **self.sometimes(0.5, **how)}

    def refused(self, app, names):
        name = self.random.choice(names)
        return self.random.choice(
            [
                {"op": "erase"},
                {"op": "edit", "account": name},
                {"op": "get", "account": "a b"},
                {"op": "create", "account": name, "profile": {"level": -1}},
                {"op": "list", "nonsense": 1},
            ]
        )


class PatientPoster(Poster):
    """Waits as long as the broker is away, and is there again as soon as it is."""

    def __init__(self, brokers, topic):
        super().__init__(brokers, topic)
        self.failed = 0
        settings = {"bootstrap.servers": brokers, "log_level": 0, "enable.idempotence": True, "linger.ms": 1}
        settings |= {"message.max.bytes": 10_000_000, **PATIENT, "topic.metadata.refresh.interval.ms": 500}
        self.producer = Producer({**settings, "on_delivery": self._delivered})

    def _delivered(self, error, _):
        self.failed += error is not None

    def post(self, value, partition, key=None, headers=()):
        now = int(time.time() * 1000)
        self.producer.produce(self.topic, value, key, partition, timestamp=now, headers=headers or None)

    def knows(self, partitions):
        """Whether it has heard that the topic was given so many."""
        try:
            return len(self.producer.list_topics(self.topic, 1).topics[self.topic].partitions) == partitions
        except KafkaException:
            return False


class Load:
    def __init__(self, brokers, topic, seed, partitions, rate, watch):
        self.watch = watch
        self.commands = Commands(seed)
        self.poster = PatientPoster(brokers, topic)
        self.partitions = partitions
        self.rate = rate
        self.posted = 0
        self.ended = threading.Event()
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.failure = None

    def start(self):
        self.thread.start()

    def _run(self):
        try:
            due = time.monotonic()
            while not self.ended.wait(TICK):
                self.poster.producer.poll(0)
                due = max(due, time.monotonic() - 1)
                while due < time.monotonic() and self.unanswered() < UNANSWERED_MAX:
                    value, headers = self.commands.next()
                    partition = self.commands.random.randrange(self.partitions)
                    self.post(value, partition, headers=headers, key=self.commands.random.choice([None, b"k"]))
                    due += 1 / self.rate
        except Exception as error:
            self.failure = error

    def unanswered(self):
        return self.posted - self.watch.seen

    def post(self, value, partition, **how):
        with self.lock:
            self.poster.post(value, partition=partition, **how)
            self.posted += 1

    def stop(self):
        self.ended.set()
        self.thread.join()
        assert self.failure is None, self.failure
        self.poster.flush()


class Reader:
    """Somebody who looks into Redis all the time: how many admins an app had at most. While Redis is being restored,
    and has no incarnation, accounts pass through versions of long ago."""

    def __init__(self, master, apps=("court", "crowd", "hot")):
        self.master = master  # a function: which server it is now
        self.apps = apps
        self.most_admins = 0
        self.looks = 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.ended.wait(0.05):
            try:
                look = self.master().client.pipeline(transaction=True).exists("accountd:incarnation")
                for app in self.apps:
                    look.scard(f"admins:{{{app}}}")
                is_whole, *counts = look.execute()
            except redis.RedisError:
                continue
            if is_whole:
                self.most_admins = max(self.most_admins, *counts)
                self.looks += 1

    def close(self):
        self.ended.set()
        self.thread.join()


class Watch:
    """Sees committed replies as they come: how many, and when those to probes did."""

    def __init__(self, brokers, topic, partitions):
        self.seen = 0
        self.probes = {}
        self.numbers = collections.Counter()
        settings = {"bootstrap.servers": brokers, "log_level": 0, "group.id": "watch", "fetch.wait.max.ms": 20}
        settings |= {"enable.auto.commit": False, "isolation.level": "read_committed"}
        settings |= PATIENT
        self.consumer = Consumer(settings)
        self.consumer.assign([TopicPartition(topic, i, OFFSET_BEGINNING) for i in range(partitions)])
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.ended.is_set():
            for message in self.consumer.consume(1000, timeout=0.02):
                if message.error():
                    continue
                self.seen += 1
                correlation = dict(message.headers() or []).get("kafka_correlationId")
                if correlation in self.probes:
                    self.probes[correlation] = time.monotonic()

    def probe(self, load):
        """Posts a command to every partition; returns the names of these probes."""
        names = []
        for partition in range(load.partitions):
            name = base64.b32encode(os.urandom(10))
            self.probes[name] = None
            names.append(name)
            self.numbers[partition] += 1
            profile = {"level": self.numbers[partition]}
            command = {"op": "create", "app": "probe", "account": f"p{partition}", "on_exists": "update"}
            value = json.dumps({**command, "profile": profile}).encode()
            load.post(value, partition, headers=[("kafka_correlationId", name)])
        return names

    def answered(self, names):
        """When the last of the probes was answered, or None."""
        times = [self.probes[name] for name in names]
        return max(times) if all(times) else None

    def close(self):
        self.ended.set()
        self.thread.join()
        self.consumer.close()
